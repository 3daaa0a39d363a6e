"""Calls over omniORB's TLS transport (giop:ssl): joined like any other, and said on the spans.

The kernel sees ciphertext; nothing here needs to: request id and connection are read from omniORB's own objects. The
descriptor of an sslConnection lies where that of every connection does (byte 0x28: SocketHolder::pd_socket; by offsetof over
the headers of 4.2.5, 4.3.3 and 4.3.4, and seen here live), and its class is told by the name of its type (bpf/giop.bpf.h).

cppTango makes its addresses without a database as corbaloc:iiop, so only servers found through a database can be called so.
"""
import os
import subprocess

import bed as beds
import spans as otlp
from harness import check, equal, figure, scaled
from test_calls import mixed_calls
from test_matrix import SUITES, root_of

CALLS = scaled("TT_SSL_CALLS", 2000)
TRANSPORTS = "libomnisslTP4.so.2 libomnisslTP4.so.3"  # of omniORB 4.2 and 4.3; the linker ignores what a system has not


def make_certificate(bed):
    """A key with a certificate that it signed itself, for both ends."""
    key, certificate, both = bed.path("key.pem"), bed.path("certificate.pem"), bed.path("both.pem")
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                           "/CN=tango-test", "-keyout", key, "-out", certificate], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=60)
    check(done.returncode == 0, "openssl made a certificate", done.stdout)
    with open(both, "w") as out:
        for path in (key, certificate):
            with open(path) as part:
                out.write(part.read())
    return certificate, both


def prepare(bed):
    """Environments of client and servers: both have the transport and prefer it, a server listens by it alone."""
    certificate, both = make_certificate(bed)
    client = {"LD_PRELOAD": TRANSPORTS, "ORBsslCAFile": certificate, "ORBsslKeyFile": both,
              "ORBsslKeyPassword": "unused",  # of a key without one, but 4.2.5 takes no key without it
              "ORBsslVerifyMode": "peer,fail", "ORBclientTransportRule": "* ssl,tcp"}
    return client, dict(client, ORBendPoint="giop:ssl:127.0.0.1:")


def listening(pid):
    """The ports on which a process listens by TCP."""
    sockets = {os.readlink("/proc/%d/fd/%s" % (pid, fd)) for fd in os.listdir("/proc/%d/fd" % pid)}
    with open("/proc/%d/net/tcp" % pid) as f:
        rows = [line.split() for line in f][1:]
    return {int(r[1].split(":")[1], 16) for r in rows if r[3] == "0A" and "socket:[%s]" % r[9] in sockets}


def check_ssl(spans, client, servers):
    """All requests of the servers came over TLS, at the port of each; those to the database did not."""
    ports = {s.pid: listening(s.pid) for s in servers}
    mine = {s.id: s for s in spans if s.pid == client.pid and s.kind == otlp.CLIENT}
    served = [s for s in spans if s.kind == otlp.SERVER and s.parent in mine]
    secured = [s for s in served if s.pid in ports]
    check(secured, "requests served")
    for server in secured:
        caller = mine[server.parent]
        for span in (server, caller):
            equal((span.attrs.get("tls.established"), span.attrs.get("network.transport"),
                   span.attrs.get("network.type"), span.attrs.get("network.protocol.name")),
                  (True, "tcp", "ipv4", "giop"), "connection of %s" % span)
        equal((caller.attrs["server.address"], caller.attrs["network.peer.address"]), ("127.0.0.1", "127.0.0.1"),
              "server.address")
        check(caller.attrs["server.port"] in ports[server.pid], "the server listens there", caller, ports)
    plain = [s for s in spans if s not in served and s.attrs.get("tls.established")
             and s.kind == otlp.SERVER]
    check(not plain, "no other request is said to be secured", *plain[:3])
    for span in (s for s in served if s.pid not in ports):
        check("tls.established" not in span.attrs and span.attrs.get("network.transport") == "tcp",
              "the database is asked by plain TCP", span)
    figure("%d of %d requests over TLS" % (len(secured), len(served)))


def over_ssl(bed, python, suite=None):
    root = root_of(suite + "-cpp") if suite else None
    mixed_calls(bed, python, use_database=True, calls=CALLS, roots=(root, root), envs=prepare(bed), also=check_ssl)


def test_cpp(bed):
    over_ssl(bed, python=False)


def test_python(bed):
    over_ssl(bed, python=True)


globals().update({"test_" + suite: lambda bed, s=suite: over_ssl(bed, False, s) for suite in SUITES})
