"""No traced program and no bystander is ever harmed: attach, detach, SIGKILL, exceptions, changed files.

The clients carry out one plan again and again while the agent comes and goes; every answer must be that of the first
round, which was made without any agent. `make check-long` sets TT_HARM_CALLS=200000 TT_HARM_ATTACH=100 TT_HARM_KILL=20
TT_HARM_ATTACH_KILLS=100 TT_HARM_DETACH_KILLS=40.
"""
import os
import random
import re
import shutil
import signal
import statistics
import time

import bed as beds
import parts
import plans
import procmem
from agent import Agent, need_agent
from bed import need_kernel_log
from harness import check, equal, figure, scaled, wait_for
from test_calls import plan_for, system

CALLS = scaled("TT_HARM_CALLS", 60000)
ATTACH = scaled("TT_HARM_ATTACH", 12)
KILL = scaled("TT_HARM_KILL", 4)
ATTACH_KILLS = scaled("TT_HARM_ATTACH_KILLS", 9)
DETACH_KILLS = scaled("TT_HARM_DETACH_KILLS", 3)
# From the end of an agent, however it ended, until no process has a breakpoint: some dozens of links are closed, and each
# may cost an RCU period (40 ms) where the kernel does it one by one.
CLEAN_SECONDS = 10


# ---- what must hold at any time

def check_alive(procs):
    for proc in procs:
        check(proc.alive(), "%s died" % proc.name, proc.tail())


def left_after(procs, seconds):
    """What of their code still differs from the files after at most `seconds`: (process, file, offset)."""
    end = time.monotonic() + seconds
    while True:
        left = {(p.name,) + d[:2] for p in procs for d in procmem.differing_bytes(p.pid)}
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def check_text_clean(procs, seconds=CLEAN_SECONDS):
    """No byte of code differs from the file, in any process, after at most `seconds`."""
    left = left_after(procs, seconds)
    check(not left, "%d bytes of code still differ from the files after %g s" % (len(left), seconds), *sorted(left)[:5])


def check_gone(bed, procs):
    """Of an agent that has ended nothing is left, neither seen in the processes nor said by the kernel."""
    check_text_clean(procs)
    leaked = bed.kernel_log.leaked()
    check(not leaked, "%d breakpoints left behind, says the kernel" % len(leaked), *leaked[:5])


def breakpoints(proc):
    return [d for d in procmem.differing_bytes(proc.pid) if d[3] == 0xcc]


# ---- calls while the agent comes and goes

class Load:
    """Clients that repeat a plan of which half the calls fail, and count their rounds.

    A kind: name, PyTango or not, flags of the client, how it gets the replies of calls that it sends without waiting
    (plans.asynchronous), and the root in which it runs, if that is another. cppTango takes replies of all proxies in any thread that pulls: with callbacks only one thread
    may (9.3.4 throws CORBA::BAD_INV_ORDER else, without any tracer). Threads that share a proxy get no
    plans.CORBA_UNKNOWN: cppTango then connects anew, under the other threads' feet (9.3.4 crashed so before any agent
    was started: ping with the object that another thread had just released).
    """

    KINDS = [("cpp", False, [], plans.WAYS), ("cpp-callback", False, [], plans.CALLBACK),
             ("cpp-shared", False, ["--shared"], ()), ("python", True, [], plans.WAYS),
             ("python-callback", True, [], plans.CALLBACK), ("gevent", True, ["--gevent"], ())]

    def __init__(self, bed, servers, kinds=KINDS):
        self.flag = bed.path("repeat")
        open(self.flag, "w").close()
        self.clients, self.firsts, self.shares = [], [], []
        for number, (name, python, flags, ways, *root) in enumerate(kinds):
            options = {"python": python, "witness": False, "root": root[0] if root else None}
            plan = half_failing(servers, 400, 1 if ways == plans.CALLBACK else 4, number, python, ways,
                                without=plans.CORBA_UNKNOWN if "--shared" in flags else ())
            self.reference(bed, plan, flags, options)
            self.shares.append(sum(c[0].startswith(ways) for thread in plan for c in thread) / 400)
            self.clients.append(parts.Client(bed, plan, flags=flags + ["--repeat", self.flag], name="load-" + name, **options))

    def reference(self, bed, plan, flags, options):
        """The answers of a run that no agent ever saw."""
        log = parts.Client(bed, plan, flags=flags, name="reference", **options).finish()
        failed = sum(1 for c in log if c.reason)
        check(0.4 < failed / len(log) < 0.6, "half of the calls fail", failed, len(log))
        self.firsts.append(plans.answers(log))

    @property
    def procs(self):
        return [c.proc for c in self.clients]

    def by_client(self):
        return [sum(int(n) for n in re.findall(r"^round \d+ (\d+)$", c.proc.stdout, re.M)) for c in self.clients]

    def calls(self):
        return sum(self.by_client())

    def asynchronous(self):
        """About how many of them were sent without waiting."""
        return sum(int(n * share) for n, share in zip(self.by_client(), self.shares))

    def end(self):
        """Stops the clients and compares all their answers with those without an agent."""
        os.unlink(self.flag)
        for client, first in zip(self.clients, self.firsts):
            log = client.finish(240)  # exit code 3: an answer changed from one round to the next
            got = plans.answers(log)
            check(got == first, "the answers of a client that no agent watched",
                  *[(a, b) for a, b in zip(first, got) if a != b][:5])


