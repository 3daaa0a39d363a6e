"""Processes that come, go and fork while the agent runs; many of them at once."""
import os
import shutil
import signal
import time

import bed as beds
import parts
import plans
import procmem
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import check, equal, figure, scaled, wait_for

SERVERS = scaled("TT_SERVERS", 50)
FLEET = scaled("TT_FLEET", 12)  # servers of four devices each; 50 in make check-long
SHORT = scaled("TT_SHORT", 24)  # clients of six calls


def test_many_servers(bed):
    """50 servers: ready in bounded time, every one traced, all probes gone within 2 s of the end. The second agent finds
    the plans on disk."""
    need_agent()
    servers = [parts.tangotest(bed, instance="n%d" % i, devices=("sys/many/%d" % i,), witness=False, wait=False)
               for i in range(SERVERS)]
    for server in servers:
        server.proc.wait_text(parts.READY, 60)
    plan = [[("read", s.url("sys/many/%d" % i), "ampli", "", "") for i, s in enumerate(servers)]]
    client = parts.Client(bed, plan, gate=True, witness=False)
    agent = Agent(bed)
    client.release()
    client.finish()
    planned = agent.status()
    begin = time.monotonic()
    final = agent.stop()
    for server in servers:
        equal(procmem.differing_bytes(server.pid), [], "differing bytes of %s" % server.proc.name)
    spans = agent.spans()
    truth.same([s.pid for s in servers], [s.pid for s in spans if s.kind == otlp.SERVER], "one SERVER span a server")
    truth.check_none_lost(final, agent)
    figure("%d servers: ready %.2f s, stop %.2f s, checked clean after %.2f s" % (
        SERVERS, agent.ready_seconds, agent.stop_seconds, time.monotonic() - begin))
    check(agent.ready_seconds < 10, "ready in time", agent.ready_seconds)
    check(agent.stop_seconds < 2, "stop within 2 s", agent.stop_seconds)
    again = Agent(bed)
    found = again.status()
    again.stop()
    equal((found["attach"]["plans"], found["attach"]["plans_cached"]), (0, planned["attach"]["plans"]), "planned, found")
    figure("ready %.0f ms, %.0f of them for %d plans; with the plans on disk %.0f ms, %.0f of them for reading these" % (
        planned["ready_seconds"] * 1e3, planned["plan_seconds"] * 1e3, planned["attach"]["plans"],
        found["ready_seconds"] * 1e3, found["plan_seconds"] * 1e3))


