"""Metrics of every call: what is counted is what the clients did and what the spans say, exported or not."""
import collections
import json
import os
import socket

import agent as agents
import bed as beds
import native
import otlp_peers
import parts
import plans
import scrape
import spans as otlp
from agent import Agent, need_agent, only
from harness import ROOT, check, equal, figure, scaled, wait_for

LEADER = [("command", "TurnFollowerOn", "void", ""), ("read", "follower_is_on", "", ""),
          ("command", "RefuseFollower", "void", "")]
CALLS = scaled("TT_METRICS_CALLS", 2000)
FRIENDLY = {otlp.INTERNAL: "SPAN_KIND_INTERNAL", otlp.SERVER: "SPAN_KIND_SERVER", otlp.CLIENT: "SPAN_KIND_CLIENT"}


def system(bed):
    """TangoTest, the C++ server that fails, and a Leader that calls a Follower: (servers, plan of a client)."""
    test, throw, follow = parts.tangotest(bed), parts.thrower(bed), parts.follower(bed)
    lead = parts.leader(bed, follow)
    good = (plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST) + plans.at(throw.url("test/thrower/1"), plans.THROWER) +
            plans.at(lead.url("test/leader/1"), LEADER))
    bad = plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST_FAIL) + plans.at(throw.url("test/thrower/1"), plans.THROWER_FAIL)
    return (test, throw, follow, lead), plans.mixed(good, bad, CALLS, 4, seed=5)


class Traced:
    """A mixed load under an agent that serves metrics; all of it has been counted when it is made."""

    def __init__(self, bed, *options, export=None):
        self.servers, plan = system(bed)
        parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
        self.client = parts.Client(bed, plan, gate=True)
        self.address = "127.0.0.1:%d" % beds.free_port()
        self.agent = Agent(bed, "--metrics-listen", self.address, *options, *only(*bed.alive()), export=export)
        before = sum((s.dispatched() for s in self.servers), collections.Counter()), self.client.invoked()
        self.client.release()
        self.log = self.client.finish()
        after = sum((s.dispatched() for s in self.servers), collections.Counter())
        self.dispatched = sum((after - before[0]).values())
        self.invoked = sum((self.client.invoked() - before[1]).values())
        wait_for(lambda: self.scrape().sum("rpc_server_call_duration_seconds_count") >= self.dispatched, 10,
                 "%d requests to be counted" % self.dispatched)

    def scrape(self, is_openmetrics=False):
        return scrape.scrape(self.address, is_openmetrics)


def check_against_clients(traced, metrics):
    """The counts are those of the clients' own logs and of the ORB's."""
    count = "rpc_client_call_duration_seconds_count"
    equal(metrics.sum(count, tango_client_name="mix"), traced.invoked, "calls of the client, by omniORB's log")
    equal(metrics.sum("rpc_server_call_duration_seconds_count"), traced.dispatched, "requests served, by omniORB's log")
    failed = sum(1 for line in traced.log if line.reason)
    counted = sum(v for labels, v, _ in metrics.select(count, tango_client_name="mix") if labels.get("error_type"))
    equal(counted, failed, "failed calls, by the client's log")
    equal(metrics.by(count, "rpc_system_name").keys(), {("tango",)}, "the system")


def test_calls(bed):
    """Nothing is exported, and everything is counted."""
    need_agent()
    traced = Traced(bed, export=["none"])
    metrics = traced.scrape()
    check_against_clients(traced, metrics)
    equal(metrics.types["rpc_client_call_duration_seconds"], "histogram", "type")
    check(not [n for n in metrics.samples if n.startswith("traces_")], "Tempo's names come only when asked for")
    labels = {k for n in ("client", "server") for l, _, _ in metrics.samples["rpc_%s_call_duration_seconds_count" % n]
              for k in l}
    equal(labels, {"rpc_system_name", "rpc_method", "tango_device_class", "tango_operation_name", "tango_client_name",
                   "error_type"}, "labels by default")
    operations = metrics.by("rpc_server_call_duration_seconds_count", "tango_device_class", "tango_operation_name",
                            "tango_client_name")
    check(operations.get(("TangoTest", "read", "mix"), 0) > 0 and operations.get(("TangoTest", "DevDouble", "mix"), 0) > 0,
          "class, operation and client of requests", operations)
    check(operations.get(("Follower", "TurnOn", "Leader"), 0) > 0, "a call that a device makes is its class's", operations)
    equal(metrics.by("tango_devices", "tango_device_class"),
          {("TangoTest",): 1, ("Thrower",): 1, ("Leader",): 1, ("Follower",): 1}, "devices seen")
    final = traced.agent.stop()
    equal((final["exported"], final["lost"]), (0, 0), "nothing exported, nothing lost")
    figure("%d calls, %d requests, %d series" % (traced.invoked, traced.dispatched,
                                                 metrics.sum("tangotrace_metrics_series")))


