"""Receivers of spans written here, which go away or behave badly, and `tangotrace replay` into them: recordings through the
exporter, spool and connection of a live agent. What takes OTLP as it should: otlp_peers.py."""
import array
import glob
import gzip
import http.server
import os
import re
import socket
import socketserver
import threading

import bed as beds
from agent import BINARY, FINAL
from harness import ROOT, check

IDLE = ["--speed", "0.05", "--repeat", "1000"]  # of a replay: some spans every 20 s
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


# ---- ids in OTLP, read by a few lines of our own ------------------------------------------------------------------------

def fields(data, at, end):
    """(number, start, end) of the length-delimited fields of a message; others are passed over."""
    while at < end:
        key, at = data[at], at + 1
        if key & 7 == 1:
            at += 8
            continue
        if key & 7 == 5:
            at += 4
            continue
        size = shift = 0
        while True:
            byte, at = data[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if key & 7 == 2:
            yield key >> 3, at, at + size
            at += size


def span_ids(body):
    """Span ids of an ExportTraceServiceRequest, as numbers."""
    found = array.array("Q")
    for one, a, b in fields(body, 0, len(body)):
        for two, c, d in fields(body, a, b):
            if two != 2:  # ResourceSpans.scope_spans
                continue
            for three, e, f in fields(body, c, d):
                if three != 2:  # ScopeSpans.spans
                    continue
                for number, g, h in fields(body, e, f):
                    if number == 2:  # Span.span_id
                        found.append(int.from_bytes(body[g:h], "big"))
                        break
    return found


# ---- receivers ----------------------------------------------------------------------------------------------------------

class Destination:
    """Takes traces on a port, which may go away and come back; keeps the ids of each request."""

    def __init__(self):
        self.port, self.server = beds.free_port(), None
        self.url = "http://127.0.0.1:%d" % self.port
        self.bodies, self.requests, self.lock = [], 0, threading.Lock()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    ids = span_ids(gzip.decompress(body))
                    with owner.lock:
                        owner.bodies.append(ids)
                        owner.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                if owner.server is None:
                    self.close_connection = True

            def log_message(self, *args):
                pass

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = allow_reuse_address = True
            connections = ()

            def handle_error(self, request, address):  # the agent was killed
                pass

            def process_request(self, request, address):
                self.connections += (request,)
                super().process_request(request, address)

        self.make = lambda: Server(("127.0.0.1", self.port), Handler)

    def up(self):
        self.server = self.make()
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def down(self):
        server, self.server = self.server, None
        server.shutdown()
        server.server_close()
        for connection in server.connections:
            try:
                connection.shutdown(2)
            except OSError:
                pass

    def count(self):
        with self.lock:
            return sum(map(len, self.bodies))

    def ids(self):
        with self.lock:
            return sorted(i for body in self.bodies for i in body)


def read_request(connection):
    """(head, body) of one request; None at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            return None
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    size = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(body) < size:
        piece = connection.recv(65536)
        if not piece:
            return None
        body += piece
    return head.decode(), body


class Receiver:
    """A TCP server; `serve(connection, number)` does what it likes with each connection."""

    def __init__(self, serve, context=None, port=0):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.url = "%s://localhost:%d" % ("https" if context else "http", self.port)
        self.serve, self.context, self.connections, self.heads, self.ids = serve, context, 0, [], []
        self.peers, self.open = [], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(connection, self.connections), daemon=True).start()

    def one(self, connection, number):
        try:
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.peers.append(connection.getpeercert())
            self.open.append(connection)
            self.serve(self, connection, number)
        except OSError:
            pass
        finally:
            connection.close()

    def take(self, connection):
        """Reads a request and keeps its spans; None at the end."""
        request = read_request(connection)
        if request:
            self.heads.append(request[0])
            if " /v1/traces" in request[0] and "protobuf" in request[0] and "gzip" in request[0]:
                self.ids += span_ids(gzip.decompress(request[1]))
        return request

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends the accept of the thread
        self.listener.close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def good(receiver, connection, number):
    while receiver.take(connection):
        connection.sendall(OK)


# ---- agents -------------------------------------------------------------------------------------------------------------

def golden(name):
    return os.path.join(ROOT, "tests", "golden", name + ".ttr")


def replay(bed, name, url, *args):
    return bed.start("replay-" + name, [BINARY, "replay", golden(name), "--export", "otlp:" + url] + list(args))


def final(proc):
    found = FINAL.findall(proc.stderr)
    check(len(found) == 1, "one final line", proc.tail())
    events, made, exported, lost, reasons = found[0]
    return {"spans": int(made), "exported": int(exported), "lost": int(lost), "reasons": reasons}


def ended(proc, seconds=30):
    code = proc.wait(seconds)
    check(code == 0, "the agent ended with %d" % code, proc.tail())
    check("Sanitizer" not in proc.stderr and "runtime error:" not in proc.stderr, "a sanitizer spoke", proc.tail())
    return final(proc)


def files(spool):
    return sorted(glob.glob(os.path.join(spool, "traces-*", "*.batch")))
