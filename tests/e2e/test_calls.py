"""Every call of real clients on real servers gives exactly one CLIENT and one SERVER span, rightly joined.

C++ and PyTango clients; TangoTest, a C++ server that fails in every way and a PyTango server behind each of them; TCP
(no database) and unix sockets (found through a database). The client's log and omniORB's own log of requests say what
happened; the spans must say the same, to the last call.
"""
import bed as beds
import parts
import plans
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import check, check_all, equal, figure, scaled

CALLS = scaled("TT_CALLS", 10000)
# What PyTango asks the server for on its own account before a command or a write (wheels.md, join-keys.md)
PYTANGO_AUX = ("Tango::Connection::command_query", "Tango::DeviceProxy::command_query",
               "Tango::DeviceProxy::get_attribute_config", "Tango::DeviceProxy::get_attribute_config_ex",
               "Tango::DeviceProxy::attribute_query")


def system(bed, database, server_python=beds.PYTHON, **kw):
    """Three servers: TangoTest, the C++ thrower, a PyTango Follower."""
    return [parts.tangotest(bed, database, **kw), parts.thrower(bed, database, **kw),
            parts.follower(bed, database, python=server_python, **kw)]


def plan_for(servers, calls, threads, seed, python=False):
    test, throw, follow = servers
    good = (plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST) + plans.at(throw.url("test/thrower/1"), plans.THROWER) +
            plans.at(follow.url("test/follower/1"), plans.FOLLOWER))
    bad = (plans.at(test.url("sys/tg_test/1"), plans.TANGOTEST_FAIL) +
           plans.at(throw.url("test/thrower/1"), plans.THROWER_FAIL) +
           plans.at(follow.url("test/follower/1"), plans.FOLLOWER_FAIL))
    if not python:
        bad += plans.at(test.url("sys/tg_test/1"), plans.CPP_ONLY_FAIL)
    return plans.mixed(good, bad, calls, threads, seed)


def minus(after, before):
    result = after.copy()
    result.subtract(before)
    return +result


def mixed_calls(bed, python, use_database, flags=(), calls=CALLS, threads=4, server_python=beds.PYTHON,
                roots=(None, None), envs=(None, None), database_class=parts.Database,
                also=lambda spans, client, servers: None):
    """`roots`, `envs`: for the client and for the servers, of other systems and beside that of the bed; `also`: what
    else must hold."""
    need_agent()
    database = database_class(bed) if use_database else None
    servers = system(bed, database, server_python, root=roots[1], env=envs[1])
    plan = plan_for(servers, calls, threads, seed=7, python=python)
    calls = sum(map(len, plan))
    parts.Client(bed, plans.warm_up(plan), env=envs[0], root=roots[0], name="warm-up").finish()
    client = parts.Client(bed, plan, python=python, gate=True, flags=flags, env=envs[0], root=roots[0])
    agent = Agent(bed)
    before = [s.dispatched() for s in servers], client.invoked()
    client.release()
    log = client.finish()
    requests = [minus(s.dispatched(), b) for s, b in zip(servers, before[0])]
    invoked = minus(client.invoked(), before[1])
    final = agent.stop()
    spans = agent.spans()
    figure("%d calls, %d failed, %d requests; %d spans; ready %.2f s, stop %.2f s" % (
        len(log), sum(1 for c in log if c.reason), sum(invoked.values()), len(spans), agent.ready_seconds,
        agent.stop_seconds))
    equal(len(log), calls, "calls in the client's log")
    check_all(
        lambda: truth.check_unique(spans),
        lambda: truth.check_client(spans, client.pid, log, aux=PYTANGO_AUX if python else ()),
        lambda: truth.check_wire(spans, client.pid, otlp.CLIENT, invoked),
        *[lambda s=s, c=c: truth.check_wire(spans, s.pid, otlp.SERVER, c) for s, c in zip(servers, requests)],
        lambda: truth.check_pairs(spans, client.pid, [s.pid for s in servers] + ([database.proc.pid] if database else [])),
        # a greenlet's calls run on a pool of threads
        lambda: "--gevent" in flags or truth.check_threads(spans, client.pid, log),
        lambda: truth.check_certain(spans),
        lambda: truth.check_none_lost(final, agent),
        lambda: check_resources(spans, client, servers, database),
        lambda: also(spans, client, servers))


def check_resources(spans, client, servers, database):
    """Who is who: class and device of a server, script or program of a client."""
    want = {servers[0].pid: ("TangoTest", "sys/tg_test/1", "TangoTest/test"),
            servers[1].pid: ("Thrower", "test/thrower/1", "thrower/t"),
            servers[2].pid: ("Follower", "test/follower/1", "leader_follower/f")}
    if database:
        want[database.proc.pid] = ("DataBase", "sys/database/2", database.server)
    for s in spans:
        equal(s.resource.get("service.namespace"), "tango", "service.namespace")
        equal(s.resource.get("telemetry.sdk.name"), "tangotrace", "telemetry.sdk.name")
        if s.pid == client.pid:
            equal(s.resource.get("service.name"), "mix", "service.name of the client")
        elif s.kind == otlp.SERVER and s.name in ("omniServant::_is_a", "omniServant::_non_existent"):
            # Answered by omniORB itself, before any device is known: no device is better than the caller's.
            equal(s.attrs.get("tango.operation.target"), None, "target of %s" % s.name)
        elif s.kind == otlp.SERVER:
            got = tuple(s.resource.get(k, "").lower() for k in
                        ("service.name", "service.instance.id", "tango.server.name"))
            equal(got, tuple(v.lower() for v in want[s.pid]), "resource of a device")


