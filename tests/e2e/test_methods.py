"""Methods of C++ device classes: every call of every one is a span, named after class and attribute or command, below the
SERVER span of the request that caused it.

The servers are stripped. TangoTest is Pogo's; the Lab is written by hand, with attributes that come at run time and share
one method, and a second class in a plug-in; its methods note themselves that they were called, and in which thread: that
is the truth the spans are compared with, node by node.
"""
import collections
import os

import bed as beds
import parts
import plans
import procmem
import spans as otlp
import truth
from agent import Agent, command, need_agent
from harness import check, check_all, equal, figure, scaled, wait_for

CALLS = scaled("TT_METHOD_CALLS", 1000)
# of Debian, in roots of their own; on sid the hand-written servers cannot be compiled (tests/e2e/chroot)
SUITES = ["trixie"] if os.environ.get("TT_MATRIX") == "all" else []

LAB = [
    ("read", "level", "", ""),
    ("write", "level", "double", "2.5"),
    ("write_read", "level", "double", "2.5"),
    ("reads", "channel_0,level,channel_3", "", ""),
    ("read", "channel_1", "", ""),
    ("read", "channel_2", "", ""),
    ("command", "Add", "double", "1.5"),
    ("command", "Half", "double", "1.5"),
    ("command", "Reset", "void", ""),
    ("state", "", "", ""),
    ("status", "", "", ""),
    ("ping", "", "", ""),
]
LAB_FAIL = [
    ("read", "broken", "", ""),
    ("reads", "level,broken", "", ""),
    ("read", "channel_7", "", ""),
    ("write", "level", "double", "-1"),
    ("command", "Fail", "long", "0"),
    ("command", "Fail", "long", "1"),
    ("command", "Fail", "long", "2"),
    ("command", "NoSuchCommand", "void", ""),
]
PLUG = [
    ("read", "current", "", ""),
    ("write", "current", "double", "3.5"),
    ("command", "Twice", "double", "4"),
    ("ping", "", "", ""),
]
PLUG_FAIL = [("read", "spare", "", "")]
FAILING = {"Lab.read_broken", "Lab.read_channel_7", "Lab.Fail", "Plug.read_spare"}


def start_lab(bed, how, root=None, **kw):
    """`root`: of another system, in which it runs, compiled there."""
    program = "lab-%s/lab" % how
    path = parts.ROOT_PROGRAMS + program
    if root:
        beds.need(root + path, "see %s%slab-%s.log" % (root, parts.ROOT_PROGRAMS, how))
    return parts.start_server(bed, [path if root else beds.test_program(program)], "l", ["Lab::test/lab/1", "Plug::test/plug/1"],
                              classes=True, root=root, **kw)


def notes(bed, server, name):
    """What the server noted since it was asked last: [(thread, method)] in the order of time."""
    path = bed.path(name)
    parts.Client(bed, [[("command", server.url("test/lab/1"), "Dump", "string", path)]], name="dump", witness=False).finish()
    with open(path) as f:
        lines = [line.rstrip("\n").split("\t") for line in f]
    return [(int(tid), method) for tid, _, method in sorted(lines, key=lambda line: int(line[1]))]


def by_thread(pairs):
    threads = collections.defaultdict(list)
    for tid, method in pairs:
        threads[tid].append(method)
    return dict(threads)


def method_spans(spans, pid):
    return sorted((s for s in spans if s.pid == pid and s.is_method and "_factory" not in s.name), key=lambda s: s.start)


def check_methods(spans, server, noted):
    """Each note has its span, in the same order in the same thread, and no span is without a note."""
    want = by_thread(noted)
    got = by_thread((int(s.attrs["thread.id"]), s.name) for s in method_spans(spans, server.pid))
    truth.same([m for t in want.values() for m in t], [m for t in got.values() for m in t], "method spans")
    equal(sorted(got), sorted(want), "threads")
    for tid, methods in want.items():
        equal(got[tid], methods, "methods of thread %d in their order" % tid)


