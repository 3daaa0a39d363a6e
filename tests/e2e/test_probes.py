"""The user's probes: further C++ functions of a server, by name, glob or address, become spans in the right place, with
their arguments, also where exceptions pass them; what cannot be traced is said.

Every call of Beam.Compute runs through Beam::compute, twice beam::step and, if these come back, beam::scale.
"""
import collections
import os
import re
import subprocess

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, command, need_agent
from harness import check, check_all, equal, figure, scaled, wait_for

CALLS = scaled("TT_PROBE_CALLS", 1000)
DEVICE = "test/beam/1"
CONFIG = """
probes:
  - function: "Beam::compute"
    arguments: "0 device, 1 int energy, 2 string mode, 3 bool fine, return long result"
  - {function: "beam::*", file: beam*, arguments: "0 long n"}
"""
# What becomes of a call with this energy: (does it fail, what the two steps do, result)
FINE, PASSED, CAUGHT = "fine", "passed", "caught"
ENERGIES = {1: FINE, 2: FINE, -3: FINE, 13: PASSED, 5: PASSED, 6: CAUGHT}
CLIENT = """
import sys, tango
d = tango.DeviceProxy(sys.argv[1])
print("up", flush=True)
open(sys.argv[4]).read()
energies = [int(w) for w in sys.argv[3].split(",")]
for i in range(int(sys.argv[2])):
    for energy in energies:
        try:
            print(energy, d.command_inout("Compute", energy))
        except tango.DevFailed as e:
            print(energy, "failed", e.args[0].reason)
    print("energy", d.read_attribute("energy").value)
"""


def result_of(energy):
    """As beam.cpp has it."""
    total = (-1 if energy % 2 else 0) + energy + 1 + 101
    return 2 * (-1000 if energy == 6 else total)


def steps_of(energy):
    return [energy] if ENERGIES[energy] == PASSED else [energy, 7 if energy == 6 else 100]


def start_beam(bed, program=None):
    return parts.start_server(bed, [program or beds.test_program("beam")], "b", ["Beam::" + DEVICE])


def start_client(bed, server, rounds):
    """It waits until go() lets it call: it is to be known to the agent before."""
    gate = bed.path("gate")
    os.mkfifo(gate)
    client = bed.start("client", [beds.PYTHON, "-c", CLIENT, server.url(DEVICE), str(rounds),
                                  ",".join(str(e) for e in ENERGIES), gate])
    client.wait_text("up", 60)
    return client


def go(bed, client):
    with open(bed.path("gate"), "w"):
        pass
    return client.finish()


def arguments_of(span):
    return dict(pair.split("=", 1) for pair in span.attrs.get("tangotrace.arguments", ()))


def check_inside(above, below, name):
    equal((below.name, below.kind, below.trace, below.parent), (name, otlp.INTERNAL, above.trace, above.id), "a function's place")
    equal(below.attrs.get("tangotrace.parent.proof"), "nesting", "proof")
    check(above.start <= below.start <= below.end <= above.end, "it lies inside", above, below)
    equal(below.resource.get("service.instance.id"), DEVICE, "device of a function")


def check_compute(span, below):
    """One call of Beam::compute and what it calls."""
    given = arguments_of(span)
    energy = int(given["energy"])
    kind = ENERGIES[energy]
    want = {"energy": str(energy), "mode": "backwards" if energy < 0 else "forwards", "fine": "true" if energy % 2 else "false"}
    if kind != PASSED:
        want["result"] = str(result_of(energy))
    equal(given, want, "arguments of %d" % energy)
    equal(span.failed, kind == PASSED, "outcome of %d" % energy)
    inner = sorted(below[span.id], key=lambda s: s.start)
    steps = [s for s in inner if s.name == "beam::step"]
    equal([arguments_of(s)["n"] for s in steps], [str(n) for n in steps_of(energy)], "steps of %d" % energy)
    equal([s.name for s in inner if s not in steps], [] if kind == PASSED else ["beam::scale<long>"], "the rest of %d" % energy)
    for s in inner:
        check_inside(span, s, s.name)
        n = int(arguments_of(s)["n"])
        equal(s.failed, s.name == "beam::step" and n in (13, 7, 5), "outcome of %s(%d)" % (s.name, n))
        if s.failed:
            equal(s.attrs["error.type"], "std::runtime_error" if n == 13 else "Beam_Step", "error of a step")
    return energy


def check_calls(spans, server, rounds):
    below = collections.defaultdict(list)
    for s in spans:
        below[s.parent].append(s)
    requests = [s for s in spans if s.kind == otlp.SERVER and s.pid == server.pid and s.operation == "Compute"]
    seen = collections.Counter()
    for request in requests:
        methods = [s for s in below[request.id] if s.name == "Beam.Compute"]
        equal(len(methods), 1, "Beam.Compute of a request")
        functions = below[methods[0].id]
        equal(len(functions), 1, "functions below Beam.Compute")
        check_inside(methods[0], functions[0], "Beam::compute")
        seen[check_compute(functions[0], below)] += 1
        equal(request.failed, ENERGIES[check_compute(functions[0], below)] == PASSED, "outcome of the request")
    equal(seen, collections.Counter({e: rounds for e in ENERGIES}), "calls of each energy")
    # Beam::measure is the attribute's method already
    reads = [s for s in spans if s.name == "Beam.read_energy"]
    equal(len(reads), rounds, "reads")
    for s in reads:
        equal([(f.name, arguments_of(f)) for f in below[s.id]], [("beam::scale<long>", {"n": "21"})], "below a read")
    return len(requests)


