"""Probes that must go when their time is over, and never reach what they were not made for: programs that become others,
files written while they are being probed, layers of overlayfs, descriptors that hold a file system, a second agent."""
import json
import os
import shutil
import subprocess
import time

import bed as beds
import harness
import parts
import plans
import procmem
import spans as otlp
import truth
from agent import BINARY, Agent, command, need_agent, only
from harness import check, equal, figure, scaled, wait_for
from test_harm import breakpoints, check_text_clean, fake_run, fake_system, overwrite_in_place

ROUNDS = scaled("TT_LINK_ROUNDS", 3)
PROCESSES = scaled("TT_LINK_PROCESSES", 100)
LONG = bool(os.environ.get("TT_LONG"))


# ---- what is probed

OTHER_CPU = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /proc/cpuinfo && exec "$@"']


def test_shadow_stacks(bed):
    """A CPU with user shadow stacks, as far as /proc says: no function that would take a point on a `call` is probed."""
    need_agent()
    server = parts.tangotest(bed)
    library = next(path for _, _, _, path in procmem.text_mappings(server.pid) if "libtango.so" in path)
    functions = json.loads(command("plan", library, "--json")[1])["functions"]
    calls = {p["offset"] for f in functions if any(q["call"] for q in f["points"]) for p in f["points"]}
    cpuinfo = bed.path("cpuinfo")
    with open("/proc/cpuinfo") as real, open(cpuinfo, "w") as other:
        other.write(real.read().replace("flags\t\t:", "flags\t\t: user_shstk", 1))
    probed = {}
    for name, prefix in (("this CPU", ()), ("shadow stacks", OTHER_CPU + [cpuinfo])):
        agent = Agent(bed, prefix=prefix)
        probed[name] = {d[1] for d in procmem.differing_bytes(server.pid, "libtango.so")}
        said = "call instructions" in agent.proc.stderr
        equal(said, name == "shadow stacks", "told that functions are left out")
        agent.stop()
        check_text_clean([server.proc])
    check(calls & probed["this CPU"], "some points are on calls, or in functions with such", len(calls))
    equal(probed["shadow stacks"], probed["this CPU"] - calls, "points in functions that have none on a call")


# ---- who is probed

BECOMES_ANOTHER = """
import os, sys, tango
print("up", flush=True)
open(sys.argv[1]).readline()
os.execv(sys.argv[2], ["bystander"])
"""


def test_exec_into_plain_program(bed):
    """A Tango program that becomes a plain C++ program: its libstdc++ gets no point, however soon that happens."""
    need_agent()
    parts.tangotest(bed, witness=False)
    agent = Agent(bed)
    fifo = bed.path("gate")
    os.mkfifo(fifo)
    proc = bed.start("exec", [beds.PYTHON, "-c", BECOMES_ANOTHER, fifo, beds.test_program("bystander")])
    proc.wait_text("up")
    wait_for(lambda: any("libstdc++" in d[0] for d in procmem.differing_bytes(proc.pid)), 10, "points in its libstdc++")
    with open(fifo, "w") as gate:
        gate.write("go\n")
    wait_for(lambda: os.readlink("/proc/%d/exe" % proc.pid).endswith("bystander"), 5, "the exec")
    wait_for(lambda: len(proc.stdout.split("\n")) > 3, 10, "the plain program's first figures")
    check_text_clean([proc], 5)
    quiet(lambda: procmem.differing_bytes(proc.pid), 2, "points in a plain program")
    agent.stop()
    check(proc.alive(), "it lives", proc.tail())


