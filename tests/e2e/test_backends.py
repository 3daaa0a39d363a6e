"""A real Tango system in real back ends: what their own APIs give back is what the clients did. `make check-backends`.

One agent sends traces to Jaeger (or Tempo), logs to Loki and metrics to Prometheus. Truth are the clients' own logs and the ORB's.
"""
import collections
import json
import os
import socket
import sys
import time
import urllib.parse

import agent as agents
import bed as beds
import otlp_peers
import parts
import page as pages
import plans
import recordings
import spans as otlp
import stores
import truth
from agent import Agent, need_agent, only
from harness import ROOT, check, check_all, equal, figure, scaled, wait_for
from receivers import ended, files, golden
from test_metrics import FRIENDLY, LEADER, close

CALLS = scaled("TT_BACKEND_CALLS", 400)
EXPORT = ["--batch-delay", "300ms", "--metrics-interval", "500ms", "--metrics-spans", "--metrics-graph", "class"]
CAMERA = os.path.join(ROOT, "deploy", "demo_camera.py")
GRAPH = "traces_service_graph_request_"
ERROR = "STATUS_CODE_ERROR"
JOB = "tango/tangotrace"  # of the agent's own resource in Prometheus: service.namespace/service.name


class System:
    """Database, TangoTest that logs, a server that fails, a Leader that calls a Follower; a client whose calls are traced.
    `camera`: and the demo's, which takes 20 ms to arm."""

    def __init__(self, bed, *options, camera=False):
        self.bed, self.since = bed, time.time()
        database = parts.Database(bed)
        test, throw, follow = (parts.tangotest(bed, database, extra=("-v4",)), parts.thrower(bed, database),
                               parts.follower(bed, database))
        lead = parts.leader(bed, follow, database)
        good = (plans.at("sys/tg_test/1", plans.TANGOTEST) + plans.at("test/thrower/1", plans.THROWER) +
                plans.at("test/leader/1", LEADER))
        cameras = [parts.start_server(bed, [beds.PYTHON, CAMERA], "c", ["Basler::test/camera/1"], database)] if camera else []
        if camera:
            good += plans.at("test/camera/1", [("command", "Arm", "void", ""), ("read", "armed", "", "")])
        bad = plans.at("sys/tg_test/1", plans.TANGOTEST_FAIL) + plans.at("test/thrower/1", plans.THROWER_FAIL)
        plan = plans.mixed(good, bad, CALLS, 4, seed=17)
        parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
        self.client = parts.Client(bed, plan, gate=True)
        self.leader = lead
        self.pids = {server.pid for server in [test, throw, follow, lead] + cameras} | {database.proc.pid}
        mine = only(self.client, *self.pids)
        self.file = bed.path("spans.jsonl")
        self.agent = Agent(bed, *EXPORT, *options, *mine, export=["file:" + self.file, "otlp"])
        before = self.client.invoked()
        self.client.release()
        self.log = self.client.finish()
        self.invoked = self.client.invoked() - before
        final = self.agent.stop(seconds=60)
        equal(final["lost"], 0, "lost, by the final line (%r)" % final)
        self.spans, self.logs = otlp.load(self.file), otlp.load_logs(self.file)

    def traces(self):
        return {s.trace for s in self.spans}

    def calls_of(self, device):
        return [line for line in self.log if line.device == device]


def check_clients(spans, system):
    """Spans, from wherever, against what client and ORB know: count, name, order, duration, parent, outcome."""
    pid = system.client.pid
    truth.check_unique(spans)
    truth.check_client(spans, pid, system.log)
    truth.check_threads(spans, pid, system.log)
    for caller in (pid, system.leader.pid):
        others = {s.id for s in spans if s.kind == otlp.CLIENT and s.pid != caller}
        truth.check_pairs([s for s in spans if s.parent not in others], caller, system.pids)
    truth.check_wire(spans, pid, otlp.CLIENT, system.invoked)


def kept(span):
    """What a back end keeps of a span."""
    return (span.trace, span.id, span.parent, span.name, span.kind, span.start, span.end, span.status, span.message,
            json.dumps(span.attrs, sort_keys=True), tuple(span.event_times), json.dumps(span.events, sort_keys=True),
            json.dumps(span.resource, sort_keys=True))