def check_places(spans, pid):
    """Every method lies below the SERVER span of its own thread, inside its time, and belongs to its device."""
    servers = {s.id: s for s in spans if s.kind == otlp.SERVER and s.pid == pid}
    for s in method_spans(spans, pid):
        equal(s.kind, otlp.INTERNAL, "kind of %s" % s)
        equal(s.attrs.get("tangotrace.parent.proof"), "nesting", "proof of %s" % s)
        equal(s.operation, s.name, "title of %s" % s)
        check(s.parent in servers, "below a SERVER span", s)
        server = servers[s.parent]
        check(server.trace == s.trace and server.start <= s.start <= s.end <= server.end, "inside its parent", s, server)
        equal(s.attrs.get("thread.id"), server.attrs.get("thread.id"), "thread of %s" % s)
        equal(s.device, server.device, "device of %s" % s)
        equal(s.resource.get("service.name"), s.name.split(".")[0], "class of %s" % s)
        equal(s.resource.get("service.instance.id"), s.device, "instance of %s" % s)
        method, operation = s.name.split(".")[1], server.operation
        check(s.name != method and (operation.split(" ")[0] not in ("read", "write") or " attributes" in operation or
                                    operation.split(" ")[1] in method or not method.startswith(("read_l", "write_l"))),
              "a method of what was asked for", s, server)


def check_outcomes(spans, pid):
    """A method that an exception leaves has failed, with the reason; the others have not."""
    for s in method_spans(spans, pid):
        if s.name in FAILING:
            check(s.failed and s.exceptions, "failed", s)
        elif s.name != "Lab.write_level":  # negative numbers only
            check(not s.failed and not s.exceptions, "not failed", s)
    reasons = {s.name: s.attrs.get("error.type") for s in method_spans(spans, pid) if s.name in FAILING}
    equal(reasons.get("Lab.read_broken"), "Lab_Broken", "reason of a DevFailed")
    equal(reasons.get("Lab.read_channel_7"), "std::runtime_error", "type of another exception")
    equal(reasons.get("Plug.read_spare"), "Plug_Spare", "reason in the plug-in")


def run_lab(bed, how, root=None):
    need_agent()
    server = start_lab(bed, how, root)
    lab, plug = server.url("test/lab/1"), server.url("test/plug/1")
    plan = plans.mixed(plans.at(lab, LAB) * 2 + plans.at(plug, PLUG), plans.at(lab, LAB_FAIL) + plans.at(plug, PLUG_FAIL),
                       CALLS, 4, seed=11)
    client = parts.Client(bed, plan, gate=True)
    notes(bed, server, "before.tsv")
    agent = Agent(bed)
    client.release()
    log = client.finish()
    noted = notes(bed, server, "notes.tsv")
    final = agent.stop()
    spans = agent.spans()
    figure("%s: %d calls, %d failed; %d methods called, %d spans; ready %.2f s" % (
        how, len(log), sum(1 for c in log if c.reason), len(noted), len(method_spans(spans, server.pid)),
        agent.ready_seconds))
    equal(len(log), CALLS, "calls in the client's log")
    check_all(
        lambda: truth.check_client(spans, client.pid, log),
        lambda: check_methods(spans, server, noted),
        lambda: check_places(spans, server.pid),
        lambda: check_outcomes(spans, server.pid),
        lambda: truth.check_certain(spans),
        lambda: truth.check_none_lost(final, agent))
    check(server.proc.alive(), "the server lives")


def test_lab(bed):
    run_lab(bed, "plain")


def test_lab_static_runtime(bed):
    run_lab(bed, "static")


def test_lab_fixed_address(bed):
    run_lab(bed, "nopie")


# ---- Pogo's own server: what each call leads to is known by what cppTango does

HOOK = "TangoTest.always_executed_hook"
TANGOTEST_TREES = {
    ("read", "double_scalar"): [HOOK, "TangoTest.read_attr_hardware", "TangoTest.read_double_scalar"],
    ("write", "double_scalar_w"): [HOOK, "TangoTest.write_double_scalar_w", "TangoTest.write_attr_hardware"],
    ("command", "DevDouble"): [HOOK, "TangoTest.DevDouble"],
    ("command", "DevVoid"): [HOOK, "TangoTest.DevVoid"],
    ("read", "throw_exception"): [HOOK, "TangoTest.read_attr_hardware", "TangoTest.read_throw_exception"],
    ("reads", "double_scalar,long_scalar"): [HOOK, "TangoTest.read_attr_hardware", "TangoTest.read_double_scalar",
                                             "TangoTest.read_long_scalar"],
    ("state", ""): [HOOK],
    ("ping", ""): [],
}
TYPES = {"DevDouble": ("double", "2.5"), "double_scalar_w": ("double", "2.5"), "DevVoid": ("void", "")}