def expected_of(spans):
    """What Tempo's metrics-generator would make of the spans."""
    calls, seconds = collections.Counter(), collections.Counter()
    for s in spans:
        key = (s.resource["service.name"], s.name, FRIENDLY[s.kind],
               "STATUS_CODE_ERROR" if s.failed else "STATUS_CODE_UNSET")
        calls[key] += 1
        seconds[key] += (s.end - s.start) / 1e9
    edges, failed, client_seconds, server_seconds = (collections.Counter() for _ in range(4))
    by_id = {(s.trace, s.id): s for s in spans}
    for s in spans:
        parent = by_id.get((s.trace, s.parent))
        if s.kind == otlp.SERVER and parent and parent.kind == otlp.CLIENT:
            key = (parent.resource["service.name"], s.resource["service.name"], "")
            edges[key] += 1
            failed[key] += s.failed or parent.failed
            server_seconds[key] += (s.end - s.start) / 1e9
            client_seconds[key] += (parent.end - parent.start) / 1e9
    return calls, seconds, edges, failed, client_seconds, server_seconds


def close(got, want, what):
    equal(set(got), set(want), what)
    wrong = {k: (got[k], want[k]) for k in want if abs(got[k] - want[k]) > 1e-6}
    check(not wrong, what, wrong)


def test_tempo(bed):
    """traces_spanmetrics_* and traces_service_graph_* are what a generator would have made of the same spans."""
    need_agent()
    traced = Traced(bed, "--metrics-spans", "--metrics-graph", "class")
    metrics = traced.scrape()
    check_against_clients(traced, metrics)
    traced.agent.stop()
    spans = traced.agent.spans()
    calls, seconds, edges, failed, client_seconds, server_seconds = expected_of(spans)
    labels = ("service", "span_name", "span_kind", "status_code")
    close(metrics.by("traces_spanmetrics_calls_total", *labels), calls, "traces_spanmetrics_calls_total")
    close(metrics.by("traces_spanmetrics_latency_count", *labels), calls, "traces_spanmetrics_latency_count")
    close(metrics.by("traces_spanmetrics_latency_sum", *labels), seconds, "traces_spanmetrics_latency_sum")
    labels = ("client", "server", "connection_type")
    prefix = "traces_service_graph_request_"
    close(metrics.by(prefix + "total", *labels), edges, "requests of edges")
    close(metrics.by(prefix + "failed_total", *labels), {k: v for k, v in failed.items() if v}, "failed ones")
    close(metrics.by(prefix + "client_seconds_sum", *labels), client_seconds, "the client's seconds")
    close(metrics.by(prefix + "server_seconds_sum", *labels), server_seconds, "the server's seconds")
    for edge in (("mix", "TangoTest", ""), ("mix", "Thrower", ""), ("mix", "Leader", ""), ("Leader", "Follower", "")):
        check(edges[edge] > 0, "an edge %s > %s" % edge[:2], edges)
    equal({l["le"] for l, _, _ in metrics.samples["traces_spanmetrics_latency_bucket"]},
          {"%.10g" % (0.002 * 2 ** i) for i in range(14)} | {"+Inf"}, "Tempo's buckets of spans")
    equal({l["le"] for l, _, _ in metrics.samples[prefix + "server_seconds_bucket"]},
          {"%.10g" % (0.1 * 2 ** i) for i in range(8)} | {"+Inf"}, "Tempo's buckets of edges")
    figure("%d spans in %d series, %d edges: %s" % (len(spans), len(calls), len(edges), dict(edges)))