def quiet(condition, seconds, what):
    """The opposite of wait_for: nothing comes in all that time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        check(not found, "there must be no %s" % what, found)
        time.sleep(0.2)


def test_plain_corba_program(bed):
    """A program with omniORB but without Tango maps the file that is probed for all its users: its hits are filtered in the
    kernel, it is not listed, and no span is made of it."""
    need_agent()
    server = parts.tangotest(bed, witness=False)
    port = server.prefix.split(":")[2].rstrip("/")
    fifo = bed.path("gate")
    os.mkfifo(fifo)
    agent = Agent(bed)
    proc = bed.start("corba", [beds.test_program("corba"), "corbaloc:iiop:127.0.0.1:%s/sys/tg_test/1" % port, fifo, 500])
    proc.wait_text("up")
    before = agent.status()
    with open(fifo, "w") as gate:
        gate.write("go\n")
    proc.wait_text("done", 30)
    check("done 500" in proc.stdout, "every call was answered", proc.tail())

    def filtered():
        hits = agent.status()["kernel"]["ignored_hits"] - before["kernel"]["ignored_hits"]
        return hits if hits >= 500 else None

    hits = wait_for(filtered, 5, "its hits to be filtered")
    check(not [d for d in procmem.differing_bytes(proc.pid) if "libstdc++" in d[0]], "no point in its libstdc++")
    code, out, err = command("list", "--control", agent.control)
    check(code == 0 and str(server.pid) in out, "list shows the server", out, err)
    check(str(proc.pid) not in out.split(), "a program that is no Tango program is not listed", out)
    final = agent.stop()
    equal([s for s in agent.all_spans() if s.pid == proc.pid], [], "spans of the CORBA program")
    check(final["lost"] == 0, "nothing lost", final)
    figure("500 calls of a plain CORBA program: %d hits filtered in the kernel" % hits)


def reads_of(bed, servers, count=50, gate=False):
    """A client's reads, all done; with `gate` they wait for release()."""
    plan = [[("read", s.url("sys/tg_test/1"), "ampli", "", "") for s in servers] * count]
    client = parts.Client(bed, plan, gate=gate, witness=False)
    if not gate:
        client.finish()
    return client


def copied_servers(bed, directories):
    return [parts.tangotest(bed, instance="copy%d" % i, env={"LD_LIBRARY_PATH": d}, witness=False)
            for i, d in enumerate(directories)]


def library_copy(bed, name):
    directory = bed.path(name)
    os.mkdir(directory)
    for library in parts.libraries()[:2]:
        shutil.copy(os.path.join(parts.LIB_DIR, library), directory)
    return directory


def test_second_agent_two_copies(bed):
    """Two copies of one build, as two containers have them, and an agent that finds the points of another one there: what
    it sees on either copy is what there is, before and after the first agent goes."""
    need_agent()
    servers = copied_servers(bed, [library_copy(bed, "one"), library_copy(bed, "two")])
    reads_of(bed, servers, 1)
    first = Agent(bed)
    second = Agent(bed, *only(*servers))
    reads_of(bed, servers)
    first.stop()
    reads_of(bed, servers)
    final = second.stop()
    spans = [s for s in second.spans() if s.operation == "read ampli"]
    truth.same([(s.pid, otlp.SERVER) for s in servers] * 100, [(s.pid, s.kind) for s in spans],
               "spans of the second agent")
    truth.same([(s.pid, otlp.SERVER) for s in servers] * 50,
               [(s.pid, s.kind) for s in first.spans() if s.operation == "read ampli" and s.pid in
                [x.pid for x in servers]], "spans of the first agent")
    truth.check_none_lost(final, second)
    check_text_clean([s.proc for s in servers], 5)


# The kernel removes single uprobes one after the other, about 0.1 s each: a minute for the points of one system.
SINGLE_STOP = 200


def test_single_uprobes(bed):
    """The way of kernels before 6.6, forced: the same spans. (Every single uprobe is closed by itself.)"""
    need_agent()
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST + plans.TANGOTEST_FAIL) * 50]
    plan[0] = plan[0][:200]
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, "--no-multi", *only(server, client), seconds=60)
    before = server.dispatched(), client.invoked()
    client.release()
    log = client.finish()
    served, invoked = server.dispatched(), client.invoked()
    served.subtract(before[0])
    invoked.subtract(before[1])
    final = agent.stop(seconds=SINGLE_STOP)
    spans = agent.spans()
    equal(len(log), 200, "calls")
    harness.check_all(
        lambda: truth.check_client(spans, client.pid, log),
        lambda: truth.check_wire(spans, client.pid, otlp.CLIENT, +invoked),
        lambda: truth.check_wire(spans, server.pid, otlp.SERVER, +served),
        lambda: truth.check_pairs(spans, client.pid, [server.pid]),
        lambda: truth.check_certain(spans),
        lambda: truth.check_none_lost(final, agent))
    check_text_clean([server.proc])
    figure("single uprobes: ready %.2f s, stop %.2f s" % (agent.ready_seconds, agent.stop_seconds))


