"""Where the time of a call went, at level of detail full: a server that sleeps, one that works, one that is held."""
from collections import Counter
import json
import os

import bed as beds
import parts
import scrape
import spans as otlp
from agent import Agent, command, need_agent
from harness import HERE, check, equal, figure, wait_for

TIMED = os.path.join(HERE, "servers", "timed.py")
DEBIAN = "debian"
PARTS = ("marshal", "request", "monitor", "user_cpu", "user_off_cpu", "reply", "rest")
MS = 10**6


def python_of(build):
    return beds.PYTHON if build == DEBIAN else beds.wheel_python(build)


def cpp(bed):
    return parts.thrower(bed), "test/thrower/1", beds.PYTHON


def python(build):
    def start(bed):
        server = parts.start_server(bed, [python_of(build), TIMED], "t", ["Timed::test/timed/1"])
        return server, "test/timed/1", python_of(build)
    return start


SERVERS = {"cpp": cpp, "python": python(DEBIAN), "wheel_10.0.4": python("10.0.4")}


def start_client(bed, python_path, url, code):
    """Runs `code` with `d`, a proxy of the device that has been connected."""
    text = "import tango; d = tango.DeviceProxy(%r); d.set_timeout_millis(60000); d.ping(); %s" % (url, code)
    return bed.start("client", [python_path, "-c", text])


def call(*args):
    return start_client(*args).finish(60)


def ledger_of(span):
    """The parts in ns; they add up to the span's duration, whatever else."""
    ledger = {part: span.attrs.get("tango.time.%s_ns" % part, 0) for part in PARTS}
    check("tango.time.rest_ns" in span.attrs, "no ledger", span)
    check(all(ns >= 0 for ns in ledger.values()), "negative parts", span)
    equal(sum(ledger.values()), span.end - span.start, "sum of %r" % ledger)
    return ledger


def sides(spans, server, operation):
    """The two sides of the only call of that name, each with its ledger."""
    found = {kind: [s for s in spans if s.kind == kind and s.operation == operation] for kind in (otlp.SERVER, otlp.CLIENT)}
    equal([len(f) for f in found.values()], [1, 1], "spans of " + operation)
    (asked,), (asks,) = found[otlp.SERVER], found[otlp.CLIENT]
    equal((asked.pid, asked.parent), (server.pid, asks.id), "server and parent")
    mine, theirs = ledger_of(asked), ledger_of(asks)
    # what the server knows of itself, the client has, too
    for part in ("monitor", "user_cpu", "user_off_cpu", "rest"):
        equal(theirs[part], mine[part], part + " of both sides")
    equal({part: mine[part] for part in ("marshal", "request", "reply")}, {"marshal": 0, "request": 0, "reply": 0}, "of the client alone")
    return asked, asks, mine, theirs


def of_user(start):
    def test(bed):
        need_agent()
        server, device, python_path = start(bed)
        agent = Agent(bed, "--detail", "full")
        client = call(bed, python_path, server.url(device), "d.command_inout('SleepMs', 200); print('CPU', d.command_inout('SpinMs', 200))")
        agent.stop()
        spans = agent.spans()
        for span in spans:
            if span.kind in (otlp.SERVER, otlp.CLIENT):
                ledger_of(span)
        _, _, asleep, _ = sides(spans, server, "SleepMs")
        check(200 * MS <= asleep["user_off_cpu"] <= asleep["user_off_cpu"] + asleep["user_cpu"] < 400 * MS, "asleep", asleep)
        check(asleep["user_cpu"] < 20 * MS, "asleep, on a CPU", asleep)
        _, _, working, theirs = sides(spans, server, "SpinMs")
        used = int(client.stdout.split("CPU")[1].split()[0]) * 1000
        figure("CPU time of a method: %.3f ms of 200, by its own clock %.3f ms; both sides: %s"
               % (working["user_cpu"] / MS, used / MS, {k: round(v / MS, 3) for k, v in theirs.items()}))
        # what the method does before and after it looks at its clock
        check(used <= working["user_cpu"] < used + 10 * MS, "at work", working, used)
        check(working["user_cpu"] + working["user_off_cpu"] >= 200 * MS, "the whole time", working)
        # not "request": a client that loses its CPU as soon as its message is away has sent it, by its own clock, when the
        # server has it already
        check(theirs["reply"] > 0 and theirs["marshal"] > 0, "on the way", theirs)
    return test


def open_calls(agent):
    code, out, err = command("calls", "--json", "--control", agent.control)
    check(code == 0, "calls ended with %d" % code, err)
    return json.loads(out)


def open_sleep(agent, server):
    return next((c for c in open_calls(agent)["calls"] if c["side"] == "server" and c["operation"] == "SleepMs" and c["pid"] == server.pid), None)


