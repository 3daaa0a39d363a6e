"""Tracing from outside beside Tango 10's own telemetry, in one run: tangotrace at each level of detail and native in turn, all
exporting by OTLP/HTTP to the same receiver, and between them always a round without. What is compared is what each adds: to
the latency of a call, and to the CPU time of client, server and agent together.

A shared machine changes its speed within seconds by a factor of two, so each round is compared with the two untraced ones
beside it only, and the middle of many short rounds is taken.

Native runs in processes of its own, since it can only be switched on at their start; all clients and servers share one
CPU, the agent and the receiver the other.
"""
import os
import statistics
import subprocess
import time

import bed as beds
import native
import parts
import procmem
from agent import Agent, only
from harness import check, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SIDES_CPU, AGENT_CPU = 0, 1
KEYS = ("median", "p99", "cpu")
LEVELS = ("rpc", "methods")  # calls as native in C++ shows them; and with methods, as native in PyTango does
TRACED = LEVELS + ("native",)  # the order of a round
ROOT = os.path.join(beds.CACHE, "roots", "trixie")  # made by tests/e2e/chroot (make check-long)
CASES = [  # title, build, operation, name
    ("C++ read", "trixie", "read", "ampli"),
    ("C++ command", "trixie", "command", "DevDouble"),
    ("PyTango read", "10.0.4", "read", "level"),
    ("PyTango command", "10.0.4", "command", "Twice"),
    ("PyTango read", "10.3.1", "read", "level"),
    ("PyTango command", "10.3.1", "command", "Twice"),
]


def cases():
    """Those that this machine can run without making a root first."""
    return [c for c in CASES if c[1] not in native.SUITES or os.path.exists(ROOT)]


def pin(pid, cpu):
    """The process and those below it, with all their threads."""
    for one in procmem.family(pid):
        for tid in os.listdir("/proc/%d/task" % one):
            os.sched_setaffinity(int(tid), {cpu})


def compiled_in_root():
    """The C++ client, compiled where it is to run."""
    source, binary = os.path.join(HERE, "calls.cpp"), ROOT + "/opt/tt/calls"
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        with open(source) as f:
            text = f.read()
        with open(ROOT + "/opt/tt/src/calls.cpp", "w") as f:
            f.write(text)
        subprocess.run(["chroot", ROOT, "sh", "-c", "g++ -std=c++17 -O2 $(pkg-config --cflags tango) -o /opt/tt/calls "
                        "/opt/tt/src/calls.cpp $(pkg-config --libs tango) -pthread"], check=True, timeout=300,
                       stdin=subprocess.DEVNULL)
    return "/opt/tt/calls"


class Pair:
    """A server and a connected client that makes one round of calls per line of input."""

    def __init__(self, bed, case, count, env):
        _, build, operation, name = case
        if build in native.SUITES:
            self.server = parts.tangotest(bed, root=ROOT, env=env, witness=False)
            program, device = beds.inside(ROOT, bed.dir, [compiled_in_root()]), "sys/tg_test/1"
        else:
            python = native.telemetry_python(build)
            self.server = parts.follower(bed, python=python, env=env, witness=False)
            program, device = [python, os.path.join(HERE, "calls.py")], "test/follower/1"
        pin(self.server.pid, SIDES_CPU)
        argv = ["taskset", "-c", str(SIDES_CPU)] + program + [self.server.url(device), operation, name, str(count)]
        self.errors = bed.path("client-%d.err" % len(bed.procs))
        with open(self.errors, "w") as err:
            self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err, cwd=bed.dir,
                                          env=dict(bed.env, **env), universal_newlines=True, bufsize=1,
                                          preexec_fn=beds.die_with_parent)
        while self.popen.stdout.readline().strip() != "up":  # PyTango may have something to say before
            check(self.popen.poll() is None, "the client is connected")
        self.count = count
        self.round()  # caches are warm

    @property
    def pids(self):
        return [self.server.pid, self.popen.pid]

    def round(self):
        self.popen.stdin.write("go\n")
        self.popen.stdin.flush()
        return [int(n) for n in self.popen.stdout.readline().split()]

    def measured(self, settle=lambda: None, pids=()):
        """One round: latencies, and CPU of both sides and `pids`, per call, until settle() says that all is exported."""
        before = sum(map(procmem.cpu_ns, self.pids + list(pids)))
        median, p99 = self.round()[:2]
        settle()
        return {"median": median, "p99": p99,
                "cpu": (sum(map(procmem.cpu_ns, self.pids + list(pids))) - before) / self.count}

    def dropped(self):
        """Spans that native threw away so far: it says so, once each, on the program's own output."""
        with open(self.errors, errors="replace") as f:
            texts = [f.read(), self.server.proc.stdout, self.server.proc.stderr]
        return sum(t.count("queue is full - dropping span") for t in texts)

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(30)


