"""Calls that end badly or whose other side is not traced: no guess, no false success, no lost span."""
import signal

import parts
import plans
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import check, equal, wait_for


def test_timeout(bed):
    """The client gives up first: its span ends with the exception, the server's goes on and stays its child."""
    need_agent()
    server = parts.thrower(bed)
    url = server.url("test/thrower/1")
    plan = [[("command", url, "SleepMs", "long", "600"), ("command", url, "Twice", "long", "1")]]
    client = parts.Client(bed, plan, gate=True, flags=["--timeout", "150"])
    agent = Agent(bed)
    client.release()
    log = client.finish()
    # the server is still asleep: wait until its own ORB has answered the second call
    wait_for(lambda: server.dispatched()["command_inout_4"] >= 2, 10, "the second command at the server")
    final = agent.stop()
    spans = agent.spans()
    equal(log[0].reason, "API_CorbaException", "the client's own view")
    check("imeout" in log[0].answer or "imed" in log[0].answer, "it was a timeout", log[0])
    slow = [s for s in spans if s.operation == "SleepMs"]
    equal(sorted(s.kind for s in slow), [otlp.SERVER, otlp.CLIENT], "kinds of the spans of the slow command")
    server_span, client_span = sorted(slow, key=lambda s: s.kind)
    check(client_span.failed, "the client's span is an error", client_span)
    equal(client_span.attrs.get("error.type"), "API_CorbaException", "error.type")
    check("API_DeviceTimedOut" in str(client_span.exceptions), "the exception says timeout", *client_span.exceptions)
    check(150e6 <= client_span.end - client_span.start < 500e6, "the client's span lasts as long as it waited",
          client_span.end - client_span.start)
    equal(server_span.parent, client_span.id, "the server's span is the client's child")
    check(final["lost"] == 0, "nothing lost", final)


def test_refused(bed):
    """The server has gone: every call ends with its exception, and there is no server span."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    plan = [[("read", url, "ampli", "", ""), ("command", url, "DevVoid", "void", ""), ("ping", url, "", "", "")]]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed)
    server.proc.stop()
    client.release()
    log = client.finish()
    final = agent.stop()
    spans = agent.spans()
    check(all(line.reason for line in log), "every call fails", *log)
    want = [(truth.API[line.operation], line.reason) for line in log]
    got = [(s.name, s.attrs.get("error.type")) for s in truth.of(spans, client.pid) if s.name in truth.API.values() and
           s.parent not in {t.id for t in truth.of(spans, client.pid)}]
    truth.same(want, got, "spans of refused calls")
    for span in truth.of(spans, client.pid):
        check(span.failed == bool(span.exceptions), "a failed span carries its exception", span)
    equal(truth.of(spans, server.pid, otlp.SERVER), [], "server spans")
    check(final["lost"] == 0, "nothing lost", final)


def test_server_dies_in_a_call(bed):
    """SIGKILL in mid-call: the client's span is an error, nobody invents the server's success."""
    need_agent()
    server = parts.thrower(bed)
    plan = [[("command", server.url("test/thrower/1"), "SleepMs", "long", "2500")]]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed)
    before = server.dispatched()["command_inout_4"]
    client.release()
    wait_for(lambda: server.dispatched()["command_inout_4"] > before, 10, "the command at the server")
    server.proc.signal(signal.SIGKILL)
    log = client.finish()
    agent.stop()
    spans = agent.spans()
    check(log[0].reason, "the call fails", log)
    mine = truth.client_calls(spans, client.pid)
    check(mine and mine[0].failed, "the client's span is an error", *mine)
    for span in truth.of(spans, server.pid, otlp.SERVER):
        check("tangotrace.incomplete" in span.attrs, "a server span that never ended says so", span)


def one_side(bed, exclude, traced):
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST + plans.TANGOTEST_FAIL)]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, "--exclude", exclude)
    before = server.dispatched()
    client.release()
    log = client.finish()
    counted = server.dispatched()
    counted.subtract(before)
    final = agent.stop()
    spans = agent.spans()
    pid, kind = (server.pid, otlp.SERVER) if traced == "server" else (client.pid, otlp.CLIENT)
    check(spans and all(s.pid == pid for s in spans), "only spans of the selected process",
          *[s for s in spans if s.pid != pid][:3])
    truth.check_wire(spans, pid, kind, +counted)
    for span in spans:
        check(span.kind != kind or not span.parent, "a root", span)
    truth.check_certain(spans)
    check(final["lost"] == 0, "nothing lost", final)
    return client, log, spans


def test_client_not_selected(bed):
    need_agent()
    one_side(bed, "exe:*mix", "server")


def test_server_not_selected(bed):
    need_agent()
    client, log, spans = one_side(bed, "server:TangoTest/*", "client")
    truth.check_client(spans, client.pid, log)


def test_select_by_server(bed):
    """Only includes: the rest is out; names of servers without regard to case."""
    need_agent()
    first, second = parts.tangotest(bed, instance="one"), parts.tangotest(bed, instance="two")
    plan = [plans.at(s.url("sys/tg_test/1"), plans.TANGOTEST) for s in (first, second)]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, "--select", "server:tangotest/ONE")
    client.release()
    client.finish()
    agent.stop()
    spans = agent.spans()
    check(spans and {s.pid for s in spans} == {first.pid}, "only the selected server", {s.pid for s in spans})


def test_exec_error_details(bed):
    """The whole DevError stack reaches the span: reason, description, origin, in the order of the client's."""
    need_agent()
    server = parts.thrower(bed)
    plan = [[("command", server.url("test/thrower/1"), "RethrowDev", "long", "4")]]
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed)
    client.release()
    client.finish()
    agent.stop()
    sides = [s for s in agent.spans() if s.kind in (otlp.CLIENT, otlp.SERVER)]
    equal({s.kind for s in sides}, {otlp.CLIENT, otlp.SERVER}, "both sides of the call")
    for span in sides:
        text = [" ".join(str(v) for v in e.values()) for e in span.exceptions]
        check(len(text) >= 2, "one exception event per DevError", span, *text)
        check("Thrower_Refused" in text[0] and "refused 4" in text[0], "the first thrown comes first", *text)
        check("Thrower_Again" in text[1] and "refused again" in text[1], "then the rethrown", *text)
        equal(span.attrs.get("error.type"), "Thrower_Refused", "error.type")
        check(span.message.startswith("Thrower_Refused: refused 4"), "status description 'reason: desc'", span.message)
