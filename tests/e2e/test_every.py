"""Every function of the client API: the right span outside, one CLIENT and one SERVER span per request inside."""
import collections
import json
import os
import signal

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, command, need_agent
from harness import HERE, check, check_all, equal, figure, wait_for

EVERY_PY = os.path.join(HERE, "clients", "every.py")


def gate(bed):
    path = bed.path("gate")
    os.mkfifo(path)
    return path


def open_gate(path):
    with open(path, "w") as fifo:
        fifo.write("go\n")


def outermost(spans, pid):
    mine = {s.id for s in truth.of(spans, pid)}
    return [s for s in truth.of(spans, pid) if s.parent not in mine]


# Functions that a build of cppTango with LTO (Ubuntu's) makes parts of those that call them: what they call is what shows.
PREFIX = "Tango::DeviceProxy::"
INLINED = {(PREFIX + "attribute_query", "get_attribute_config ampli", ""):
           (PREFIX + "get_attribute_config_ex", "get_attribute_config ampli", ""),
           (PREFIX + "is_attribute_polled", "is_attribute_polled", ""): (PREFIX + "polling_status", "polling_status", "")}


def expected(lines):
    """The outermost spans of a client that uses this host's cppTango."""
    path = os.path.join(parts.LIB_DIR, parts.libraries()[0])
    code, out, err = command("plan", "--json", path)
    equal(code, 0, "exit code of plan: " + err)
    apart = any(f["name"] == PREFIX + "attribute_query" for f in json.loads(out)["functions"])
    return collections.Counter(tuple(line) if apart else INLINED.get(tuple(line), tuple(line)) for line in lines)


def every(bed, python, root):
    """`root`: of another system, in which the server runs."""
    need_agent()
    database = parts.Database(bed)
    server = parts.tangotest(bed, database, root=root)
    fifo = gate(bed)
    orb_log = bed.path("orb-every.log")
    client = bed.start("every", [python, EVERY_PY, "sys/tg_test/1", fifo], parts.witness_env(orb_log))
    client.wait_text("up", 30)
    agent = Agent(bed, "--detail", "rpc")
    before = parts.witnessed(orb_log, parts.INVOKE), server.dispatched()
    open_gate(fifo)
    client.finish(60)
    counted = parts.witnessed(orb_log, parts.INVOKE), server.dispatched()
    for now, then in zip(counted, before):
        now.subtract(then)
    final = agent.stop()
    spans = agent.spans()
    lines = [line.split("\t") for line in client.stdout.splitlines() if "\t" in line]
    figure("%d functions, %d requests, %d spans" % (len(lines), sum((+counted[0]).values()), len(spans)))
    main_thread = [s for s in outermost(spans, client.pid) if s.attrs.get("thread.id") == client.pid]
    got = collections.Counter((s.name, s.operation, s.attrs.get("error.type", "")) for s in main_thread)
    want = expected(lines)
    return client, server, lines, spans, counted, want, got, final, agent


def every_function(bed, root=None):
    client, server, lines, spans, counted, want, got, final, agent = every(bed, beds.PYTHON, root)
    mine = truth.of(spans, client.pid)
    check_all(
        lambda: check(not want - got, "a span for every function", *truth.difference(want, got)),
        lambda: truth.check_wire(spans, client.pid, otlp.CLIENT, +counted[0]),
        lambda: truth.check_wire(spans, server.pid, otlp.SERVER, +counted[1]),
        lambda: truth.check_unique(spans),
        lambda: truth.check_certain(mine),
        lambda: truth.check_none_lost(final, agent))


def test_python(bed):
    every_function(bed)


def test_retry(bed):
    """The server is started anew between two calls: the call succeeds, what it took is inside."""
    need_agent()
    server = parts.thrower(bed)
    url = server.url("test/thrower/1")
    port = url.split(":")[2].split("/")[0]
    fifo = gate(bed)
    program = ("import sys, tango\np = tango.DeviceProxy(%r)\np.read_attribute('number')\nprint('up', flush=True)\n"
               "open(%r).readline()\nprint(p.read_attribute('number').value)\n" % (url, fifo))
    client = bed.start("retry", [beds.PYTHON, "-c", program])
    client.wait_text("up", 30)
    server.proc.signal(signal.SIGKILL)
    wait_for(lambda: not server.proc.alive(), 10, "the end of the server")
    again = bed.start("thrower-again", server.proc.argv[:-1] + ["giop:tcp:127.0.0.1:" + port])
    again.wait_text(parts.READY, 30)
    agent = Agent(bed, "--detail", "rpc")
    open_gate(fifo)
    client.finish(30)
    final = agent.stop()
    spans = agent.spans()
    roots = outermost(spans, client.pid)
    equal([(s.name, s.failed) for s in roots], [("Tango::DeviceProxy::read_attribute", False)], "the call")
    inside = [s for s in truth.of(spans, client.pid) if s.parent]
    check(any(s.name == "Tango::Connection::reconnect" for s in inside), "it connected again", *inside)
    served = [s for s in truth.of(spans, again.pid, otlp.SERVER) if s.operation == "read number"]
    equal(len(served), 1, "reads served")
    parents = {s.id: s for s in truth.of(spans, client.pid, otlp.CLIENT)}
    check(served[0].parent in parents, "the read is a child of a CLIENT span", served[0])
    figure("retry %s" % parents[served[0].parent].attrs.get("tangotrace.retry", "within the call's own span"))
    truth.check_none_lost(final, agent)


def test_collocated(bed):
    """A device calls another one of its own process: no request on the wire, both spans all the same."""
    need_agent()
    server = parts.thrower(bed, devices=("test/thrower/1", "test/thrower/2"))
    call = ("command", server.url("test/thrower/1"), "Forward", "string", server.url("test/thrower/2") + " read number")
    parts.Client(bed, [[call]], name="warm-up").finish()
    client = parts.Client(bed, [[call]], gate=True)
    agent = Agent(bed, "--detail", "rpc")
    before = server.dispatched()
    client.release()
    client.finish()
    counted = server.dispatched()
    counted.subtract(before)
    final = agent.stop()
    spans = agent.spans()
    inner = [s for s in truth.of(spans, server.pid) if s.operation == "read number"]
    equal(sorted(s.kind for s in inner), [otlp.SERVER, otlp.CLIENT], "spans of the inner call")
    served, sent = sorted(inner, key=lambda s: s.kind)
    equal(served.parent, sent.id, "the method is the child of the call")
    outer = [s for s in truth.of(spans, server.pid, otlp.SERVER) if s.operation == "Forward"]
    equal([s.id for s in outer], [sent.parent], "the call is the child of the outer method")
    wire = "giop.request_id" in sent.attrs
    figure("the inner call went %s" % ("over the wire" if wire else "inside the process"))
    equal(served.attrs.get("tangotrace.collocated", False), not wire, "tangotrace.collocated")
    equal(sum((+counted).values()), 2 if wire else 1, "requests dispatched")
    truth.check_certain(spans)
    truth.check_none_lost(final, agent)