class Stalls:
    """How long the calls of one busy client took while something went on: from its log, by time."""

    def __init__(self, log):
        self.calls = sorted((line.start, line.end - line.start) for line in log)

    def between(self, begin, end):
        took = sorted(took for start, took in self.calls if start < end and start + took > begin)
        check(len(took) >= 100, "calls to judge by", len(took))
        return took

    def text(self, what, begin, end):
        took = self.between(begin, end)
        return "%s %.2f ms, longest %.2f ms (%d calls)" % (
            what, took[len(took) * 999 // 1000] / 1e6, took[-1] / 1e6, len(took))


def agent_figures(agent, begin_cpu, seconds):
    """CPU share since begin_cpu, resident memory now and at most, in MB."""
    with open("/proc/%d/status" % agent.proc.pid) as f:
        memory = {key: int(value.split()[0]) / 1024 for key, value in
                  (line.split(":", 1) for line in f if line.startswith("Vm"))}
    busy = (procmem.cpu_ns(agent.proc.pid) - begin_cpu) / 1e9 / seconds
    return "%.1f %% of a CPU, %.0f MB resident, %.0f MB at most" % (100 * busy, memory["VmRSS"], memory["VmHWM"])


def test_fleet(bed):
    """Many servers of four devices, one client that calls without a pause: what attach and detach cost the targets and
    the agent."""
    need_agent()
    names = [tuple("sys/fleet/%d-%d" % (i, j) for j in range(4)) for i in range(FLEET)]
    # not TangoTest: 200 of its devices keep two processors busy with making up data
    servers = [parts.thrower(bed, instance="f%d" % i, devices=names[i], witness=False, wait=False)
               for i in range(FLEET)]
    for server in servers:
        server.proc.wait_text(parts.READY, 60)
    going = bed.path("going")
    open(going, "w").close()
    plan = [[("read", servers[0].url(names[0][0]), "number", "", "")] * 1000]
    client = parts.Client(bed, plan, gate=True, witness=False, flags=["--while", going])
    visitors = [("ping", s.url(d), "", "", "") for s, devices in zip(servers, names) for d in devices]
    client.release()
    time.sleep(1)  # the measuring times are the point: calls of an untraced system first
    marks = [time.time_ns()]
    agent = Agent(bed)
    marks.append(time.time_ns())
    cpu = procmem.cpu_ns(agent.proc.pid)
    visit = parts.Client(bed, [visitors], witness=False, name="visitor").finish()
    time.sleep(1)
    marks.append(time.time_ns())
    figures = agent_figures(agent, cpu, (marks[2] - marks[1]) / 1e9)
    final = agent.stop()
    marks.append(time.time_ns())
    time.sleep(0.2)
    os.unlink(going)
    stalls = Stalls(client.finish())
    check(not any(line.reason for line in visit), "every device answers", *visit[:3])
    figure("%d servers, %d devices: ready %.2f s, stop %.2f s" % (
        FLEET, len(visitors), agent.ready_seconds, agent.stop_seconds))
    figure("p99.9 of a call: %s; %s; %s; %s" % (
        stalls.text("untraced", 0, marks[0]), stalls.text("attaching", marks[0], marks[1]),
        stalls.text("traced", marks[1], marks[2]), stalls.text("detaching", marks[2], marks[3])))
    figure("agent at %.0f calls/s: %s; %d of %d spans lost" % (
        len(stalls.between(marks[1], marks[2])) / ((marks[2] - marks[1]) / 1e9), figures, final["lost"], final["spans"]))
    served = {s.device for s in agent.spans() if s.kind == otlp.SERVER and s.operation == "ping"}
    # a client without any pause may be more than a busy machine exports: what is lost is counted, above
    check(final["lost"] or len(served) == len(visitors), "devices seen", len(served), len(visitors))
    check(agent.ready_seconds < 3, "ready within 3 s", agent.ready_seconds)
    check(agent.stop_seconds < 2, "stop within 2 s", agent.stop_seconds)


def test_new_processes(bed):
    """Client and server that start after the agent, on libraries it knows: traced from the first call."""
    need_agent()
    known = parts.tangotest(bed)  # so that the libraries are planned
    agent = Agent(bed)
    server = parts.tangotest(bed, instance="new", devices=("sys/tg_test/2",))
    plan = [plans.at(server.url("sys/tg_test/2"), plans.TANGOTEST + plans.TANGOTEST_FAIL) * 3]
    client = parts.Client(bed, plan, gate=True)
    # libtango is probed for all that map it; exceptions (libstdc++) process by process, and 48 calls take 6 ms.
    wait_for(lambda: procmem.differing_bytes(client.pid, "libstdc++"), 2, "the new client to be probed")
    client.release()
    log = client.finish()
    final = agent.stop()
    spans = agent.spans()
    missing = len(log) - len([s for s in truth.client_calls(spans, client.pid)])
    figure("%d calls of a new client, %d of them not seen" % (len(log), missing))
    truth.check_client(spans, client.pid, log)
    truth.check_wire(spans, client.pid, otlp.CLIENT, client.invoked())
    truth.check_wire(spans, server.pid, otlp.SERVER, server.dispatched())
    truth.check_pairs(spans, client.pid, [server.pid])
    truth.check_none_lost(final, agent)
    check(known.proc.alive(), "the first server lives")


def test_first_process(bed):
    """No Tango process at start: the first that comes brings libraries that nobody has planned yet. How much is missed is
    measured; a trace after that is whole."""
    need_agent()
    agent = Agent(bed)
    server = parts.tangotest(bed)
    wait_for(lambda: procmem.differing_bytes(server.pid, "libtango"), 10, "the new server to be probed")
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST * 5)]
    client = parts.Client(bed, plan)
    log = client.finish()
    agent.stop()
    seen = len(truth.client_calls(agent.spans(), client.pid))
    figure("%d of %d calls seen" % (seen, len(log)))
    check(seen >= len(log) - 2, "traced from nearly the first call", seen, len(log))