def edges_of(spans):
    """{(client's service, server's service): (requests, failed ones)}: each server's span whose client was traced."""
    by_id = {s.id: s for s in spans}
    edges = collections.defaultdict(lambda: [0, 0])
    for s in spans:
        parent = by_id.get(s.parent)
        if s.kind == otlp.SERVER and parent and parent.kind == otlp.CLIENT:
            edge = edges[parent.resource["service.name"], s.resource["service.name"]]
            edge[0] += 1
            edge[1] += s.failed or parent.failed
    return {key: tuple(edge) for key, edge in edges.items()}


# ---- Jaeger, Loki and Prometheus at once --------------------------------------------------------------------------------

class Backends:
    """The three, one system sent to them by one agent, and what they have of it."""

    def __init__(self, bed):
        need_agent()
        self.jaeger, self.loki = stores.Jaeger(bed), stores.Loki(bed)
        self.prometheus = stores.Prometheus(bed, scraped=self.jaeger.port["metrics"])
        self.system = System(bed, "--otlp-traces-endpoint", self.jaeger.otlp, "--otlp-logs-endpoint", self.loki.otlp,
                             "--otlp-metrics-endpoint", self.prometheus.otlp)
        self.spans = [s for trace in self.system.traces() for s in self.jaeger.spans(trace)]


def check_jaeger_spans(b):
    """Every span is there with all of its fields, and they are what the clients did."""
    truth.same(map(kept, b.system.spans), map(kept, b.spans), "spans in Jaeger against those of the file")
    check_clients(b.spans, b.system)
    services = b.jaeger.services()
    equal(services, {s.resource["service.name"] for s in b.system.spans}, "services")
    check(services >= {"mix", "TangoTest", "Thrower", "Leader", "Follower", "DataBase"}, "the client and each class", services)