def loaded(bed, servers, kinds=Load.KINDS):
    """A load whose clients all call by now; every value that they read is settled."""
    warm = plans.warm_up(plan_for(servers, 400, 4, 1))
    parts.Client(bed, warm, witness=False, name="warm-up").finish()
    load = Load(bed, servers, kinds)
    wait_for(lambda: all(load.by_client()), 60, "the first round")
    return load


def half_failing(servers, calls, threads, seed, python, ways, without=()):
    plan = plan_for(servers, calls * 3, threads, seed, python)
    good = [c for thread in plan for c in thread if not fails(c)]
    bad = [c for thread in plan for c in thread if fails(c) and c[2] not in without]
    good, bad = good + plans.asynchronous(good, ways), bad + plans.asynchronous(bad, ways)
    return plans.mixed(good, bad, calls, threads, seed, bad_share=0.5)


def fails(call):
    operation, _, name, kind, argument = call
    rows = plans.TANGOTEST_FAIL + plans.CPP_ONLY_FAIL + plans.THROWER_FAIL + plans.FOLLOWER_FAIL
    return (operation, name, kind, argument) in rows


def one_cycle(bed, dice, kill, procs, slowest, args=(), guests=None):
    """Attach, let it trace for a moment, and go: by SIGINT, or by SIGKILL at any time, even in mid-attach. After half of
    the kills the next agent comes at once, while the kernel still cleans up. `guests`: servers that start then; they stop
    before the agent does, or after it."""
    if guests:
        guests.arrive()
    agent = Agent(bed, *args, ready=False)
    if kill and dice.random() < 0.5:
        time.sleep(dice.random() * 0.8)  # a random moment of starting is the point: nothing to wait for
        agent.kill()
    else:
        agent.wait_ready(60)
        if guests and dice.random() < 0.5:
            guests.leave()
            guests = None
        time.sleep(dice.random() * 0.4)
        if kill:
            agent.kill()
        else:
            agent.stop(seconds=30)
            slowest.append((agent.ready_seconds, agent.stop_seconds))
            os.unlink(agent.file)  # spans of the harm test fill disks
    if guests:
        guests.leave()
    check_alive(procs)
    if not kill or dice.random() < 0.5:
        check_gone(bed, procs)