def traced(bed, pair, url, level):
    agent = Agent(bed, "--detail", level, *only(*pair.pids), export=["otlp:" + url])
    pin(agent.proc.pid, AGENT_CPU)
    pair.round()

    def exported():
        status = agent.status()
        return status["assemble"]["events"] >= status["events"]["total"] and all(
            e["figures"]["waiting"] == 0 for e in status["exporters"])
    row = pair.measured(lambda: wait_for(exported, 15, "the agent to export", 0.25), procmem.family(agent.proc.pid))
    final = agent.stop(seconds=30)
    row["lost"] = final["lost"]
    return row


def measure(case, rounds, count):
    bed = beds.Bed("bench-native")
    sink = subprocess.Popen(["taskset", "-c", str(AGENT_CPU), beds.test_program("sink")], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, universal_newlines=True, preexec_fn=beds.die_with_parent)
    rows = {name: [] for name in ("off",) + TRACED}
    try:
        url = "http://127.0.0.1:%d" % int(sink.stdout.readline())
        plain = Pair(bed, case, count, {})
        own = Pair(bed, case, count, native.telemetry(case[1], url))
        rows["off"].append(plain.measured())
        for _ in range(rounds):
            for name in TRACED:
                if name == "native":
                    rows[name].append(own.measured(lambda: time.sleep(native.FLUSH_SECONDS)))
                else:
                    rows[name].append(traced(bed, plain, url, name))
                rows["off"].append(plain.measured())
        dropped = own.dropped()
        plain.close()
        own.close()
    finally:
        sink.stdin.close()
        sink.wait(10)
        bed.close()
    return summary(case, rows, dropped)


def summary(case, rows, dropped):
    off = rows["off"]
    middle = {k: {key: statistics.median(r[key] for r in v) for key in KEYS} for k, v in rows.items()}
    # rows["off"][n] and [n + 1] stand before and after the nth traced one of all
    added = {k: {key: statistics.median(row[key] - (off[i * len(TRACED) + at][key] + off[i * len(TRACED) + at + 1][key]) / 2
                                        for i, row in enumerate(rows[k])) for key in KEYS} for at, k in enumerate(TRACED)}
    ratio = {level: {key: added[level][key] / added["native"][key] if added["native"][key] > 0 else None
                     for key in KEYS} for level in LEVELS}
    build = native.SUITES.get(case[1], case[1])
    return {"case": "%s %s" % (case[0], build), "middle": middle, "added": added, "ratio": ratio,
            "lost": {level: sum(r["lost"] for r in rows[level]) for level in LEVELS}, "native_lost": dropped,
            "raw": rows}


def us(nanoseconds):
    return "%.1f" % (nanoseconds / 1000)


def table(results):
    """Rows of text: latency off, what each adds to latency and CPU, and ours by native's."""
    rows = [("beside native telemetry", "detail", "off us", "+us ours", "+us native", "ratio", "CPU off us", "+CPU ours",
             "+CPU native", "ratio", "lost ours", "lost native")]
    for r in results:
        for level in LEVELS:
            ours, theirs, ratio = r["added"][level], r["added"]["native"], r["ratio"][level]
            word = {k: "-" if v is None else "%.2f" % v for k, v in ratio.items()}
            rows.append((r["case"], level, us(r["middle"]["off"]["median"]), us(ours["median"]), us(theirs["median"]),
                         word["median"], us(r["middle"]["off"]["cpu"]), us(ours["cpu"]), us(theirs["cpu"]), word["cpu"],
                         str(r["lost"][level]), str(r["native_lost"])))
    return rows
