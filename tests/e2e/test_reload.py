"""SIGHUP: the configuration is read again; what is wrong is refused whole; no span is lost by it."""
import collections
import os
import signal
import socket

import bed as beds
import parts
import plans
import scrape
import spans as otlp
from agent import BINARY, Agent, command, need_agent
from harness import check, equal, figure, scaled, wait_for

CALLS = scaled("TT_RELOAD_CALLS", 6000)
AGAIN, REFUSED = "configuration read again", "the configuration is refused"


class Configured:
    """An agent with a file that can be written anew."""

    def __init__(self, bed, text, *args):
        self.bed, self.path = bed, bed.path("tangotrace.yaml")
        self.write(text)
        self.agent = Agent(bed, "--config", self.path, *args, export=[])

    def write(self, text):
        with open(self.path, "w") as f:
            f.write(text)

    def hup(self, expect, seconds=20):
        before = self.agent.proc.stderr.count(expect)
        self.agent.proc.signal(signal.SIGHUP)
        wait_for(lambda: self.agent.proc.stderr.count(expect) > before, seconds, "%r (%s)" % (expect, self.agent.proc.tail()))

    def reload(self, text):
        """Until it is taken: what an earlier one took away may be on its way still."""
        self.write(text)

        def taken():
            good, bad = (self.agent.proc.stderr.count(word) for word in (AGAIN, REFUSED))
            self.agent.proc.signal(signal.SIGHUP)
            wait_for(lambda: self.agent.proc.stderr.count(AGAIN) + self.agent.proc.stderr.count(REFUSED) > good + bad, 20, "an answer")
            return self.agent.proc.stderr.count(AGAIN) > good
        wait_for(taken, 30, "the reload (%s)" % self.agent.proc.tail(), 0.2)


def selecting(bed, *procs):
    return "select: [%s]\n" % ", ".join('"pid:%d"' % p.pid for p in procs)


def test_refused(bed):
    """A file that makes no sense, or an exporter that cannot be opened: one clear line, and nothing has changed."""
    need_agent()
    server = parts.tangotest(bed)
    path = bed.path("a.jsonl")
    good = selecting(bed, server) + "export: [\"file:%s\"]\ndetail: [rpc]\n" % path
    c = Configured(bed, good)
    for text, word in ((good + "sampling-rules: [\"devise=x\"]\n", "%s:4:" % c.path), (good.replace("[rpc]", "[everything]"), "%s:3:" % c.path),
                       (good + "queue-siz: 5\n", "queue-size"), ("select: [\n", "no valid YAML"),
                       (good.replace(path, bed.path("no/such/folder/x")), "No such file or directory"),
                       ("detail: [full]\nmetrics-export: [\"otlp:gopher://x\"]\n", "%s:2:" % c.path)):
        c.write(text)
        c.hup(REFUSED)
        check(word in c.agent.proc.stderr, "it says what is wrong: %s" % word, c.agent.proc.tail())
    os.unlink(c.path)
    c.hup(REFUSED)
    code, out, _ = command("detail", "--control", c.agent.control)
    equal((code, out), (0, "rpc\n"), "detail is what it was")
    equal([e["name"] for e in c.agent.status()["exporters"]], ["file:" + path], "so are exporters")
    c.write(good + "ring-size: 1M\n")
    c.hup(AGAIN)
    check("ring-size cannot change while the agent runs" in c.agent.proc.stderr, "what needs a restart is told", c.agent.proc.tail())
    parts.Client(bed, [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]).finish()
    c.agent.stop()
    check(len(otlp.load(path)) > 0, "it goes on")