def attach_detach_kill(bed, servers, kinds, calls, attach, kill, args=(), guests=None):
    """Agents come and go by the dozen under load: every answer as without any, nobody dies, all code is as it was. `args`:
    of the agent; `guests`: see one_cycle."""
    need_kernel_log(bed)
    load = loaded(bed, servers, kinds)
    bystander = bed.start("bystander", [beds.test_program("bystander")])
    procs = [s.proc for s in servers] + [bystander] + load.procs
    memory = {p.name: procmem.private_dirty_kb(p.pid) for p in procs}
    dice, slowest = random.Random(5), []
    order = [False] * attach + [True] * kill
    dice.shuffle(order)
    begin = time.monotonic()
    for number, killed in enumerate(order):
        one_cycle(bed, dice, killed, procs, slowest, args, guests)
        check(not procmem.differing_bytes(bystander.pid), "the bystander's code is its own, cycle %d" % number)
    wait_for(lambda: load.calls() >= calls or not all(p.alive() for p in load.procs), 900, "%d calls" % calls, 0.2)
    check_alive(procs)
    check_gone(bed, procs)
    added = {p.name: procmem.private_dirty_kb(p.pid) - memory[p.name] for p in procs}
    made, asynchronous = load.calls(), load.asynchronous()
    load.end()
    check_alive([s.proc for s in servers] + [bystander])
    check(asynchronous, "calls were sent without waiting")
    figure("%d calls, %d of them asynchronous, half of them failing, %d attaches, %d kills, %.0f s: all answers equal, "
           "nobody died" % (made, asynchronous, attach, kill, time.monotonic() - begin))
    figure("ready up to %.2f s, stop up to %.2f s; no differing byte of code left" % tuple(
        max(x) for x in zip(*slowest)))
    figure("private memory added, kB: " + ", ".join("%s %+d" % item for item in added.items()))
    check(added[bystander.name] < 256, "the bystander's memory does not grow", added)


def test_attach_detach_kill(bed):
    need_agent()
    attach_detach_kill(bed, system(bed, None), Load.KINDS, CALLS, ATTACH, KILL)


# ---- killed in the middle of something

class Phases:
    """When an agent attaches and detaches, as seen from outside: by the breakpoints of one process."""

    def __init__(self, bed, proc):
        """Measures with an agent that comes and goes in peace; the one before it planned, and kept the plans."""
        self.bed, self.proc = bed, proc
        agent = Agent(bed)
        self.addresses = [d[4] for d in breakpoints(proc)]
        check(self.addresses, "breakpoints while attached")
        agent.stop()
        agent = Agent(bed, ready=False)
        self.wait_begin(agent)
        begin = time.monotonic()
        agent.wait_ready()
        self.attaching = time.monotonic() - begin
        agent.stop(signal.SIGTERM)
        self.detaching = agent.stop_seconds

    def wait_begin(self, agent):
        wait_for(lambda: procmem.any_breakpoint(self.proc.pid, self.addresses) or not agent.proc.alive(), 60,
                 "the first breakpoint", 0.001)

    def killed_while_attaching(self, part):
        """An agent killed in that part of attaching; True where it was indeed not done yet."""
        agent = Agent(self.bed, ready=False)
        self.wait_begin(agent)
        time.sleep(part * self.attaching)  # any moment is meant: there is nothing to wait for
        agent.kill()
        return "tangotrace: ready" not in agent.proc.stderr

    def killed_while_detaching(self, part):
        agent = Agent(self.bed)
        agent.proc.signal(signal.SIGTERM)
        time.sleep(part * self.detaching)
        agent.kill()
        return agent.proc.popen.returncode == -signal.SIGKILL