def check_jaeger_search(b):
    """By service, attribute and duration, in the API that its page uses: durations in us, references, marks of errors."""
    found = b.jaeger.search("mix")
    equal(len(found), len({s.trace for s in b.system.spans if s.pid == b.system.client.pid}), "traces of the client")
    for reason, number in collections.Counter(line.reason for line in b.system.log if line.reason).items():
        traces = b.jaeger.search("mix", tags=json.dumps({"error.type": reason}))
        equal(len(traces), number, "traces of the client with error.type %s" % reason)
    slowest = max((s for s in b.system.spans if s.kind == otlp.SERVER), key=lambda s: s.end - s.start)
    slow = b.jaeger.search(slowest.resource["service.name"], minDuration="%dus" % ((slowest.end - slowest.start) // 1000))
    check(slowest.trace in {trace["traceID"] for trace in slow}, "the slowest request by its duration", len(slow))
    check(len(slow) < len(found), "and not all others", len(slow))
    by_id = {s.id: s for s in b.system.spans}
    for trace in found:
        for one in trace["spans"]:
            span, tags = by_id[one["spanID"]], {t["key"]: t["value"] for t in one["tags"]}
            equal((one["duration"], [r["spanID"] for r in one["references"] if r["refType"] == "CHILD_OF"][:1]),
                  ((span.end - span.start) // 1000, [span.parent] if span.parent else []), "duration and parent of %r" % span)
            equal(tags.get("error", False), span.failed, "the mark of an error on %r" % span)


def check_jaeger_edges(b):
    """Its graph of services has as many calls as the client made and the ORB of each process counted."""
    edges = b.jaeger.edges()
    equal(edges, {key: requests for key, (requests, _) in edges_of(b.spans).items()}, "dependencies")
    for device, server in (("sys/tg_test/1", "TangoTest"), ("test/leader/1", "Leader")):
        equal(edges["mix", server], len(b.system.calls_of(device)), "calls of the client to %s" % server)
    calls = sum(1 for line in b.system.log if line.name in [name for _, name, _, _ in LEADER])
    equal(edges["Leader", "Follower"], calls, "calls that the Leader made")
    figure("%d spans in Jaeger, edges %s" % (len(b.spans), edges))


def check_loki(b):
    """Every message, with its trace; from a log record to its trace and back."""
    mine = [log for log in b.system.logs if log.resource["service.name"] == "TangoTest"]
    check(len(mine) > 100, "messages of TangoTest", len(mine))
    records = b.loki.records('{service_name="TangoTest"}', b.system.since)
    truth.same([(l.time, l.body, l.trace, l.span, l.text) for l in mine],
               [(when, text, d.get("trace_id", ""), d.get("span_id", ""), d["severity_text"]) for when, text, d in records],
               "messages in Loki against those of the file")
    spans = {(s.trace, s.id): s for s in b.spans}
    for when, text, data in records:
        if data.get("span_id"):
            span = spans.get((data["trace_id"], data["span_id"]))
            check(span, "the span of a message is in Jaeger", text, data)
            check(span.start <= when <= span.end and span.resource["service.name"] == data["service_name"],
                  "the message was written in it", text, data, span)
    failed = next(s for s in b.spans if s.failed and s.resource["service.name"] == "TangoTest" and s.kind == otlp.SERVER and
                  any(l.trace == s.trace for l in mine))
    found = b.loki.records('{service_name="TangoTest"} | trace_id="%s"' % failed.trace, b.system.since)
    equal(sorted(text for _, text, _ in found), sorted(l.body for l in mine if l.trace == failed.trace),
          "messages of one failed trace")
    figure("%d messages in Loki" % len(records))


def check_calls(b):
    """Counts and errors of calls are those of the client and of its ORB."""
    count = "rpc_client_call_duration_seconds_count"
    got = b.prometheus.vector('sum by (error_type) (%s{tango_client_name="mix"})' % count, "error_type")
    equal(sum(got.values()), sum(b.system.invoked.values()), "calls of the client, by omniORB's log")
    want = collections.Counter(line.reason for line in b.system.log if line.reason)
    equal({key: n for (key,), n in got.items() if key}, want, "failed calls, by the client's log")
    resource = b.prometheus.ask("query", query='target_info{job="%s"}' % JOB)["result"]
    equal([one["metric"]["host_name"] for one in resource], [socket.gethostname()], "the agent's resource")


def check_exemplars(b):
    """Each exemplar leads to a span in Jaeger that took as long."""
    spans = {(s.trace, s.id): s for s in b.spans}
    found = b.prometheus.exemplars("rpc_client_call_duration_seconds_bucket")
    check(len(found) > 10, "exemplars", found)
    for series, labels, value in found:
        span = spans.get((labels["trace_id"], labels["span_id"]))
        check(span, "the exemplar's span is in Jaeger", labels)
        check(abs(value - (span.end - span.start) / 1e9) < 1e-9, "its value is the span's duration", value, span)
        equal(span.failed, bool(series.get("error_type")), "failed series have failed exemplars")
    figure("%d exemplars in Prometheus" % len(found))


def check_spanmetrics(b):
    """Ours are those that the Collector's connector made of the same spans, bucket by bucket."""
    theirs = ("service_name", "span_name", "span_kind", "status_code")
    ours = ("service",) + theirs[1:]
    other = "traces_span_metrics_%s"
    wait_for(lambda: sum(b.prometheus.vector(other % "calls_total", "job").values()) >= len(b.spans), 20,
             "%d spans to be counted by the Collector" % len(b.spans))
    for name, their_name, more in (("calls_total", "calls_total", ()), ("latency_count", "duration_seconds_count", ()),
                                   ("latency_sum", "duration_seconds_sum", ()),
                                   ("latency_bucket", "duration_seconds_bucket", ("le",))):
        got = b.prometheus.vector("traces_spanmetrics_" + name, *ours, *more)
        close(got, b.prometheus.vector(other % their_name, *theirs, *more), "traces_spanmetrics_" + name)
    counted = collections.Counter((s.resource["service.name"], s.name, FRIENDLY[s.kind], ERROR if s.failed else
                                   "STATUS_CODE_UNSET") for s in b.spans)
    close(b.prometheus.vector("traces_spanmetrics_calls_total", *ours), counted, "span metrics against the spans in Jaeger")
    figure("%d series of span metrics are the Collector's" % len(counted))


def check_graph(b):
    """The series that Grafana draws a service graph from say what Jaeger's graph says."""
    edges = b.prometheus.vector(GRAPH + 'total{connection_type=""}', "client", "server")
    equal(edges, b.jaeger.edges(), "requests of edges, in Prometheus and in Jaeger")
    failed = {key: bad for key, (_, bad) in edges_of(b.spans).items() if bad}
    equal(b.prometheus.vector(GRAPH + 'failed_total{connection_type=""}', "client", "server"), failed, "failed ones")
    seconds = collections.Counter()
    for s in b.spans:
        if s.kind == otlp.SERVER:
            seconds[s.resource["service.name"],] += (s.end - s.start) / 1e9
    close(b.prometheus.vector(GRAPH + "server_seconds_sum", "server"), seconds, "seconds of servers")


def test_system(bed):
    """Traces in Jaeger, logs in Loki, metrics in Prometheus."""
    b = Backends(bed)
    check_all(*[lambda one=one: one(b) for one in (
        check_jaeger_spans, check_jaeger_search, check_jaeger_edges, check_loki, check_calls, check_exemplars,
        check_spanmetrics, check_graph)])


# ---- what the real ones answer when they do not take it -------------------------------------------------------------------

JSON = {"Content-Type": "application/json"}


def replayed(bed, name, *args, seconds=60):
    """A replay, the exporter of a live agent: (final line, standard error)."""
    agents.need_agent()
    proc = bed.start("replay", [agents.BINARY, "replay", golden(name)] + list(args))
    final = ended(proc, seconds)
    return final, proc.stderr


def refused(words, what, answer):
    final, said = answer
    equal((final["spans"] > 0, final["exported"], final["lost"]), (True, 0, final["spans"]), "%s: spans" % what)
    check(words in said, "%s: what is said" % what, said)
    equal(said.count("answered"), 1, "%s: it is not tried again" % what)


def sample(now):
    """A request with one gauge, in JSON."""
    point = {"timeUnixNano": str(int(now * 1e9)), "asDouble": 1.0}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "one", "gauge": {"dataPoints": [point]}}]}]}]}
                      ).encode()


