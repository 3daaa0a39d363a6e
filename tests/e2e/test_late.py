"""Both sides of a call, further apart than usual: in time, in a forked process, in another network namespace."""
import collections
import os
import signal
import subprocess
import time

import bed as beds
import harness
import parts
import procmem
import spans as otlp
import truth
from agent import Agent, need_agent, only
from harness import check, equal, figure

STALL = 3.8  # seconds, longer than the 3 s that a Tango client waits


def stopped(pid):
    def state(tid):
        with open("/proc/%d/task/%s/stat" % (pid, tid)) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    return all(state(tid) == "T" for tid in os.listdir("/proc/%d/task" % pid))


def test_server_stopped_past_the_timeout(bed):
    """The server stands still until its client has given up, then serves the request: a late SERVER span that is the
    child of the failed CLIENT span; and the next call is its own."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    plan = [[("read", url, "ampli", "", ""), ("command", url, "DevLong", "long", "7")]]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, *only(client, server))
    before = server.dispatched()["read_attributes_5"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        harness.wait_for(lambda: stopped(server.pid), 5, "every thread of the server to stand still")
        client.release()
        time.sleep(STALL)  # the length of the stall is the point
    finally:
        os.kill(server.pid, signal.SIGCONT)
    log = client.finish()
    harness.wait_for(lambda: server.dispatched()["read_attributes_5"] > before, 10, "the late request at the server")
    final = agent.stop()
    spans = agent.spans()
    equal(log[0].reason, "API_CorbaException", "the client's own view: it timed out")
    slow = [s for s in spans if s.operation == "read ampli"]
    equal(sorted(s.kind for s in slow), [otlp.SERVER, otlp.CLIENT], "kinds of the spans of the late read")
    served, called = sorted(slow, key=lambda s: s.kind)
    check(called.failed and not served.failed, "failed for the client, fine for the server", called, served)
    check(served.start > called.start + 3_000_000_000, "the server came late indeed", served.start - called.start)
    check(served.parent == called.id and served.trace == called.trace, "the late span joins its client", called, served,
          served.attrs)
    check_joined([s for s in spans if s.operation == "DevLong"], 1, "the call after it")
    check(final["lost"] == 0, "nothing lost", final)
    figure("served %.2f s after the client began" % ((served.start - called.start) / 1e9))


def check_joined(spans, number, what):
    """So many CLIENT spans, each with exactly one SERVER span as its child."""
    clients = {s.id: s for s in spans if s.kind == otlp.CLIENT}
    served = [s for s in spans if s.kind == otlp.SERVER]
    equal((len(clients), len(served)), (number, number), "CLIENT and SERVER spans of %s" % what)
    equal(len({s.parent for s in served} & set(clients)), number, "joined pairs of %s" % what)
    for s in served:
        truth.check_pair(clients[s.parent], s)


# ---- fork without exec

POOL = """
import multiprocessing, os, sys
import tango

def work(number):
    proxy = tango.DeviceProxy(sys.argv[1])
    for i in range(20):
        proxy.command_inout("DevLong", number * 100 + i)
        try:
            proxy.read_attribute("no_such_attribute")
            os._exit(1)
        except tango.DevFailed:
            pass
    return os.getpid()

if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    print("up", flush=True)
    open(sys.argv[2]).readline()
    with multiprocessing.Pool(4) as pool:
        print("pids", *pool.map(work, range(4), 1), flush=True)
    print("done", flush=True)