def test_killed_while_attaching(bed):
    """SIGKILL in the middle of attaching, and of detaching after SIGTERM: every breakpoint goes, and no call fails."""
    need_agent()
    need_kernel_log(bed)
    servers = system(bed, None)
    idle = [parts.tangotest(bed, instance="idle"), parts.thrower(bed, instance="idle")]
    load = loaded(bed, servers)
    procs = [s.proc for s in servers + idle] + load.procs
    phases = Phases(bed, servers[0].proc)
    check_gone(bed, procs)
    dice, leaks, wrong, slowest = random.Random(7), 0, [], 0
    for kill, count in ((phases.killed_while_attaching, ATTACH_KILLS), (phases.killed_while_detaching, DETACH_KILLS)):
        in_time = 0
        for _ in range(count):
            part = dice.random()
            in_time += kill(part)
            begin = time.monotonic()
            left = left_after(procs, CLEAN_SECONDS)
            slowest = slowest if left else max(slowest, time.monotonic() - begin)
            said = len(bed.kernel_log.leaked()) - leaks
            leaks += said
            if left or said:
                wrong.append("%s, %.2f of it: %d bytes in %d processes left, %d lines of the kernel" % (
                    kill.__name__, part, len(left), len({x[0] for x in left}), said))
                Agent(bed).stop()  # takes what is left along, so that the next kill is a test of its own
            check_alive(procs)
        figure("%s: %d of %d kills before its end" % (kill.__name__, in_time, count))
        check(2 * in_time >= count, "%s: the kills come too late to test anything" % kill.__name__)
    made, asynchronous = load.calls(), load.asynchronous()
    load.end()
    figure("attaching %.2f s, stopping %.2f s, clean %.2f s after a kill at most; %d calls, %d of them asynchronous" % (
        phases.attaching, phases.detaching, slowest, made, asynchronous))
    check(not wrong, "%d of %d kills left breakpoints" % (len(wrong), ATTACH_KILLS + DETACH_KILLS), *wrong)


def test_points_are_there(bed):
    """The proof that the tests above look at the right thing: while the agent is attached, there are breakpoints in the
    Tango processes, and none after it."""
    need_agent()
    server = parts.tangotest(bed)
    memory = procmem.private_dirty_kb(server.pid)
    check(not procmem.differing_bytes(server.pid), "clean before")
    agent = Agent(bed)
    found = breakpoints(server.proc)
    check(found, "breakpoints while attached")
    check(len(found) == len(procmem.differing_bytes(server.pid)), "nothing but breakpoints")
    attached = procmem.private_dirty_kb(server.pid)
    agent.stop()
    equal(procmem.differing_bytes(server.pid), [], "differing bytes right after a clean stop")
    figure("%d points in TangoTest; private memory %+d kB attached, %+d kB after" % (
        len(found), attached - memory, procmem.private_dirty_kb(server.pid) - memory))


# ---- the bystander: a busy C++ program without Tango, whose libstdc++ the Tango programs share

def throws_per_cpu_second(proc, seconds=1.0):
    """Throws per second of the bystander's own CPU time: what a trap would lower, whatever else runs beside it."""
    def count():
        return sum(int(n) for n in proc.stdout.split("\n")[:-1])
    before, cpu = count(), procmem.cpu_ns(proc.pid)
    time.sleep(seconds)  # a measuring time, not a wait for something
    return (count() - before) * 1e9 / (procmem.cpu_ns(proc.pid) - cpu)


def test_bystander_speed(bed):
    need_agent()
    server = parts.thrower(bed)
    bystander = bed.start("bystander", ["taskset", "-c", "1", beds.test_program("bystander")])
    plan = [[("command", server.url("test/thrower/1"), "ThrowStd", "long", "1")]]
    bystander.wait_text("\n")
    off, on = [], []
    for _ in range(4):
        off.append(throws_per_cpu_second(bystander))
        agent = Agent(bed)
        parts.Client(bed, plan, witness=False).finish()  # exceptions are being traced on this host
        check(breakpoints(server.proc), "the Tango server is probed")
        equal(procmem.differing_bytes(bystander.pid), [], "differing bytes of the bystander")
        on.append(throws_per_cpu_second(bystander))
        agent.stop()
    ratio = statistics.median(on) / statistics.median(off)
    figure("bystander: %.0f throws per CPU second alone, %.0f beside the agent (ratio %.3f)" % (
        statistics.median(off), statistics.median(on), ratio))
    check(ratio > 0.85, "the bystander keeps its speed", off, on)  # a trap per throw costs more than a third


# ---- files that change under the agent

def private_copy(bed):
    """TangoTest and its libraries in a folder of our own: files that the tests may change."""
    directory = bed.path("private")
    os.mkdir(directory)
    for name in parts.libraries():
        shutil.copy(os.path.join(parts.LIB_DIR, name), os.path.join(directory, name))
    shutil.copy(parts.TANGOTEST, os.path.join(directory, "TangoTest"))
    return directory


def private_server(bed, directory, instance):
    return parts.tangotest(bed, instance=instance, binary=os.path.join(directory, "TangoTest"),
                           env={"LD_LIBRARY_PATH": directory}, witness=False)


