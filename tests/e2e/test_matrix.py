"""Every build with every other: clients and servers of Debian's suites and of pinned PyTango wheels, by TCP without a
database and by unix sockets with one (pytango-db; the C++ DataBaseds on MariaDB in a cell of its own). Wheels come with
both ABIs of std::string, other class layouts, omniORB 4.3 and no stack protector in it, so each cell proves the points and
layouts of two builds at once.

`make check` runs a few cells of some hundred calls that touch every build of this host on both sides; TT_MATRIX=all all of
them, with TT_MATRIX_CALLS calls each (make check-long: 10,000), and other suites of Debian in roots of their own
(TT_MATRIX_SUITES).
"""
import os

import bed as beds
import parts
from agent import need_agent
from harness import scaled
from test_async import python_client
from test_calls import mixed_calls, python_leader
from test_every import every_function

CALLS = scaled("TT_MATRIX_CALLS", 400)
EVERY = os.environ.get("TT_MATRIX") == "all"
SUITES = tuple(os.environ.get("TT_MATRIX_SUITES", "trixie sid" if EVERY else "").split())
CPP, DEBIAN = "cpp", "debian"  # the C++ client on 9.3.4; PyTango 9.3.6 on the same library
CLIENTS = (CPP, DEBIAN) + beds.WHEELS
SERVERS = (DEBIAN,) + beds.WHEELS
TCP, UNIX, MARIADB = "tcp", "unix", "mariadb"
DATABASES = {TCP: None, UNIX: parts.Database, MARIADB: parts.CppDatabase}
# (client, server, how they find each other): every build as client and as server, both ways of transport
FEW = ((CPP, "9.5.1", TCP), ("9.5.1", "10.3.1", UNIX), ("10.0.4", "10.0.4", TCP), ("10.3.1", "9.5.1", TCP),
       (CPP, "10.0.4", UNIX), ("10.3.1", DEBIAN, MARIADB))
FEW_CHAINS = (("9.5.1", "10.0.4"), ("10.3.1", DEBIAN))


def parse(build):
    """("trixie-cpp" or "10.0.4") -> suite or None, and what runs: its client in C++, its PyTango, or a wheel's."""
    suite, _, program = build.partition("-")
    return (suite, program) if suite in SUITES else (None, build)


def python_of(build):
    return beds.PYTHON if parse(build)[1] in (DEBIAN, "python") else beds.wheel_python(build)


def root_of(build):
    suite = parse(build)[0]
    return beds.suite_root(suite) if suite else None


def cell(client, server, way):
    def test(bed):
        need_agent()
        python = False if parse(client)[1] == CPP else python_of(client)
        mixed_calls(bed, python=python, use_database=way != TCP, database_class=DATABASES[way], calls=CALLS,
                    server_python=python_of(server), roots=(root_of(client), root_of(server)))
    return test


def chain(leader, follower):
    """A client's call on one build inside a request that another build serves."""
    def test(bed):
        need_agent()
        python_leader(bed, "TurnFollowerOn", "TurnOn", pythons=(python_of(leader), python_of(follower)))
    return test


def every_of(suite):
    """Its server under all functions of the API; those are the ones whose points and captures differ most by compiler."""
    return lambda bed: every_function(bed, beds.suite_root(suite))


def asynchronous(suite):
    """Its client with asynchronous calls, by number and with callbacks."""
    return lambda bed: python_client(bed, beds.PYTHON, beds.suite_root(suite))


def word(build):
    return build.replace(".", "_").replace("-", "_")


def cells():
    if EVERY:
        yield from ((c, s, way) for c in CLIENTS for s in SERVERS for way in (TCP, UNIX))
        yield from ((c, s, MARIADB) for c, s in ((CPP, DEBIAN), ("10.3.1", DEBIAN), (DEBIAN, "10.0.4")))
    else:
        yield from FEW
    for suite in SUITES:
        # all servers of the suite (TangoTest, C++, PyTango) with its own clients and with others, and the other way round
        for client in (suite + "-cpp", suite + "-python", CPP, "10.3.1"):
            yield from ((client, suite + "-python", way) for way in (TCP, UNIX))
        yield from ((suite + "-" + program, server, way) for program, server, way in (
            ("cpp", DEBIAN, TCP), ("cpp", "10.0.4", UNIX), ("python", "9.5.1", TCP), ("python", DEBIAN, UNIX)))


def make_tests():
    chains = [(a, b) for a in SERVERS for b in SERVERS] if EVERY else FEW_CHAINS
    tests = {"%s_to_%s_%s" % (word(c), word(s), way): cell(c, s, way) for c, s, way in cells() if beds.runs_here(c, s)}
    tests.update({"chain_%s_%s" % (word(a), word(b)): chain(a, b) for a, b in chains if beds.runs_here(a, b)})
    for suite in SUITES:
        tests["every_" + suite] = every_of(suite)
        tests["async_" + suite] = asynchronous(suite)
    return {"test_" + name: function for name, function in tests.items()}


globals().update(make_tests())
