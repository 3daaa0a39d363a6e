"""Native telemetry of Tango 10 beside ours: as an oracle of what a call is, and joined with ours to one trace.

The programs are PyTango's wheels with the telemetry that is built into them; what it exports is captured by a server
of the test and decoded by the classes that protoc made.
"""
import collections
import os
import statistics

import bed as beds
import native
import plans
import spans as otlp
import truth
from agent import need_agent
from harness import check, check_all, equal, figure, scaled

CALLS = scaled("TT_NATIVE_CALLS", 400)
FOLLOWER = plans.FOLLOWER + plans.FOLLOWER_FAIL + [("reads", "level,is_on", "", ""), ("reads", "broken,level", "", ""),
                                                    ("state", "", "", "")]
THROWER = plans.THROWER + plans.THROWER_FAIL
LEADER = [("command", "TurnFollowerOn", "void", ""), ("command", "TurnFollowerOff", "void", ""),
          ("command", "RefuseFollower", "void", ""), ("read", "follower_is_on", "", "")]
# Our probes fire when the function is entered and about to return, native's span begins and ends inside: ours is the
# wider by the two traps. On a busy machine the program may be put aside between the two clock readings, so one span
# may be off by much, but not most of them.
TOLERANCE_NS = 100_000_000
MEDIAN_NS = 500_000


def calls_of(system, number, seed=5):
    rows = system.at("follower", FOLLOWER) + system.at("leader", LEADER) + system.at("thrower", THROWER)
    return plans.mixed(rows, [], number, 1, seed)[0]


# ---- the oracle

def within(ours, theirs):
    return theirs.start - TOLERANCE_NS <= ours.start and ours.end <= theirs.end + TOLERANCE_NS


def by_kind(spans, key):
    groups = collections.defaultdict(list)
    for s in sorted(spans, key=lambda s: s.start):
        groups[key(s)].append(s)
    return groups


def nearest(theirs, ours):
    """Where the numbers differ: for each of theirs the one of ours that begins next to it."""
    left, pairs = list(ours), []
    for s in theirs:
        found = min(left, key=lambda c: abs(c.start - s.start), default=None)
        if found is not None and within(found, s):
            left.remove(found)
            pairs.append((s, found))
    return pairs


def pair_up(system):
    """({native's id: our span}, native without counterpart, ours without): same process, kind and function, and inside
    native's time. One client calls, one call after the other: the order of ours is theirs."""
    ours = by_kind(system.ours, lambda s: (s.pid, s.kind, s.name))
    theirs = by_kind(system.native.calls, lambda s: (s.process, s.kind, s.function))
    pairs = {}
    for key, spans in theirs.items():
        same = len(spans) == len(ours[key])
        for s, found in zip(spans, ours[key]) if same else nearest(spans, ours[key]):
            if within(found, s):
                pairs[s.id] = found
    paired = {s.id for s in pairs.values()}
    return (pairs, [s for s in system.native.calls if s.id not in pairs],
            [s for s in system.ours if s.id not in paired])


def wrong_parents(system, pairs):
    wrong = []
    for s in system.native.calls:
        if s.id not in pairs:
            continue
        above, ours = system.native.caller(s), system.caller(pairs[s.id])
        if (above is None) != (ours is None) or (above is not None and pairs.get(above.id) is not ours):
            wrong.append((s, above, pairs[s.id], ours))
    return wrong


def described(span):
    return "%s kind %d of pid %s" % (getattr(span, "function", span.name), span.kind,
                                     getattr(span, "process", span.pid))


