"""Processes that come, go and fork while the agent runs; many of them at once."""
import os
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


def test_many_servers(bed):
    """50 servers: ready in bounded time, every one traced, all probes gone within 2 s of the end."""
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


def test_new_processes(bed):
    """Client and server that start after the agent, on libraries it knows: traced from the first call."""
    need_agent()
    known = parts.tangotest(bed)  # so that the libraries are planned
    agent = Agent(bed)
    server = parts.tangotest(bed, instance="new", devices=("sys/tg_test/2",))
    plan = [plans.at(server.url("sys/tg_test/2"), plans.TANGOTEST + plans.TANGOTEST_FAIL) * 3]
    client = parts.Client(bed, plan)
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