def test_virtual_nodes(bed):
    """A side that is not traced is a virtual node, on either side."""
    need_agent()
    test, throw = parts.tangotest(bed), parts.thrower(bed)
    plan = plans.mixed(plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST), plans.at(throw.url("test/thrower/1"), plans.THROWER),
                       200, 1, seed=3)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    seen, unseen = parts.Client(bed, plan, gate=True), parts.Client(bed, plan, gate=True)
    address = "127.0.0.1:%d" % beds.free_port()
    agent = Agent(bed, "--metrics-listen", address, "--metrics-graph", "class", "--join-wait", "300ms",
                  *only(test, seen))
    for client in (seen, unseen):
        client.release()
    calls = [sum(1 for line in client.finish() if line.device.endswith("tg_test/1#dbase=no")) for client in (seen, unseen)]
    name = "traces_service_graph_request_total"
    edges = wait_for(lambda: (lambda e: e if sum(e.values()) >= sum(calls) + 200 - calls[0] else None)(
        scrape.scrape(address).by(name, "client", "server", "connection_type")), 10, "all edges")
    equal(edges[("mix", "TangoTest", "")], calls[0], "both sides are traced")
    equal(edges[("user", "TangoTest", "virtual_node")], calls[1], "requests of a client that is not traced")
    others = {k: v for k, v in edges.items() if k[0] == "mix" and k[2] == "virtual_node"}
    equal(set(others), {("mix", "127.0.0.1", "virtual_node")}, "the server that is not traced, by its address")
    agent.stop()


def test_labels(bed):
    """Device and attribute are labels when asked for; nodes of the graph are devices then."""
    need_agent()
    traced = Traced(bed, "--metrics-device", "--metrics-attribute", "--metrics-graph", "device", export=["none"])
    metrics = traced.scrape()
    check_against_clients(traced, metrics)
    reads = metrics.by("rpc_client_call_duration_seconds_count", "tango_operation_target", "tango_attribute_name",
                       tango_operation_name="read", tango_client_name="mix")
    for name in ("ampli", "double_scalar_w"):
        want = sum(1 for line in traced.log if line.operation == "read" and line.name == name)
        equal(reads.get(("sys/tg_test/1", name)), want, "reads of %s" % name)
    edges = metrics.by("traces_service_graph_request_total", "client", "server")
    check(edges.get(("mix", "sys/tg_test/1")) and edges.get(("test/leader/1", "test/follower/1")), "device to device", edges)
    traced.agent.stop()


def test_overflow(bed):
    """Too many series: what is above is _OTHER, first of device and attribute only; no call is missing in the sums."""
    need_agent()
    traced = Traced(bed, "--metrics-device", "--metrics-attribute", "--metrics-series", "64", export=["none"])
    metrics = traced.scrape()
    for side in ("client", "server"):
        equal(metrics.sum("rpc_%s_call_duration_seconds_count" % side), traced.dispatched, "%s sides counted" % side)
    check(metrics.sum("tangotrace_metrics_overflow_total") > 0, "the overflow is counted")
    check(metrics.sum("tangotrace_metrics_series") <= 64, "the bound", metrics.sum("tangotrace_metrics_series"))
    other = metrics.by("rpc_client_call_duration_seconds_count", "tango_operation_target")
    check(other.get(("_OTHER",), 0) > 0, "a series for the rest", other)
    traced.agent.stop()


def test_exemplars(bed):
    """OpenMetrics, by its own parser: exemplars are spans of the run, of the failed series failed ones."""
    need_agent()
    traced = Traced(bed, "--metrics-graph", "class")
    metrics = traced.scrape(is_openmetrics=True)
    check_against_clients(traced, metrics)
    traced.agent.stop()
    spans = {(s.trace, s.id): s for s in traced.agent.all_spans()}
    found = [(labels, e) for labels, _, e in metrics.samples["rpc_client_call_duration_seconds_bucket"] if e]
    check(len(found) == len(metrics.samples["rpc_client_call_duration_seconds_count"]), "one for each series", len(found))
    for labels, exemplar in found:
        span = spans.get((exemplar.labels["trace_id"], exemplar.labels["span_id"]))
        check(span, "the exemplar is a span of the run", exemplar)
        equal(span.failed, bool(labels.get("error_type")), "failed series have failed exemplars")
        check(abs(exemplar.value - (span.end - span.start) / 1e9) < 1e-9, "its value is the span's duration", exemplar, span)
    figure("%d exemplars" % len(found))


