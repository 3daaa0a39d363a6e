"""Forwarded attributes: the device that is asked asks another one, by the ordinary client API and on the same thread, so
the tree is client -> device -> call of the library -> root device, also when the root refuses.

A forwarded attribute needs the database. PyTango 9.3.6 crashes when it starts a server that has one (without any tracer,
while it translates an exception): there the server is written in C++; in Python it runs on the wheels.
"""
import collections
import os

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import HERE, check, check_all, equal, figure

DEVICE, ROOT, OTHER_ROOT, ADMIN = "test/forwarder/1", "sys/tg_test/1", "test/thrower/1", "dserver/tangotest/test"
ROOTS = {"ampli": ROOT + "/ampli", "throws": ROOT + "/throw_exception", "number": OTHER_ROOT + "/number"}
FORWARDER_PY = os.path.join(HERE, "servers", "forwarder.py")
ROUNDS = 5


def call(what, device, *children, reason=""):
    """One request: the CLIENT span and the SERVER span under it, with the calls that the device made meanwhile."""
    served = ("SERVER", what, device, reason) + children
    return ("CLIENT", what, device, reason, served)


def inside(what, device, *children):
    return ("INTERNAL", what, device, "") + children


# What a client calls, and the tree that it gives.
CALLS = [
    (("read", "ampli", "", ""),
     call("read ampli", DEVICE, call("read ampli", ROOT))),
    (("write", "ampli", "double", "1.5"),
     call("write ampli", DEVICE, call("write ampli", ROOT))),
    (("write_read", "ampli", "double", "2.5"),
     call("write_read ampli", DEVICE,
          inside("lock", ROOT, call("LockDevice", ADMIN)),
          call("write ampli", ROOT),
          call("read ampli", ROOT),
          inside("unlock", ROOT, call("UnLockDevice", ADMIN)))),
    (("reads", "ampli,number", "", ""),
     call("read 2 attributes", DEVICE, call("read ampli", ROOT), call("read number", OTHER_ROOT))),
    (("read", "throws", "", ""),
     call("read throws", DEVICE, call("read throw_exception", ROOT, reason="exception test"), reason="exception test")),
    (("write", "number", "double", "-1"),
     call("write number", DEVICE, call("write number", OTHER_ROOT, reason="Thrower_Negative"), reason="Thrower_Negative")),
    (("reads", "throws,number", "", ""),
     call("read 2 attributes", DEVICE, call("read throw_exception", ROOT, reason="exception test"),
          call("read number", OTHER_ROOT), reason="exception test")),
]
KIND = {otlp.CLIENT: "CLIENT", otlp.SERVER: "SERVER", otlp.INTERNAL: "INTERNAL"}


def tree_of(span, children):
    below = sorted(children[span.id], key=lambda s: s.start)
    return (KIND[span.kind], span.operation, span.device.lower(), span.attrs.get("error.type", "")) + tuple(
        tree_of(s, children) for s in below)


def lines_of(tree, depth=0):
    return ["  " * depth + " ".join(tree[:4])] + [line for t in tree[4:] for line in lines_of(t, depth + 1)]


def size_of(tree):
    return 1 + sum(map(size_of, tree[4:]))


def check_trees(spans, client):
    # what the devices do inside is another test's: calls hang below calls
    ids, children = {s.id: s for s in spans}, collections.defaultdict(list)
    for span in spans:
        parent = ids.get(span.parent)
        while parent and parent.is_method:
            parent = ids.get(parent.parent)
        if not span.is_method:
            children[parent.id if parent else span.parent].append(span)
    roots = sorted((s for s in truth.of(spans, client.pid) if not s.parent), key=lambda s: s.start)
    got = [tree_of(s, children) for s in roots]
    want = [tree for _, tree in CALLS] * ROUNDS
    equal(len(got), len(want), "calls of the client")
    for one, other in zip(got, want):
        check(one == other, "the tree of a call", "got", *lines_of(one), "want", *lines_of(other))
    for span in spans:
        if span.parent and span.kind == otlp.SERVER:
            equal(span.attrs.get("tangotrace.parent.proof"), "request", "proof of %s" % span)
    figure("%d calls, %d spans in their trees" % (len(got), sum(map(size_of, got))))


def forwarded(bed, argv):
    need_agent()
    database = parts.Database(bed)
    servers = [parts.tangotest(bed, database), parts.thrower(bed, database)]
    name = os.path.basename(argv[-1]).replace(".py", "")
    database.register("%s/w" % name, "Forwarder", DEVICE)
    database.forward(DEVICE, ROOTS)
    forwarder = parts.start_server(bed, argv, "w", ["Forwarder::" + DEVICE], database)
    servers.append(forwarder)
    plan = [[(c[0], DEVICE) + c[1:] for c, _ in CALLS]]
    parts.Client(bed, plan, name="warm-up").finish()
    client = parts.Client(bed, [plan[0] * ROUNDS], gate=True)
    agent = Agent(bed)
    before = [s.dispatched() for s in servers], client.invoked(), parts.witnessed(forwarder.log, parts.INVOKE)
    client.release()
    log = client.finish()
    served = [s.dispatched() for s in servers]
    sent = client.invoked(), parts.witnessed(forwarder.log, parts.INVOKE)
    for now, then in list(zip(served, before[0])) + [(sent[0], before[1]), (sent[1], before[2])]:
        now.subtract(then)
    final = agent.stop()
    spans = agent.spans()
    equal([bool(line.reason) for line in log], [bool(tree[3]) for _, tree in CALLS] * ROUNDS, "what the client saw")
    check_all(
        lambda: check_trees(spans, client),
        lambda: truth.check_wire(spans, client.pid, otlp.CLIENT, +sent[0]),
        lambda: truth.check_wire(spans, forwarder.pid, otlp.CLIENT, +sent[1]),
        *[lambda s=s, n=n: truth.check_wire(spans, s.pid, otlp.SERVER, +n) for s, n in zip(servers, served)],
        lambda: truth.check_unique(spans),
        lambda: truth.check_certain(spans),
        lambda: truth.check_none_lost(final, agent))


def test_cpp(bed):
    forwarded(bed, [beds.test_program("forwarder")])


def on_wheel(wheel):
    return lambda bed: forwarded(bed, [beds.wheel_python(wheel), FORWARDER_PY])


globals().update({"test_" + wheel.replace(".", "_"): on_wheel(wheel) for wheel in beds.WHEELS})
