"""What goes on in a server without being asked for: log messages, polling, events, start and stop."""
import collections
import os
import re
import signal
import time

import bed as beds
import parts
import scrape
import spans as otlp
from agent import Agent, command, need_agent
from harness import HERE, check, equal, figure, scaled, wait_for
from test_python import code_of, functions_of

PUSHER = os.path.join(HERE, "servers", "pusher.py")
SUBSCRIBER = os.path.join(HERE, "clients", "subscriber.py")
DEVICE = "test/pusher/1"
EVENTS = scaled("TT_EVENTS", 1000)
LOST = scaled("TT_EVENTS_LOST", 5000)  # pushed while the subscriber is stopped
DEBIAN = "debian"
CPP = "cpp"  # Debian's, too
LONG = bool(os.environ.get("TT_LONG"))
SEVERITY = {"FATAL": 21, "ERROR": 17, "WARN": 13, "INFO": 9, "DEBUG": 5}


def python_of(build):
    return beds.PYTHON if build == DEBIAN else beds.wheel_python(build)


def pusher(bed, build, **kw):
    return parts.start_server(bed, [python_of(build), PUSHER], "p", ["Pusher::" + DEVICE], **kw)


def call(bed, build, url, code, seconds=120):
    """Runs `code` with `d`, a proxy of the device, in a process of its own."""
    text = "import tango, time; d = tango.DeviceProxy(%r); d.set_timeout_millis(60000); %s" % (url, code)
    return bed.run("call", [python_of(build), "-c", text], seconds=seconds)


def by_id(spans):
    return {s.id: s for s in spans}


def request_of(log, spans):
    """Id of the SERVER span around the record."""
    ids, span = by_id(spans), by_id(spans).get(log.span)
    while span and span.kind != otlp.SERVER:
        span = ids.get(span.parent)
    return span and span.id


def check_in(log, spans, name):
    """The log record lies in a span of that name, in its time, trace and process."""
    span = by_id(spans).get(log.span)
    check(span is not None, "%r has no span" % log)
    check(re.search(name, span.name), "%r is in %s" % (log, span.name))
    equal((log.trace, log.pid), (span.trace, span.pid), "trace and process of %r" % log)
    check(span.start <= log.time <= span.end, "%r is not in the time of its span" % log)


# ---- logs

# "1764149999 [139..] DEBUG sys/tg_test/1 text"; from 10 on "2026-11-26T09:39:59,712152+0000 DEBUG (TangoTest.cpp:602) sys/.. text"
LINE = re.compile(r"^(?:\d+ \[\d+\]|\S+T\S+) (\w+) (?:\(\S+:\d+\) )?(\S+) (.*)$", re.M)


def test_logs_of_cpp(bed):
    """Every message of TangoTest at level DEBUG, as its own console shows them, each inside the request it is of."""
    need_agent()
    server = parts.tangotest(bed, extra=("-v4",))
    url = server.url("sys/tg_test/1")
    call(bed, DEBIAN, url, "d.read_attribute('ampli')")
    agent = Agent(bed)
    call(bed, DEBIAN, url, "[(d.read_attribute('double_scalar'), d.command_inout('DevDouble', 1.5)) for i in range(50)]")
    final = agent.stop()
    server.proc.stop()
    spans, logs = agent.spans(), [log for log in agent.logs() if log.logger == "sys/tg_test/1"]
    shown = [line for line in LINE.findall(server.proc.stdout) if line[1] == "sys/tg_test/1"]
    written = collections.Counter((level, text.strip()) for level, _, text in shown)
    read = collections.Counter((log.text, log.body.strip()) for log in logs)
    figure("%d log records of 100 requests" % len(logs))
    check(len(logs) >= 300, "%d log records" % len(logs))
    # the console has those of before and after the agent as well
    check(not read - written, "messages that were never written", read - written)
    # a thread of TangoTest's own writes some, too, outside any request
    equal({log.body.split("::")[0] for log in logs if not log.span} - {"DataGenerator"}, set(), "messages without a span")
    logs = [log for log in logs if log.span]
    served = {log: request_of(log, spans) for log in logs}
    requests = set(served.values())
    equal(len(requests), 100, "requests with messages")
    for level, severity in SEVERITY.items():
        equal({log.severity for log in logs if log.text == level} - {severity}, set(), level)
    for log in logs:
        check_in(log, spans, r"read_attributes|command_inout|TangoTest\.")
        equal(log.resource.get("service.name"), "TangoTest", "service.name")
        equal(log.resource.get("service.instance.id"), "sys/tg_test/1", "service.instance.id")
    # of one read: always the same messages, none missing
    each = collections.Counter(tuple(sorted(log.body.split("(")[0] for log in logs if served[log] == span)) for span in requests)
    equal(sorted(each.values()), [50, 50], "kinds of requests by their messages")
    equal(final["lost"], 0, "lost")