def test_under_load(bed):
    """Exporters, sampling, detail, metrics and resources change again and again while thousands of calls run: every span
    of every call arrives once, whole, in one of the files."""
    need_agent()
    server, throw = parts.tangotest(bed), parts.thrower(bed)
    plan = plans.mixed(plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST), plans.at(throw.url("test/thrower/1"), plans.THROWER_FAIL),
                       CALLS, 3, seed=11)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True)
    paths = [bed.path("a.jsonl"), bed.path("b.jsonl")]
    select = selecting(bed, server, throw, client)
    http = "127.0.0.1:%d" % beds.free_port()

    def text(i):
        return select + "\n".join((
            'export: ["file:%s"]' % paths[i % 2], "batch-delay: %d" % (100 + 50 * (i % 4)), "detail: [rpc]",
            'sampling: {rules: ["device=nobody%d; ratio=0"], wait: %ds}' % (i, 1 + i % 3), "metrics: {listen: '%s', device: %s}" % (http, "yes" if i % 2 else "no"),
            "resource-attributes: round=%d" % i, "log-rate: %d" % (100 + i), "join-wait: %ds" % (1 + i % 2))) + "\n"

    c = Configured(bed, text(0))
    before = sum((s.dispatched() for s in (server, throw)), collections.Counter()), client.invoked()
    client.release()
    rounds = 0
    while client.proc.alive() and rounds < 40:
        rounds += 1
        c.reload(text(rounds))
    client.finish()
    served = sum((sum((s.dispatched() for s in (server, throw)), collections.Counter()) - before[0]).values())
    sent = sum((client.invoked() - before[1]).values())
    status = c.agent.status()
    check(scrape.scrape(http).sum("rpc_server_call_duration_seconds_count") >= 0, "the page is there all the time")
    final = c.agent.stop(seconds=30)
    found = [s for path in paths if os.path.exists(path) for s in otlp.load(path)]
    kinds = collections.Counter(s.kind for s in found)
    check(rounds >= 3, "reloads during the load", rounds)
    equal(final["lost"], 0, "lost")
    equal((kinds[otlp.CLIENT], kinds[otlp.SERVER]), (sent, served), "spans of both sides, by the ORB's own log")
    equal(len({(s.trace, s.id) for s in found}), len(found), "each once")
    by_id = {(s.trace, s.id): s for s in found}
    alone = [s for s in found if s.kind == otlp.SERVER and (s.trace, s.parent) not in by_id]
    equal(alone, [], "every request has its call")
    names = {e["name"] for e in status["exporters"]}
    equal(names, {"file:" + p for p in paths}, "status has exporters that were, too")
    total = sum(e["figures"]["queued"] for e in status["exporters"])
    sampling = status["sampling"]
    equal(total, sampling["passed"] + sampling["kept"], "what exporters took is what sampling let pass, over all reloads")
    equal(len({s.resource.get("round") for s in found}) > 2, True, "resources changed")
    figure("%d reloads, %d calls, %d spans" % (rounds, sent, len(found)))


def test_open_spans(bed):
    """A call that is open during a reload of everything is one span with both sides, and its real time."""
    need_agent()
    throw = parts.thrower(bed)
    url = throw.url("test/thrower/1")
    parts.Client(bed, [[("state", url, "", "", "")]], name="warm-up").finish()
    client = parts.Client(bed, [[("command", url, "SleepMs", "long", "2500")]], gate=True)
    paths = [bed.path("a.jsonl"), bed.path("b.jsonl")]
    select = selecting(bed, throw, client)
    c = Configured(bed, select + 'export: ["file:%s"]\n' % paths[0])
    client.release()
    wait_for(lambda: c.agent.status()["assemble"]["open"] > 1, 10, "the call to be open")
    c.reload(select + 'export: ["file:%s"]\ndetail: [full]\nlogs: no\nnative: ignore\nsampling: {background: 1, slow: 5s}\n' % paths[1])
    equal(client.finish()[0].reason, "", "the call")
    c.agent.stop()
    equal(otlp.load(paths[0]) if os.path.exists(paths[0]) else [], [], "nothing had ended before")
    found = [s for s in otlp.load(paths[1]) if s.operation == "SleepMs"]
    equal(sorted(s.kind for s in found if s.kind != otlp.INTERNAL), [otlp.SERVER, otlp.CLIENT], "both sides")
    for s in found:
        check(2.5e9 <= s.end - s.start < 4e9 and not s.attrs.get("tangotrace.incomplete"), "the whole of it", s)


def test_selection(bed):
    """Who is traced changes, and back; levels that were set by hand are as in the file again."""
    need_agent()
    one, two = parts.tangotest(bed, instance="one"), parts.tangotest(bed, instance="two", devices=("sys/tg_test/2",))
    path = bed.path("a.jsonl")
    tail = 'export: ["file:%s"]\nbatch-delay: 100\njoin-wait: 200ms\n' % path
    c = Configured(bed, 'select: ["TangoTest/one"]\n' + tail)

    def traced(i):
        """Servers with SERVER spans of that round of calls."""
        parts.Client(bed, [[("read", one.url("sys/tg_test/1"), "ampli", "", ""), ("read", two.url("sys/tg_test/2"), "ampli", "", "")] * 5]).finish()
        known = seen[0]
        wait_for(lambda: len(servers()) - known >= (10 if i == 2 else 5), 10, "spans of round %d: %d" % (i, len(servers()) - known))
        fresh, seen[0] = servers()[known:], len(servers())
        return {s.pid for s in fresh}

    def servers():
        return [s for s in (otlp.load(path) if os.path.exists(path) else []) if s.kind == otlp.SERVER and s.operation.startswith("read")]
    seen = [0]
    equal(traced(1), {one.pid}, "at first")
    command("detail", "full", "--control", c.agent.control)
    c.reload('select: ["!TangoTest/one", "TangoTest/*"]\n' + tail)
    equal(command("detail", "--control", c.agent.control)[1], "methods\n", "as in the file")
    equal(traced(3), {two.pid}, "the other")
    code, out, _ = command("list", "--control", c.agent.control)
    line = [l for l in out.splitlines() if l.split() and l.split()[0] == str(one.pid)]
    check(line and "no, exclude TangoTest/one" in line[0], "list knows it", out)
    c.reload('select: ["TangoTest/*"]\n' + tail)
    equal(traced(2), {one.pid, two.pid}, "both")
    equal(c.agent.stop()["lost"], 0, "lost")


