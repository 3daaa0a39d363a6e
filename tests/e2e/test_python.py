"""Python seen from outside: the methods of PyTango devices below their requests, and who calls, with file and line.

What is expected is read from the sources themselves: functions and decorators by `ast`, the lines that call by their
marks. Trees are compared node by node.
"""
import ast
import collections
import os
import re
import shutil

import bed as beds
import native
import parts
import spans as otlp
import test_native
import truth
from agent import Agent, need_agent
from harness import HERE, check, check_all, equal, figure, scaled

SUITES = os.environ.get("TT_MATRIX_SUITES", "trixie sid" if os.environ.get("TT_MATRIX") == "all" else "").split()
CALLS = scaled("TT_PYTHON_CALLS", 1000)
SCAN = os.path.join(HERE, "clients", "scan.py")
HIGH, LOW = (os.path.join(HERE, "servers", name) for name in ("basler.py", "basler_low.py"))

# What the request for an operation calls, in this order; (class, function) of each
HOOK, HARDWARE = "always_executed_hook", "read_attr_hardware"
METHODS = {
    "read ExposureTime": [HOOK, HARDWARE, "is_ExposureTime_allowed", "read_ExposureTime"],
    "write ExposureTime": [HOOK, "is_ExposureTime_allowed", "write_ExposureTime"],
    "Arm": [HOOK, "is_Arm_allowed", "Arm"],
    "Refuse": [HOOK, "Refuse"],
    "Twice": [HOOK, "Twice"],
    "read Gain": [HOOK, HARDWARE, "Gain"],
    "Double": [HOOK, "Double"],
    "read Broken": [HOOK, HARDWARE, "Broken"],
}
RAISES = {"Refuse": "DevFailed", "Broken": "RuntimeError"}
PER_ROUND, PER_HIGH_ROUND = 5, 8
FAILED = {"Refuse", "read Broken"}


def functions_of(path):
    """name of a method -> (qualified name, file, first line as Python counts it: that of the first decorator)."""
    found = {}
    with open(path) as f:
        tree = ast.parse(f.read())
    for c in tree.body:
        for node in c.body if isinstance(c, ast.ClassDef) else ():
            if isinstance(node, ast.FunctionDef):
                line = min([node.lineno] + [d.lineno for d in node.decorator_list])
                found[node.name] = ("%s.%s" % (c.name, node.name), path, line)
    return found


def calls_of(path, minor=11):
    """operation -> (qualified name of the function that calls, file, line), as Python 3.`minor` has them."""
    found = {}
    where = {"read ExposureTime": "Scan.step", "write ExposureTime": "Scan.step", "Arm": "Scan.arm",
             "Refuse": "Scan.arm", "Twice": "Scan.arm.<locals>.inner.<locals>.<listcomp>", "read Gain": "Scan.high",
             "Double": "Scan.high", "read Broken": "Scan.high"}
    if minor < 11:  # code does not know of which class it is
        where = {operation: name.split(".")[-1] for operation, name in where.items()}
    elif minor > 11:  # PEP 709: comprehensions are no functions of their own
        where["Twice"] = "Scan.arm.<locals>.inner"
    with open(path) as f:
        for number, line in enumerate(f, 1):
            mark = re.search("  # call: (.*)$", line)
            if mark:
                found[mark.group(1)] = (where[mark.group(1)], path, number)
    return found


def code_of(span):
    a = span.attrs
    equal((a.get("code.filepath"), a.get("code.lineno")), (a.get("code.file.path"), a.get("code.line.number")),
          "native's names for the place in the source")
    return a.get("code.function.name"), a.get("code.file.path"), a.get("code.line.number")


def check_methods(server, below, want, functions):
    """The methods of one request: names, places, order, nesting in time, outcome."""
    got = sorted((s for s in below if s.is_method), key=lambda s: s.start)
    equal([(s.name,) + code_of(s) for s in got],
          [(functions[m][0],) + functions[m] for m in want], "methods of %s" % server.operation)
    end = server.start
    for s in got:
        equal((s.kind, s.trace, s.scope["name"], s.attrs.get("tangotrace.parent.proof")),
              (otlp.INTERNAL, server.trace, "tango.python.server", "nesting"), "kind, trace, scope and proof of a method")
        check(end <= s.start <= s.end <= server.end, "methods one after the other inside their request", server, s)
        raised = RAISES.get(s.name.split(".")[-1])
        equal(s.failed, raised is not None, "outcome of %s" % s.name)
        equal(s.attrs.get("error.type"), raised, "error of %s" % s.name)
        equal(s.resource.get("service.instance.id"), server.resource.get("service.instance.id"), "device of a method")
        end = s.end


