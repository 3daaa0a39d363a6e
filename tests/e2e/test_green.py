"""PyTango servers in green modes: their methods run in threads and on stacks of their own. Each device asks one of its
own, so that a wrong parent shows: what cannot be proven is a root."""
import collections
import os
import re

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import HERE, check, check_all, equal, figure, scaled
from test_python import code_of, python_of

CALLS = scaled("TT_GREEN_CALLS", 400)
DEVICES = 4
GREEN, BASLER = (os.path.join(HERE, "servers", name) for name in ("green.py", "basler.py"))
CLIENT = """
import sys, threading, tango
def ask(url):
    d = tango.DeviceProxy(url)
    for i in range(int(sys.argv[2])):
        d.command_inout("Ask")
        try:
            d.command_inout("Refuse")
        except tango.DevFailed:
            pass
for n in range(int(sys.argv[4])):
    tango.DeviceProxy(sys.argv[1] % (n + 1)).command_inout("Ask")
print("up", flush=True)
open(sys.argv[3]).read()
threads = [threading.Thread(target=ask, args=(sys.argv[1] % (n + 1),)) for n in range(int(sys.argv[4]))]
[t.start() for t in threads]
[t.join() for t in threads]
"""


def place_of(mode, name):
    """(qualified name, file, line) of a method of that mode's class: that of its decorator."""
    start = "async def" if mode == "asyncio" else "def"
    with open(GREEN) as f:
        lines = f.read().split("\n")
    number = next(n for n, line in enumerate(lines) if re.match(r" +%s %s\(" % (start, name), line))
    return "Green." + name, GREEN, number  # the decorator stands in the line before


def check_method(server, below, place, fails):
    got = [s for s in below[server.id] if s.is_method]
    equal([(s.name,) + code_of(s) for s in got], [(place[0],) + place], "methods of %s" % server.operation)
    method = got[0]
    equal((method.kind, method.attrs.get("tangotrace.parent.proof"), method.failed), (otlp.INTERNAL, "nesting", fails), "a method")
    check(server.start <= method.start <= method.end <= server.end, "it lies inside its request", server, method)
    equal(method.resource.get("service.instance.id"), server.device, "device of a method")


def check_inner(span, by_id):
    """A call that a device makes: its device's, or a root that says why."""
    above = by_id.get(span.parent)
    if span.parent == otlp.NO_PARENT:
        reason = span.attrs.get("tangotrace.parent.reason")
        check(reason in ("other_thread", "stack_switched"), "why it is a root", span)
        return "none: " + reason
    if above is not None and above.is_caller:
        return "none: " + above.name
    check(above is not None, "its parent is there", span)
    number = span.device.split("/")[-1]
    equal(above.resource.get("service.instance.id"), "test/green/" + number, "whose call of %s it is" % span.device)
    return above.name


def reads(server):
    """Counted by its ORB. PyTango 9.3 starts and stops libev's watchers from the ORB's threads (gevent_executor.py), which
    libev forbids ("THREADS AND COROUTINES" in ev(3)): under load it happens, traced or not, that it runs a method twice."""
    return sum(count for operation, count in server.dispatched().items() if operation.startswith("read_attributes"))


def green(build, mode):
    def test(bed):
        need_agent()
        names = ["Basler::test/camera/%d" % (n + 1) for n in range(DEVICES)]
        followers = parts.start_server(bed, [python_of(build), BASLER], "cam", names)
        env = {"TT_GREEN": mode, "TT_FOLLOWERS": followers.url("test/camera/%s")}
        names = ["Green::test/green/%d" % (n + 1) for n in range(DEVICES)]
        server = parts.start_server(bed, [python_of(build), GREEN], "g", names, env=env, witness=False)
        gate, rounds = bed.path("gate"), CALLS // (2 * DEVICES)
        os.mkfifo(gate)
        client = bed.start("client", [python_of(build), "-c", CLIENT, server.url("test/green/%d"), str(rounds), gate, str(DEVICES)])
        client.wait_text("up", 60)
        agent = Agent(bed)
        before = reads(followers)
        with open(gate, "w"):
            pass
        client.finish()
        made = reads(followers) - before
        final = agent.stop()
        spans = agent.spans()
        by_id, below = {s.id: s for s in spans}, collections.defaultdict(list)
        for s in spans:
            below[s.parent].append(s)
        requests = [s for s in spans if s.kind == otlp.SERVER and s.pid == server.pid and s.operation in ("Ask", "Refuse")]
        equal(collections.Counter(s.operation for s in requests), collections.Counter(Ask=rounds * DEVICES, Refuse=rounds * DEVICES),
              "requests")
        for s in requests:
            check_method(s, below, place_of(mode, s.operation), s.operation == "Refuse")
        inner = [s for s in spans if s.kind == otlp.CLIENT and s.pid == server.pid and s.operation == "read ExposureTime"]
        equal(len(inner), made, "calls of the devices")
        check(made >= rounds * DEVICES, "each request made one", made)
        parents = collections.Counter(check_inner(s, by_id) for s in inner)
        figure("%d requests; parents of the calls that they make: %s" % (len(requests), dict(parents)))
        check_all(lambda: truth.check_unique(spans), lambda: truth.check_none_lost(final, agent))
    return test


for _build, _mode in (("debian", "gevent"), ("10.3.1", "asyncio")):
    _test = green(_build, _mode)
    _test.__module__ = __name__
    globals()["test_%s_%s" % (_mode, _build.replace(".", "_"))] = _test
