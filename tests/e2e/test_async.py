"""Asynchronous calls: one CLIENT span from send to reply, whatever the model; the reply is linked to it."""
import collections
import os

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import HERE, check, check_all, equal, figure

ASYNCH_PY = os.path.join(HERE, "clients", "asynch.py")
VERB = {"command": "", "read": "read ", "write": "write "}
Line = collections.namedtuple("Line", "what operation reason")


def run_client(bed, argv, server):
    """The client's own log, its spans and all others; the agent runs from before its first asynchronous call."""
    fifo = bed.path("gate")
    os.mkfifo(fifo)
    orb_log = bed.path("orb-asynch.log")
    client = bed.start("asynch", argv + [server.url("test/thrower/1"), fifo], parts.witness_env(orb_log))
    client.wait_text("up", 30)
    agent = Agent(bed)
    before = parts.witnessed(orb_log, parts.INVOKE), server.dispatched()
    with open(fifo, "w") as gate:
        gate.write("go\n")
    client.finish(60)
    counted = parts.witnessed(orb_log, parts.INVOKE), server.dispatched()
    for now, then in zip(counted, before):
        now.subtract(then)
    final = agent.stop()
    lines = [Line(*line.split("\t")) for line in client.stdout.splitlines() if "\t" in line]
    spans = agent.spans()
    figure("%d lines of the client's log, %d requests, %d spans" % (len(lines), sum((+counted[0]).values()), len(spans)))
    check(lines and spans, "the client did something, the agent saw it")
    truth.check_unique(spans)
    truth.check_none_lost(final, agent)
    truth.check_wire(spans, client.pid, otlp.CLIENT, +counted[0])
    truth.check_wire(spans, server.pid, otlp.SERVER, +counted[1])
    return client, lines, spans


def calls_of(spans, pid):
    return [s for s in truth.of(spans, pid, otlp.CLIENT) if s.name.endswith("_asynch")]


def replies_of(spans, pid):
    return [s for s in truth.of(spans, pid, otlp.INTERNAL) if s.operation.startswith("reply ")]


def check_outcome(lines, spans, pid, reason=True):
    want = [(VERB[l.what] + l.operation, bool(l.reason), l.reason if reason else "") for l in lines if l.what in VERB]
    got = [(s.operation, s.failed, s.attrs.get("error.type", "") if reason else "") for s in calls_of(spans, pid)
           if not s.attrs.get("giop.oneway")]
    truth.same(want, got, "asynchronous calls")


def check_replies(lines, spans, pid, reason=True):
    want = [("reply " + l.operation, l.reason if reason else "") for l in lines if l.what == "reply"]
    got = [(s.operation, s.attrs.get("error.type", "") if reason else "") for s in replies_of(spans, pid)]
    truth.same(want, got, "replies")


def check_links(spans, pid):
    calls = {s.id: s for s in calls_of(spans, pid)}
    linked = collections.Counter()
    for reply in replies_of(spans, pid):
        equal(len(reply.links), 1, "links of %s" % reply)
        call = calls.get(reply.links[0]["spanId"])
        check(call, "the link leads to a call", reply)
        equal(reply.links[0]["traceId"], call.trace, "trace of the link of %s" % reply)
        equal(reply.operation.split(" ", 1)[1], call.operation.replace("read ", "").replace("write ", ""),
              "the reply is of that call")
        equal(reply.device, call.device, "device of the reply")
        if reply.attrs.get("error.type") != "API_AsynReplyNotArrived":
            linked[call.id] += 1
            check(call.end <= reply.end, "the reply ends after its call", call, reply)
    for call in calls.values():
        equal(linked[call.id], 0 if call.attrs.get("giop.oneway") else 1, "replies of %s" % call)


def check_served(spans, client, server):
    """Each call has its SERVER span; the wait for it lies inside."""
    children = collections.defaultdict(list)
    for s in truth.of(spans, server.pid, otlp.SERVER):
        children[s.parent].append(s)
    for call in calls_of(spans, client.pid):
        equal(len(children[call.id]), 1, "SERVER spans of %s" % call)
        served = children[call.id][0]
        equal((served.trace, served.operation, served.device), (call.trace, call.operation, call.device), "its names")
        check(call.start <= served.start, "the server begins after the call", call, served)
        if not call.attrs.get("giop.oneway") and call.attrs.get("error.type") != "API_CorbaException":
            check(served.end <= call.end + 1000000, "the call ends when the server has answered", call, served)
        check("tangotrace.incomplete" not in call.attrs, "no doubt about a call", call)


def python_client(bed, python, root=None):
    need_agent()
    server = parts.thrower(bed)
    argv = beds.inside(root, bed.dir, [python, parts.visible(bed, ASYNCH_PY, root)])
    client, lines, spans = run_client(bed, argv, server)
    one_way = [s for s in calls_of(spans, client.pid) if s.attrs.get("giop.oneway")]
    check_all(lambda: check_outcome(lines, spans, client.pid),
              lambda: check_replies(lines, spans, client.pid),
              lambda: check_links(spans, client.pid),
              lambda: check_served(spans, client, server),
              lambda: equal([s.operation for s in one_way], [l.operation for l in lines if l.what == "one-way"],
                            "one-way calls"))


def test_python(bed):
    python_client(bed, beds.PYTHON)


def test_python_wheel(bed):
    """PyTango 10 of PyPI: other offsets, other code."""
    python_client(bed, beds.need(beds.VENV_PYTHON, "run deploy/bootstrap demo"))


def test_cpp(bed):
    """Callbacks pulled and pushed: their failures are known by type only, the callback gets them as an argument."""
    need_agent()
    server = parts.thrower(bed)
    client, lines, spans = run_client(bed, [beds.test_program("asynch")], server)
    groups = [s for s in truth.of(spans, client.pid, otlp.INTERNAL) if s.name.startswith("Tango::Group::")]
    slow = [s for s in calls_of(spans, client.pid) if s.operation == "SleepMs"]
    check_all(lambda: check_outcome(lines, spans, client.pid, reason=False),
              lambda: check_replies([l for l in lines], [s for s in spans if not s.name.startswith("Tango::Group::")],
                                    client.pid, reason=False),
              lambda: check_served(spans, client, server),
              lambda: check_links(spans, client.pid),
              lambda: truth.same([l.operation for l in lines if l.what == "group"],
                                 [s.operation for s in groups if s.operation != "reply"], "calls of the group"),
              lambda: equal([s.attrs.get("error.type") for s in slow],
                            [l.reason for l in lines if l.what == "command" and l.operation == "SleepMs"],
                            "reason of the call that timed out"))
    inside = {s.id for s in groups}
    for s in calls_of(spans, client.pid):
        if s.parent:
            check(s.parent in inside, "only a group's calls have a parent", s)