def test_success(bed):
    """All of them take what we send, in both forms, each with another answer: 200 with a body, 200 without, 204."""
    jaeger, loki = stores.Jaeger(bed), stores.Loki(bed, reject_old_samples=False)
    for protocol in ("http/protobuf", "http/json"):
        prometheus = stores.Prometheus(bed)  # a new one: the recording's samples are older than what it has got by then
        file = bed.path(os.path.basename(protocol) + ".jsonl")
        final, said = replayed(bed, "events", "--export", "file:" + file, "--export", "otlp", "--otlp-protocol", protocol,
                               "--otlp-traces-endpoint", jaeger.otlp, "--otlp-logs-endpoint", loki.otlp,
                               "--otlp-metrics-endpoint", prometheus.otlp)
        equal((final["exported"], final["lost"]), (final["spans"], 0), "spans by %s" % protocol)
        check("warning" not in said, "nothing to say by %s" % protocol, said)
        check(prometheus.ask("label/__name__/values"), "metrics by %s" % protocol)
    want = otlp.load_logs(file)
    equal(len(loki.old_records(want[0].time / 1e9 - 60, 3)), 3, "log records, the same ones by both")
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "one"}}
    answers = [stores.request(url, body, JSON) for url, body in (
        (jaeger.otlp, b"{}"), (prometheus.otlp, sample(time.time())),
        (loki.otlp, json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()))]
    equal([(a.status, bool(a.body)) for a in answers], [(200, True), (200, False), (204, False)], "Jaeger, Prometheus, Loki")


def traces(bed, url, *args):
    return replayed(bed, "calls", "--no-logs", "--export", "otlp", "--otlp-traces-endpoint", url, *args)


def test_refused_by_prometheus(bed):
    """What is refused is counted and not sent again: 400, 415, and 500 for what it will never take."""
    prometheus = stores.Prometheus(bed)

    def metrics(words, url, *args):
        _, said = replayed(bed, "calls", "--export", "null", "--metrics-export", "otlp", "--otlp-metrics-endpoint", url, *args)
        check("answered " + words in said and " metric points dropped" in said, "%s: what is said" % words, said)
        equal(said.count("answered"), 1, "%s: it is not tried again" % words)

    metrics("500: invalid temporality", prometheus.otlp, "--metrics-temporality", "delta")
    metrics("400: unsupported compression: zstd", prometheus.otlp, "--otlp-compression", "zstd")
    metrics("415: gzip encoding", prometheus.url("http", "/api/v1/write"))  # its page for remote write
    equal(stores.request(prometheus.otlp, sample(time.time()), JSON).status, 200, "a sample of now")
    metrics("400: too old sample", prometheus.otlp)  # the recording's, of days ago
    refused("answered 415: gzip encoding", "traces on the page for remote write",
            traces(bed, prometheus.url("http", "/api/v1/write")))
    refused("answered 400: ", "traces on the page for metrics", traces(bed, prometheus.otlp))