def calls_of(bed, server, name="client"):
    """A fixed series of calls, half failing: its answers."""
    url = server.url("sys/tg_test/1")
    plan = [plans.at(url, plans.TANGOTEST + plans.TANGOTEST_FAIL) * 5 for _ in range(2)]
    return plans.answers(parts.Client(bed, plan, witness=False, name=name).finish())


def overwrite_in_place(source, target):
    """Same inode, written without a moment of a shorter file: what a running process can live through."""
    with open(source, "rb") as f:
        data = f.read()
    start = time.monotonic()
    fd = os.open(target, os.O_WRONLY)  # waits here for the holder of a lease
    try:
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
    return time.monotonic() - start


def replace_by_rename(source, target):
    shutil.copy(source, target + ".new")
    os.rename(target + ".new", target)


def test_libraries_change_while_running(bed):
    """In place (same bytes: other bytes would kill the server without us) and by rename, under a running server."""
    need_agent()
    directory = private_copy(bed)
    server = private_server(bed, directory, "run")
    calls_of(bed, server, "warm-up")
    want = calls_of(bed, server, "reference")
    agent = Agent(bed)
    check(any(directory in d[0] for d in breakpoints(server.proc)), "the private libraries are probed")
    waits = []
    for name in parts.libraries()[:2]:
        waits.append(overwrite_in_place(os.path.join(parts.LIB_DIR, name), os.path.join(directory, name)))
        equal(calls_of(bed, server), want, "answers after %s was overwritten in place" % name)
    for name in parts.libraries()[:2]:
        replace_by_rename(os.path.join(parts.LIB_DIR, name), os.path.join(directory, name))
        equal(calls_of(bed, server), want, "answers after %s was replaced" % name)
    check_alive([server.proc, agent.proc])
    replace_by_rename(parts.TANGOTEST, os.path.join(directory, "TangoTest"))
    second = private_server(bed, directory, "again")  # on the new inodes
    calls_of(bed, second, "warm-up")
    equal(calls_of(bed, second), want, "answers of a server on the replaced files")
    wait_for(lambda: breakpoints(second.proc), 15, "the new files to be probed")
    equal(calls_of(bed, second), want, "answers once they are probed")
    agent.stop()
    check_alive([server.proc, second.proc])
    check_text_clean([server.proc, second.proc])
    figure("a writer waited %.0f ms at most for the lease" % (1000 * max(waits)))


def test_libraries_change_while_stopped(bed):
    """Nothing runs from the file when it is overwritten; what starts next must start clean (hazards.md 1)."""
    need_agent()
    directory = private_copy(bed)
    server = private_server(bed, directory, "one")
    calls_of(bed, server, "warm-up")
    want = calls_of(bed, server, "reference")
    agent = Agent(bed)
    check(breakpoints(server.proc), "the private libraries are probed")
    server.proc.stop()
    for name in parts.libraries()[:2]:
        overwrite_in_place(os.path.join(parts.LIB_DIR, name), os.path.join(directory, name))
    overwrite_in_place(parts.TANGOTEST, os.path.join(directory, "TangoTest"))
    second = private_server(bed, directory, "two")
    calls_of(bed, second, "warm-up")
    equal(calls_of(bed, second), want, "answers after the overwrite")
    agent.stop()
    check_alive([second.proc])
    check_text_clean([second.proc])


def fake_system(bed):
    directory = bed.path("fake")
    os.mkdir(directory)
    for build in ("a", "b"):
        shutil.copy(beds.test_program("fake-%s/libfaketango.so" % build), os.path.join(directory, build + ".so"))
    shutil.copy(os.path.join(directory, "a.so"), os.path.join(directory, "libfaketango.so"))
    return directory


def fake_run(bed, directory, *args, wait=True):
    proc = bed.start("fake", [beds.test_program("fake_user")] + list(args), {"LD_LIBRARY_PATH": directory})
    if wait:
        proc.finish(60)
        return proc.stdout
    proc.wait_text("up")
    return proc


