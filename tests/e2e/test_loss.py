"""A ring buffer far too small: what is lost is counted and shown, and never becomes a wrong parent or a false success."""
import collections

import parts
import plans
import spans as otlp
import truth
from agent import Agent, need_agent, only
from harness import check, equal, figure, scaled, wait_for
from test_calls import plan_for, system

CALLS = scaled("TT_LOSS_CALLS", 20000)


def overloaded(bed, ring):
    servers = system(bed, None)
    plan = plan_for(servers, CALLS, 8, seed=23)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, "--ring-size", ring, *only(client, *servers))  # the events are counted
    before = sum(client.invoked().values()), sum(sum(s.dispatched().values()) for s in servers)
    client.release()
    log = client.finish()
    after = sum(client.invoked().values()), sum(sum(s.dispatched().values()) for s in servers)
    status = settled(agent)
    final = agent.stop()
    requests = after[0] - before[0], after[1] - before[1]
    return servers, client, log, requests, status, final, agent.spans()


def settled(agent):
    """The agent's figures once it has read everything that the ring holds."""
    def read():
        status = agent.status()
        return status if status["assemble"]["events"] >= status["events"]["total"] else None
    return wait_for(read, 20, "the agent to read the ring")


def check_counts(requests, status, final):
    """Every hit is either read or counted as dropped. How many there must have been says the ORB's log: one request event
    per request sent, one upcall event per request served."""
    events, drops = status["events"], status["drops"]
    for kind, number in zip(("request", "upcall"), requests):
        equal(events[kind] + drops[kind], number, "%s events read and dropped" % kind)
    equal(status["assemble"]["events"], events["total"], "events read from the ring and written to it")
    check(drops["total"] > 0, "the ring was too small indeed (else this test shows nothing)", status)
    check(0 < status["assemble"]["lost"] <= drops["total"], "gaps in the sequence of threads, against the drops",
          status["assemble"]["lost"], drops)
    equal(final["reasons"].get("ring buffer full"), drops["total"], "the final line tells the drops")
    return "%d events read, %d dropped" % (events["total"], drops["total"])


def may_succeed(log):
    """(device, operation) of which at least one call succeeded."""
    return {(truth.device_name(c.device).lower(), truth.operation_name(c)) for c in log if not c.reason}


def test_small_ring(bed):
    need_agent()
    servers, client, log, requests, status, final, spans = overloaded(bed, 16384)
    figure("%d calls: %s" % (len(log), check_counts(requests, status, final)))
    check_no_wrong_parent(servers, client, spans)
    check_no_false_success(log, spans)
    check_marked(spans, status)
    truth.check_unique(spans)


def check_marked(spans, status):
    """Affected spans say so, and only those: a lost event belongs to one thread and spoils the calls that are open in it, of
    which there are at most three here (an API function, one that it calls, the next that the gap is seen in)."""
    incomplete, drops = sum(1 for s in spans if "tangotrace.incomplete" in s.attrs), status["drops"]["total"]
    figure("%d events dropped; %d spans, %d of them marked incomplete" % (drops, len(spans), incomplete))
    check(incomplete > 0, "affected spans say so")
    check(incomplete <= 3 * drops, "more spans are marked than drops can have spoiled", incomplete, drops)
    check(incomplete <= 0.75 * len(spans), "what is whole is not marked", incomplete, len(spans))


def check_no_wrong_parent(servers, client, spans):
    by_id = {s.id: s for s in spans}
    pids = {s.pid for s in servers}
    children = collections.Counter(s.parent for s in spans if s.kind == otlp.SERVER and s.parent)
    for span in spans:
        parent = by_id.get(span.parent)
        if not span.parent or parent is None:
            continue
        equal(span.trace, parent.trace, "trace of a child")
        if span.kind == otlp.SERVER and span.pid in pids:
            check(parent.kind == otlp.CLIENT and parent.pid == client.pid, "a SERVER span under its CLIENT span", span,
                  parent)
            check(parent.device.lower() == span.device.lower() or not parent.device or not span.device,
                  "same device as the parent", span, parent)
            same = parent.operation == span.operation or "tangotrace.incomplete" in span.attrs or \
                "tangotrace.incomplete" in parent.attrs
            check(same, "same operation as the parent", span, parent)
            # One CLIENT span of a call that makes several requests may have several; else one
            check(children[span.parent] == 1, "one SERVER child", span, parent)


def check_no_false_success(log, spans):
    """A span of a call that always fails is an error, or says that it does not know."""
    succeed = may_succeed(log)
    known = {(truth.device_name(c.device).lower(), truth.operation_name(c)) for c in log}
    false = [s for s in spans if s.kind in (otlp.CLIENT, otlp.SERVER) and not s.failed and
             (s.device.lower(), s.operation) in known - succeed and "tangotrace.incomplete" not in s.attrs]
    check(not false, "%d spans of failed calls that look like successes" % len(false), *false[:5])


def test_no_false_errors(bed):
    """And the other way: a call that never fails is no error, or the span says that events of it were lost."""
    need_agent()
    _, _, log, _, status, _, spans = overloaded(bed, 32768)
    check(status["drops"]["total"] > 0, "the ring was too small indeed (else this test shows nothing)", status)
    check_marked(spans, status)
    fail = {(truth.device_name(c.device).lower(), truth.operation_name(c)) for c in log if c.reason}
    known = {(truth.device_name(c.device).lower(), truth.operation_name(c)) for c in log}
    false = [s for s in spans if s.failed and (s.device.lower(), s.operation) in known - fail and
             "tangotrace.incomplete" not in s.attrs]
    check(not false, "%d spans of good calls that look like errors and claim to be complete" % len(false), *false[:5])