def test_itself(bed):
    """The agent's own figures are those of `status`; all formats and names are accepted by the parsers."""
    need_agent()
    traced = Traced(bed)
    before, metrics, after = traced.agent.status(), traced.scrape(), traced.agent.status()

    def between(name, *path, **labels):
        low, high = before, after
        for step in path:
            low, high = low[step], high[step]
        check(low <= metrics.sum(name, **labels) <= high, "%s is between two answers of status" % name,
              low, metrics.sum(name, **labels), high)

    between("tangotrace_events_total", "events", "total")
    between("tangotrace_events_total", "events", "enter", type="enter")
    between("tangotrace_events_dropped_total", "drops", "total")
    between("tangotrace_traps_total", "kernel", "traps")
    between("tangotrace_processes", "attach", "processes")
    between("tangotrace_points", "attach", "points")
    between("tangotrace_spans_total", "spans", "made", outcome="made")
    between("tangotrace_requests_joined_total", "correlate", "joined")
    between("tangotrace_requests_unmatched_total", "correlate", "client_unmatched", side="client")
    between("tangotrace_exits_unpaired_total", "assemble", "early_exits", reason="early")
    between("otel_sdk_processor_span_processed_total", "exporters", 0, "figures", "processed", error_type="")
    between("otel_sdk_processor_span_queue_capacity", "exporters", 0, "figures", "capacity")
    between("otel_sdk_processor_log_queue_capacity", "exporters", 0, "logs", "capacity")
    between("otel_sdk_exporter_operation_duration_seconds_count", "exporters", 0, "figures", "operations",
            otel_component_type="otlp_json_file_span_exporter")
    reader = metrics.select("otel_sdk_metric_reader_collection_duration_seconds_count",
                            otel_component_type="prometheus_http_text_metric_exporter")
    check(sum(v for _, v, _ in reader) >= 1, "how long it took to collect the metrics before", reader)
    between("otel_sdk_log_created_total", "logs", "made")
    for name in ("otel_sdk_exporter_span_inflight", "otel_sdk_processor_span_queue_size"):
        check(0 <= metrics.sum(name) <= metrics.sum("otel_sdk_processor_span_queue_capacity"), name, metrics.sum(name))
    between("otel_sdk_exporter_span_exported_total", "exporters", 0, "figures", "exported", error_type="")
    check(0 < metrics.sum("tangotrace_ring_peak_bytes") <= metrics.sum("tangotrace_ring_size_bytes"), "use of the ring buffer")
    check(metrics.sum("tangotrace_ring_used_bytes") <= metrics.sum("tangotrace_ring_peak_bytes"), "use of the ring buffer now")
    check(1e6 < metrics.sum("process_memory_usage_bytes") < 1e9, "memory", metrics.sum("process_memory_usage_bytes"))
    check(metrics.sum("process_cpu_time_seconds_total") > 0, "CPU time")
    target = metrics.samples["target_info"][0][0]
    equal((target["service_name"], target["host_name"]), ("tangotrace", socket.gethostname()), "the agent's resource")
    traced.agent.stop()


def test_documented(bed):
    """Every metric is in docs/metrics.md; the golden files of the unit tests are what the parsers take."""
    need_agent()
    traced = Traced(bed, "--metrics-spans", "--metrics-graph", "class")
    metrics = traced.scrape()
    traced.agent.stop()
    with open(os.path.join(ROOT, "docs", "metrics.md")) as f:
        text = f.read()
    missing = [n for n, kind in metrics.types.items()
               if "`%s`" % n not in text and "`%s_total`" % n not in text]
    check(not missing, "in docs/metrics.md", *missing)
    for name, is_openmetrics in (("metrics.prom", False), ("metrics.openmetrics", True)):
        with open(os.path.join(ROOT, "tests", "unit", "metrics", "golden", name)) as f:
            golden = scrape.Metrics(f.read(), is_openmetrics)
        equal(golden.sum("rpc_client_call_duration_seconds_count", tango_client_name='sc"an\\\n'), 1, "an odd name")


def test_file(bed):
    """--metrics-file: the text of node_exporter's collector, replaced as a whole, last at the end."""
    need_agent()
    path = bed.path("tango.prom")
    traced = Traced(bed, "--metrics-file", path, "--metrics-interval", "200ms", "--service-name", "agent-of-hutch-7",
                    export=["none"])
    wait_for(lambda: os.path.exists(path), 5, "the file while the agent runs")
    traced.agent.stop()
    with open(path) as f:
        metrics = scrape.Metrics(f.read())
    check_against_clients(traced, metrics)
    equal(metrics.samples["target_info"][0][0]["service_name"], "agent-of-hutch-7", "the name given")


