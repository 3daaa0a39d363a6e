"""`top` and `clients`: who asks whom for what, how often, against what the clients did."""
import collections
import json
import os
import pty
import select
import signal
import subprocess
import time

import agent as agents
import parts
import plans
from agent import Agent, command, need_agent, only
from harness import check, equal, figure, wait_for


def rows_of(agent, view, *options):
    code, out, err = command("top", view, "--json", "--refresh", "500ms", "--control", agent.control, *options)
    equal(code, 0, "exit code of top (stderr %r)" % err)
    top = json.loads(out)
    equal(top["view"], view, "the view")
    check(0.4 < top["seconds"] < 5, "the time between both answers", top["seconds"])
    return top["rows"]


def test_clients(bed):
    """Calls and errors of each client of a device are those of the clients' own logs."""
    need_agent()
    test = parts.tangotest(bed)
    throw = parts.thrower(bed)
    plan = plans.mixed(plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST), plans.at(throw.url("test/thrower/1"), plans.THROWER_FAIL),
                       800, 2, seed=7)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    one, two = parts.Client(bed, plan, gate=True), parts.Client(bed, plan, gate=True, python=True)
    agent = Agent(bed, *only(*bed.alive()), export=["none"])
    logs = {}
    for client in (one, two):
        client.release()
        logs[client.pid] = client.finish()

    def asked(device):
        code, out, err = command("clients", device, "--json", "--control", agent.control)
        equal(code, 0, "exit code of clients (stderr %r)" % err)
        return json.loads(out)["clients"]

    for device, url in (("sys/tg_test/1", test.url("sys/tg_test/1")), ("test/thrower/1", throw.url("test/thrower/1"))):
        for client in (one, two):
            lines = [l for l in logs[client.pid] if l.device == url]
            mine = lambda: [c for c in asked(device) if c["client"].endswith(":%d" % client.pid)]
            total = lambda: sum(c["calls"] for c in mine())
            # a command of PyTango is preceded by a question for its type, a write_read is a read, too: at least as many
            wait_for(lambda: total() >= len(lines), 10, "calls of %s counted: %d of %d" % (device, total(), len(lines)), 0.2)
            by_operation = {c["operation"]: c["calls"] for c in mine()}
            wanted = collections.Counter(l.name for l in lines if l.operation == "command")
            for name, count in wanted.items():
                equal(by_operation.get(name), count, "%s of %s by %d" % (name, device, client.pid))
            equal(sum(c["errors"] for c in mine()), sum(1 for l in lines if l.reason), "failed ones")
            for c in mine():
                check(0 < c["p50_seconds"] <= c["p99_seconds"] < 5 and c["rate"] > 0 and c["last_seconds"] < 60, "figures", c)
        rates = [c["rate"] for c in asked(device)]
        equal(rates, sorted(rates, reverse=True), "the busiest first")
    equal(asked("no/such/device"), [], "nobody asks for that")
    check({c["device"] for c in asked("*")} >= {"sys/tg_test/1", "test/thrower/1"}, "a glob")
    code, out, err = command("clients", "SYS/tg_test/1", "--control", agent.control)
    equal(code, 0, "for people (stderr %r)" % err)
    check("CALLS/s" in out and "DevDouble" in out and str(one.pid) in out, "a table", out)
    equal(command("clients", "--control", agent.control)[0], 2, "which device?")
    agent.stop()