def test_cpp_tcp(bed):
    mixed_calls(bed, python=False, use_database=False)


def test_python_tcp(bed):
    mixed_calls(bed, python=True, use_database=False)


def test_cpp_unix(bed):
    mixed_calls(bed, python=False, use_database=True)


def test_python_unix(bed):
    mixed_calls(bed, python=True, use_database=True)


def test_cpp_shared_proxies(bed):
    mixed_calls(bed, python=False, use_database=False, flags=["--shared"], calls=CALLS // 5, threads=8)


def test_gevent(bed):
    mixed_calls(bed, python=True, use_database=False, flags=["--gevent"], calls=CALLS // 5)


# ---- calls inside calls

def only(spans, what, **want):
    found = [s for s in spans if all(getattr(s, k) == v for k, v in want.items())]
    equal(len(found), 1, "spans that are %s" % what)
    return found[0]


def called_by(span, spans):
    """Id of the nearest span above that is no method of a device class, nor the Python code that calls."""
    above = {s.id: s for s in spans}
    while span.parent in above and (above[span.parent].is_method or above[span.parent].is_caller):
        span = above[span.parent]
    return span.parent


def check_chain(spans, chain):
    """chain: (pid, kind, operation, device) from the root down; each is the child of the one before, in one trace."""
    parent = None
    for pid, kind, operation, device in chain:
        span = only(spans, "%s on %s of pid %d, kind %d" % (operation, device, pid, kind), pid=pid, kind=kind,
                    operation=operation, device=device)
        if parent is None:
            check(not called_by(span, spans), "the first is a root, its caller aside", span)
        else:
            check(span.trace == parent.trace, "one trace", parent, span)
            check(called_by(span, spans) == parent.id, "child of the one before, methods of the device aside", parent, span)
            check(parent.start <= span.start, "starts after its parent", parent, span)
        parent = span


def inner_call(bed, client_call, outer, inner, name, inner_name, device, inner_device, fails=False):
    """A client calls `outer`, which calls `inner`: four spans in one chain. The second of two calls is looked at, so
    that no proxy is made inside."""
    plan = [[client_call]]
    parts.Client(bed, plan, name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed)
    client.release()
    log = client.finish()
    final = agent.stop()
    spans = agent.spans()
    equal(bool(log[0].reason), fails, "the client's own view")
    check_chain(spans, [(client.pid, otlp.CLIENT, name, device), (outer.pid, otlp.SERVER, name, device),
                        (outer.pid, otlp.CLIENT, inner_name, inner_device),
                        (inner.pid, otlp.SERVER, inner_name, inner_device)])
    for span in spans:
        if span.kind in (otlp.CLIENT, otlp.SERVER):
            equal(span.failed, fails, "status of %s" % span)
    truth.check_certain(spans)
    truth.check_none_lost(final, agent)


def python_leader(bed, command, inner, fails=False, database=None, pythons=(beds.PYTHON, beds.PYTHON)):
    """`pythons`: of the Leader and of the Follower."""
    follower = parts.follower(bed, database, python=pythons[1])
    leader = parts.leader(bed, follower, database, python=pythons[0])
    call = ("command", leader.url("test/leader/1"), command, "void", "")
    inner_call(bed, call, leader, follower, command, inner, "test/leader/1", "test/follower/1", fails)


def test_leader_follower(bed):
    need_agent()
    python_leader(bed, "TurnFollowerOn", "TurnOn")


def test_leader_follower_unix(bed):
    need_agent()
    python_leader(bed, "TurnFollowerOn", "TurnOn", database=parts.Database(bed))


def test_leader_follower_fails(bed):
    need_agent()
    python_leader(bed, "RefuseFollower", "Refuse", fails=True)


def test_leader_reads_attribute(bed):
    need_agent()
    follower = parts.follower(bed)
    leader = parts.leader(bed, follower)
    call = ("read", leader.url("test/leader/1"), "follower_is_on", "", "")
    inner_call(bed, call, leader, follower, "read follower_is_on", "read is_on", "test/leader/1", "test/follower/1")


def test_cpp_forward(bed):
    need_agent()
    inner = parts.thrower(bed, instance="inner", devices=("test/thrower/2",))
    outer = parts.thrower(bed)
    call = ("command", outer.url("test/thrower/1"), "Forward", "string",
            inner.url("test/thrower/2") + " read number")
    inner_call(bed, call, outer, inner, "Forward", "read number", "test/thrower/1", "test/thrower/2")


def test_cpp_forward_fails(bed):
    need_agent()
    inner = parts.thrower(bed, instance="inner", devices=("test/thrower/2",))
    outer = parts.thrower(bed)
    call = ("command", outer.url("test/thrower/1"), "Forward", "string", inner.url("test/thrower/2") + " read bad")
    inner_call(bed, call, outer, inner, "Forward", "read bad", "test/thrower/1", "test/thrower/2", fails=True)