def test_replay(bed):
    """A recording gives the metrics that the run gave."""
    need_agent()
    record, live, again = bed.path("run.ttr"), bed.path("live.prom"), bed.path("again.prom")
    traced = Traced(bed, "--record", record, "--metrics-file", live, "--metrics-spans", "--metrics-graph", "class",
                    export=["none"])
    traced.agent.stop()
    code, _, err = agents.command("replay", record, "--export", "none", "--metrics-file", again, "--metrics-spans",
                                  "--metrics-graph", "class")
    equal(code, 0, "exit code (stderr %r)" % err)
    texts = []
    for path in (live, again):
        with open(path) as f:
            texts.append(sorted(l for l in f if l.startswith(("rpc_", "traces_", "tango_devices"))))
    equal(texts[1], texts[0], "all lines of the metrics of spans")
    figure("%d lines are the same" % len(texts[0]))


def test_unmeasured(bed):
    """What a span says is a bound is in no histogram: counts are those of the spans that are sure of both ends."""
    total = collections.Counter()
    for name in ("calls", "retry", "events", "asynch"):
        path, text = bed.path(name + ".jsonl"), bed.path(name + ".prom")
        code, _, err = agents.command("replay", os.path.join(ROOT, "tests", "golden", name + ".ttr"), "--export", "file:" + path,
                                      "--sampling-background", "1", "--metrics-file", text)
        equal(code, 0, "exit code (stderr %r)" % err)
        with open(text) as f:
            metrics = scrape.Metrics(f.read())
        for side, kind in (("client", otlp.CLIENT), ("server", otlp.SERVER)):
            want = collections.Counter()
            for s in otlp.load(path):
                doubts = [d for d in s.attrs.get("tangotrace.incomplete", ()) if d in ("end_unknown", "start_unknown")]
                if s.kind == kind:
                    want[doubts[0] if doubts else ""] += 1
            total.update(want)
            measured = want.pop("", 0)
            equal(metrics.sum("rpc_%s_call_duration_seconds_count" % side), measured, "%s sides of %s" % (side, name))
            equal(metrics.by("tango_%s_call_unmeasured_total" % side, "reason"), {(k,): v for k, v in want.items()},
                  "those of %s that were not measured" % name)
    check(total["start_unknown"] > 0, "there are some", total)
    figure("%d calls measured, %d of unknown start, %d of unknown end" % (total[""], total["start_unknown"],
                                                                          total["end_unknown"]))


def test_own(bed):
    """Polling, events and monitors: the numbers that the spans carry."""
    seen = collections.Counter()
    for name in ("events", "waits", "callbacks"):
        path, text = bed.path(name + ".jsonl"), bed.path(name + ".prom")
        code, _, err = agents.command("replay", os.path.join(ROOT, "tests", "golden", name + ".ttr"), "--export", "file:" + path,
                                      "--sampling-background", "1", "--metrics-device", "--metrics-file", text)
        equal(code, 0, "exit code (stderr %r)" % err)
        with open(text) as f:
            metrics = scrape.Metrics(f.read())
        spans = otlp.load(path)
        for metric, kind, key, unit in (("tango_polling_lateness_seconds", otlp.INTERNAL, "tango.polling.late_us", 1e-6),
                                        ("tango_event_latency_seconds", otlp.CONSUMER, "tango.event.latency_us", 1e-6),
                                        ("tango_monitor_wait_seconds", otlp.SERVER, "tango.time.monitor_ns", 1e-9)):
            of = [s for s in spans if s.kind == kind and key in s.attrs]
            devices = collections.Counter((s.resource["service.instance.id"] if kind != otlp.CONSUMER else
                                           s.attrs["tango.operation.target"],) for s in of)
            equal(metrics.by(metric + "_count", "tango_operation_target"), devices, "%s of %s" % (metric, name))
            total = sum(max(s.attrs[key], 0) for s in of) * unit
            check(abs(metrics.sum(metric + "_sum") - total) < 1e-9, metric, metrics.sum(metric + "_sum"), total)
            seen[metric] += len(of)
        equal(metrics.sum("tango_event_lost_total"), sum(s.attrs.get("tango.event.lost", 0) for s in spans), "events lost")
    check(len(seen) == 3 and all(seen.values()), "each was seen", seen)
    figure(", ".join("%s %d" % one for one in sorted(seen.items())))


