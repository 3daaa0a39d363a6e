"""The bed without any tracer: clients, servers and the ORB's log agree with themselves. What fails here is no finding
about the agent."""
import parts
import plans
from harness import check, equal, figure
from test_calls import plan_for, system


def run_twice(bed, python, use_database, flags=()):
    database = parts.Database(bed) if use_database else None
    servers = system(bed, database)
    plan = plan_for(servers, 600, 4, seed=3, python=python)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    logs = []
    for _ in range(2):
        client = parts.Client(bed, plan, python=python, flags=flags, gate=True)
        before = client.invoked()
        client.release()
        logs.append(client.finish())
        sent = client.invoked()
        sent.subtract(before)
        check(sum((+sent).values()) >= 600, "the ORB logs every request", sent)
    equal(len(logs[0]), 600, "calls")
    first, second = (plans.answers(log) for log in logs)
    check(first == second, "equal answers of two runs", *[(a, b) for a, b in zip(first, second) if a != b][:5])
    good, bad = sum(1 for c in logs[0] if not c.reason), sum(1 for c in logs[0] if c.reason)
    check(good > 300 and bad > 60, "successes and failures", good, bad)
    for server in servers:
        check(server.proc.alive(), "the server lives", server.proc.tail())
    figure("%d ok, %d failed: %s" % (good, bad, sorted({c.reason for c in logs[0] if c.reason})))


def test_cpp_tcp(bed):
    run_twice(bed, False, False)


def test_python_tcp(bed):
    run_twice(bed, True, False)


def test_cpp_unix(bed):
    run_twice(bed, False, True)


def test_python_unix(bed):
    run_twice(bed, True, True)


def test_gevent(bed):
    run_twice(bed, True, False, flags=["--gevent"])


def test_leader_follower(bed):
    follower = parts.follower(bed)
    leader = parts.leader(bed, follower)
    url = leader.url("test/leader/1")
    log = parts.Client(bed, [[("command", url, "TurnFollowerOn", "void", ""), ("read", url, "follower_is_on", "", ""),
                              ("command", url, "RefuseFollower", "void", "")]], python=True).finish()
    equal([c.reason for c in log], ["", "", "Follower_Refused"], "reasons")
    equal(log[1].answer, "1", "the follower is on")
    inner = parts.thrower(bed, devices=("test/thrower/2",), instance="inner")
    outer = parts.thrower(bed)
    log = parts.Client(bed, [[("command", outer.url("test/thrower/1"), "Forward", "string",
                               inner.url("test/thrower/2") + " read " + n) for n in ("number", "bad")]]).finish()
    equal([c.reason for c in log], ["", "Thrower_BadRead"], "reasons of the forwarded calls")