def test_refused_by_loki(bed):
    """400 of what is too old, 404, and 422 of a request in which it finds nothing: counted and not sent again."""
    loki = stores.Loki(bed, reject_old_samples=True, reject_old_samples_max_age="1m")  # less than any recording has
    refused("answered 422: ", "traces in JSON on the page for logs", traces(bed, loki.otlp, "--otlp-protocol", "http/json"))
    refused("answered 400", "traces on the page for logs", traces(bed, loki.otlp))
    refused("answered 404", "traces where there is no page", traces(bed, loki.url("http", "/otlp/v1/traces")))
    capture = otlp_peers.Capture(bed)
    _, said = replayed(bed, "events", "--export", "otlp", "--otlp-endpoint", capture.url, "--otlp-logs-endpoint", loki.otlp)
    capture.close()
    check("answered 400" in said and "too old" in said and "3 log records dropped" in said, "old records: what is said", said)
    equal(said.count("answered"), 1, "old records are not sent again")


def test_away(bed):
    """503 of a real Collector whose back end is away, with no word on how long: spooled, and all there once it is back."""
    port, file = beds.free_port(), bed.path("spans.jsonl")
    relay = stores.Relay(bed, "http://127.0.0.1:%d/v1/traces" % port)
    proc = bed.start("replay", [agents.BINARY, "replay", golden("asynch"), "--repeat", "100000", "--speed", "5", "--no-logs",
                                "--export", "file:" + file, "--export", "otlp", "--otlp-traces-endpoint", relay.otlp,
                                "--spool", bed.path("spool")])
    proc.wait_text("answered 503", 30)
    wait_for(lambda: len(files(bed.path("spool"))) >= 5, 30, "batches in the spool")
    jaeger = stores.Jaeger(bed, otlp=port)
    wait_for(lambda: not files(bed.path("spool")), 60, "an empty spool")
    proc.signal(2)
    final = ended(proc, 60)
    equal((final["lost"], final["exported"]), (0, final["spans"]), "final line %r" % final)
    spans = otlp.load(file)
    got = [s for trace in {s.trace for s in spans} for s in jaeger.spans(trace)]
    truth.same(map(kept, spans), map(kept, got), "spans in Jaeger against those of the file")
    figure("%d spans, all there once" % len(got))


def test_throttled(bed):
    """429 of a real Loki, with no word on how long: sent more slowly, and every record is there once."""
    loki, capture = stores.Loki(bed, reject_old_samples=False, ingestion_rate_mb=0.05, ingestion_burst_size_mb=0.05), \
        otlp_peers.Capture(bed)
    file = bed.path("logs.jsonl")
    final, said = replayed(bed, "events", "--repeat", "100", "--speed", "100", "--export", "file:" + file, "--export", "otlp",
                           "--otlp-endpoint", capture.url, "--otlp-logs-endpoint", loki.otlp, "--otlp-timeout", "60s",
                           "--log-batch-size", "20", "--log-rate", "0", seconds=120)
    capture.close()
    check("answered 429" in said, "it was throttled", said)
    want = otlp.load_logs(file)
    records = loki.old_records(want[0].time / 1e9 - 60, len(want))
    truth.same([(l.time, l.body, l.span) for l in want],
               [(when, text, d.get("span_id", "")) for when, text, d in records], "records in Loki against those of the file")
    figure("%d records, all there once" % len(records))


# ---- Tempo ------------------------------------------------------------------------------------------------------------

