"""OTLP as others read it: a real OpenTelemetry Collector and the Python protobuf classes see the spans of the file."""
import otlp_peers
import parts
import plans
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import check, equal, figure, wait_for


def traced(bed, *exports, calls=400, wait=None):
    """A mixed load with these exports beside the file; returns (spans of the file, final line)."""
    servers = [parts.tangotest(bed), parts.thrower(bed)]
    good = plans.at(servers[0].url("sys/tg_test/1"), plans.TANGOTEST) + plans.at(servers[1].url("test/thrower/1"),
                                                                                 plans.THROWER)
    bad = (plans.at(servers[0].url("sys/tg_test/1"), plans.TANGOTEST_FAIL) +
           plans.at(servers[1].url("test/thrower/1"), plans.THROWER_FAIL))
    client = parts.Client(bed, plans.mixed(good, bad, calls, 4, seed=11), gate=True)
    path = bed.path("spans.jsonl")
    agent = Agent(bed, export=["file:" + path] + list(exports))
    client.release()
    client.finish()
    if wait:
        wait()
    final = agent.stop(seconds=30)
    return otlp.load(path), final


def check_same(got, want, who):
    truth.same([s.key() for s in want], [s.key() for s in got], "spans of %s against those of the file" % who)


def test_collector(bed):
    """HTTP, protobuf, gzip into a real Collector: every field of every span arrives."""
    need_agent()
    collector = otlp_peers.Collector(bed)
    spans, final = traced(bed, "otlp:" + collector.url)
    check(len(spans) >= 800, "spans of 400 calls", len(spans))
    got = wait_for(lambda: (lambda s: s if len(s) >= len(spans) else None)(otlp.load(collector.path)), 10,
                   "%d spans at the Collector" % len(spans))
    check_same(got, spans, "the Collector")
    check(final["lost"] == 0, "nothing lost", final)
    figure("%d spans, all fields equal" % len(got))


def test_python_classes(bed):
    """The bodies decode to the same spans with the classes made from OpenTelemetry's .proto files; no unknown field."""
    need_agent()
    capture = otlp_peers.Capture(bed)
    spans, final = traced(bed, "otlp:" + capture.url)
    capture.close()
    check_same(otlp_peers.decoded_spans(capture), spans, "the Python classes")
    for path, headers, _ in capture.requests:
        equal(path, "/v1/traces", "path")
        equal(headers.get("content-type"), "application/x-protobuf", "content-type")
        equal(headers.get("content-encoding"), "gzip", "content-encoding")
        check("tangotrace" in headers.get("user-agent", ""), "user-agent names us", headers)
    check(len(capture.requests) < 20, "few requests: batches over all devices", len(capture.requests))
    check(final["lost"] == 0, "nothing lost", final)
    figure("%d spans in %d requests" % (len(spans), len(capture.requests)))


def test_retries(bed):
    """503 and 429 are retried (429 after the time it asks for), and nothing is lost or sent twice."""
    need_agent()
    capture = otlp_peers.Capture(bed, [(503, {}), (429, {"Retry-After": "1"}), (502, {})])
    spans, final = traced(bed, "otlp:" + capture.url,
                          wait=lambda: wait_for(lambda: len(capture.accepted) >= 1, 40, "a request after the refusals"))
    capture.close()
    equal([status for _, _, status in capture.requests[:3]], [503, 429, 502], "refusals were met")
    check_same(otlp_peers.decoded_spans(capture), spans, "the receiver after retries")
    check(final["lost"] == 0, "nothing lost", final)


def test_refused_for_good(bed):
    """400 is not retried: the batch is counted as lost, with its reason; the next batch goes."""
    need_agent()
    capture = otlp_peers.Capture(bed, [(400, {})])
    spans, final = traced(bed, "otlp:" + capture.url, calls=3000)
    capture.close()
    got = otlp_peers.decoded_spans(capture)
    check(len(got) < len(spans), "the refused batch is not sent again", len(got), len(spans))
    equal(final["lost"], len(spans) - len(got), "spans lost by the final line %r" % final)
    equal([status for _, _, status in capture.requests].count(400), 1, "one refusal")


def test_nobody_there(bed):
    """No receiver: tracing goes on, the file is whole, the end comes in bounded time and names the loss."""
    need_agent()
    import bed as beds
    spans, final = traced(bed, "otlp:http://127.0.0.1:%d" % beds.free_port())
    check(len(spans) >= 800, "the file has the spans", len(spans))
    check(final["lost"] >= len(spans), "the loss is told", final)
