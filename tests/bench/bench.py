"""make bench: what tracing costs. C++ and PyTango clients read an attribute of TangoTest and send it a command, untraced
and traced in turn, both sides on one CPU and the agent on the other; medians over rounds, ratios, traps per call.

Latencies of one run are compared with each other only: on a shared machine absolute values drift, so untraced and traced
at each level of detail alternate round by round.
usage: bench.py [--rounds N] [--calls N] [--levels rpc,methods,full] [--native-rounds N] [--only-native] [--out build/bench.json]

Beside it a program that is no part of it: see bystander.py; and Tango 10's own telemetry: see beside_native.py.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import bed as beds  # noqa: E402
import beside_native  # noqa: E402
import bystander  # noqa: E402
import native  # noqa: E402
import parts  # noqa: E402
import procmem  # noqa: E402
from agent import Agent, only  # noqa: E402
from harness import Skip, check, wait_for  # noqa: E402

SIDES_CPU, AGENT_CPU = 0, 1
CASES = [  # name, client, operation, name of the attribute or command
    ("C++ read", "cpp", "read", "ampli"),
    ("C++ command", "cpp", "command", "DevDouble"),
    ("PyTango read", "python", "read", "ampli"),
    ("PyTango command", "python", "command", "DevDouble"),
]


class MeasuredClient:
    """A connected client that makes one round of calls per line of input."""

    def __init__(self, bed, kind, url, operation, name, count):
        program = [beds.test_program("calls")] if kind == "cpp" else [beds.PYTHON, os.path.join(HERE, "calls.py")]
        argv = ["taskset", "-c", str(SIDES_CPU)] + program + [url, operation, name, str(count)]
        self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=bed.env, cwd=bed.dir,
                                      universal_newlines=True, bufsize=1, preexec_fn=beds.die_with_parent)
        check(self.popen.stdout.readline().strip() == "up", "the client is connected")

    def round(self):
        """(median, p99, mean, CPU of the client) in ns; CPU over the whole round."""
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()
        return [int(n) for n in self.popen.stdout.readline().split()]

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)


def counters(agent):
    """(traps, drops, events written, events read) so far, by the agent's own status."""
    status = agent.status()
    return {"traps": status["kernel"]["traps"], "drops": status["drops"]["total"],
            "written": status["events"]["total"], "read": status["assemble"]["events"]}


def one_round(client, server_pid, count, agent=None):
    """One round of calls; all values per call, in ns."""
    pids = {"server": server_pid}
    if agent:
        pids["agent"] = agent.proc.pid
    before = {k: procmem.family_cpu_ns(p) for k, p in pids.items()}
    events = counters(agent) if agent else None
    median, p99, mean, cpu = client.round()
    if agent:  # what is still on its way is part of the cost of these calls
        settle(agent)
    result = {"median": median, "p99": p99, "mean": mean, "client_cpu": cpu / count, "agent_cpu": 0.0}
    for key, pid in pids.items():
        result[key + "_cpu"] = (procmem.family_cpu_ns(pid) - before[key]) / count
    if agent:
        after = counters(agent)
        result["traps"] = (after["traps"] - events["traps"]) / count
        result["dropped"] = after["drops"] - events["drops"]
    return result


def settle(agent):
    """Waits until the agent has read what the ring holds."""
    wait_for(lambda: (lambda c: c["read"] >= c["written"])(counters(agent)), 10, "the agent to catch up")


def start_agent(bed, pids, level):
    agent = Agent(bed, "--detail", level, *only(*pids),
                  export=["file:" + bed.path("bench.jsonl")])
    beside_native.pin(agent.proc.pid, AGENT_CPU)
    return agent