def of_monitor(start):
    def test(bed):
        need_agent()
        server, device, python_path = start(bed)
        agent = Agent(bed, "--detail", "full", "--calls-wait", "100ms")
        holder = start_client(bed, python_path, server.url(device), "d.command_inout('SleepMs', 3000)")
        held = wait_for(lambda: open_sleep(agent, server), 20, "the call that holds the monitor")
        waiter = start_client(bed, python_path, server.url(device), "d.command_inout('SleepMs', 1)")
        wait_for(lambda: [c for c in open_calls(agent)["calls"] if "monitor" in c], 20, "the call that waits for it")
        seen = open_calls(agent)
        code, text, err = command("calls", "--control", agent.control)
        equal(code, 0, err)
        holder.finish(30)
        waiter.finish(30)
        agent.stop()

        waiting = [c for c in seen["calls"] if "monitor" in c]
        equal(len(waiting), 1, "calls that wait for a monitor")
        by = waiting[0]["monitor"]["holder"]
        equal((by["operation"], by["device"], by["thread"]), ("SleepMs", device, held["thread"]), "who holds it")
        equal(waiting[0]["monitor"]["name"], device, "name of the monitor")
        check(str(holder.pid) in by["client"] and str(waiter.pid) in waiting[0]["client"], "clients", waiting)
        check("WAITS FOR" in text and "held by SleepMs of " + device in text, "the table", text)

        asked = [s for s in agent.spans() if s.kind == otlp.SERVER and s.operation == "SleepMs"]
        first, second = sorted(asked, key=lambda s: s.start)
        mine, theirs = ledger_of(second), ledger_of(next(s for s in agent.spans() if s.id == second.parent))
        waited = first.end - second.start
        figure("waited %.1f ms for the monitor, it was held for %.1f ms more" % (mine["monitor"] / MS, waited / MS))
        check(0.9 * waited <= mine["monitor"] <= waited + 50 * MS, "wait for the monitor", mine, waited)
        equal((theirs["monitor"], ledger_of(first)["monitor"]), (mine["monitor"], 0), "of the other spans")
        check(mine["user_off_cpu"] < 100 * MS, "what is waited for the monitor is none of the user's", mine)
        equal((second.attrs["tango.monitor.name"], second.attrs["tango.monitor.holder.thread_id"]), (device, first.attrs["thread.id"]), "holder")
        equal([(k["traceId"], k["spanId"]) for k in second.links], [(first.trace, first.id)], "link")
        record, = [log for log in agent.logs() if log.event == "tango.monitor.wait"]
        equal((record.trace, record.span), (second.trace, second.id), "span of the record")
        equal(record.attrs["tango.monitor.wait_ns"], mine["monitor"], "time of the record")
        check(record.attrs["tango.monitor.holder.operation"] == "SleepMs" and str(holder.pid) in record.attrs["tango.monitor.holder.client"],
              "holder in the record", record.attrs)
        figure(record.body)
    return test


for _name, _start in SERVERS.items():
    globals()["test_user_" + _name] = of_user(_start)
    globals()["test_monitor_" + _name] = of_monitor(_start)


def test_open_calls(bed):
    """Each call that stays open is told of three times, by its own ids, and never as half a span; a gauge counts it."""
    need_agent()
    server = parts.thrower(bed)
    address = "127.0.0.1:%d" % beds.free_port()
    agent = Agent(bed, "--calls-open", "300ms", "--metrics-listen", address)
    gauge = lambda: sum((Counter({k: v}) for k, v in scrape.scrape(address).by("tango_calls_open", "side", "tango_device_class").items()), Counter())
    client = start_client(bed, beds.PYTHON, server.url("test/thrower/1"), "d.command_inout('SleepMs', 2000)")
    told = lambda: [log for log in agent.logs() if log.event == "tango.call.open"]
    wait_for(lambda: len(told()) >= 4, 20, "records of the open call")
    equal([s for s in agent.spans() if s.operation == "SleepMs"], [], "spans of the open call")
    equal(gauge(), {("client", "Thrower"): 1, ("server", "Thrower"): 1}, "open calls")
    client.finish(30)
    wait_for(lambda: not gauge(), 10, "no call to be open")
    agent.stop()
    records = sorted((log for log in told()), key=lambda log: log.time)
    for kind in (otlp.SERVER, otlp.CLIENT):
        span, = [s for s in agent.spans() if s.kind == kind and s.operation == "SleepMs"]
        mine = [log for log in records if log.span == span.id]
        equal([log.trace for log in mine], [span.trace] * 3, "records of one side")
        for log, limit in zip(mine, (300, 600, 1200)):
            age = log.attrs["tango.call.age_ns"]
            check(limit * MS <= age < (limit + 300) * MS, "age", limit, age)
            equal((log.attrs["tango.operation.name"], log.attrs["tango.operation.target"], log.severity), ("SleepMs", "test/thrower/1", 13), "what")
    figure(records[0].body)
    equal(len(records), 6, "records")


def hooks(agent):
    """How many hooks of the kernel the agent holds that are no probes in programs."""
    count = 0
    for name in os.listdir("/proc/%d/fdinfo" % agent.proc.pid):
        try:
            with open("/proc/%d/fdinfo/%s" % (agent.proc.pid, name)) as f:
                text = f.read()
        except OSError:
            continue
        count += "link_type:" in text and "prog_tag:" in text and "uprobe" not in text and "perf" not in text
    return count


def test_scheduler_only_at_full(bed):
    """Ledgers, and the hook in the scheduler, come and go with the level, while a program runs."""
    need_agent()
    server = parts.thrower(bed)
    agent = Agent(bed)

    def ledgers(level):
        if level:
            code, _, err = command("detail", level, "--control", agent.control)
            equal(code, 0, err)
        before = len(agent.spans())
        call(bed, beds.PYTHON, server.url("test/thrower/1"), "d.command_inout('SleepMs', 5)")
        wait_for(lambda: [s for s in agent.spans()[before:] if s.operation == "SleepMs" and s.kind == otlp.CLIENT], 20, "spans")
        return {"tango.time.rest_ns" in s.attrs for s in agent.spans()[before:] if s.kind == otlp.SERVER and s.operation == "SleepMs"}

    without = hooks(agent)
    equal([(ledgers(level), hooks(agent) - without) for level in (None, "full", "methods", "full")],
          [({False}, 0), ({True}, 1), ({False}, 0), ({True}, 1)], "ledgers and hooks")
    agent.stop()