def test_short_clients(bed):
    """Programs that live for one call: the usual way of Tango scripts."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [[("command", server.url("sys/tg_test/1"), "DevDouble", "double", "2.5")]]
    parts.Client(bed, plan).finish()
    agent = Agent(bed)
    clients = [parts.Client(bed, plan) for _ in range(10)]
    for client in clients:
        client.finish()
    final = agent.stop()
    spans = agent.spans()
    for client in clients:
        calls = [s for s in truth.client_calls(spans, client.pid) if s.operation == "DevDouble"]
        equal(len(calls), 1, "client spans of a program of one call")
        served = [s for s in spans if s.parent == calls[0].id and s.kind == otlp.SERVER]
        equal(len(served), 1, "its server span")
        equal(calls[0].resource.get("service.name"), "mix", "the name of a program that has ended")
    check(final["lost"] == 0, "nothing lost", final)


def test_short_clients_at_once(bed):
    """Programs of a few calls that nobody has looked at before, four at once: each is known, and a failed call is never a
    success, also where the program was faster than the probe that sees its exceptions."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), [("command", "DevDouble", "double", "2.5"),
                                                   ("command", "NoSuchCommand", "void", "")] * 3)]
    parts.Client(bed, plan, witness=False).finish()
    programs = [shutil.copy(beds.test_program("mix"), bed.path("mix-%d" % i)) for i in range(SHORT)]
    agent = Agent(bed)
    clients = []
    for i in range(0, SHORT, 4):
        some = [parts.Client(bed, plan, witness=False, binary=program) for program in programs[i:i + 4]]
        clients += [client.finish() and client for client in some]
    final = agent.stop()
    spans = agent.spans()
    unknown = 0
    for number, client in enumerate(clients):
        calls = truth.client_calls(spans, client.pid)
        marks = [s.attrs.get("tangotrace.incomplete", []) for s in calls]
        check(not any("process_unknown" in m for m in marks), "every program is known", *calls[:3])
        equal({s.resource.get("service.name") for s in calls}, {"mix-%d" % number}, "its name")
        failed = [s for s in calls if s.operation == "NoSuchCommand"]
        equal(len(failed), 3, "failed calls")
        check(all(s.failed or "end_unknown" in s.attrs.get("tangotrace.incomplete", []) for s in failed),
              "a failed call is no success", *failed)
        unknown += sum(not s.failed for s in failed)
    figure("%d of %d failed calls ended unknown" % (unknown, 3 * SHORT))
    check(final["lost"] == 0, "nothing lost", final)


def test_ended_before_looked_at(bed):
    """Programs that begin and end while the agent gets no turn: they are known and selected by their command line."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [[("command", server.url("sys/tg_test/1"), "DevDouble", "double", "2.5")]]
    parts.Client(bed, plan).finish()
    agent = Agent(bed, "--exclude", "mix.py", "--select", "exe:mix", "--select", "TangoTest/*")
    os.kill(agent.proc.pid, signal.SIGSTOP)
    try:
        clients = [parts.Client(bed, plan), parts.Client(bed, plan, python=True)]
        for client in clients:
            client.finish()
    finally:
        os.kill(agent.proc.pid, signal.SIGCONT)
    final = agent.stop()
    spans = agent.spans()
    calls = [truth.client_calls(spans, c.pid) for c in clients]
    shown = [s for s in calls[0] if s.operation == "DevDouble"]
    equal(len(shown), 1, "client spans of a program of one call")
    equal(shown[0].resource.get("service.name"), "mix", "its name")
    equal(shown[0].resource.get("process.pid"), clients[0].pid, "its pid")
    check("tangotrace.incomplete" not in shown[0].attrs, "nothing in doubt", shown[0])
    equal(calls[1], [], "client spans of a program that is not selected")
    equal(len([s for s in spans if s.kind == otlp.SERVER and s.operation == "DevDouble"]), 2, "server spans")
    check(final["lost"] == 0, "nothing lost", final)


FORKING = """
import os, sys, time
import tango
proxy = tango.DeviceProxy(sys.argv[1])
proxy.read_attribute("ampli")
print("up", flush=True)
open(sys.argv[2]).readline()
pids = []
for i in range(5):
    pid = os.fork()
    if pid == 0:
        time.sleep(0.05)
        os._exit(0)
    pids.append(pid)
    proxy.command_inout("DevDouble", float(i))