"""


def test_pool_of_forked_processes(bed):
    """Workers that are forked after the agent came, with its breakpoints in their memory, and never exec: they live, and
    are traced by their own pid, errors and all."""
    need_agent()
    server = parts.tangotest(bed)
    fifo, script = bed.path("gate"), bed.path("pool.py")
    os.mkfifo(fifo)
    with open(script, "w") as f:
        f.write(POOL)
    proc = bed.start("pool", [beds.PYTHON, script, server.url("sys/tg_test/1"), fifo])
    proc.wait_text("up")
    agent = Agent(bed)
    with open(fifo, "w") as gate:
        gate.write("go\n")
    proc.finish(60)
    pids = [int(pid) for pid in proc.stdout.split("pids ")[1].split("\n")[0].split()]
    final = agent.stop()
    family = set(pids) | {server.pid}
    spans = [s for s in agent.all_spans() if s.pid in family]
    for operation, failed in (("DevLong", False), ("read no_such_attribute", True)):
        mine = [s for s in spans if s.operation == operation]
        check_joined(mine, 80, operation)
        equal([s for s in mine if s.failed != failed], [], "wrong outcomes of %s" % operation)
        truth.same([pid for pid in pids for _ in range(20)], [s.pid for s in mine if s.kind == otlp.CLIENT],
                   "processes of %s" % operation)
    truth.check_certain(spans)
    check(final["lost"] == 0, "nothing lost", final)
    figure("4 forked workers, %d spans" % len(spans))


# ---- network namespaces

class Namespace:
    """A network namespace behind a veth pair, gone with the test."""

    def __init__(self):
        self.name, self.link = "tte2e%d" % os.getpid(), "tte%d" % (os.getpid() % 100000)
        self.net = "10.213.%d." % (os.getpid() % 250)
        self.here, self.there = self.net + "1", self.net + "2"

    def ip(self, *args, must=True):
        done = subprocess.run(("ip",) + args, stderr=subprocess.PIPE)
        if done.returncode and must:
            raise harness.Skip("ip %s: %s" % (" ".join(args), done.stderr.decode(errors="replace").strip()))

    def __enter__(self):
        try:
            self.ip("netns", "add", self.name)
            self.ip("link", "add", self.link, "type", "veth", "peer", "name", "tte0", "netns", self.name)
            self.ip("addr", "add", self.here + "/24", "dev", self.link)
            self.ip("link", "set", self.link, "up")
            self.ip("-n", self.name, "addr", "add", self.there + "/24", "dev", "tte0")
            self.ip("-n", self.name, "link", "set", "tte0", "up")
            self.ip("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ip("netns", "del", self.name, must=False)
        self.ip("link", "del", self.link, must=False)

    def prefix(self):
        return ["ip", "netns", "exec", self.name]


def serve(bed, instance, endpoint, prefix=()):
    argv = list(prefix) + [parts.TANGOTEST, instance, "-nodb", "-dlist", "sys/tg_test/1", "-ORBendPoint", endpoint]
    proc = bed.start("TangoTest-" + instance, argv)
    proc.wait_text(parts.READY, 30)
    return proc


def job(bed, name, host, port, prefix=(), traced=True):
    """A client by that way: 15 good and 15 failing calls from each of two threads."""
    url = "tango://%s:%d/sys/tg_test/1#dbase=no" % (host, port)
    plan = [[("read", url, "ampli", "", ""), ("command", url, "NoSuchCommand", "void", "")] * 15] * 2
    plan_path, log_path, fifo = (bed.path(x + name) for x in ("plan-", "log-", "gate-"))
    parts.write_plan(plan, plan_path)
    os.mkfifo(fifo)
    proc = bed.start("client-" + name, list(prefix) + [beds.test_program("mix"), plan_path, log_path, "--wait", fifo])
    proc.wait_text("up", 30)
    if traced:  # libstdc++ is probed process by process, a moment after the process is there
        harness.wait_for(lambda: any("libstdc++" in d[0] for d in procmem.differing_bytes(inner(proc.pid))), 15,
                         "the client %s to be probed" % name)
    with open(fifo, "w") as gate:
        gate.write("go\n")
    proc.finish(60)


def inner(pid):
    """The program behind `unshare --fork`, which stays and waits."""
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        children = f.read().split()
    return int(children[0]) if children else pid


def test_network_namespaces(bed):
    """Over a veth pair, v4 on a dual-stack socket, one loopback address and port in two namespaces, another pid namespace:
    every call is joined, and with its own server."""
    need_agent()
    parts.tangotest(bed, witness=False)
    with Namespace() as space:
        ports = [beds.free_port() for _ in range(4)]
        own_pids = ["unshare", "-pmf", "--mount-proc", "--kill-child"]
        serve(bed, "veth", "giop:tcp:%s:%d" % (space.here, ports[0]))
        serve(bed, "dual", "giop:tcp::%d" % ports[1])
        serve(bed, "lo-here", "giop:tcp:127.0.0.1:%d" % ports[2])
        serve(bed, "lo-there", "giop:tcp:127.0.0.1:%d" % ports[2], space.prefix())
        serve(bed, "pids", "giop:tcp:127.0.0.1:%d" % ports[3], own_pids)
        # so that the libraries of the clients are known before the calls that count
        job(bed, "warm-up", "127.0.0.1", ports[1], traced=False)
        agent = Agent(bed)
        job(bed, "veth", space.here, ports[0], space.prefix())
        job(bed, "dual", "127.0.0.1", ports[1])
        job(bed, "lo-here", "127.0.0.1", ports[2])
        job(bed, "lo-there", "127.0.0.1", ports[2], space.prefix())
        job(bed, "pids", "127.0.0.1", ports[3], own_pids)
        final = agent.stop()
        spans = [s for s in agent.all_spans() if s.operation in ("read ampli", "NoSuchCommand")]
        names = ("veth", "dual", "lo-here", "lo-there", "pids")
        check_servers(spans, names)
        truth.check_certain(spans)
        check(final["lost"] == 0, "nothing lost", final)
        for proc in bed.procs:
            proc.stop()
    figure("5 ways of 60 calls, all joined")


def check_servers(spans, names):
    """Each server's spans have their CLIENT parents in one process, and no two servers share it."""
    clients = {s.id: s for s in spans if s.kind == otlp.CLIENT}
    callers = collections.defaultdict(collections.Counter)
    for s in spans:
        if s.kind == otlp.SERVER:
            name = s.resource.get("tango.server.name", "?").split("/")[-1]
            parent = clients.get(s.parent)
            callers[name][parent.pid if parent else s.attrs.get("tangotrace.parent.reason", "no parent")] += 1
            if parent:
                truth.check_pair(parent, s)
    got = {name: list(found.values()) for name, found in callers.items() if name in names}
    equal(got, {name: [60] for name in names}, "SERVER spans by server and calling process: %s" % dict(callers))
    equal(len({pid for name in names for pid in callers[name]}), len(names), "calling processes")
