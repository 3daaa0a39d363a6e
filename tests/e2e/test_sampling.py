"""Sampling with real programs: what is kept and what is dropped, by rule, to the trace; what the thresholds say of the
rest; the flight recorder."""
import collections
import math
import os
import signal

import bed as beds
import parts
import spans as otlp
from agent import Agent, command, need_agent
from harness import ROOT, check, equal, figure, scaled, wait_for

CALLS = scaled("TT_SAMPLING_CALLS", 1000)
SHARE = 0.25
TOP = 1 << 56


def threshold(span):
    """The rejection threshold in the span's tracestate; None: there is none."""
    for member in span.state.split(","):
        if member.startswith("ot="):
            for part in member[3:].split(";"):
                if part.startswith("th:"):
                    return int(part[3:].ljust(14, "0"), 16)
    return None


def by_operation(found):
    """Traces by what their client did: {operation: [spans of a trace, ...]}"""
    traces = collections.defaultdict(list)
    for span in found:
        traces[span.trace].append(span)
    result = collections.defaultdict(list)
    for trace in traces.values():
        roots = [s for s in trace if not s.parent]
        equal(len(roots), 1, "roots of %s" % trace)
        result["%s %s" % (roots[0].operation, roots[0].device)].append(trace)
    return result


def test_rules_and_tail(bed):
    """Ordered rules, a share for the rest, and every failed trace whole."""
    need_agent()
    server = parts.tangotest(bed, devices=("sys/tg_test/1", "sys/tg_test/2"))
    one, two = server.url("sys/tg_test/1"), server.url("sys/tg_test/2")
    calls = [("read", one, "ampli", "", ""), ("command", one, "DevDouble", "double", "2.5"),
             ("read", two, "ampli", "", ""), ("command", two, "DevVoid", "void", ""),
             ("command", one, "NoSuchCommand", "void", ""), ("state", one, "", "", "")]
    client = parts.Client(bed, [calls * CALLS], gate=True, witness=False)
    rules = ["operation=DevVoid; exclude=yes", "device=sys/tg_test/2; ratio=1", "attribute=ampli; ratio=0"]
    agent = Agent(bed, "--detail", "rpc", "--sampler", "traceidratio", "--sampler-ratio", SHARE, "--sampling-slow", "no", "--flight-recorder-on", "request",
                  *[word for rule in rules for word in ("--sampling-rules", rule)])
    client.release()
    client.finish()
    wait_for(lambda: agent.status()["sampling"]["held"] == 0, 15, "all traces are judged", 0.2)
    sampling = agent.status()["sampling"]
    code, out, err = command("status", "--control", agent.control)
    check("sampling " in out and "dropped" in out, "status speaks of it", out, err)
    final = agent.stop()
    equal(final["lost"], 0, "lost")
    rows = {row["rule"]: row for row in sampling["rules"]}
    found = agent.spans()
    traces = by_operation(found)
    sizes = collections.Counter(len(t) for group in traces.values() for t in group)
    check(set(sizes) == {2}, "every trace has both its spans", sizes)
    equal(len(traces["read ampli sys/tg_test/2"]), CALLS, "kept by their rule")
    equal(len(traces["NoSuchCommand sys/tg_test/1"]), CALLS, "kept because they failed")
    equal(len(traces["read ampli sys/tg_test/1"]), 0, "dropped by their rule")
    equal(len(traces["DevVoid sys/tg_test/2"]), 0, "excluded")
    equal(rows[rules[0]]["dropped_traces"], CALLS, "counted as excluded")
    equal(rows[rules[1]]["kept_traces"], CALLS, "counted as kept by the rule")
    equal(rows[rules[2]]["dropped_traces"], CALLS, "counted as dropped by the rule")
    equal(sampling["kept_failed"], CALLS, "counted as failed")
    equal(rows["others"]["kept_traces"] + rows["others"]["dropped_traces"], 3 * CALLS, "the rest")
    equal(sampling["kept"] + sampling["dropped"] + sampling["passed"], final["spans"], "every span is accounted for")
    equal(len(found), sampling["kept"], "spans that were kept")
    for span in found:
        equal(span.flags & 3, 3, "sampled, and the id is random")
        if span.operation in ("DevDouble", "State", "state"):
            check(int(span.trace[-14:], 16) >= threshold(span), "the trace id is above the threshold", span.trace, span.state)
            equal(threshold(span), TOP - TOP // 4, "threshold of a quarter")
        else:
            equal(threshold(span), 0, "threshold of what is kept in any case")
    shared = [s for s in found if s.kind == otlp.CLIENT and threshold(s)]
    estimate = sum(TOP / (TOP - threshold(s)) for s in shared)
    error = abs(estimate - 2 * CALLS) / math.sqrt(2 * CALLS * (1 - SHARE) / SHARE)
    check(error < 4, "the estimate is within its error", estimate, 2 * CALLS, error)
    figure("%d of %d traces kept; %d calls estimated as %d, %.1f standard deviations" % (
        sum(len(t) for t in traces.values()), 6 * CALLS, 2 * CALLS, estimate, error))


POLL = """
import sys, tango
tango.DeviceProxy(sys.argv[1]).command_inout("AddObjPolling", ([20], [sys.argv[2], "attribute", "double_scalar"]))
"""


def test_triggers(bed):
    """A rule by what set the trace off: a client's calls are one thing, what the server is not asked for another."""
    for name, rule in (("calls", "trigger=client; ratio=0"), ("events", "trigger=client; ratio=0")):
        path = bed.path(name + ".jsonl")
        code, _, err = command("replay", os.path.join(ROOT, "tests", "golden", name + ".ttr"), "--export", "file:" + path, "--no-logs",
                               "--no-sampling-errors", "--no-sampling-late", "--sampling-slow", "no", "--sampling-rules", rule)
        equal(code, 0, "exit code (stderr %r)" % err)
        left = otlp.load(path) if os.path.exists(path) else []
        equal([s for s in left if s.kind in (otlp.CLIENT, otlp.SERVER)], [], "calls of %s that are left" % name)
        equal(bool(left), name == "events", "what nobody asked for is there in %s" % name)


def test_polling_and_recorder(bed):
    """Polling is dropped where nothing else is; what was dropped is there for `dump`, once, and SIGUSR2."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    client = parts.Client(bed, [[("read", url, "ampli", "", "")] * 10], gate=True, witness=False)
    agent = Agent(bed, "--detail", "rpc", "--sampling-background", "0", "--sampling-slow", "no", "--sampling-wait", "500ms",
                  "--flight-recorder-on", "request")
    bed.start("poll", [beds.PYTHON, "-c", POLL, server.url("dserver/TangoTest/test"), "sys/tg_test/1"]).finish()
    client.release()
    client.finish()
    wait_for(lambda: agent.status()["sampling"]["recorder"] > 20, 20, "polls were dropped", 0.2)
    before = agent.status()["sampling"]
    code, out, err = command("dump", "--control", agent.control)
    equal(code, 0, "dump (stderr %r)" % err)
    dumped = int(out.split()[0])
    check(dumped >= before["recorder"], "dump gives what was there", out, before)
    wait_for(lambda: agent.status()["sampling"]["recorder"] > 10, 20, "polling goes on", 0.2)
    agent.proc.signal(signal.SIGUSR2)
    agent.proc.wait_text("the flight recorder exports", 10)
    figures = agent.status()["sampling"]
    equal(figures["dumps"], 2, "dumps")
    agent.stop()
    found = agent.spans()
    polls = [s for s in found if s.attrs.get("tango.trigger") == "polling"]
    equal(len(polls), figures["dumped"], "polls in the file")
    check(all(s.state == "tangotrace=flight" for s in polls), "they say where they come from", polls[:1])
    equal(len({(s.trace, s.id) for s in found}), len(found), "nothing twice")
    equal(sum(s.operation == "read ampli" for s in found), 20, "the client's reads, all of them")


def test_recorder_on_timeout(bed):
    """A call that times out brings what was dropped around it, without being asked."""
    need_agent()
    server, slow = parts.tangotest(bed), parts.thrower(bed)
    url = slow.url("test/thrower/1")
    client = parts.Client(bed, [[("command", url, "SleepMs", "long", "400"), ("command", url, "Twice", "long", "1")]],
                          gate=True, flags=["--timeout", "100"], witness=False)
    agent = Agent(bed, "--detail", "rpc", "--sampling-background", "0", "--sampling-slow", "no", "--flight-recorder-on", "timeout")
    bed.start("poll", [beds.PYTHON, "-c", POLL, server.url("dserver/TangoTest/test"), "sys/tg_test/1"]).finish()
    wait_for(lambda: agent.status()["sampling"]["recorder"] > 20, 20, "polls were dropped", 0.2)
    equal(agent.status()["sampling"]["dumps"], 0, "dumps before anything happened")
    client.release()
    client.finish()
    agent.proc.wait_text("errors: the flight recorder exports", 15)
    equal(agent.status()["sampling"]["dumps"], 1, "dumps")
    agent.stop()
    polls = [s for s in agent.spans() if s.attrs.get("tango.trigger") == "polling"]
    check(len(polls) > 20 and all(s.state == "tangotrace=flight" for s in polls), "the polls around it", len(polls))