for pid in pids:
    os.waitpid(pid, 0)
os.spawnv(os.P_WAIT, "/bin/true", ["true"])
proxy.command_inout("DevDouble", 9.0)
print("done", flush=True)
"""


def test_forks(bed):
    """A traced program that forks and starts others: parent and children go on, the parent's spans stay whole."""
    need_agent()
    server = parts.tangotest(bed)
    fifo = bed.path("fork-gate")
    os.mkfifo(fifo)
    proc = bed.start("forking", [beds.PYTHON, "-c", FORKING, server.url("sys/tg_test/1"), fifo])
    proc.wait_text("up")
    agent = Agent(bed)
    with open(fifo, "w") as gate:
        gate.write("go\n")
    proc.finish(30)
    check("done" in proc.stdout, "the program came to its end", proc.tail())
    final = agent.stop()
    spans = agent.spans()
    calls = [s for s in spans if s.kind == otlp.CLIENT and s.operation == "DevDouble"]
    equal(len(calls), 6, "commands of the parent")
    equal({s.pid for s in calls}, {proc.pid}, "process of the calls")
    truth.check_certain(spans)
    check(final["lost"] == 0, "nothing lost", final)


EXECUTING = """
import os, sys, time
import tango
url, gate, pids, *commands = sys.argv[1:]
proxy = tango.DeviceProxy(url)
proxy.command_inout("DevDouble", 1.0)
children = []
for command in commands:
    pid = os.fork()
    if pid == 0:
        while not os.path.exists(gate):
            time.sleep(0.01)
        words = command.split("\\t")
        os.execv(words[0], words)
    children.append(pid)
with open(pids, "w") as f:
    f.write(" ".join(map(str, children)))
print("up", flush=True)
for pid in children:
    os.waitpid(pid, 0)
proxy.command_inout("DevDouble", 2.0)
"""


def execute_others(bed, agent, server, number):
    """A traced program whose children, known to the agent, become others while that gets no turn: (its pid, theirs, and
    the names of what they become)."""
    script, gate, told = bed.path("parent.py"), bed.path("exec-gate-%d" % number), bed.path("children-%d" % number)
    with open(script, "w") as f:
        f.write(EXECUTING)
    plan = bed.path("exec-plan-%d.tsv" % number)
    parts.write_plan([[("command", server.url("sys/tg_test/1"), "DevDouble", "double", "2.5")]], plan)
    programs = [[shutil.copy(beds.test_program("mix"), bed.path(name))] for name in ("mix-wanted", "mix-unwanted")]
    programs.append([beds.PYTHON, parts.MIX_PY])  # the same interpreter as the parent's
    commands = ["\t".join(words + [plan, bed.path("exec-log-%d-%d.tsv" % (number, i))]) for i, words in enumerate(programs)]
    proc = bed.start("parent", [beds.PYTHON, script, server.url("sys/tg_test/1"), gate, told] + commands)
    proc.wait_text("up", 30)
    with open(told) as f:
        pids = [int(word) for word in f.read().split()]
    wait_for(lambda: set(pids) <= {p["pid"] for p in agent.processes()}, 10, "the children to be known as what they are")
    os.kill(agent.proc.pid, signal.SIGSTOP)
    try:
        open(gate, "w").close()
        proc.finish(60)
    finally:
        os.kill(agent.proc.pid, signal.SIGCONT)
    return proc.pid, pids


