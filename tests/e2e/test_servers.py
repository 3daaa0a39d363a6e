"""Receivers that behave badly, and their certificates: no hang, no loss that is not counted. Over real sockets and TLS, from
`tangotrace replay`: the exporter of a live agent."""
import gzip
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

from agent import BINARY
from authority import Authority
from harness import check, equal, figure, wait_for
from receivers import IDLE, OK, Receiver, ended, files, golden, good, read_request, span_ids


def exported(bed, url, *args, seconds=40, recording="calls", expect=None):
    """A replay to that URL: (seconds it took, final line, standard error)."""
    proc = bed.start("replay", [BINARY, "replay", golden(recording), "--export", "otlp:" + url, "--no-logs"] + list(args))
    begin = time.monotonic()
    last = ended(proc, seconds)
    return time.monotonic() - begin, last, proc.stderr


def accounted(final, made=35):
    equal(final["spans"], made, "spans made")
    equal(final["exported"] + final["lost"], made, "spans exported and lost")


# ---- bad servers --------------------------------------------------------------------------------------------------------

def test_bad_servers(bed):
    """What each does, what becomes of the spans, and how long it may take (--otlp-timeout 1s, and the end)."""
    def half_closing(receiver, connection, number):
        receiver.take(connection)
        connection.shutdown(socket.SHUT_WR)  # an end of file in place of an answer
        connection.settimeout(10)
        connection.recv(1)

    def deaf(receiver, connection, number):  # closes while the request is on its way
        connection.recv(10)

    def resetting(receiver, connection, number):
        receiver.take(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    def silent(receiver, connection, number):
        receiver.take(connection)
        connection.settimeout(20)
        connection.recv(1)

    def dripping(receiver, connection, number):  # a byte of the head now and then
        receiver.take(connection)
        for byte in OK * 100:
            connection.sendall(bytes([byte]))
            threading.Event().wait(0.2)

    def answering(head, fill=0):
        def serve(receiver, connection, number):
            while receiver.take(connection):
                connection.sendall(head)
                for _ in range(fill):
                    connection.sendall(b"x" * 65536)
                if b"Content-Length" not in head and b"chunked" not in head:
                    return
        return serve

    def bomb(receiver, connection, number):  # 5 MB that fit into 5 KB
        receiver.take(connection)
        body = gzip.compress(b"\0" * (5 << 20))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    cases = [  # name, serve, spans that arrive for us, words on standard error
        ("half-closing", half_closing, 0, "gave up"),
        ("closing at once", deaf, 0, "gave up"),
        ("resetting", resetting, 0, "gave up"),
        ("silent", silent, 0, "no answer in time"),
        ("dripping", dripping, 0, "no answer in time"),
        ("200 and huge", answering(b"HTTP/1.1 200 OK\r\n\r\n", 80), 0, "larger than 4 MiB"),
        ("200 of another type", answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"), 35,
         "is it an OTLP/HTTP receiver"),
        ("204", answering(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), 35, "lost 0"),
        ("HTTP/1.0", answering(b"HTTP/1.0 200 OK\r\n\r\n"), 35, "lost 0"),
        ("redirect", answering(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n"),
         0, "a redirect to http://localhost:1/"),
        ("redirect to itself", answering(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: /v1/traces\r\nContent-Length: 0\r\n\r\n"),
         0, "which is not followed"),
        ("422", answering(b"HTTP/1.1 422 Unprocessable\r\nContent-Length: 36\r\n\r\nat least one valid stream is required"), 0,
         "at least one valid stream"),
        ("500 on data", answering(b"HTTP/1.1 500 Internal\r\nContent-Length: 20\r\n\r\ninvalid temporality "), 0, "answered 500"),
        ("too old", answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 14\r\n\r\ntoo old sample"), 0, "too old sample"),
        ("415", answering(b"HTTP/1.1 415 Unsupported\r\nContent-Length: 0\r\n\r\n"), 0, "answered 415"),
        ("429 without Retry-After", answering(b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n"), 0, "answered 429"),
        ("a bomb", bomb, 35, "lost 0"),
        ("no HTTP", answering(b"SSH-2.0-OpenSSH_9.2\r\n"), 0, "no HTTP port"),
    ]
    slowest = 0
    for name, serve, arrive, words in cases:
        receiver = Receiver(serve)
        took, final, said = exported(bed, receiver.url, "--otlp-timeout", "1s")
        receiver.close()
        accounted(final)
        equal(final["exported"], arrive, "%s: spans exported" % name)
        check(words in said, "%s: what is said" % name, said)
        check(took < 6, "%s: how long it took" % name, took)
        slowest = max(slowest, took)
    figure("%d kinds of bad servers, the slowest took %.1f s" % (len(cases), slowest))


def test_kept_meanwhile(bed):
    """With a spool, what a server that is out of order does not take arrives once it is well; what it refuses is dropped."""
    answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", b"", b"garbage\r\n\r\n",
               b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", OK]

    def getting_well(receiver, connection, number):
        while True:
            request = read_request(connection)
            if not request:
                return
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer == OK:
                receiver.ids += span_ids(gzip.decompress(request[1]))
            connection.sendall(answer)
            if b"Content-Length" not in answer:
                return

    spool = bed.path("spool")
    receiver = Receiver(getting_well)
    exported(bed, receiver.url, "--spool", spool)
    proc = bed.start("drain", [BINARY, "replay", golden("chain"), "--export", "otlp:" + receiver.url, "--no-logs", "--spool",
                               spool] + IDLE)
    wait_for(lambda: not files(spool), 20, "an empty spool")
    proc.signal(15)
    ended(proc)
    equal(len(receiver.ids), len(set(receiver.ids)), "spans, each once")
    check(len(receiver.ids) >= 35, "all of them", len(receiver.ids))
    receiver.close()


def test_encodings(bed):
    """zstd, gzip, nothing; JSON: each is what its header says, with the same spans in it."""
    bodies = {}

    def keeping(receiver, connection, number):
        while True:
            request = read_request(connection)
            if not request:
                return
            bodies.setdefault(receiver.name, []).append(request)
            connection.sendall(OK)

    for kind in ("none", "gzip", "zstd"):
        receiver = Receiver(keeping)
        receiver.name = kind
        _, final, _ = exported(bed, receiver.url, "--otlp-compression", kind)
        equal(final["exported"], 35, "spans exported")
    plain = bodies["none"][0][1]
    equal(len(span_ids(plain)), 35, "spans in the plain body")
    equal(gzip.decompress(bodies["gzip"][0][1]), plain, "gzip")
    check("Content-Encoding: zstd" in bodies["zstd"][0][0], "header", bodies["zstd"][0][0])
    done = subprocess.run(["zstd", "-dc"], input=bodies["zstd"][0][1], stdout=subprocess.PIPE, check=True)
    equal(done.stdout, plain, "zstd")
    receiver = Receiver(keeping)
    receiver.name = "json"
    exported(bed, receiver.url, "--otlp-protocol", "http/json")
    head, body = bodies["json"][0]
    check("Content-Type: application/json" in head, "header", head)
    request = json.loads(gzip.decompress(body))
    ids = [int(s["spanId"], 16) for r in request["resourceSpans"] for c in r["scopeSpans"] for s in c["spans"]]
    equal(sorted(ids), sorted(span_ids(plain)), "spans of the JSON")


def test_signals_apart(bed):
    """Each signal has its own destination, headers and compression; what is said for all counts for the rest."""
    receivers = {signal: Receiver(good) for signal in ("traces", "logs", "metrics")}
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS": "x-all=1",
           "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "x-scope=beamline", "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "none",
           "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "otlp"}
    for signal, receiver in receivers.items():
        env["OTEL_EXPORTER_OTLP_%s_ENDPOINT" % signal.upper()] = receiver.url + "/in/" + signal
    proc = bed.start("replay", [BINARY, "replay", golden("events")], env=env)
    ended(proc)
    heads = {signal: receiver.heads[0] for signal, receiver in receivers.items() if receiver.heads}
    equal(sorted(heads), ["logs", "metrics", "traces"], "signals that came")
    for signal, head in heads.items():
        check("POST /in/%s HTTP" % signal in head, "path", head)
        equal("x-scope: beamline" in head, signal == "logs", "headers of " + signal)
        equal("x-all: 1" in head, signal != "logs", "headers of " + signal)
        equal("Content-Encoding: gzip" in head, signal != "metrics", "compression of " + signal)


def test_proxy(bed):
    """curl's usual variables: what is elsewhere goes by the proxy, what they except and this host do not."""
    proxy, receiver = Receiver(good), Receiver(good)

    def sent(url, **env):
        before = len(proxy.heads), len(receiver.heads)
        proc = bed.start("replay", [BINARY, "replay", golden("calls"), "--export", "otlp:" + url, "--no-logs", "--otlp-timeout", "1s"],
                         env=dict(env, http_proxy="http://127.0.0.1:%d" % proxy.port))
        final = ended(proc)
        accounted(final)
        return final["exported"], len(proxy.heads) - before[0], len(receiver.heads) - before[1]

    equal(sent("http://collector.invalid:4318"), (35, 1, 0), "spans; requests at the proxy and at the receiver")
    check("POST http://collector.invalid:4318/v1/traces HTTP" in proxy.heads[0], "the proxy is told where to", proxy.heads[0])
    equal(sent("http://collector.invalid:4318", no_proxy=".invalid"), (0, 0, 0), "an exception, which there is not")
    equal(sent(receiver.url), (35, 0, 1), "on this host")


def test_alone(bed):
    """Log records go where only they have an endpoint, or spans are wanted nowhere."""
    for more in ({}, {"OTEL_TRACES_EXPORTER": "none"}):
        receiver = Receiver(good)
        ended(bed.start("replay", [BINARY, "replay", golden("events")],
                        env=dict(more, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=receiver.url + "/in/logs")))
        equal(len(receiver.heads), 1, "requests with %r" % more)
        check("POST /in/logs HTTP" in receiver.heads[0], "path", receiver.heads[0])


# ---- TLS ----------------------------------------------------------------------------------------------------------------

def server_context(pair, clients=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(clients)
    return context


def test_certificates(bed):
    """Good, expired, of an unknown authority, for another name, none at all: only the first gets spans."""
    ca, other = Authority(bed, "ca"), Authority(bed, "other")
    fine = ca.issue("fine")
    cases = [
        ("good", server_context(fine), ca.cert, 35, "lost 0"),
        ("expired", server_context(ca.issue("expired", end="20210101000000Z")), ca.cert, 0, "expired"),
        ("unknown", server_context(fine), other.cert, 0, "OTEL_EXPORTER_OTLP_CERTIFICATE"),
        ("plain", None, ca.cert, 0, "no connection or no answer in time"),
    ]
    for name, context, authority, arrive, words in cases:
        receiver = Receiver(good, context)
        url = receiver.url.replace("http:", "https:")
        took, final, said = exported(bed, url, "--otlp-certificate", authority, "--otlp-timeout", "1s")
        accounted(final)
        equal((final["exported"], len(receiver.ids)), (arrive, arrive), "%s: spans" % name)
        check(words in said and took < 6, "%s: what is said, and when" % name, took, said)
        receiver.close()
    receiver = Receiver(good, server_context(fine))
    _, final, said = exported(bed, "https://127.0.0.1:%d" % receiver.port, "--otlp-certificate", ca.cert, "--otlp-timeout", "1s")
    equal(final["exported"], 0, "another name: spans")
    check(re.search("host name|subject name", said), "another name", said)  # curl says it in its own way


def test_certificates_renewed(bed):
    """Client certificate, key and authority are read again when they change, while the agent runs: a new pair of the same
    files is shown to the receiver; a server with a new authority is trusted once that is in the file."""
    first, second = Authority(bed, "first"), Authority(bed, "second")
    clients = first.issue("client-one", to=bed.path("client"))
    authority = bed.path("authority.pem")
    with open(authority, "w") as f, open(first.cert) as g:
        f.write(g.read())
    both = bed.path("both.pem")
    with open(both, "w") as f:
        for path in (first.cert, second.cert):
            with open(path) as g:
                f.write(g.read())
    server = first.issue("server-one")
    receiver = Receiver(good, server_context(server, both))
    spool = bed.path("spool")
    proc = bed.start("replay", [BINARY, "replay", golden("calls"), "--export", "otlp:" + receiver.url, "--no-logs",
                                "--otlp-certificate", authority, "--otlp-client-certificate", clients[0], "--otlp-client-key",
                                clients[1], "--spool", spool, "--speed", "20", "--repeat", "100000"])

    def peer():
        return dict(pair[0] for pair in receiver.peers[-1]["subject"])["commonName"] if receiver.peers else None

    wait_for(lambda: receiver.ids, 15, "spans")
    equal(peer(), "client-one", "the client")
    second.issue("client-two", to=bed.path("client"))
    wait_for(lambda: peer() == "client-two", 15, "the new client certificate")
    # A server of another authority on the same port; the file follows later.
    port = receiver.port
    receiver.close()
    before = len(receiver.ids)
    context = server_context(second.issue("server-two"), both)
    receiver.context = context
    wait_for(lambda: renewed(receiver, context, port), 10, "the port again")
    wait_for(lambda: files(spool), 20, "spans that are kept")
    os.rename(second.cert, authority)
    wait_for(lambda: len(receiver.ids) > before and not files(spool), 30, "spans at the new server")
    proc.signal(15)
    final = ended(proc)
    equal(final["lost"], 0, "lost")
    equal(len(set(receiver.ids)), final["spans"], "spans at both servers")


def renewed(receiver, context, port):
    try:
        receiver.listener = socket.create_server(("127.0.0.1", port))
    except OSError:
        return False
    threading.Thread(target=receiver.run, daemon=True).start()
    return True
