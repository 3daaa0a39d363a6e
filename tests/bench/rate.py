"""What leaves the host at 3,000 spans/s: requests per second, bytes per span, CPU of the agent, by compression.

A recording of 900 devices (TangoTest, a C++ and a PyTango server; C++ and PyTango clients, a quarter of the calls fail) is
replayed at that rate, again and again with fresh random ids, into a receiver that counts; then a live agent does the same
with calls of a paced client. Beside it: what MAX IV measured of native telemetry, and native's own figures (README).
usage: rate.py [--seconds N] [--recording FILE] [--record FILE] [--no-live] [--out build/bench-rate.json]
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
sys.path.insert(0, HERE)
import bed as beds  # noqa: E402
import parts  # noqa: E402
import plans  # noqa: E402
import procmem  # noqa: E402
from agent import BINARY, FINAL, Agent  # noqa: E402
from harness import check  # noqa: E402
from receivers import OK, Receiver, read_request  # noqa: E402

RATE = 3000
LIMITS = {"gzip": 85, "zstd": 60}  # bytes per span
CPU_LIMIT, REQUEST_LIMIT = 4.0, 1.0  # % of one core, requests/s
OTHERS = [("MAX IV, native", "230 requests/s", "193", "50 GB a day at 3,000 spans/s"),
          ("native, OTLP/HTTP", "", "220-366", "cppTango 10, by kind of call")]


class Counter:
    """A receiver that counts requests and bytes of bodies."""

    def __init__(self):
        self.requests = self.bytes = 0
        owner = self

        def serve(receiver, connection, number):
            while True:
                request = read_request(connection)
                if not request:
                    return
                if " /v1/traces " in request[0]:
                    owner.requests += 1
                    owner.bytes += len(request[1])
                connection.sendall(OK)

        self.receiver = Receiver(serve)
        self.url = self.receiver.url


def devices_of(bed):
    """900 devices in seven servers: [(url, good rows, bad rows)]. Few of TangoTest: each has threads that use the CPU."""
    found = []
    kinds = [(parts.tangotest, "bench/tt%d/%d", plans.TANGOTEST, plans.TANGOTEST_FAIL, 2, 10),
             (parts.thrower, "bench/th%d/%d", plans.THROWER, plans.THROWER_FAIL, 3, 220),
             (parts.follower, "bench/fo%d/%d", plans.FOLLOWER, plans.FOLLOWER_FAIL, 2, 110)]
    servers_of = []
    for make, pattern, good, bad, servers, count in kinds:
        for number in range(servers):
            names = [pattern % (number, i) for i in range(count)]
            servers_of.append(make(bed, instance="b%d" % number, devices=names, witness=False, wait=False))
            found += [(servers_of[-1].url(name), good, bad) for name in names]
    for server in servers_of:
        server.proc.wait_text(parts.READY, 120)
    return found


def plan_of(devices, calls, threads, seed):
    """Threads share their proxies, so no answer may make cppTango connect anew (test_harm.Load)."""
    dice = random.Random(seed)
    rows = []
    devices = [(url, good, [row for row in bad if row[1] not in plans.CORBA_UNKNOWN]) for url, good, bad in devices]
    for _ in range(threads):
        mine = []
        for _ in range(calls // threads):
            url, good, bad = dice.choice(devices)
            mine.append(plans.at(url, [dice.choice(bad if dice.random() < 0.25 else good)])[0])
        rows.append(mine)
    return rows


def record(bed, path, calls=20000):
    devices = devices_of(bed)
    check(len(devices) == 900, "devices", len(devices))
    clients = [parts.Client(bed, plan_of(devices, calls * 3 // 4, 4, 1), flags=["--shared"], gate=True,
                            witness=False, name="cpp"),
               parts.Client(bed, plan_of(devices, calls // 4, 2, 2), python=True, flags=["--shared"], gate=True, witness=False, name="python")]
    agent = Agent(bed, "--record", path, export=["null"], seconds=60)
    for client in clients:
        client.release()
    for client in clients:
        client.finish()
    agent.stop(seconds=60)


def facts(path):
    """(spans of one pass, seconds it lasts) of a recording."""
    def timed(*args):
        begin = time.monotonic()
        done = subprocess.run([BINARY, "replay", path, "--export", "null"] + list(args), stderr=subprocess.PIPE,
                              universal_newlines=True, check=True)
        return time.monotonic() - begin, int(FINAL.search(done.stderr).group(2))
    _, spans = timed()
    lasts, _ = timed("--speed", "1")
    return spans, lasts


def measure(path, spans, lasts, compression, seconds):
    """One replay at RATE spans/s."""
    counter = Counter()
    passes = max(1, round(RATE * seconds / spans))
    speed = RATE * (passes * lasts + passes - 1) / (passes * spans)
    reading, writing = os.pipe()
    begin = time.monotonic()
    proc = subprocess.Popen([BINARY, "replay", path, "--export", "otlp:" + counter.url, "--no-logs", "--speed", "%.4f" % speed,
                             "--repeat", str(passes), "--otlp-compression", compression],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    with os.fdopen(reading) as f:
        said = f.read()
    _, status, usage = os.wait4(proc.pid, 0)
    proc.returncode = os.waitstatus_to_exitcode(status)
    took = time.monotonic() - begin
    final = FINAL.search(said)
    check(final and final.group(4) == "0", "nothing lost", said)
    made = int(final.group(2))
    return {"case": "replay, " + compression, "spans": made, "rate": made / took, "requests": counter.requests / took,
            "bytes": counter.bytes / made, "cpu": (usage.ru_utime + usage.ru_stime) / took * 100, "mb": usage.ru_maxrss / 1024}


def used(agent, seconds):
    """% of a core that the agent takes while nobody calls: it looks at every process that others start on this host."""
    cpu, begin = procmem.family_cpu_ns(agent.proc.pid), time.monotonic()
    threading.Event().wait(seconds)
    return (procmem.family_cpu_ns(agent.proc.pid) - cpu) / 1e7 / (time.monotonic() - begin)


def live(bed, seconds, compression="gzip"):
    """An agent while a client makes RATE/2 calls a second, of two spans each."""
    from bench import MeasuredClient
    counter = Counter()
    server = parts.tangotest(bed, witness=False)
    client = MeasuredClient(bed, "cpp", server.url("sys/tg_test/1"), "read", "ampli", RATE // 20)
    agent = Agent(bed, "--detail", "rpc", "--otlp-compression", compression, export=["otlp:" + counter.url])
    client.round()
    idle = used(agent, 3)
    cpu, begin = procmem.family_cpu_ns(agent.proc.pid), time.monotonic()
    rounds = 0
    while time.monotonic() - begin < seconds:
        client.round()
        rounds += 1
        threading.Event().wait(max(0, begin + rounds / 10 - time.monotonic()))
    took = time.monotonic() - begin
    cpu = procmem.family_cpu_ns(agent.proc.pid) - cpu
    requests = counter.requests
    client.close()
    final = agent.stop(seconds=30)
    return {"case": "live, " + compression, "spans": final["spans"], "rate": final["spans"] / took, "requests": requests / took,
            "bytes": counter.bytes / max(1, final["spans"]), "cpu": cpu / 1e7 / took, "idle": idle, "mb": 0}


def within(work):
    """In a bed of its own: what was started for one part does not run beside the next."""
    bed = beds.Bed("bench-rate")
    try:
        return work(bed)
    finally:
        bed.close()


def verdict(row, kind):
    wrong = []
    if row["requests"] > REQUEST_LIMIT * 1.02:
        wrong.append("requests")
    if row["case"].startswith("replay") and row["bytes"] > LIMITS[kind]:
        wrong.append("bytes")
    if kind == "gzip" and row["cpu"] > CPU_LIMIT:
        wrong.append("CPU")
    return "reached" if not wrong else "MISSED: " + ", ".join(wrong)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=float(os.environ.get("TT_BENCH_RATE_SECONDS", "30")))
    options.add_argument("--recording")
    options.add_argument("--record")
    options.add_argument("--no-live", action="store_true")
    options.add_argument("--out", default=os.path.join(ROOT, "build", "bench-rate.json"))
    given, rows = options.parse_args(), []
    with tempfile.TemporaryDirectory(prefix="tt-rate-") as directory:
        path = given.recording or given.record or os.path.join(directory, "rate.ttr")
        if not given.recording:
            within(lambda bed: record(bed, path))
        if not given.no_live:
            rows.append((within(lambda bed: live(bed, given.seconds)), "gzip"))
        spans, lasts = facts(path)
        rows += [(measure(path, spans, lasts, kind, given.seconds), kind) for kind in LIMITS]
    with open(given.out, "w") as f:
        json.dump([row for row, _ in rows], f, indent=1)
    print("%-18s %9s %11s %11s %10s   target: %g request/s, %s bytes, %g %% of a core with gzip" % (
        "", "spans/s", "requests/s", "bytes/span", "agent CPU", REQUEST_LIMIT,
        ", ".join("%d %s" % (v, k) for k, v in LIMITS.items()), CPU_LIMIT))
    for row, kind in rows:
        print("%-18s %9.0f %11.2f %11.1f %8.2f %%   %s" % (row["case"], row["rate"], row["requests"], row["bytes"], row["cpu"],
                                                       verdict(row, kind)))
        if "idle" in row:
            print("%-18s %9s %11s %11s %8.2f %%   of it for other processes that start and end here" % ("", "", "", "", row["idle"]))
    for name, requests, size, remark in OTHERS:
        print("%-18s %9s %11s %11s %10s   %s" % (name, "", requests.split(" ")[0], size, "", remark))
    print("%s written" % os.path.relpath(given.out, os.getcwd()))


if __name__ == "__main__":
    main()