def test_execute_others(bed):
    """Children of a traced program that become other programs by exec: from then on they have the other's name, and the
    rules are asked anew, before anybody has looked at them again."""
    need_agent()
    server = parts.tangotest(bed)
    parts.Client(bed, [[("command", server.url("sys/tg_test/1"), "DevDouble", "double", "2.5")]]).finish()
    for number, excluded in enumerate(([], ["--exclude", "script:parent"])):
        agent = Agent(bed, "--exclude", "exe:mix-unwanted", *excluded)
        parent, (wanted, unwanted, script) = execute_others(bed, agent, server, number)
        final = agent.stop()
        calls = [s for s in agent.all_spans() if s.kind == otlp.CLIENT and s.operation == "DevDouble"]
        names = {pid: sorted(s.resource["service.name"] for s in calls if s.pid == pid)
                 for pid in (parent, wanted, unwanted, script)}
        equal(names, {parent: [] if excluded else ["parent"] * 2, wanted: ["mix-wanted"], unwanted: [], script: ["mix"]},
              "who called, by name (%r)" % excluded)
        truth.check_certain([s for s in calls if s.pid in (parent, wanted, script)])
        check(final["lost"] == 0, "nothing lost", final)


NAMED = """import ctypes, sys, threading, time
import tango
url, fifo = sys.argv[1:]
libc = ctypes.CDLL(None)
proxy = tango.DeviceProxy(url)
def call(name):
    libc.prctl(15, name.encode(), 0, 0, 0)  # PR_SET_NAME
    proxy.read_attribute("ampli")
def work(number):
    call("first %d" % number)
    call("then %d" % number)
    call("a name that is far too long")
print("up", flush=True)
open(fifo).read()
proxy.read_attribute("ampli")
for number in range(20):  # one after the other: the kernel may give a number again
    thread = threading.Thread(target=work, args=(number,))
    thread.start()
    thread.join()
print("done", flush=True)
"""


def test_thread_names(bed):
    """Spans carry the name that their thread had when they began, in programs that were there before, too."""
    need_agent()
    server = parts.tangotest(bed)
    fifo = bed.path("names-gate")
    os.mkfifo(fifo)
    proc = bed.start("named", [beds.PYTHON, "-c", NAMED, server.url("sys/tg_test/1"), fifo])
    proc.wait_text("up")
    with open("/proc/%d/comm" % proc.pid) as f:
        main = f.read().strip()
    agent = Agent(bed)
    with open(fifo, "w") as gate:
        gate.write("go\n")
    proc.finish(30)
    final = agent.stop()
    spans = sorted((s for s in agent.spans() if s.operation == "read ampli"), key=lambda s: s.start)
    want = [main]
    for number in range(20):
        want += ["first %d" % number, "then %d" % number, "a name that is "]
    equal([s.attrs.get("thread.name") for s in spans if s.kind == otlp.CLIENT], want, "names of the client's threads")
    equal({s.attrs.get("thread.name") for s in spans if s.kind == otlp.SERVER}, {"TangoTest"}, "name of the server's")
    check(final["lost"] == 0, "nothing lost", final)


def test_server_restarts(bed):
    """A server that ends and comes back, again and again, with a client that reconnects: nobody is mixed up."""
    need_agent()
    port_server = parts.tangotest(bed)
    url = port_server.url("sys/tg_test/1")
    plan = [[("read", url, "ampli", "", "")] * 20]
    parts.Client(bed, plan).finish()
    agent = Agent(bed)
    for round_number in range(5):
        client = parts.Client(bed, plan)
        client.finish()
        argv, env = port_server.proc.argv, parts.witness_env(bed.path("orb-restart-%d.log" % round_number))
        port_server.proc.signal(signal.SIGKILL if round_number % 2 else signal.SIGTERM)
        port_server.proc.popen.wait(10)
        port_server.proc = bed.start("restarted", argv, env)
        port_server.proc.wait_text(parts.READY, 30)
    final = agent.stop()
    spans = agent.spans()
    reads = [s for s in spans if s.kind == otlp.CLIENT and s.operation == "read ampli"]
    served = {s.parent: s for s in spans if s.kind == otlp.SERVER and s.operation == "read ampli"}
    equal(len(reads), 100, "client spans")
    check(all(s.id in served and served[s.id].trace == s.trace for s in reads), "each has its server span",
          len(served))
    check(final["lost"] == 0, "nothing lost", final)