def tangotest_trees(bed, root=None):
    """The tree of every call of a stripped Pogo server, compared node by node."""
    need_agent()
    server = parts.tangotest(bed, root=root)
    calls = [(op, name) + TYPES.get(name, ("", "")) for op, name in TANGOTEST_TREES]
    plan = plans.mixed(plans.at(server.url("sys/tg_test/1"), calls), [], CALLS, 2, seed=3)
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed)
    client.release()
    log = client.finish()
    final = agent.stop()
    spans = agent.spans()
    below = collections.defaultdict(list)
    for s in sorted(spans, key=lambda s: s.start):
        below[s.parent].append(s)
    threads = collections.defaultdict(list)
    for s in truth.client_calls(spans, client.pid):
        threads[int(s.attrs["thread.id"])].append(s)
    lines = collections.defaultdict(list)
    for line in log:
        lines[line.tid].append(line)
    equal(sorted(threads), sorted(lines), "threads of the client")
    for tid, mine in lines.items():
        calls_of = sorted(threads[tid], key=lambda s: s.start)
        equal(len(calls_of), len(mine), "calls of thread %d" % tid)
        for line, call in zip(sorted(mine, key=lambda c: c.start), calls_of):
            equal([s.kind for s in below[call.id]], [otlp.SERVER], "the other side of %s" % call)
            methods = below[below[call.id][0].id]
            equal([s.name for s in methods], TANGOTEST_TREES[line.operation, line.name], "tree of %s" % call)
            equal([s.failed for s in methods], [s.name == "TangoTest.read_throw_exception" for s in methods],
                  "outcomes in %s" % call)
            check(not any(below[s.id] for s in methods), "nothing below them", methods)
    figure("%d calls, %d spans" % (len(log), len(spans)))
    check_all(lambda: truth.check_certain(spans), lambda: truth.check_none_lost(final, agent),
              lambda: check_places(spans, server.pid))


def test_tangotest_trees(bed):
    tangotest_trees(bed)


def in_suite(suite, how):
    def test(bed):
        root = beds.suite_root(suite)
        run_lab(bed, how, root) if how else tangotest_trees(bed, root)
    return test


for _suite in SUITES:
    for _name, _how in (("lab", "plain"), ("lab_static_runtime", "static"), ("tangotest_trees", None)):
        _test = in_suite(_suite, _how)
        _test.__module__ = __name__
        globals()["test_%s_%s" % (_name, _suite)] = _test


def test_later_server(bed):
    """A server that starts while the agent runs, and brings a program and a plug-in that nobody has planned: its methods
    are seen once the probes are there."""
    need_agent()
    agent = Agent(bed)
    server = start_lab(bed, "plain")
    for file in ("/lab", "liblabplug"):
        wait_for(lambda file=file: procmem.differing_bytes(server.pid, file), 15, "probes in %s" % file)
    notes(bed, server, "before.tsv")
    plan = [plans.at(server.url("test/lab/1"), LAB) * 3 + plans.at(server.url("test/plug/1"), PLUG) * 3]
    client = parts.Client(bed, plan)
    log = client.finish()
    noted = notes(bed, server, "notes.tsv")
    # the dump before is traced, too: from its end on everything is compared
    agent.stop()
    spans = agent.spans()
    first = min(s.start for s in spans if s.pid == client.pid)
    mine = [s for s in spans if s.pid != server.pid or s.start >= first]
    check(not any(c.reason for c in log), "all calls succeed", *log[:3])
    check_methods(mine, server, noted)


def test_plan_of_a_server(bed):
    """`plan` shows the classes and methods of a server's executable, and what is left out and why."""
    code, out, err = command("plan", beds.need(parts.TANGOTEST, "apt-get install tango-test"))
    equal(code, 0, "exit code of plan: " + err)
    for text in ("TangoTest_ns::DevDoubleClass::execute(Tango::DeviceImpl*, CORBA::Any const&)  (method",
                 "TangoTest_ns::double_scalarAttrib::read(Tango::DeviceImpl*, Tango::Attribute&)  (method",
                 "attribute: std::string at rsi+32", "not covered: only returns: nothing to time",
                 "at rpc      0 points; 0 traps in a read, 0 traps in a command\n",
                 "0 traps in a command, and at least 2 for each method that runs\n"):
        check(text in out, "in the plan: " + text, out[:2000])