def check_caller(client, above, want, is_root):
    """Who calls: on the call itself, and as a span of its own where it is the root."""
    equal(code_of(client), want, "caller of %s" % client.operation)
    if not is_root:
        check(above is None, "a root", client, above)
        return
    check(above is not None and above.is_caller, "a span for the caller", client)
    equal((above.name,) + code_of(above), (want[0],) + want, "the caller's span")
    equal((above.parent, above.trace, above.failed), ("", client.trace, client.failed), "it is the root, with the outcome")
    check(above.start <= client.start and client.end <= above.end, "the call lies inside its caller", above, client)


def check_trees(spans, client_pid, server_pid, source, expected_calls, is_root=True, minor=11):
    functions, calls = functions_of(source), calls_of(SCAN, minor)
    by_id, below = {s.id: s for s in spans}, collections.defaultdict(list)
    for s in spans:
        below[s.parent].append(s)
    mine = [s for s in truth.client_calls(spans, client_pid) if s.operation in calls]
    counts = collections.Counter(s.operation for s in mine)
    check(counts == expected_calls, "calls seen", *truth.difference(expected_calls, counts))
    wrong = collections.defaultdict(list)
    for s in mine:
        try:
            servers = [c for c in below[s.id] if c.kind == otlp.SERVER]
            equal(len(servers), 1, "SERVER spans of a call")
            check_methods(servers[0], below[servers[0].id], METHODS[s.operation], functions)
            equal(s.failed, s.operation in FAILED, "outcome of %s" % s.operation)
            check_caller(s, by_id.get(s.parent), calls[s.operation] if is_root else (None, None, None), is_root)
        except AssertionError as e:
            wrong[str(e)].append(s)
    check(not wrong, "%d of %d trees are wrong" % (sum(map(len, wrong.values())), len(mine)),
          *["%d x %s" % (len(v), k) for k, v in sorted(wrong.items(), key=lambda i: -len(i[1]))[:8]])
    return len(mine)


RUNTIME = "import sys; print([sys.implementation.name, '.'.join(map(str, sys.version_info[:3])), sys.version])"


def check_runtime(bed, spans, pid, python, root):
    """The resource tells which Python it is, in its own words, which are returned."""
    argv = [python, "-c", RUNTIME]
    want = ast.literal_eval(bed.run("runtime", beds.inside(root, bed.dir, argv) if root else argv).stdout)
    got = {tuple(s.resource.get("process.runtime." + key) for key in ("name", "version", "description"))
           for s in spans if s.pid == pid}
    equal(got, {tuple(want)}, "runtime of %d" % pid)
    return want