def test_health(bed):
    """/healthz: alive. /readyz: probes, events, and an exporter that was heard."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]
    parts.Client(bed, plan, name="warm-up").finish()
    address, dead = "127.0.0.1:%d" % beds.free_port(), beds.free_port()
    agent = Agent(bed, "--metrics-listen", address, *only(server), "--otlp-timeout", "500ms",
                  export=["otlp:http://127.0.0.1:%d" % dead, "null"])
    equal(scrape.get(address, "/healthz").status, 200, "alive")
    answer = scrape.get(address, "/readyz")
    equal(answer.status, 503, "no event yet (%r)" % answer.text)
    check("NOT events: 0" in answer.text, "it says so", answer.text)
    parts.Client(bed, plan).finish()
    answer = wait_for(lambda: (lambda a: a if "NOT exporter otlp:http://127.0.0.1:%d" % dead in a.text else None)(
        scrape.get(address, "/readyz")), 10, "an exporter that nobody hears")
    equal(answer.status, 503, "not ready")
    check("ok  events" in answer.text, "events are there", answer.text)
    agent.stop(seconds=30)
    address = "127.0.0.1:%d" % beds.free_port()
    agent = Agent(bed, "--metrics-listen", address, "--select", "server:nobody/here", export=["null"])
    answer = scrape.get(address, "/readyz")
    equal(answer.status, 200, "no Tango process: nothing is missing (%r)" % answer.text)
    agent.stop()


def test_busy_port(bed):
    """Another program has the port: it is named, tracing goes on."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        agent = Agent(bed, "--metrics-listen", "127.0.0.1:%d" % taken.getsockname()[1])
        check("(pid %d)" % os.getpid() in agent.proc.stderr and "warning" in agent.proc.stderr, "the warning names it",
              agent.proc.tail())
        parts.Client(bed, plan).finish()
        agent.stop()
    check(len(agent.spans()) > 10, "spans all the same", len(agent.spans()))


def test_bad_clients(bed):
    """Other methods, other paths, long requests, silence, too many connections: refused, and the next one is served."""
    need_agent()
    port = beds.free_port()
    address = "127.0.0.1:%d" % port
    agent = Agent(bed, "--metrics-listen", str(port), "--select", "server:nobody/here", export=["null"])
    equal(scrape.get(address, "/metrics", method="POST", body="x" * 100).status, 405, "POST")
    equal(scrape.get(address, "/metrics", method="HEAD").text, "", "HEAD has no body")
    equal(scrape.get(address, "/").status, 404, "no such page")
    equal(scrape.get(address, "/metrics/../../etc/passwd").status, 404, "no files")
    check(scrape.get(address, "/" + "a" * 100000).status in (400, 413, 414, 431), "a long request")
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(100)]
    for s in idle[:50]:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    for s in idle:
        s.close()
    wait_for(lambda: scrape.get(address, "/healthz").status == 200, 10, "service after a hundred idle connections")
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    equal(scrape.get(address, "/healthz").status, 200, "service beside silent connections, which are closed in time")
    for s in idle:
        s.close()
    scrape.scrape(address)
    agent.stop()


def test_native(bed):
    """Calls whose spans are left to native telemetry are counted like all others."""
    need_agent()
    system = native.System(bed, "10.3.1", "10.3.1")
    calls = plans.mixed(system.at("follower", plans.FOLLOWER + plans.FOLLOWER_FAIL) + system.at("leader", LEADER), [], 200, 1,
                        seed=6)[0]
    path = bed.path("native.prom")
    system.run(calls, "join", ["--metrics-file", path])
    with open(path) as f:
        metrics = scrape.Metrics(f.read())
    check(system.status["correlate"]["native_hidden"] > 100, "spans were left to native", system.status["correlate"])
    for kind, side in ((otlp.CLIENT, "client"), (otlp.SERVER, "server")):
        ours = sum(s.kind == kind for s in system.ours)
        theirs = sum(s.kind == kind for s in system.native.calls)
        equal(metrics.sum("rpc_%s_call_duration_seconds_count" % side), ours + theirs, "%s sides: ours and native's" % side)
        figure("%s sides: %d ours, %d native's" % (side, ours, theirs))


