"""Native telemetry of Tango 10: switched on in wheels, its spans captured and brought into the form of ours."""
import collections
import os
import time

import bed as beds
import otlp_peers
import parts
import plans
import spans as otlp
from agent import Agent, only
from harness import check

SUITES = {"trixie": "10.0.2"}  # of Debian: C++ programs
OLD = "debian"  # PyTango of this host's Debian, a Tango 9: a server without native telemetry
# The background exporters: cppTango's every 2.5 s, not to be changed; OpenTelemetry's for Python by its environment.
FLUSH_SECONDS = 3.5


def telemetry(version, url):
    """Environment that switches it on: traces of C++ and Python by HTTP to `url`. The names changed with 10.3."""
    env = {"TANGO_TELEMETRY_ENABLE": "on", "OTEL_BSP_SCHEDULE_DELAY": "300"}
    if SUITES.get(version, version).startswith("10.0"):
        env.update({"TANGO_TELEMETRY_TRACES_EXPORTER": "http", "TANGO_TELEMETRY_LOGS_EXPORTER": "none",
                    "TANGO_TELEMETRY_TRACES_ENDPOINT": url + "/v1/traces"})
    else:
        env.update({"TANGO_TELEMETRY_TYPES": "tracing", "TANGO_TELEMETRY_TRACING_EXPORTERS": "http",
                    "TANGO_TELEMETRY_TRACING_ENDPOINTS": url + "/v1/traces"})
    return env


def telemetry_python(version):
    """The interpreter with that wheel and OpenTelemetry's packages."""
    return beds.need(os.path.join(beds.CACHE, "venvs", "telemetry-" + version, "bin", "python"), "run tests/e2e/venv")


def function_of(name):
    """10.0 names a span by the whole signature, 10.3 by the qualified function: the latter, of either.

    "virtual Tango::AttributeValueList_5* Tango::Device_5Impl::read_attributes_5(const ..)" -> the qualified name
    """
    head, depth = name, 0
    for i, c in enumerate(name):  # templates hold parentheses only behind the function's own
        if c == "(":
            head = name[:i]
            break
    for i in range(len(head) - 1, -1, -1):
        depth += (head[i] == ">") - (head[i] == "<")
        if depth == 0 and head[i] in " *&":
            return head[i + 1:]
    return head


class Native:
    """The captured spans of native telemetry. `calls` are the CLIENT and SERVER spans that cppTango makes itself."""

    def __init__(self, spans):
        self.spans = {s.id: s for s in spans}
        for s in spans:
            s.function = function_of(s.name)
            s.process = s.resource.get("tango.process.id") or s.resource.get("process.pid", 0)
            s.cpp = s.scope["name"] == "tango.cpp" and s.function.startswith("Tango::")
        self.servers = collections.defaultdict(list)  # by parent
        for s in spans:
            if s.cpp and s.kind == otlp.SERVER and s.parent:
                self.servers[s.parent].append(s)
        calls = [s for s in spans if s.cpp and s.kind in (otlp.CLIENT, otlp.SERVER)]
        self.calls = [s for s in calls if not self.is_inner(s)]
        self.inner = collections.Counter(s.function for s in calls if self.is_inner(s))

    def is_inner(self, span):
        """An overload of the client's API called by another; a server's method called by another of the same request
        (write_read_attributes_5 calls write_attributes_4, and each takes the client's span as its parent): one
        request, of which native makes two spans."""
        parent = self.spans.get(span.parent)
        if parent is not None and parent.cpp and parent.kind == span.kind and parent.process == span.process:
            return True
        return span.kind == otlp.SERVER and any(
            s is not span and s.process == span.process and s.start <= span.start and span.end <= s.end
            for s in self.servers.get(span.parent, []))

    def sender(self, span):
        """The one of `calls` that stands for a client's span: itself, or the overload that called it."""
        while self.is_inner(span):
            span = self.spans[span.parent]
        return span

    def caller(self, span):
        """The next of `calls` above a span: those of Python and of the binding between them are left out."""
        span = self.spans.get(span.parent)
        while span is not None and span not in self.calls:
            span = self.spans.get(span.parent)
        return span


class System:
    """Servers and a client of one build each, with native telemetry where it is asked for, and the agent. run() gives the
    client's log, our spans and native's.

    A build is a version of PyTango's wheels (a Leader and a Follower in Python), or the suite of a Debian whose Tango is
    a 10 (the thrower and the client in C++).
    """

    def __init__(self, bed, client, server, client_on=True, server_on=True):
        self.bed = bed
        self.capture = otlp_peers.Capture(bed)
        self.client_build = client
        env = telemetry(server, self.capture.url) if server_on else {}
        self.client_env = telemetry(client, self.capture.url) if client_on else {}
        if server in SUITES:
            thrower = parts.thrower(bed, root=beds.suite_root(server), env=env, witness=False)
            self.servers, self.devices = [thrower], {"thrower": thrower.url("test/thrower/1")}
        else:
            python = beds.PYTHON if server == OLD else telemetry_python(server)
            follower = parts.follower(bed, python=python, env=env, witness=False)
            leader = parts.leader(bed, follower, python=python, env=env, witness=False)
            self.servers = [follower, leader]
            self.devices = {"follower": follower.url("test/follower/1"), "leader": leader.url("test/leader/1")}

    def at(self, device, rows):
        return plans.at(self.devices[device], rows) if device in self.devices else []

    def client(self, calls, **kw):
        if self.client_build in SUITES:
            return parts.Client(self.bed, [calls], root=beds.suite_root(self.client_build), witness=False, **kw)
        return parts.Client(self.bed, [calls], python=telemetry_python(self.client_build), witness=False,
                            flags=["--linger", str(FLUSH_SECONDS)] if kw.get("gate") else [], **kw)

    def run(self, calls, mode, options=()):
        # Before anything is looked at: proxies made, the Leader's own proxy too.
        warm_up = self.at("leader", [("command", "TurnFollowerOn", "void", "")]) or calls[:1]
        self.client(warm_up, name="warm-up").finish()
        client = self.client(calls, gate=True, env=self.client_env)
        agent = Agent(self.bed, "--native", mode, *options, *only(client, *self.servers))
        client.release()
        self.log = client.finish()
        if self.client_build in SUITES:
            time.sleep(FLUSH_SECONDS)  # its own exporter is emptied when it ends, the servers' has its turn
        self.status = agent.status()
        self.final = agent.stop()
        self.client_pid = client.pid
        self.capture.close()
        begin = min(line.start for line in self.log)
        decoded = [s for s in otlp_peers.decoded_spans(self.capture) if s.start >= begin] if self.capture.accepted else []
        self.native = Native(decoded)
        self.all = {s.id: s for s in agent.spans()}
        self.ours = [s for s in self.all.values() if s.kind in (otlp.CLIENT, otlp.SERVER)]
        check(len(self.log) == len(calls), "calls in the client's log", len(self.log))
        return self


    def caller(self, span):
        """The next CLIENT or SERVER span of ours above one of ours."""
        span = self.all.get(span.parent)
        while span is not None and span.kind not in (otlp.CLIENT, otlp.SERVER):
            span = self.all.get(span.parent)
        return span