def test_top(bed):
    """Rates are those of a client with a steady pace; the slow and the open stand first when asked for."""
    need_agent()
    test, throw = parts.tangotest(bed), parts.thrower(bed)
    slow, fast = throw.url("test/thrower/1"), test.url("sys/tg_test/1")
    # 400 calls of 50 ms, each with a failed one and a read behind it: 20 s or less, three calls each 50 ms
    plan = [[("command", slow, "SleepMs", "long", "50"), ("command", fast, "NoSuchCommand", "void", ""),
             ("read", fast, "ampli", "", "")] * 400]
    client = parts.Client(bed, plan, gate=True, witness=False)
    agent = Agent(bed, "--join-wait", "200ms", *only(*bed.alive()))
    client.release()
    rows = wait_for(lambda: (lambda r: r if len(r) == 2 else None)(rows_of(agent, "devices")), 10, "both devices")
    by_name = {r["name"]: r for r in rows}
    one, other = by_name["test/thrower/1"], by_name["sys/tg_test/1"]
    equal((one["class"], other["class"]), ("Thrower", "TangoTest"), "classes")
    equal([r["name"] for r in rows], ["sys/tg_test/1", "test/thrower/1"], "the busiest first")
    check(10 <= one["rate"] <= 21, "one call of 50 ms after another: about 19 a second", one)
    check(0.6 < other["errors_rate"] / one["rate"] < 1.5 and 0 == one["errors_rate"], "each has one that fails", rows)
    check(0.045 < one["p50_seconds"] < 0.075, "it takes 50 ms", one)
    check(other["p50_seconds"] < 0.02, "these take no time", other)
    equal([r["name"] for r in rows_of(agent, "devices", "--sort", "p99")], ["test/thrower/1", "sys/tg_test/1"], "the slowest first")
    # The client is in a call of 50 ms nearly always, and in one of the others now and then
    rows = wait_for(lambda: (lambda r: r if r and r[0]["name"] == "SleepMs" and r[0]["open"] else None)(
        rows_of(agent, "operations", "--sort", "open")), 20, "an open call of 50 ms")
    equal([r["open"] for r in rows], [1] + [0] * (len(rows) - 1), "what is open")
    clients = rows_of(agent, "clients")
    equal([c["name"] for c in clients], ["mix %s:%d" % (os.uname().nodename, client.pid)], "who calls")
    code, out, err = command("top", "--refreshes", "2", "--refresh", "200ms", "--control", agent.control)
    equal(code, 0, "for people (stderr %r)" % err)
    equal(out.count("CALLS/s"), 2, "as often as asked for")
    equal(command("top", "nonsense", "--control", agent.control)[0], 2, "no such view")
    figure("\n      ".join(out.splitlines()[:3]))
    client.proc.signal(signal.SIGTERM)
    agent.stop()


def test_top_screen(bed):
    """On a terminal it goes on, keys change view and order, q ends it, and the terminal is as it was."""
    need_agent()
    test = parts.tangotest(bed)
    client = parts.Client(bed, [[("read", test.url("sys/tg_test/1"), "ampli", "", "")] * 200000], gate=True, witness=False)
    agent = Agent(bed, "--join-wait", "200ms", *only(*bed.alive()),
                  export=["none"])
    client.release()
    master, slave = pty.openpty()
    import termios
    before = termios.tcgetattr(slave)
    top = subprocess.Popen([agents.BINARY, "top", "--refresh", "200ms", "--control", agent.control], stdin=slave, stdout=slave,
                           stderr=subprocess.PIPE)
    seen = b""

    def shows(text, seconds=10):
        nonlocal seen
        end = time.monotonic() + seconds
        while text not in seen and time.monotonic() < end:
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536)
        check(text in seen, "the screen shows %r" % text, seen[-2000:])
        seen = b""

    try:
        shows(b"devices by rate")
        shows(b"sys/tg_test/1")
        os.write(master, b"o")
        shows(b"read ampli")
        os.write(master, b"s")
        shows(b"operations by p50")
        os.write(master, b"q")
        equal(top.wait(10), 0, "q ends it")
        equal(termios.tcgetattr(slave)[3], before[3], "the terminal is as it was")
    finally:
        if top.poll() is None:
            top.kill()
            top.wait()
        top.stderr.close()
        os.close(master)
        os.close(slave)
    client.proc.signal(signal.SIGTERM)
    agent.stop()