def test_logs(bed):
    """Log messages are switched on while the agent runs, and off."""
    need_agent()
    throw = parts.tangotest(bed, extra=["-v4"])
    path = bed.path("a.jsonl")
    base = selecting(bed, throw) + 'export: ["file:%s"]\nbatch-delay: 100\n' % path
    c = Configured(bed, base + "logs: no\n")
    url = throw.url("sys/tg_test/1")

    def calls():
        parts.Client(bed, [plans.at(url, plans.TANGOTEST)]).finish()
    calls()
    equal(c.agent.status()["logs"]["made"], 0, "none are read")
    c.reload(base)
    calls()
    wait_for(lambda: c.agent.status()["logs"]["made"] > 0, 10, "log records")
    c.reload(base + "logs: no\n")
    made = c.agent.status()["logs"]["made"]
    calls()
    equal(c.agent.status()["logs"]["made"], made, "no more")
    c.agent.stop()


def test_ports(bed):
    """The port of metrics moves; the rest of the configuration stays with it."""
    need_agent()
    server = parts.tangotest(bed)
    ports = ["127.0.0.1:%d" % beds.free_port() for _ in range(2)]
    base = selecting(bed, server)
    c = Configured(bed, base + "metrics-listen: %s\nexport: [none]\n" % ports[0])
    scrape.scrape(ports[0])
    c.reload(base + "metrics-listen: %s\nexport: [none]\n" % ports[1])
    wait_for(lambda: b"200" in page(ports[1]), 10, "the other port")
    equal(page(ports[0]), b"", "the first one is closed")
    c.reload(base + "export: [none]\n")
    wait_for(lambda: page(ports[1]) == b"", 10, "no port is open")
    c.agent.stop()


def test_control(bed):
    """The control socket moves: who asks at the new place is answered, at the old one there is nobody."""
    need_agent()
    server = parts.tangotest(bed)
    path, old, new = (bed.path(name) for name in ("tangotrace.yaml", "old.sock", "new.sock"))

    def write(control):
        with open(path, "w") as f:
            f.write(selecting(bed, server) + "export: [none]\ncontrol: %s\n" % control)
    write(old)
    agent = bed.start("agent", [BINARY, "run", "--config", path])
    agent.wait_text("tangotrace: ready", 30)
    equal(command("status", "--control", old)[0], 0, "at the first place")
    write(new)
    agent.signal(signal.SIGHUP)
    agent.wait_text(AGAIN, 20)
    equal((command("status", "--control", new)[0], command("status", "--control", old)[0]), (0, 1), "at the new one, at the old one")
    agent.signal(signal.SIGINT)
    equal(agent.wait(15), 0, "exit code")
    check(not os.path.exists(new) and not os.path.exists(old), "no socket is left")


def page(address):
    host, port = address.split(":")
    try:
        with socket.create_connection((host, int(port)), 5) as s:
            s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return s.recv(4096)
    except OSError:
        return b""


def test_systemd(bed):
    """READY, RELOADING with a time, READY again, WATCHDOG while it lives, STOPPING."""
    need_agent()
    server = parts.tangotest(bed)
    path = bed.path("notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(10)
        bed.env.update(NOTIFY_SOCKET=path, WATCHDOG_USEC="1000000")
        c = Configured(bed, selecting(bed, server) + "export: [none]\n")
        words = lambda: s.recv(4096).decode()
        equal(words(), "READY=1", "first")
        equal(words(), "WATCHDOG=1", "it lives")
        equal(words(), "WATCHDOG=1", "it lives on")
        c.hup(AGAIN)
        said = [words()]
        while said[-1] != "READY=1":
            said.append(words())
        said = [w for w in said if w != "WATCHDOG=1"]
        check(said[0].startswith("RELOADING=1\nMONOTONIC_USEC=") and said[1:] == ["READY=1"], "the reload", said)
        c.agent.stop()
        said = words()
        while said == "WATCHDOG=1":
            said = words()
        equal(said, "STOPPING=1", "last")