def logs_of_python(build):
    def test(bed):
        need_agent()
        server = pusher(bed, build, extra=("-v4",))
        call(bed, build, server.url(DEVICE), "d.ping()")
        agent = Agent(bed)
        call(bed, build, server.url(DEVICE), "[d.command_inout('Complain') for i in range(20)]")
        agent.stop()
        spans = agent.spans()
        logs = [log for log in agent.logs() if log.logger == DEVICE]
        mine = [log for log in logs if log.body in ("before", "something odd") or log.body.startswith("xxx")]
        equal(collections.Counter(log.text for log in mine), {"DEBUG": 20, "WARN": 20, "ERROR": 20}, "messages")
        for log in mine:
            check_in(log, spans, "command_inout|Complain")
            equal(log.severity, SEVERITY[log.text], "severity")
            equal(log.resource.get("service.name"), "Pusher", "service.name")
            if build != DEBIAN:
                check(log.attrs["code.file.path"].endswith(".py") and log.attrs["code.line.number"] > 0, "where", log.attrs)
        long = [log for log in mine if log.text == "ERROR"]
        equal({(len(log.body), log.attrs.get("tangotrace.log.length")) for log in long}, {(1023, 3000)}, "cut")
        equal({tuple(log.attrs["tangotrace.incomplete"]) for log in long}, {("field_cut",)}, "marked")
    return test