# ---- OTLP

def points_of(requests, name):
    """(attributes, point, temporality) of a metric, in order of the requests (OTLP JSON)."""
    for request in requests:
        for resource in request["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] == name:
                        data = next(metric[k] for k in ("histogram", "exponentialHistogram", "sum", "gauge") if k in metric)
                        for point in data["dataPoints"]:
                            yield (otlp.attributes_of(point.get("attributes")), point,
                                   data.get("aggregationTemporality", 0))


def latest(requests, name):
    """The last count of each series."""
    counts = {}
    for attributes, point, _ in points_of(requests, name):
        counts[tuple(sorted(attributes.items()))] = int(point.get("count", point.get("asInt", 0)))
    return counts


def check_latest(traced, requests, what):
    calls = latest(requests, "rpc.client.call.duration")
    equal(sum(n for k, n in calls.items() if ("tango.client.name", "mix") in k), traced.invoked, "calls in %s" % what)
    equal(sum(latest(requests, "rpc.server.call.duration").values()), traced.dispatched, "requests in %s" % what)
    resource = otlp.attributes_of(requests[0]["resourceMetrics"][0]["resource"]["attributes"])
    equal((resource["service.name"], resource["host.name"]), ("tangotrace", socket.gethostname()), "the agent's resource")
    check("process.pid" not in resource, "no pid", resource)


def test_otlp(bed):
    """Cumulative by default: protobuf that OpenTelemetry's own classes read, and JSON lines, say what the clients did."""
    need_agent()
    capture = otlp_peers.Capture(bed)
    path = bed.path("metrics.jsonl")
    traced = Traced(bed, "--metrics-export", "otlp:" + capture.url, "--metrics-export", "file:" + path, "--metrics-interval",
                    "300ms", export=["none"])
    wait_for(lambda: len(capture.accepted) >= 2, 10, "two exports while the agent runs")
    traced.agent.stop()
    capture.close()
    for url, headers, _ in capture.requests:
        equal((url, headers.get("content-type"), headers.get("content-encoding")),
              ("/v1/metrics", "application/x-protobuf", "gzip"), "the request")
    requests = capture.decoded("metrics")
    check_latest(traced, requests, "protobuf")
    temporalities = {t for _, _, t in points_of(requests, "rpc.client.call.duration")}
    equal(temporalities, {"AGGREGATION_TEMPORALITY_CUMULATIVE"}, "temporality")
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    check_latest(traced, lines, "the file")
    equal({t for _, _, t in points_of(lines, "rpc.client.call.duration")}, {2}, "temporality in the file")
    exemplars = [e for _, p, _ in points_of(lines, "rpc.client.call.duration") for e in p.get("exemplars", [])]
    check(exemplars and all(len(e["traceId"]) == 32 and len(e["spanId"]) == 16 for e in exemplars), "exemplars")
    figure("%d requests, %d lines" % (len(requests), len(lines)))


def test_delta(bed):
    """Delta: what was refused is in the next export; all exports together are what the clients did."""
    need_agent()
    capture = otlp_peers.Capture(bed, [(400, {}), (200, {}), (400, {})])
    traced = Traced(bed, "--metrics-export", "otlp:" + capture.url, "--metrics-temporality", "delta", "--metrics-buckets",
                    "exponential", "--metrics-interval", "200ms", export=["none"])
    wait_for(lambda: len(capture.accepted) >= 3, 10, "three exports while the agent runs")
    traced.agent.stop()
    capture.close()
    requests = capture.decoded("metrics")
    sums = collections.Counter()
    for name in ("rpc.client.call.duration", "rpc.server.call.duration"):
        for attributes, point, temporality in points_of(requests, name):
            equal(temporality, "AGGREGATION_TEMPORALITY_DELTA", "temporality")
            buckets = sum(map(int, point["positive"].get("bucketCounts", []))) + int(point.get("zeroCount", 0))
            equal(buckets, int(point["count"]), "buckets of a point")
            sums[name, attributes.get("tango.client.name") == "mix"] += buckets
    equal(sums["rpc.client.call.duration", True], traced.invoked, "calls")
    equal(sums["rpc.server.call.duration", True] + sums["rpc.server.call.duration", False], traced.dispatched, "requests")
    statuses = [status for _, _, status in capture.requests]
    check(statuses.count(400) == 2, "two refusals were met", statuses)