# ---- files that are written while they are probed

def leased(path):
    inode = ":%d " % os.stat(path).st_ino
    with open("/proc/locks") as f:
        return any("LEASE" in line and inode in line for line in f)


def crowd(bed, directory, number):
    """Idle processes with the library mapped: as many links as there are of them take their time to be made."""
    env = dict(bed.env, LD_LIBRARY_PATH=directory)
    procs = [subprocess.Popen([beds.test_program("fake_user"), "1000000", "1000000"], env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, preexec_fn=beds.die_with_parent) for _ in range(number)]
    for proc in procs:
        equal(proc.stdout.readline(), b"up\n", "a process of the crowd")
    return procs


def fake_start(bed, directory):
    return subprocess.Popen([beds.test_program("fake_user"), "5000"], env=dict(bed.env, LD_LIBRARY_PATH=directory),
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def end_crowd(procs):
    for proc in procs:
        proc.kill()
    for proc in procs:
        proc.wait()
        proc.stdout.close()


def test_overwritten_while_linking(bed):
    """The file is opened for writing while links to it are being made: once the writer has it, no new process gets a
    point of the old code."""
    need_agent()
    directory = fake_system(bed)
    target, build = os.path.join(directory, "libfaketango.so"), lambda x: os.path.join(directory, x + ".so")
    want = fake_run(bed, directory, 5000)
    waits, again = [], []
    for number in range(ROUNDS):
        overwrite_in_place(build("a"), target)
        procs = crowd(bed, directory, PROCESSES)
        try:
            agent = Agent(bed, "--select", "exe:fake_user", ready=False)
            # two moments: the lease is there, and the first point is
            wait_for(lambda: leased(target) if number % 2 else procmem.differing_bytes(procs[0].pid, "libfaketango"), 30,
                     "the agent to come to the file", 0.0005)
            again.append(agent.proc.alive() and "ready" not in agent.proc.stderr)
            waits.append(overwrite_in_place(build("b"), target))
            fresh = [fake_start(bed, directory) for _ in range(6)]  # at once: a moment later would be too late
            for proc in fresh:
                equal(proc.communicate(timeout=60)[0].decode(), want, "answers of a new process, round %d" % number)
            agent.wait_ready(60)
            agent.stop(seconds=30)
        finally:
            end_crowd(procs)
    equal(fake_run(bed, directory, 5000), want, "answers without the agent")
    figure("%d rounds of %d processes, %d while links were made: a writer waited %.0f ms at most" % (
        ROUNDS, PROCESSES, sum(again), 1000 * max(waits)))
    check(any(again), "the file was written while links were made (else this test shows nothing)")


def test_full_pipe_behind_stderr(bed):
    """Nobody reads what the agent says: a writer to a probed file does not wait for that."""
    need_agent()
    directory = fake_system(bed)
    reading, writing = os.pipe()
    agent = subprocess.Popen([BINARY, "run", "--control", bed.path("c.sock"), "--select", "exe:fake_user", "--export",
                              "file:" + bed.path("pipe.jsonl")], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=writing, env=bed.env, preexec_fn=beds.die_with_parent)
    try:
        said = b""
        while b"tangotrace: ready" not in said:
            part = os.read(reading, 4096)
            check(part, "the agent ended early", said)
            said += part
        runner = fake_run(bed, directory, 1000000, 5, wait=False)
        wait_for(lambda: breakpoints(runner), 15, "points in the library")
        os.set_blocking(writing, False)
        try:
            while True:
                os.write(writing, b"x" * 512)
        except BlockingIOError:
            pass
        os.set_blocking(writing, True)  # one file description with the agent's
        waited = overwrite_in_place(os.path.join(directory, "a.so"), os.path.join(directory, "libfaketango.so"))
        check(waited < 2, "the writer is not kept waiting", waited)
        figure("a writer waited %.0f ms" % (1000 * waited))
    finally:
        agent.kill()
        agent.wait()
        os.close(reading)
        os.close(writing)


# ---- file systems

class Mount:
    """A mount that ends with the test, whatever happened."""

    def __init__(self, kind, options, where):
        self.where = where
        os.makedirs(where, exist_ok=True)
        done = subprocess.run(["mount", "-t", kind, "-o", options, "tt-e2e", where], stderr=subprocess.PIPE)
        if done.returncode:
            raise harness.Skip("no %s here: %s" % (kind, done.stderr.decode(errors="replace").strip()))

    def __enter__(self):
        return self.where

    def __exit__(self, *_):
        if os.path.ismount(self.where):
            subprocess.run(["umount", "-l", self.where], check=True)


def overlay(bed, lower, name):
    for part in ("upper", "work"):
        os.makedirs(bed.path(name, part))
    # the upper folder must not lie on an overlay itself, as /tmp does in containers
    options = "lowerdir=%s,upperdir=%s,workdir=%s" % (lower, bed.path(name, "upper"), bed.path(name, "work"))
    return Mount("overlay", options, bed.path(name, "merged"))


def umounted(where):
    return subprocess.run(["umount", where], stderr=subprocess.DEVNULL).returncode == 0


def after_last_user(bed, delete, seconds):
    need_agent()
    with Mount("tmpfs", "size=32m", bed.path("mnt")) as where:
        shutil.copy(beds.test_program("fake-a/libfaketango.so"), where)
        agent = Agent(bed, "--select", "exe:fake_user")
        runner = fake_run(bed, where, 1000000, 5, wait=False)
        wait_for(lambda: breakpoints(runner), 15, "points in the library")
        runner.stop()
        if delete:
            os.unlink(os.path.join(where, "libfaketango.so"))
        begin = time.monotonic()
        wait_for(lambda: umounted(where), seconds, "the agent to let the file system go", 0.1)
        figure("let go %.1f s after the last user ended" % (time.monotonic() - begin))
        agent.stop()


def test_deleted_file_is_let_go(bed):
    """A deleted library takes no place on the disk, and holds no file system, for longer than somebody uses it."""
    after_last_user(bed, True, 10)


if LONG:  # else a skip, which CI takes for a failure
    def test_idle_file_is_let_go(bed):
        """A library that nobody maps any more does not hold its file system for ever: a minute."""
        after_last_user(bed, False, 75)


def test_overlay_lower_file_written(bed):
    """A file is probed through an overlay and written below it, where no lease tells: new processes get no point."""
    need_agent()
    lower = fake_system(bed)
    want = fake_run(bed, lower, 500)
    with overlay(bed, lower, "over") as merged:
        agent = Agent(bed, "--select", "exe:fake_user")
        runner = fake_run(bed, merged, 1000000, 5, wait=False)
        wait_for(lambda: breakpoints(runner), 15, "points in the library")
        runner.stop()
        overwrite_in_place(os.path.join(lower, "b.so"), os.path.join(lower, "libfaketango.so"))
        for where in (lower, merged, lower):
            equal(fake_run(bed, where, 500), want, "answers of a new process from %s" % where)
        check(agent.proc.alive(), "the agent lives", agent.proc.tail())
        agent.stop()
        equal(fake_run(bed, lower, 500), want, "answers without the agent")


def test_two_overlays_of_one_layer(bed):
    """Two containers of one image: both are traced, and each call is counted once."""
    need_agent()
    lower = library_copy(bed, "layer")
    with overlay(bed, lower, "one") as one, overlay(bed, lower, "two") as two:
        servers = copied_servers(bed, [one, two])
        # nothing else may use the library of the system: the client must be there before the agent
        client = reads_of(bed, servers, gate=True)
        agent = Agent(bed)
        for proc in [s.proc for s in servers] + [client.proc]:
            wait_for(lambda p=proc: any("libtango" in d[0] for d in breakpoints(p)), 10, "points in all three")
        client.release()
        client.finish()
        final = agent.stop()
        spans = [s for s in agent.spans() if s.operation == "read ampli"]
        truth.same([(s.pid, otlp.SERVER) for s in servers] * 50 + [(client.pid, otlp.CLIENT)] * 100,
                   [(s.pid, s.kind) for s in spans], "spans of two servers on one layer")
        equal(truth.check_pairs(spans, client.pid, [s.pid for s in servers]), 100, "pairs")
        truth.check_none_lost(final, agent)
        for server in servers:
            server.proc.stop()