def test_logs_limited(bed):
    """More than --log-rate are dropped and counted; --no-logs reads none."""
    need_agent()
    server = parts.tangotest(bed, extra=("-v4",))
    url = server.url("sys/tg_test/1")
    agent = Agent(bed, "--log-rate", "10")
    call(bed, DEBIAN, url, "[d.read_attribute('double_scalar') for i in range(200)]")
    final = agent.stop()
    logs = [log for log in agent.logs() if log.pid == server.pid]
    seconds = collections.Counter(log.time // 10**9 for log in logs)
    check(logs and final["reasons"].get("logs beyond their rate", 0) >= 400, "final line", final)
    # a second of the limit may lie across two of ours
    check(max(seconds.values()) <= 20, "per second", seconds)
    without = Agent(bed, "--no-logs")
    call(bed, DEBIAN, url, "d.read_attribute('double_scalar')")
    without.stop()
    equal(len(without.logs()), 0, "log records with --no-logs")
    check(without.spans(), "spans with --no-logs")


# ---- levels

def test_detail(bed):
    """tangotrace detail changes what is traced while it runs, per program, and calls go on being traced."""
    need_agent()
    one = parts.tangotest(bed, extra=("-v4",))
    two = parts.tangotest(bed, instance="two", devices=("sys/tg_test/2",), extra=("-v4",))
    urls = (one.url("sys/tg_test/1"), two.url("sys/tg_test/2"))
    agent = Agent(bed, "--detail", "rpc", "--detail", "methods:TangoTest/two")

    def logs_after(done, where):
        before = len(agent_logs())
        for url in urls:
            call(bed, DEBIAN, url, "[d.read_attribute('double_scalar') for i in range(10)]")
        wait_for(lambda: sum(1 for s in agent.spans() if s.kind == otlp.SERVER and "read_attributes" in s.name) >= done,
                 10, "spans")
        wait_for(lambda: sum(1 for log in agent_logs()[before:] if log.pid == where.pid) >= 30, 10, "log records")
        return collections.Counter(log.pid for log in agent_logs()[before:])

    def agent_logs():
        return [log for log in agent.logs() if log.pid in (one.pid, two.pid) and log.span]

    def set_level(*words):
        code, out, err = command("detail", *words, "--control", agent.control)
        equal(code, 0, "tangotrace detail: " + err)
        return out

    equal(logs_after(20, two)[one.pid], 0, "log records at rpc")
    check("rpc" in set_level(), "shows its rules")
    set_level("methods", "pid:%d" % one.pid)
    set_level("rpc", "TangoTest/two")
    equal(logs_after(40, one)[two.pid], 0, "log records at rpc, changed")
    code, _, err = command("detail", "everything", "--control", agent.control)
    check(code == 1 and "no level" in err, "refused", err)
    code, out, _ = command("list", "--control", agent.control)
    check(re.search(r"%d .*methods, 6 traps a read \+ its methods" % one.pid, out) and re.search(r"%d .*rpc, 6 traps a read  " % two.pid, out),
          "list", out)
    agent.stop()
    incomplete = [s for s in agent.spans() if "end_unknown" in s.attrs.get("tangotrace.incomplete", ())]
    equal(incomplete, [], "spans without an end")


TIMED = os.path.join(HERE, "servers", "timed.py")


def detail_while_open(build):
    """A call that is open while less and less of its program is traced is whole, and so is the method in it."""
    def test(bed):
        need_agent()
        server, device, class_name = (parts.thrower(bed), "test/thrower/1", "Thrower") if build == CPP else (
            parts.start_server(bed, [python_of(build), TIMED], "t", ["Timed::test/timed/1"]), "test/timed/1", "Timed")
        agent = Agent(bed, "--detail", "full")
        python = beds.PYTHON if build == CPP else python_of(build)  # on the server's library, which has its probes already
        client = bed.start("client", [python, "-c", "import tango; d = tango.DeviceProxy(%r); d.ping(); d.command_inout('SleepMs', 1500)"
                                      % server.url(device)])
        wait_for(lambda: agent.status()["assemble"]["open"] >= 3, 15, "the call and its method to be open")
        for level in ("methods", "rpc"):
            code, _, err = command("detail", level, "--control", agent.control)
            equal(code, 0, err)
        check(client.alive(), "the call is open all the while")
        client.finish(20)
        agent.stop()
        found = [s for s in agent.spans() if s.operation in ("SleepMs", class_name + ".SleepMs")]
        equal(sorted(s.kind for s in found), [otlp.INTERNAL, otlp.SERVER, otlp.CLIENT], "its spans")
        ids = by_id(found)
        for s in found:
            check(1.5e9 <= s.end - s.start < 4e9 and not s.attrs.get("tangotrace.incomplete"), "the whole of it", s)
            check(s.kind == otlp.CLIENT or s.parent in ids, "below the one before", s)
    return test


# ---- polling

def polling(build):
    def test(bed):
        need_agent()
        if build == DEBIAN:
            # with a database: without one cppTango 9.3 has no events of what is polled
            server, device, attr, cmd = parts.tangotest(bed, parts.Database(bed)), "sys/tg_test/1", "double_scalar", "DevVoid"
        else:
            server, device, attr, cmd = pusher(bed, build), DEVICE, "number", "Tick"
        url = server.url(device)
        call(bed, build, url, "d.poll_attribute(%r, 100); d.poll_command(%r, 200)" % (attr, cmd))
        code = "import sys, time, tango; d = tango.DeviceProxy(sys.argv[1]); d.subscribe_event(sys.argv[2], tango.EventType.PERIODIC_EVENT, " \
               "lambda event: None); print('up', flush=True); time.sleep(60)"
        bed.start("subscriber", [python_of(build), "-c", code, url, attr]).wait_text("up", 30)
        agent = Agent(bed)
        ready = time.time_ns()
        wait_for(lambda: sum(1 for s in agent.spans() if "PollThread" in s.name) >= 25, 20, "25 polls")
        wait_for(lambda: sum(1 for s in agent.spans() if s.kind == otlp.PRODUCER) >= 2, 20, "events of what is polled")
        agent.stop()
        spans = agent.spans()
        roots = [s for s in spans if "PollThread" in s.name]
        attrs = [s for s in roots if s.name.endswith("poll_attr")]
        commands = [s for s in roots if s.name.endswith("poll_cmd")]
        check(len(attrs) >= 12 and len(commands) >= 6, "%d and %d polls" % (len(attrs), len(commands)))
        for s in roots:
            equal((s.kind, s.parent, s.attrs.get("tango.trigger")), (otlp.INTERNAL, otlp.NO_PARENT, "polling"), "root")
            equal(s.device, device, "device")
            equal(s.resource.get("service.instance.id"), device, "resource")
            check(abs(s.attrs["tango.polling.late_us"]) < 2000000, "lateness", s.attrs)
        equal({s.attrs["tango.polling.period_ms"] for s in attrs}, {100}, "period")
        equal({s.operation for s in attrs}, {"poll " + attr}, "operation")
        equal({s.attrs["tango.polling.period_ms"] for s in commands}, {200}, "period of the command")
        equal({s.operation.lower() for s in commands}, {"poll " + cmd.lower()}, "operation")
        whole = by_id(roots)
        # the last one may still have been open when the agent stopped
        inner = [s for s in spans if s.parent in whole and "read_attributes" in s.name]
        equal(len({s.parent for s in inner}), len(attrs), "reads below the polls")
        for s in inner:
            equal((s.kind, s.attrs.get("tango.trigger"), s.trace), (otlp.INTERNAL, "polling", whole[s.parent].trace), "read")
        reads, ran = by_id(inner), collections.defaultdict(list)
        for s in sorted(spans, key=lambda s: s.start):
            if s.is_method:
                ran[s.parent].append(s.name)
        method = "TangoTest.read_double_scalar" if build == DEBIAN else "Pusher.number"
        # of one that began before all probes were there the method may be missing
        equal({ran[s.id][-1:] == [method] for s in inner if s.start >= ready}, {True}, "the user's method below what polls")
        equal({ran[s.id][-1] for s in commands if ran[s.id]}, {"TangoTest.DevVoid" if build == DEBIAN else "Pusher.Tick"},
              "the user's method of the command")
        pushes = [s for s in spans if s.kind == otlp.PRODUCER and s.attrs["tango.event.type"] == "periodic"]
        check(len(pushes) >= 2, "%d events of what is polled" % len(pushes))
        for s in pushes:
            equal((s.parent in whole, s.trace in {r.trace for r in attrs}, s.operation), (True, True, "push periodic " + attr),
                  "what an event of polling lies below")
        late = sorted(s.attrs["tango.polling.late_us"] for s in attrs)
        figure("late by %d us (median), %d us at most" % (late[len(late) // 2], late[-1]))
    return test


# ---- events

def lines(proc, word):
    return [int(line.split()[1]) for line in proc.stdout.splitlines() if line.startswith(word + " ")]


def subscriber(bed, build, url, attr):
    proc = bed.start("subscriber", [python_of(build), SUBSCRIBER, url, attr])
    proc.wait_text("up", 30)
    wait_for(lambda: lines(proc, "first"), 15, "the event of the subscription")
    return proc


def warmed(bed, server_build, url, procs, push="Push"):
    """The first event after a subscription may come before the connection is there: until each has one."""
    def arrived():
        call(bed, server_build, url, "d.command_inout(%r, 1)" % push)
        return all(lines(p, "event") for p in procs)
    wait_for(arrived, 30, "a first event at each subscriber")


def check_messaging(producer, consumer):
    equal(consumer.attrs["messaging.destination.name"], producer.attrs["messaging.destination.name"], "topic")
    equal(consumer.attrs["tango.attribute.names"], [n.lower() for n in producer.attrs["tango.attribute.names"]], "attribute")
    equal(consumer.attrs["tango.event.counter"], producer.attrs["tango.event.counter"], "counter")
    equal((producer.trace, producer.id), (consumer.trace, consumer.parent), "parent")
    equal(consumer.attrs["tangotrace.parent.proof"], "event", "proof")
    check(producer.start <= consumer.start, "received before it was sent")
    check(0 <= consumer.attrs["tango.event.latency_us"] < 10**7, "latency", consumer.attrs)


def events(server_build, builds):
    """Every event pushed is one PRODUCER in the command that pushes it, and one CONSUMER in each subscriber. With a
    database: without one cppTango 9.3 numbers no events."""
    def test(bed):
        need_agent()
        server = pusher(bed, server_build, database=parts.Database(bed))
        url = server.url(DEVICE)
        procs = [subscriber(bed, build, url, "number") for build in builds]
        warmed(bed, server_build, url, procs)
        agent = Agent(bed)
        before = [len(lines(p, "event")) for p in procs]
        call(bed, server_build, url, "[d.command_inout('Push', 50) for i in range(%d)]" % (EVENTS // 50))
        for proc, count in zip(procs, before):
            wait_for(lambda: len(lines(proc, "event")) >= count + EVENTS, 60, "%d events" % EVENTS)
        status = agent.status()
        agent.stop()
        spans = agent.spans()
        sent = [s for s in spans if s.kind == otlp.PRODUCER and s.pid == server.pid]
        whole = by_id(spans)
        equal(len(sent), EVENTS, "PRODUCER spans")
        for s in sent:
            check(s.parent in whole, "a push without its cause", s)
            equal(whole[s.parent].name, "Pusher.Push", "what pushes")
            equal((s.device, s.operation, s.attrs["tango.event.type"]), (DEVICE, "push change number", "change"), "push")
            equal((s.attrs["messaging.system"], s.attrs.get("tango.event.size")), ("tango", 1), "messaging.system and size")
        # who listens is known once the first event has come
        later = sorted(sent, key=lambda s: s.start)[EVENTS // 2:]
        equal({s.attrs.get("tango.event.subscribers") for s in later}, {len(procs)}, "subscribers")
        for proc, count in zip(procs, before):
            got = [s for s in spans if s.kind == otlp.CONSUMER and s.pid == proc.pid]
            twice = [s for s in got if s.attrs.get("tango.event.again")]
            check(len(twice) <= 1, "cppTango sends at most one event twice here", twice)
            equal(len(got) - len(twice), len(lines(proc, "event")) - count, "CONSUMER spans of %s" % proc.name)
            equal(len({s.attrs["tango.event.counter"] for s in got}), EVENTS, "different events")
            for s in got:
                check(s.parent in whole, "an event without its sender", s)
                check_messaging(whole[s.parent], s)
                equal((s.device, s.operation, s.attrs.get("tango.event.lost")), (DEVICE, "event change number", None), "event")
        equal(status["correlate"]["events_lost"], 0, "events lost")
        latencies = sorted(s.attrs["tango.event.latency_us"] for s in spans if s.kind == otlp.CONSUMER)
        figure("%d pushed, %d received; latency %d us (median)" % (len(sent), len(latencies), latencies[len(latencies) // 2]))
    return test


def test_events_lost(bed):
    """A subscriber that is stopped misses events: as many as the numbers of those it gets say."""
    need_agent()
    build = "10.3.1"
    server = pusher(bed, build, database=parts.Database(bed))
    url = server.url(DEVICE)
    proc = subscriber(bed, build, url, "block")
    warmed(bed, build, url, [proc], "PushSlowly")
    agent = Agent(bed)
    call(bed, build, url, "d.command_inout('PushSlowly', 5)")
    wait_for(lambda: len(lines(proc, "event")) >= 5, 30, "events before")
    proc.signal(signal.SIGSTOP)
    call(bed, build, url, "[d.command_inout('PushBlocks', 500) for i in range(%d)]" % (LOST // 500))
    proc.signal(signal.SIGCONT)

    def whole_again():
        call(bed, build, url, "d.command_inout('PushSlowly', 5)")
        got = lines(proc, "event")
        return len(got) > 2 and got[-1] - got[-2] == 1 and got[-1] > LOST
    wait_for(whole_again, 60, "the subscriber to be up to date")
    wait_for(lambda: "API_MissedEvents" in proc.stdout, 10, "cppTango's own word")
    agent.stop()
    consumed = [s for s in agent.spans() if s.kind == otlp.CONSUMER and s.pid == proc.pid]
    numbers = lines(proc, "event")[-len(consumed):]
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    figure("%d received, %d missed" % (len(numbers), missing))
    check(missing > 100, "nothing was lost")
    sizes = collections.Counter(s.attrs.get("tango.event.size") for s in agent.spans() if s.kind == otlp.PRODUCER and s.pid == server.pid)
    check(set(sizes) == {1, 200} and sizes[200] == LOST, "sizes of what was pushed", sizes)
    equal(sum(s.attrs.get("tango.event.lost", 0) for s in consumed), missing, "events lost")


# ---- heartbeats

HEARTBEATS = os.path.join(HERE, "clients", "heartbeats.py")
BEATS = 3 if LONG else 1  # every 9 s


def heartbeats(build):
    """The metrics count each heartbeat that a socket of our own gets, too: once as sent, once for each subscriber."""
    def test(bed):
        need_agent()
        server = pusher(bed, build, database=parts.Database(bed))
        procs = [subscriber(bed, b, server.url(DEVICE), "number") for b in (build, DEBIAN)]
        said = call(bed, build, "dserver/pusher/p", "print(d.command_inout('ZmqEventSubscriptionChange', ['info'])[1])").stdout
        witness = bed.start("heartbeats", [beds.PYTHON, HEARTBEATS, re.search(r"tcp://[^\s'\"]+", said).group(0)])
        witness.wait_text("up")
        address = "127.0.0.1:%d" % beds.free_port()
        agent = Agent(bed, "--metrics-listen", address)

        def witnessed():
            return witness.stdout.count("heartbeat ")

        def counted():
            metrics = scrape.scrape(address)
            sent, received = ("tango_event_heartbeats_%s_total" % what for what in ("sent", "received"))
            return [metrics.sum(sent, tango_server_name="pusher/p")] + [
                metrics.sum(received, tango_server_name="pusher/p", tango_program_name="subscriber")]
        wait_for(witnessed, 20, "a first heartbeat")
        time.sleep(1)  # it has arrived everywhere, and the next one is far away
        first, before = witnessed(), counted()
        wait_for(lambda: witnessed() >= first + BEATS, 12 * BEATS, "%d heartbeats" % BEATS)
        time.sleep(1)
        beats = witnessed() - first
        equal([a - b for a, b in zip(counted(), before)], [beats, beats * len(procs)], "heartbeats sent, received")
        figure("%d heartbeats to %d subscribers: %s" % (beats, len(procs), witness.stdout.split()[2]))
        status = agent.status()
        agent.stop()
        check(not any("heartbeat" in s.name for s in agent.spans()), "heartbeats are no spans")
        equal(status["lost"] if "lost" in status else 0, 0, "nothing lost")
    return test


# ---- start and stop

def check_devices(mine, start, names, devices, class_name, python):
    """Each device is initialised in the trace of its server's start, and deleted in that of its end."""
    by = by_id(mine)
    inits = [s for s in start if s.name == class_name + ".init_device"]
    equal(sorted(s.device for s in inits), sorted(devices), "devices initialised, of %s" % names)
    for s in inits:
        equal((s.kind, s.resource.get("service.instance.id"), s.resource.get("service.name")), (otlp.INTERNAL, s.device, class_name), "init_device")
        equal(s.scope["name"], "tango.python.server" if python else "tango.cpp", "scope")
        if python:  # it has its properties read
            equal(code_of(s), (class_name + ".init_device",) + functions_of(PUSHER)["init_device"][1:], "place of init_device")
        check(s.parent in by and by[s.parent].start <= s.start <= s.end <= by[s.parent].end, "inside its parent", s, by.get(s.parent))
        equal("end_unknown" in s.attrs.get("tangotrace.incomplete", ()), python, "its end is a bound")
        exported = next(e for e in start if e.name == "Tango::DeviceClass::export_device" and e.device == s.device)
        check(s.end <= exported.start, "initialised, then exported", s, exported)
    inits.sort(key=lambda s: s.start)
    check(all(a.end <= b.start for a, b in zip(inits, inits[1:])), "one after the other", inits)
    deleted = [s for s in mine if s.name == class_name + ".delete_device"]
    # which one it is Python does not tell at that time
    equal(sorted(s.device for s in deleted), [""] * len(devices) if python else sorted(devices), "devices deleted")
    for s in deleted:
        equal((by[s.parent].name, by[s.parent].attrs.get("tango.trigger")), ("Tango::DeviceClass::delete_dev", "shutdown"), "what deletes")
        unregistered = by[by[s.parent].parent]
        equal((unregistered.name, unregistered.parent, by[s.parent].attrs["tangotrace.parent.proof"]),
              ("Tango::Util::unregister_server", otlp.NO_PARENT, "process"), "one trace of the end")


def life(build):
    def test(bed):
        need_agent()
        database = parts.Database(bed)
        if build == CPP:  # so that the library is known to the agent
            parts.tangotest(bed, instance="other", devices=("sys/tg_test/9",))
        else:
            parts.start_server(bed, [python_of(build), PUSHER], "other", ["Pusher::test/other/1"])
        agent = Agent(bed)
        if build == CPP:
            server, devices = parts.tangotest(bed, database), {"sys/tg_test/1"}
        else:
            devices = {"test/pusher/1", "test/pusher/2"}
            server = parts.start_server(bed, [python_of(build), PUSHER], "p", ["Pusher::" + d for d in sorted(devices)], database)
        if build in ("9.5.1", "10.0.4"):  # a signal ends these at once
            call(bed, build, "dserver/pusher/p", "d.command_inout('Kill')")
            server.proc.wait(20)
        server.proc.stop()
        agent.stop()
        mine = [s for s in agent.spans() if s.pid == server.pid]
        first = [s for s in mine if s.name == "Tango::Util::init"]
        equal(len(first), 1, "starts")
        start = [s for s in mine if s.trace == first[0].trace]
        names = collections.Counter(s.name for s in start)
        equal((names["Tango::Util::server_init"], first[0].parent), (1, otlp.NO_PARENT), "one trace")
        equal(first[0].attrs.get("tango.trigger"), "startup", "trigger")
        exported = {s.device for s in start if s.name == "Tango::DeviceClass::export_device"}
        check(devices <= exported, "exported devices", exported)
        asked = [s for s in start if s.kind == otlp.CLIENT]
        check(any(s.attrs.get("peer.service") == "DataBase" for s in asked), "the database's part", names)
        check_devices(mine, start, names, devices, "TangoTest" if build == CPP else "Pusher", build != CPP)
        stop = [s for s in mine if s.attrs.get("tango.trigger") == "shutdown"]
        check(stop, "the end of the server", [s.name for s in mine])
        figure("%d spans of the start, %d of them to the database" % (len(start), len(asked)))
    return test


for key, function in (
        [("detail_while_open_" + b, detail_while_open(b)) for b in (CPP, DEBIAN, "10.3.1")] +
        [("logs_of_python_" + b, logs_of_python(b)) for b in (DEBIAN, "9.5.1", "10.3.1")] +
        [("polling_" + b, polling(b)) for b in (DEBIAN, "10.3.1")] +
        [("events_" + b, events(b, others)) for b, others in ((DEBIAN, (DEBIAN, "10.3.1")), ("10.3.1", ("10.3.1", DEBIAN)))] +
        [("heartbeats_" + b, heartbeats(b)) for b in (DEBIAN, "10.3.1")] +
        [("life_" + b, life(b)) for b in [CPP, DEBIAN, "10.0.4", "10.3.1"] + ["9.5.1"] * LONG]):
    if not beds.runs_here(key.rpartition("_")[2]):
        continue
    function.__module__ = __name__
    globals()["test_" + key.replace(".", "_")] = function