def test_tempo(bed):
    """Traces in a real Tempo: TraceQL, and its metrics-generator's series are ours."""
    need_agent()
    prometheus = stores.Prometheus(bed)
    tempo = stores.Tempo(bed, prometheus)
    system = System(bed, "--otlp-traces-endpoint", tempo.otlp, "--otlp-metrics-endpoint", prometheus.otlp, "--no-logs",
                    camera=True)
    traces = system.traces()
    spans = [s for trace in traces for s in tempo.spans(trace)]
    truth.same(map(kept, system.spans), map(kept, spans), "spans in Tempo against those of the file")
    check_clients(spans, system)

    def found(query):
        return {s["spanID"].rjust(16, "0") for trace in tempo.search(query, system.since) for s in trace["spanSet"]["spans"]}

    def matching(condition):
        return {s.id for s in spans if condition(s)}

    slide = '{resource.service.name="Basler" && duration>10ms}'
    want = matching(lambda s: s.resource["service.name"] == "Basler" and s.end - s.start > 10000000)
    armed = system.calls_of("test/camera/1")
    check(len(want) >= 2 * sum(line.name == "Arm" for line in armed) > 0, "each Arm is slow: request and method", want, armed)
    wait_for(lambda: len(found(slide)) >= len(want), 30, "the spans of %s" % slide, 0.5)
    equal(found(slide), want, slide)
    for query, condition in (
            ('{ resource.service.name = "TangoTest" && duration > 100us }',
             lambda s: s.resource["service.name"] == "TangoTest" and s.end - s.start > 100000),
            ('{ status = error && kind = server }', lambda s: s.failed and s.kind == otlp.SERVER),
            ('{ span.tango.operation.name = "read ampli" }', lambda s: s.operation == "read ampli"),
            ('{ span.error.type = "Thrower_Bad" }', lambda s: s.attrs.get("error.type") == "Thrower_Bad")):
        equal(found(query), matching(condition), query)
    # The generator's series carry a label of its own; ours, sent by OTLP, do not.
    for name, labels in (("traces_spanmetrics_calls_total", ("service", "span_name", "span_kind", "status_code")),
                         ("traces_spanmetrics_latency_count", ("service", "span_name", "span_kind", "status_code")),
                         ("traces_spanmetrics_latency_sum", ("service", "span_name", "span_kind", "status_code")),
                         ("traces_spanmetrics_latency_bucket", ("service", "span_name", "span_kind", "status_code", "le")),
                         (GRAPH + "total", ("client", "server")), (GRAPH + "failed_total", ("client", "server")),
                         (GRAPH + "client_seconds_sum", ("client", "server")),
                         (GRAPH + "server_seconds_sum", ("client", "server"))):
        ours = prometheus.vector(name + '{job="%s"}' % JOB, *labels)
        check(ours, "our own series %s" % name)
        theirs = name + '{job!="%s"}' % JOB
        wait_for(lambda: sum(prometheus.vector(theirs, *labels).values()) >= sum(ours.values()) - 1e-6, 40,
                 "%s of the generator" % name, 0.5)
        close(ours, prometheus.vector(theirs, *labels), name)
    figure("%d spans in Tempo, %d edges as its generator has them; %s: %d spans" % (
        len(spans), len(edges_of(spans)), slide, len(want)))