def scan(bed, python, source, flags=(), workers=1, is_root=True, server_python=None, suite=None):
    """`suite`: of Debian, in whose root the server runs."""
    need_agent()
    root = beds.suite_root(suite) if suite else None
    if root:  # where it can be seen in there, too
        source = shutil.copy(source, bed.dir)
    high = os.path.basename(source) == os.path.basename(HIGH)
    rounds = max(1, CALLS // ((PER_HIGH_ROUND if high else PER_ROUND) * workers))
    server = parts.start_server(bed, [server_python or python, source], "cam", ["Basler::test/camera/1"], witness=False,
                                root=root)
    gate = bed.path("gate")
    os.mkfifo(gate)
    flags = list(flags) + (["--high"] if high else [])
    client = bed.start("scan", [python, SCAN, server.url("test/camera/1"), rounds, gate] + flags)
    client.wait_text("up", 60)
    agent = Agent(bed)
    with open(gate, "w") as f:
        f.write("go\n")
    client.finish()
    final = agent.stop()
    spans = agent.spans()
    operations = [o for o in METHODS if high or o.split()[-1] not in ("Gain", "Double", "Broken")]
    expected = collections.Counter({o: rounds * workers for o in operations})
    minor = int(check_runtime(bed, spans, client.pid, python, None)[1].split(".")[1])
    count = check_trees(spans, client.pid, server.pid, source, expected, is_root, minor)
    figure("%d calls, %d spans" % (count, len(spans)))
    check_runtime(bed, spans, server.pid, server_python or python, root)
    check_all(lambda: truth.check_unique(spans), lambda: truth.check_certain(spans),
              lambda: truth.check_none_lost(final, agent))


def python_of(build):
    return beds.PYTHON if build == "debian" else beds.wheel_python(build)


def test_gevent_debian(bed):
    """Calls go to a thread of gevent's pool: whoever made them is not on its stack, so they are roots without a caller."""
    scan(bed, python_of("debian"), LOW, flags=["--gevent"], workers=2, is_root=False)


READS = "import sys, tango; d = tango.DeviceProxy(sys.argv[1]); [d.read_attribute('level') for i in range(%d)]%s"


def test_hooks_of_pytango(bed):
    """Hooks that PyTango itself has for those who override them are no spans, and cost no events; one that takes such a
    hook's place is seen at once."""
    need_agent()
    python = python_of("10.3.1")
    server = parts.start_server(bed, [python, os.path.join(HERE, "servers", "quiet.py")], "q", ["Quiet::test/quiet/1"],
                                witness=False)
    agent = Agent(bed)

    def reads(count, then=""):
        before = agent.status()["events"]["total"]
        bed.run("reads", [python, "-c", READS % (count, then), server.url("test/quiet/1")])
        return agent.status()["events"]["total"] - before
    reads(1)
    base, whole = reads(100), reads(1100)
    reads(3, "; d.command_inout('Hook'); [d.read_attribute('level') for i in range(5)]")
    agent.stop()
    spans = agent.spans()
    per_read = (whole - base) / 1000
    figure("%.2f events per read" % per_read)
    check(8 <= per_read < 8.5, "six of the call, two of the method", per_read)  # 12 before it is known
    below, seen = collections.defaultdict(list), []
    for s in sorted(spans, key=lambda s: s.start):
        if s.is_method:
            below[s.parent].append(s.name)
        if s.kind == otlp.SERVER and s.operation in ("read level", "Hook"):
            seen.append(s)
    level, hooked = ("Quiet.level",), ("Hooks.hook", "Quiet.level")
    equal([tuple(below[s.id]) for s in seen], [level] * 1204 + [("Quiet.Hook",)] + [hooked] * 5, "methods of requests")


def define(name, python, **how):
    """A test of each kind of server."""
    for kind, source in (("high", HIGH), ("low", LOW)):
        globals()["test_%s_%s" % (kind, name)] = lambda bed, source=source: scan(bed, python, source, **how)


def define_all():
    for build in ("debian",) + beds.WHEELS:
        define(build.replace(".", "_"), python_of(build))
    for build in "debian", "10.0.4", "10.3.1":
        globals()["test_threads_" + build.replace(".", "_")] = lambda bed, python=python_of(build): scan(
            bed, python, LOW, flags=["--threads", "4"], workers=4)
    for suite in SUITES:
        define(suite, beds.PYTHON, suite=suite)
    # Pythons of one's own (pyenv, conda), separated by blanks, each with a PyTango: 3.9 to 3.14, other compilers
    for number, python in enumerate(os.environ.get("TT_PYTHONS", "").split()):
        define("named_%d" % number, python)


define_all()


# ---- the oracle: what PyTango 10 says itself

def place_of(span):
    return span.name, span.attrs.get("code.filepath"), span.attrs.get("code.lineno")


def native_caller(system, span):
    """PyTango's span of the Python code above one of cppTango's client spans; None in a request that is being served
    (10.0 makes none there)."""
    spans = system.native.spans
    while span is not None and span.scope["name"] != "tango.python.client":
        span = spans.get(span.parent)
        if span is not None and span.kind == otlp.SERVER:
            return None
    return span


def native_oracle(bed, version, methods):
    """Names, files, lines, order and parents of native's Python spans, against ours of the same calls."""
    need_agent()
    system = native.System(bed, version, version)
    rows = [r for r in test_native.calls_of(system, CALLS) if r[0] != "write_read"]  # two native spans of one request
    system.run(rows, "ignore")
    pairs, missing, _ = test_native.pair_up(system)
    check(not missing, "native spans without counterpart", *missing[:5])
    below, below_ours = collections.defaultdict(list), collections.defaultdict(list)
    for s in sorted(system.native.spans.values(), key=lambda s: s.start):
        if s.scope["name"] == "tango.python.server":
            below[s.parent].append(s)
    for s in sorted(system.all.values(), key=lambda s: s.start):
        if s.is_method:
            below_ours[s.parent].append(s)
    wrong, callers, seen = collections.Counter(), 0, 0
    for s in system.native.calls:
        ours = pairs[s.id]
        if s.kind == otlp.CLIENT:
            above = native_caller(system, s)
            if above is None:
                continue
            want, got = place_of(above), code_of(ours)
            callers += 1
        elif methods:
            want = [place_of(m) for m in below[s.id]]
            got = [place_of(m) for m in below_ours[ours.id]]
            seen += len(want)
        else:
            continue
        if want != got:
            wrong["%s: native %s, ours %s" % (ours.operation, want, got)] += 1
    figure("%s: %d callers and %d methods of native compared, %d differ" % (version, callers, seen, sum(wrong.values())))
    check(not wrong, "Python spans", *["%d x %s" % (n, k) for k, n in wrong.most_common(8)])
    check(callers > len(rows) // 2 and (seen > len(rows) // 2 or not methods), "enough was compared", callers, seen)


def test_native_10_0_4(bed):
    native_oracle(bed, "10.0.4", methods=True)


def test_native_10_3_1(bed):
    native_oracle(bed, "10.3.1", methods=True)