def test_other_code_in_place(bed):
    """One build of a library overwritten in place by another, whose code differs at every offset, and by rename: the old
    offsets must not reach the new code."""
    need_agent()
    directory = fake_system(bed)
    target = os.path.join(directory, "libfaketango.so")
    want = fake_run(bed, directory, 500)
    agent = Agent(bed)
    waits = []
    for way in ("in place", "by rename", "in place"):
        for build in ("b", "a"):
            runner = fake_run(bed, directory, 100000, 5, wait=False)
            wait_for(lambda r=runner: breakpoints(r), 15, "points in the library (%s, before build %s)" % (way, build))
            runner.stop()
            if way == "in place":
                waits.append(overwrite_in_place(os.path.join(directory, build + ".so"), target))
            else:
                replace_by_rename(os.path.join(directory, build + ".so"), target)
            for _ in range(3):
                equal(fake_run(bed, directory, 500), want, "answers of build %s, put there %s" % (build, way))
    agent.stop()
    equal(fake_run(bed, directory, 500), want, "answers without the agent")
    figure("a writer waited %.0f ms at most for the lease" % (1000 * max(waits)))


def test_overwrite_after_kill(bed):
    """The agent is killed; a writer is not kept waiting, and new code starts clean."""
    need_agent()
    directory = fake_system(bed)
    target = os.path.join(directory, "libfaketango.so")
    want = fake_run(bed, directory, 500)
    agent = Agent(bed)
    runner = fake_run(bed, directory, 100000, 5, wait=False)
    wait_for(lambda: breakpoints(runner), 15, "points in the library")
    runner.stop()
    agent.kill()
    waited = overwrite_in_place(os.path.join(directory, "b.so"), target)
    fresh = fake_run(bed, directory, 100000, 5, wait=False)
    check_text_clean([fresh])
    check_alive([fresh])
    equal(fake_run(bed, directory, 500), want, "answers after the kill")
    check(waited < 2, "the writer is not kept waiting", waited)


def test_server_changes(bed):
    """The server's own executable: overwritten while stopped by another build, replaced while running."""
    need_agent()
    path = bed.path("thrower")
    shutil.copy(beds.test_program("thrower"), path)

    def answers(server):
        url = server.url("test/thrower/1")
        plan = [plans.at(url, plans.THROWER + plans.THROWER_FAIL)] * 2
        parts.Client(bed, plans.warm_up(plan), witness=False, name="warm-up").finish()
        return plans.answers(parts.Client(bed, plan, witness=False).finish())

    server = parts.thrower(bed, instance="one", binary=path, witness=False)
    want = answers(server)
    agent = Agent(bed)
    equal(answers(server), want, "answers while traced")
    check(breakpoints(server.proc), "the server is probed")
    server.proc.stop()
    overwrite_in_place(beds.test_program("thrower-other"), path)
    server = parts.thrower(bed, instance="two", binary=path, witness=False)
    equal(answers(server), want, "answers of the other build, same file")
    replace_by_rename(beds.test_program("thrower"), path)
    equal(answers(server), want, "answers of the running server whose file was replaced")
    third = parts.thrower(bed, instance="three", binary=path, witness=False)
    equal(answers(third), want, "answers of the server on the new file")
    agent.stop()
    check_alive([server.proc, third.proc])
    check_text_clean([server.proc, third.proc])


def test_cancelled_threads(bed):
    """Threads that end by pthread_cancel: a forced unwind is no C++ exception."""
    need_agent()
    server = parts.thrower(bed)
    plan = [[("command", server.url("test/thrower/1"), "CancelThread", "long", "9")] * 100] * 2
    agent = Agent(bed)
    log = parts.Client(bed, plan).finish()
    final = agent.stop()
    check(all(c.answer == "9" and not c.reason for c in log), "every thread was cancelled and joined", log[:3])
    check_alive([server.proc])
    spans = [s for s in agent.spans() if s.operation == "CancelThread"]
    equal(len(spans), 2 * len(log), "spans of both sides")
    check(not [s for s in spans if s.failed], "no span takes it for an error", *spans[:3])
    check(final["lost"] == 0, "nothing lost", final)