def oracle(bed, client, server):
    need_agent()
    system = native.System(bed, client, server)
    calls = calls_of(system, CALLS)
    system.run(calls, "ignore")
    pairs, missing, ours_only = pair_up(system)
    wrong = wrong_parents(system, pairs)
    by_id = {s.id: s for s in system.native.calls}
    off = [max(abs(by_id[i].start - s.start), abs(s.end - by_id[i].end)) / 1000 for i, s in pairs.items()]
    figure("client %s, server %s: %d native client and server spans; matched %d, missing %d, wrong %d, ours only %d" % (
        client, server, len(system.native.calls), len(pairs), len(missing), len(wrong), len(ours_only)))
    figure("start and end differ by %.0f us (median), %.0f us (99 %%), %.0f us (most); tolerance %d us" % (
        statistics.median(off), sorted(off)[len(off) * 99 // 100], max(off), TOLERANCE_NS // 1000))
    figure("two native spans of one request, counted once: " + ", ".join(
        "%d x %s" % (n, k.replace("Tango::", "")) for k, n in sorted(system.native.inner.items())))
    figure("ours only: " + ", ".join("%d x %s" % (n, k) for k, n in sorted(
        collections.Counter(s.name.replace("Tango::", "") for s in ours_only).items())))
    equal(len(system.native.calls), 2 * sum(visible(calls)), "spans that native has exported")
    check_all(
        lambda: check(not missing, "native spans without counterpart", *[described(s) for s in missing[:10]]),
        lambda: check(not wrong, "other parents than native's",
                      *[" | ".join(described(x) if x else "none" for x in w) for w in wrong[:10]]),
        lambda: check(statistics.median(off) <= MEDIAN_NS / 1000, "most spans begin and end with native's"),
        lambda: check_ours_only(ours_only),
        lambda: truth.check_unique(system.ours),
        lambda: truth.check_certain(system.ours),
        lambda: check(system.final["lost"] == 0, "nothing lost", system.final),
        lambda: equal(system.status["correlate"]["native_joined"], 0, "joined although native is to be ignored"))


# What native does not trace (tango-telemetry: ping, state, status, info, queries of commands and attributes)
NATIVE_LACKS = ("ping", "state", "status", "command_query", "command_query_2", "get_attribute_config",
                "get_attribute_config_ex", "get_attribute_config_5", "command_list_query", "info",
                "_is_a", "_non_existent")


def check_ours_only(ours_only):
    strange = [s for s in ours_only if s.name.rsplit("::", 1)[-1] not in NATIVE_LACKS]
    check(not strange, "spans of ours that native should have as well", *[described(s) for s in strange[:10]])


def test_oracle_10_0(bed):
    oracle(bed, "10.0.4", "10.0.4")


def test_oracle_10_3(bed):
    oracle(bed, "10.3.1", "10.3.1")


# C++ on both sides, by Debian 13's 10.0.2 in a root of its own: make check-long
if "trixie" in os.environ.get("TT_MATRIX_SUITES", "trixie" if os.environ.get("TT_MATRIX") == "all" else ""):
    def test_oracle_cpp(bed):
        oracle(bed, "trixie", "trixie")

    def test_join_on_off_cpp(bed):
        join(bed, "trixie", True, False)

    def test_join_off_on_cpp(bed):
        join(bed, "trixie", False, True)

    def test_join_on_on_cpp(bed):
        join(bed, "trixie", True, True)


def test_oracle_old_client(bed):
    oracle(bed, "10.0.4", "10.3.1")


# ---- joined

def check_requests(system):
    """Of native's spans and ours together: each CLIENT span has one SERVER span under it, in the same trace. Returns
    what is wrong, and the SERVER spans that are under none."""
    spans = {s.id: s for s in list(system.native.spans.values()) + system.ours}
    clients = {s.id: s for s in system.native.calls + system.ours if s.kind == otlp.CLIENT}
    served, lonely = collections.defaultdict(list), []
    for s in system.native.calls + system.ours:
        if s.kind != otlp.SERVER:
            continue
        parent = spans.get(s.parent)
        if parent is not None and parent.id in system.native.spans:
            parent = system.native.sender(parent)  # the request is sent by the innermost of overloads
        if parent is not None and parent.id in clients and parent.trace == s.trace:
            served[parent.id].append(s)
        else:
            lonely.append(s)
    wrong = ["%s: %s" % (described(c), [described(s) for s in served[c.id]]) for c in clients.values()
             if len(served[c.id]) != 1]
    return wrong, lonely


def visible(calls):
    """Requests of these calls that native sees: (by the client, by the Leader)."""
    own = sum(1 for c in calls if c[0] in ("read", "reads", "write", "write_read", "command"))
    return own, sum(1 for c in calls if (c[0], c[2]) in [(r[0], r[1]) for r in LEADER])


def join(bed, version, client_on, server_on):
    need_agent()
    system = native.System(bed, version, version, client_on, server_on)
    calls = calls_of(system, CALLS // 4, seed=9)
    system.run(calls, "join")
    wrong, lonely = check_requests(system)
    own, inner = visible(calls)
    theirs = collections.Counter((s.process == system.client_pid, s.kind) for s in system.native.calls)
    ours = collections.Counter((s.pid == system.client_pid, s.kind) for s in system.ours
                               if s.name.rsplit("::", 1)[-1] not in NATIVE_LACKS)
    figure("%s, native telemetry of the client %s, of the servers %s: %d native and %d spans of ours" % (
        version, "on" if client_on else "off", "on" if server_on else "off", len(system.native.calls), len(system.ours)))
    figure("%(native_joined)d joined, %(native_hidden)d left to native" % system.status["correlate"])
    # A native server whose client has no telemetry begins a trace that nothing leads to: ours is the one with both
    # sides, and native's stands beside it.
    apart = [s for s in lonely if hasattr(s, "process") and not s.parent] if server_on and not client_on else []
    lost = [s for s in lonely if s not in apart]
    # {(is the client's process, kind): spans of requests that native could see}
    want_client = {True: (own if client_on else 0), False: (inner if server_on else 0)}
    want_server = own + inner if server_on else 0
    check_all(
        lambda: check(not wrong, "%d CLIENT spans without exactly one SERVER span" % len(wrong), *wrong[:10]),
        lambda: check(not lost, "SERVER spans without CLIENT", *[described(s) for s in lost[:10]]),
        lambda: equal(theirs[True, otlp.CLIENT], want_client[True], "native's spans of the client"),
        lambda: equal(theirs[False, otlp.CLIENT], want_client[False], "native's spans of the Leader as a client"),
        lambda: equal(theirs[False, otlp.SERVER], want_server, "native's spans of the servers"),
        lambda: equal(ours[True, otlp.CLIENT], own - want_client[True], "our spans of the client"),
        lambda: equal(ours[False, otlp.CLIENT], inner - want_client[False], "our spans of the Leader as a client"),
        lambda: equal(ours[False, otlp.SERVER], own + inner - want_server + len(apart), "our spans of the servers"),
        lambda: check_parents(system),
        lambda: truth.check_certain(system.ours),
        lambda: check(system.final["lost"] == 0, "nothing lost", system.final))


def check_parents(system):
    """Every parent that a span of ours names is there."""
    known = set(system.all) | set(system.native.spans)
    orphans = [s for s in system.all.values() if s.parent and s.parent not in known]
    check(not orphans, "spans of ours whose parent is nowhere", *[described(s) for s in orphans[:10]])


def test_join_off_off_10_0(bed):
    join(bed, "10.0.4", False, False)


def test_join_on_off_10_0(bed):
    join(bed, "10.0.4", True, False)


def test_join_off_on_10_0(bed):
    join(bed, "10.0.4", False, True)


def test_join_on_on_10_0(bed):
    join(bed, "10.0.4", True, True)


def test_join_off_off_10_3(bed):
    join(bed, "10.3.1", False, False)


def test_join_on_off_10_3(bed):
    join(bed, "10.3.1", True, False)


def test_join_off_on_10_3(bed):
    join(bed, "10.3.1", False, True)


def test_join_on_on_10_3(bed):
    join(bed, "10.3.1", True, True)


def join_old_server(bed):
    """A server of Tango 9 is not told of native's trace: the calls stay ours, both sides, beside native's clients."""
    need_agent()
    system = native.System(bed, "10.3.1", native.OLD, client_on=True, server_on=False)
    calls = calls_of(system, CALLS // 4, seed=9)
    system.run(calls, "join")
    equal(system.status["correlate"]["native_joined"], 0, "spans in native's traces")
    equal(system.status["correlate"]["native_hidden"], 0, "spans left to native")
    clients = {s.id: s for s in system.ours if s.kind == otlp.CLIENT}
    servers = [s for s in system.ours if s.kind == otlp.SERVER]
    equal(len(servers), len(clients), "one SERVER span for each CLIENT span")
    truth.same(list(clients), [s.parent for s in servers], "the CLIENT spans as parents")
    equal(len([s for s in clients.values() if s.pid == system.client_pid and
               s.name.rsplit("::", 1)[-1] not in NATIVE_LACKS]), visible(calls)[0], "calls of the client")


if beds.TANGO_VERSION.startswith("9."):  # else this host's own is no old one
    test_join_old_server = join_old_server


# ---- skip

def test_skip(bed):
    """Programs with native telemetry are left alone, the others are traced, into native's trace."""
    need_agent()
    system = native.System(bed, "10.3.1", "10.3.1", client_on=True, server_on=False)
    calls = calls_of(system, 40)
    system.run(calls, "skip")
    mine = {s.pid for s in system.ours}
    check(system.client_pid not in mine, "the client is not traced")
    check({s.pid for s in system.servers} <= mine, "the servers are", mine)
    joined = [s for s in system.ours if s.parent in system.native.spans]
    equal(len(joined), visible(calls)[0], "spans in native's traces")
    for s in joined:
        equal(s.trace, system.native.spans[s.parent].trace, "the trace of native's client")
        equal(s.attrs["tangotrace.parent.proof"], "native", "proof")