def measure(case, rounds, count, levels):
    """A summary for each level of detail, against the same rounds untraced."""
    name, kind, operation, target = case
    bed = beds.Bed("bench")
    try:
        server = parts.tangotest(bed, witness=False)
        beside_native.pin(server.pid, SIDES_CPU)
        client = MeasuredClient(bed, kind, server.url("sys/tg_test/1"), operation, target, count)
        client.round()  # warm caches
        off, on = [], {level: [] for level in levels}
        for _ in range(rounds):
            off.append(one_round(client, server.pid, count))
            for level in levels:
                agent = start_agent(bed, [server.pid, client.popen.pid], level)
                client.round()  # its pages and the agent's are warm in all cases
                on[level].append(one_round(client, server.pid, count, agent))
                agent.stop(seconds=30)
        client.close()
    finally:
        bed.close()
    return [dict(summary("%s, %s" % (name, level), off, on[level]), level=level) for level in levels]


def summary(name, off, on):
    def middle(rows, key):
        return statistics.median(r[key] for r in rows)
    keys = ["median", "p99", "mean", "client_cpu", "server_cpu", "agent_cpu"]
    result = {"case": name, "rounds": len(off), "off": {k: middle(off, k) for k in keys},
              "on": {k: middle(on, k) for k in keys}}
    result["added"] = {k: result["on"][k] - result["off"][k] for k in keys}
    result["ratio"] = result["on"]["median"] / result["off"]["median"]
    result["traps_per_call"] = middle(on, "traps")
    result["dropped"] = sum(r["dropped"] for r in on)
    result["raw"] = {"off": off, "on": on}
    return result


def table(results):
    head = ("case", "off us", "on us", "ratio", "+us", "p99 off", "p99 on", "client +us", "server +us", "agent us",
            "traps/call", "dropped")
    rows = [head]
    for r in results:
        off, on, added = r["off"], r["on"], r["added"]
        rows.append((r["case"], us(off["median"]), us(on["median"]), "%.2f" % r["ratio"], us(added["median"]),
                     us(off["p99"]), us(on["p99"]), us(added["client_cpu"]), us(added["server_cpu"]),
                     us(on["agent_cpu"]), "%.2f" % r["traps_per_call"], str(r["dropped"])))
    print_table(rows)
    print("CPU and latency per call, medians over rounds; client, server on CPU %d, agent on CPU %d" % (
        SIDES_CPU, AGENT_CPU))


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))


def us(nanoseconds):
    return "%.1f" % (nanoseconds / 1000)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=int(os.environ.get("TT_BENCH_ROUNDS", "7")))
    options.add_argument("--calls", type=int, default=int(os.environ.get("TT_BENCH_CALLS", "10000")))
    options.add_argument("--levels", type=lambda text: text.split(","), default=["rpc", "methods", "full"])
    options.add_argument("--native-rounds", type=int, default=int(os.environ.get("TT_BENCH_NATIVE_ROUNDS", "9")))
    options.add_argument("--only-native", action="store_true", help="only beside native telemetry")
    options.add_argument("--out", default=os.path.join(ROOT, "build", "bench.json"))
    given = options.parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("bench: two CPUs are needed")
    start = time.monotonic()
    try:
        results = []
        for case in () if given.only_native else CASES:
            print("measuring %s ..." % case[0], file=sys.stderr, flush=True)
            results += measure(case, given.rounds, given.calls, given.levels)
        aside = {} if given.only_native else bystander.measure(given.rounds, given.levels)
        beside = []
        for case in beside_native.cases():
            print("measuring %s %s beside native ..." % case[:2], file=sys.stderr, flush=True)
            # many rounds, short ones; native in Python takes half a millisecond a call
            few = 2 if case[1] in native.SUITES else 5
            beside.append(beside_native.measure(case, given.native_rounds, given.calls // few))
    except Skip as reason:
        sys.exit("bench: %s" % reason)
    with open(given.out, "w") as f:
        json.dump({"calls_per_round": given.calls, "kernel": os.uname().release, "results": results,
                   "bystander": aside, "native": beside}, f, indent=1)
    if results:
        table(results)
        print()
        print_table(bystander.table(aside))
        print()
    print_table(beside_native.table(beside))
    print("added per call, against the untraced rounds before and after, medians over rounds: latency; CPU of client, server "
          "and agent together, exporting included; ratio: ours by native's")
    print("%s written, %.0f s" % (os.path.relpath(given.out, os.getcwd()), time.monotonic() - start))


if __name__ == "__main__":
    main()