def ticks_of(spans, server):
    return [s for s in spans if s.pid == server.pid and s.name == "beam::tick"]


def with_config(bed, text):
    path = bed.path("tangotrace.yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


def test_functions(bed):
    """By name and glob: nested, with arguments and results, exceptions caught inside and outside."""
    need_agent()
    rounds = max(1, CALLS // len(ENERGIES))
    server = start_beam(bed)
    client = start_client(bed, server, rounds)
    agent = Agent(bed, "--config", with_config(bed, CONFIG))
    go(bed, client)
    wait_for(lambda: len(ticks_of(agent.spans(), server)) >= 5, 10, "functions outside of requests")
    final = agent.stop()
    spans = agent.spans()
    lines = collections.Counter(client.stdout.split("\n"))
    equal(lines["1 %d" % result_of(1)], rounds, "the server works as without")
    equal(lines["5 failed Beam_Step"], rounds, "its errors arrive as without")
    count = check_calls(spans, server, rounds)
    for s in ticks_of(spans, server):
        equal((s.parent, s.kind, s.failed), (otlp.NO_PARENT, otlp.INTERNAL, False), "a function outside of requests")
    check("beam::bare(long) is not traced by the probe that names it: entry" in agent.proc.stderr, "what cannot be traced is said",
          agent.proc.tail())
    figure("%d calls, %d spans, %d ticks" % (count, len(spans), len(ticks_of(spans, server))))
    check_all(lambda: truth.check_unique(spans), lambda: truth.check_certain(spans),
              lambda: truth.check_none_lost(final, agent))


def address_of(path, symbol):
    out = subprocess.run(["nm", path], stdout=subprocess.PIPE, universal_newlines=True, check=True).stdout
    found = re.findall("^([0-9a-f]+) [TtWw] (%s)$" % symbol, out, re.M)
    equal(len(found), 1, "symbols like %s" % symbol)
    return int(found[0][0], 16)


def test_address(bed):
    """A stripped server: by address."""
    need_agent()
    program = beds.test_program("beam")
    where = address_of(program, "_ZN4Beam7compute[^.]*")
    stripped = bed.path("beam")
    subprocess.run(["strip", "-o", stripped, program], check=True)
    server = start_beam(bed, stripped)
    client = start_client(bed, server, 5)
    agent = Agent(bed, "--probes", "function=0x%x; file=beam; arguments=1 int energy" % where)
    go(bed, client)
    agent.stop()
    mine = [s for s in agent.spans() if s.name == "0x%x" % where]
    equal(collections.Counter(int(arguments_of(s)["energy"]) for s in mine), collections.Counter({e: 5 for e in ENERGIES}), "calls")
    equal({(int(arguments_of(s)["energy"]), s.failed) for s in mine}, {(e, k == PASSED) for e, k in ENERGIES.items()}, "outcomes")


def test_refusals(bed):
    """Names that match nothing or too much, and what is no function, are told; tracing goes on."""
    need_agent()
    server = start_beam(bed)
    client = start_client(bed, server, 1)
    agent = Agent(bed, "--probes", "function=Beam::nosuch", "--probes", "function=Tango::DeviceImpl::*",
                  "--probes", "function=0x10; file=beam", "--probes", "function=Beam::measure")
    go(bed, client)
    agent.stop()
    said = agent.proc.stderr
    for word in ("no function Beam::nosuch", "Tango::DeviceImpl::* is not traced by the probe that names it: it matches",
                 "0x10 is not traced by the probe that names it: no .eh_frame entry",
                 "Beam::measure(Tango::Attribute&) is not traced by the probe that names it: traced already, as "):
        check(word in said, "no word of it: " + word, said)
    equal(len([s for s in agent.spans() if s.name == "Beam.Compute"]), len(ENERGIES), "its methods")
    for wrong, word in (("function=*", "any function"), ("function=0x10", "needs the file"), ("file=beam", "names no function"),
                        ("function=a; arguments=1 float x", "the kind is to be"), ("function=a; size=3", "not \"size\"")):
        code, _, err = command("run", "--probes", wrong)
        check(code == 2 and word in err, "refused: " + wrong, code, err)
    path = with_config(bed, "probes:\n  - {function: f}\n  - {function: g, arguments: \"1 int\"}\n")
    code, _, err = command("config", "check", path)
    check(code == 2 and ":3: " in err and "a name of letters" in err, "config check", code, err)


def test_plan(bed):
    """What `tangotrace plan` shows of them."""
    path = beds.test_program("beam")
    code, out, err = command("plan", path, "--probes", "function=Beam::compute; arguments=1 int energy", "--probes", "function=beam::bare")
    equal(code, 0, "plan: " + err)
    section = out.split("Beam::compute(int, std::string const&, bool)")[1]
    check(re.search(r"enter .*\n +argument 1: value at rsi\n(.*\n)* +exit ", section), "points", section)
    check("beam::bare(long)" in section and "not covered: entry" in section, "what cannot be covered", section)
    code, _, err = command("plan", path, "--probes", "function=Beam::nosuch")
    check(code == 1 and "there is no function Beam::nosuch" in err, "nothing of that name", code, err)