def normal(value, order=()):
    """What is a set in Jaeger's answers, in an order."""
    if isinstance(value, dict):
        return {k: normal(v, order) for k, v in value.items()}
    if isinstance(value, list):
        return sorted((normal(v, order) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def comparable(trace):
    """A trace of Jaeger's API without the numbers that it gives to processes."""
    out = []
    for span in trace["spans"]:
        span = dict(span, process=trace["processes"][span.pop("processID")])
        for name in ("warnings", "flags"):
            span.pop(name, None)
        out.append(span)
    return normal(out)


def test_page_as_jaeger(bed):
    """Asked as Grafana and Jaeger's own page ask, the built-in page gives what a real Jaeger gives that has the same spans."""
    jaeger = stores.Jaeger(bed)
    for name in ("calls", "chain", "asynch", "events", "waits"):
        recording = os.path.join(ROOT, "tests", "golden", name + ".ttr")
        with pages.Replay(bed, recording, "--export", "otlp:" + jaeger.url("otlp"), "--sampling-background", "1") as replay:
            def ours(path, **query):
                return stores.get(replay.url + "jaeger" + path, **query)["data"]

            services = ours("/api/services")
            check(services, "services of %s" % name)
            wait_for(lambda: set(services) <= jaeger.services(), 20, "Jaeger to have them")
            ids = {t["traceID"] for service in services for t in ours("/api/traces", service=service, limit=1000)}
            compared = 0
            for trace in sorted(ids):
                mine = ours("/api/traces/" + trace)[0]

                def theirs():
                    answer = stores.request(jaeger.url("query", "/api/traces/" + trace))
                    found = json.loads(answer.body)["data"] if answer.status == 200 else None
                    return found and len(found[0]["spans"]) == len(mine["spans"]) and found[0]

                real = wait_for(theirs, 20, "the trace %s in Jaeger" % trace)
                compared += len(mine["spans"])
                equal(comparable(mine), comparable(real), "trace %s of %s" % (trace, name))
            for service in services:
                real = set(jaeger.ask("/api/services/%s/operations" % service)["data"])
                check(set(ours("/api/services/%s/operations" % service)) <= real, "operations of %s" % service, real)
                times = {"start": 1, "end": int(time.time() * 1e6)}
                # not by the tag "error", which Jaeger's store in memory finds in no span
                for query in ({"minDuration": "300us"}, {"maxDuration": "100us"},
                              {"tags": json.dumps({"tango.trigger": "client"})}):
                    mine = {t["traceID"] for t in ours("/api/traces", service=service, limit=1000, **times, **query)}
                    real = {t["traceID"] for t in jaeger.search(service, **times, **query)} & ids
                    equal(mine, real, "%s of %s by %s" % (service, name, query))
            figure("%s: %d spans in %d traces are as Jaeger has them" % (name, compared, len(ids)))


def without(value, *names):
    """JSON without members of these names, at any depth."""
    if isinstance(value, dict):
        return {k: without(v, *names) for k, v in value.items() if k not in names}
    return [without(v, *names) for v in value] if isinstance(value, list) else value


def found_of(answer):
    """What a search found: spans are told with other attributes by each, and Tempo leaves out 0, also before ids."""
    traces = []
    for trace in answer["traces"]:
        trace = dict(trace, traceID=trace["traceID"].rjust(32, "0"), durationMs=trace.get("durationMs", 0))
        for spans in [trace["spanSet"]] + trace["spanSets"] if "spanSet" in trace else []:
            spans["spans"] = [dict(without(span, "attributes", "name"), spanID=span["spanID"].rjust(16, "0"))
                              for span in spans["spans"]]
        traces.append(json.dumps(normal(trace), sort_keys=True))
    return traces


def values_of(answer):
    """Tag values; Tempo tells the empty one, too."""
    return normal([v for v in answer["tagValues"] if v not in ("", {"type": "string"})])


def spans_of(batches):
    """Each span with its resource and scope, however Tempo has grouped them. It keeps no flags, and has an empty status."""
    return [json.dumps(normal([batch["resource"], scope["scope"],
                               {k: v for k, v in span.items() if k != "flags" and (k, v) != ("status", {})}]), sort_keys=True)
            for batch in batches for scope in batch["scopeSpans"] for span in scope["spans"]]


QUERIES = ['{}', '{ status = error }', '{ kind = server && duration > 100us }', '{ name =~ ".*TurnOn" }',
           '{ resource.service.name = "Leader" || span.error.type != nil }', '{ span.giop.request_id > 8 && kind != client }',
           '{ rootServiceName = "mix" && .tango.trigger = "client" }', '{ traceDuration > 1ms }', '{ name = "nothing" }']
KEYS = ["resource.service.name", "span.tango.command.name", ".tango.command.name", "span.giop.request_id",
        "resource.process.pid", "span.tango.attribute.names", "span.error.type", "event.exception.type", "resource.nothing",
        "name", "span:name", "status", "span:status", "kind", "span:kind", "rootName", "trace:rootName", "rootServiceName",
        "trace:rootService", "statusMessage", "span:statusMessage", "instrumentation:name", "instrumentation:version",
        "event:name", "duration", "traceDuration", "span:id"]
OLD_KEYS = ["service.name", "tango.command.name", "giop.request_id", "tango.attribute.names", "exception.type", "name",
            "rootName", "rootServiceName", "status", "kind", "resource.service.name", "nonsense"]


class Both:
    """A real Tempo and the page that have the same spans: of a recording, as if it had been made just now."""

    def __init__(self, bed, tempo, name):
        self.tempo, self.since = tempo, int(time.time()) - 3600
        recording = recordings.make_recent(golden(name), bed.path(name + ".ttr"))
        self.page = pages.Replay(bed, recording, "--export", "otlp:" + tempo.url("otlp"), "--sampling-background", "1")

    def ask(self, path, headers=None, **query):
        """The answers of both, Tempo's first."""
        query = "?" + urllib.parse.urlencode(query) if query else ""
        return [stores.request(base + path + query, headers=headers)
                for base in (self.tempo.url("http", "/"), self.page.url + "tempo/")]

    def json(self, path, **query):
        answers = self.ask(path, start=self.since, end=int(time.time()) + 60, **query)
        equal([a.status for a in answers], [200, 200], "%s %s" % (path, query))
        equal([a.headers["content-type"] for a in answers], ["application/json"] * 2, path)
        return [json.loads(a.body) for a in answers]


def check_traces(both, name):
    """Each trace, as JSON of both versions and as protobuf."""
    traces = [t["traceID"] for t in json.loads(both.ask("api/search", limit=1000)[1].body)["traces"]]
    spans = 0
    for trace in traces:
        first, second = both.ask("api/traces/" + trace), both.ask("api/v2/traces/" + trace)
        for answers, batches in ((first, lambda a: a["batches"]), (second, lambda a: a["trace"]["resourceSpans"])):
            theirs, ours = [spans_of(batches(json.loads(a.body))) for a in answers]
            truth.same(theirs, ours, "spans of trace %s of %s" % (trace, name))
        for path in ("api/traces/", "api/v2/traces/"):
            both_as = both.ask(path + trace, headers={"Accept": "application/protobuf"})
            equal({(a.status, a.headers["content-type"]) for a in both_as}, {(200, "application/protobuf")}, path)
        spans += len(ours)
    return len(traces), spans


def check_search(both, name):
    for query in QUERIES:
        theirs, ours = both.json("api/search", q=query, limit=1000, spss=100)
        truth.same(found_of(theirs), found_of(ours), "%s in %s" % (query, name))
    theirs, ours = both.json("api/search", limit=1000)
    truth.same(found_of(theirs), found_of(ours), "all of %s" % name)


def check_tags(both, name):
    theirs, ours = both.json("api/search/tags")
    equal(ours["tagNames"], theirs["tagNames"], "names of tags of %s" % name)
    for scope in ("", "none", "resource", "span", "event", "link", "intrinsic"):
        theirs, ours = both.json("api/v2/search/tags", **{"scope": scope} if scope else {})
        equal(normal(ours["scopes"]), normal(theirs["scopes"]), "names of tags of %s, scope %r" % (name, scope))
    for key in KEYS:
        theirs, ours = both.json("api/v2/search/tag/%s/values" % key)
        equal(values_of(ours), values_of(theirs), "values of %s in %s" % (key, name))
    for key in KEYS[:4]:
        for query in ('{ span.tango.trigger = "client" }', '{ span.error.type = }'):
            theirs, ours = both.json("api/v2/search/tag/%s/values" % key, q=query)
            equal(values_of(ours), values_of(theirs), "values of %s in %s where %s" % (key, name, query))
    for key in OLD_KEYS:
        theirs, ours = both.json("api/search/tag/%s/values" % key)
        equal(values_of(ours), values_of(theirs), "values of %s in %s, version 1" % (key, name))


def check_refusals(both):
    """What is wrong or not there has the same status."""
    for path in ("api/traces/zz", "api/traces/0123", "api/v2/traces/0123", "api/traces/" + "1" * 33, "api/echo",
                 "api/search?q=%7Bname%3D%7D", "api/search?limit=x", "api/search?limit=0", "api/search?start=x",
                 "api/v2/search/tag/nonsense/values", "api/v2/search/tags?scope=x", "api/status/buildinfo"):
        theirs, ours = both.ask(path)
        equal(ours.status, theirs.status, path)


def test_page_as_tempo(bed):
    """Asked as Grafana asks a Tempo, the built-in page gives what a real one gives that has the same spans."""
    for name in ("chain", "calls", "events"):
        tempo = stores.Tempo(bed)  # a new one: tags are those of all that it has
        both = Both(bed, tempo, name)
        with both.page:
            mine = json.loads(both.ask("api/search", limit=1000)[1].body)["traces"]
            ids = {t["traceID"] for t in mine}
            check(ids, "traces of %s" % name)
            wait_for(lambda: ids <= {t["traceID"].rjust(32, "0") for t in tempo.search("{}", both.since)}, 40, "Tempo to find them", 0.5)
            found = check_traces(both, name)
            check_all(*[lambda one=one: one(both, name) for one in (check_search, check_tags)])
            check_refusals(both)
            figure("%s: %d traces of %d spans are as Tempo has them" % ((name,) + found))


if not os.environ.get("TEMPO_BIN"):
    print("TEMPO_BIN names no Tempo: its tests are left out", file=sys.stderr)
    del test_tempo, test_page_as_tempo
