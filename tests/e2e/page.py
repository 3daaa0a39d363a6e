"""The process that serves the page, fed by hand: spans of any kind and number, without an agent (src/store/flat.h)."""
import json
import os
import re
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request

from agent import BINARY
from harness import check, wait_for

CONFIG, RESOURCE, SPAN, LOG, BATCH, USAGE, STATE, COUNTED = range(8)
INTERNAL, SERVER, CLIENT = 1, 2, 3
BUCKETS = 49
PAGE = re.compile(r"tangotrace: page at (https?://\S+)")


def string(text):
    if text is None:
        return struct.pack("<I", 0)
    data = text.encode() + b"\0"
    return struct.pack("<I", len(data)) + data


def attributes(values):
    out = [struct.pack("<I", len(values))]
    for key, value in values.items():
        out.append(struct.pack("<H", 0xffff) + string(key))
        if isinstance(value, str):
            out.append(b"\0" + string(value))
        else:
            out.append(b"\1" + struct.pack("<q", value))
    return b"".join(out)


def frame(kind, body):
    return struct.pack("<II", len(body), kind) + body


def resource(number, service, instance, client=False, **more):
    values = {"service.name": service, "service.instance.id": instance}
    values.update(more)
    return frame(RESOURCE, struct.pack("<QI", number, client) + string(service) + string(instance) +
                 string(None if client else service) + attributes(values))


def span(trace, number, parent, start, end, of=1, kind=INTERNAL, name="Tango::x", title=None, error=None, values=None):
    front = struct.pack("<QQQ16s8s8sIBBBB", start, end, of, trace, struct.pack(">Q", number),
                        struct.pack(">Q", parent or 0), 0, kind, 2 if error else 0, parent is None, 0)
    events = b""
    if error:
        events = struct.pack("<Q", end) + string("exception") + attributes(
            {"exception.type": "Tango::DevFailed", "exception.message": error})
    return frame(SPAN, front + string(name) + string(title or name) + string(None) + string(error) + string("tango.cpp") +
                 string("9.5.1") + attributes(values or {}) + struct.pack("<II", 0, 1 if error else 0) + events +
                 struct.pack("<III", 0, 0, 0))


def usage(time_ns, rows, kind=USAGE):
    """rows: (device, class, client, operation, calls, errors, ns of all, bucket)."""
    out = [struct.pack("<Q", time_ns)]
    for device, cls, client, operation, calls, errors, ns, bucket in rows:
        out.append(string(device) + string(cls) + string(client) + string(operation) +
                   struct.pack("<QQQI", calls, errors, ns, 1) + struct.pack("<II", bucket, calls))
    return frame(kind, b"".join(out))


def state(name, value):
    return frame(STATE, struct.pack("<Q", time.time_ns()) + string(name) + string(json.dumps(value)))


class Page:
    """`page-server` itself, with a socket into it. `tls`: PEM texts of certificate, key, who signs those of clients."""

    def __init__(self, bed, token=None, recording=None, memory=48 << 20, age_ns=1800 * 10**9, tls=(None, None, None)):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(128)
        self.port = self.listener.getsockname()[1]
        self.url = "http%s://127.0.0.1:%d/" % ("s" if tls[0] else "", self.port)
        self.feed, theirs = socket.socketpair()

        def places():
            a, b = os.dup(theirs.fileno()), os.dup(self.listener.fileno())
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.err = open(bed.path("page-%d.err" % self.port), "wb")
        self.process = subprocess.Popen([BINARY, "page-server"], close_fds=False, preexec_fn=places,
                                        stdin=subprocess.DEVNULL, stdout=self.err, stderr=self.err)
        theirs.close()
        self.listener.close()
        self.send(frame(CONFIG, struct.pack("<QQ", memory, age_ns) + string(token) + string(socket.gethostname()) +
                        string(recording) + b"".join(string(text) for text in tls)))

    def send(self, *frames):
        self.feed.sendall(b"".join(frames))

    def get(self, path, headers=None, seconds=10):
        return get(self.url + path.lstrip("/"), headers, seconds)

    def memory(self):
        """Resident bytes."""
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1)) * 1024

    def close(self):
        self.feed.close()  # as an agent that ends
        try:
            self.process.wait(5)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.err.close()

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()


def get(url, headers=None, seconds=10):
    """(status, headers, body) of a request."""
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def ask(url):
    """The JSON of a request that is answered, later if the rate of requests is spent."""
    answer = wait_for(lambda: (lambda a: a if a[0] != 429 else None)(get(url)), 10, "an answer of " + url, 0.1)
    check(answer[0] == 200, "%s: %d" % (url, answer[0]), answer[2][:300])
    return json.loads(answer[2])


class Replay:
    """A recording in the page, as a person asks for it."""

    def __init__(self, bed, recording, *more):
        self.proc = bed.start("replay", [BINARY, "replay", recording, "--serve", "--view-listen", "127.0.0.1:0"] + list(more))
        self.proc.wait_text("tangotrace: page at", 20)
        self.url = PAGE.search(self.proc.stderr).group(1)

    def traces(self, **args):
        from urllib.parse import urlencode
        return ask(self.url + "api/traces?" + urlencode(args))["traces"]

    def stop(self):
        self.proc.stop()

    def __enter__(self):
        wait_for(lambda: ask(self.url + "api/info")["store"]["spans"], 10, "spans of the recording")
        return self

    def __exit__(self, *what):
        self.stop()
