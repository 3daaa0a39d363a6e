"""Throughput of `tangotrace replay` on one CPU: a recording of mixed calls (C++ client in 4 threads, three servers) goes
through the pipeline with different exporters; spans per second by elapsed and by CPU time, best of some runs, memory.

none: assemble, correlate and enrich, spans thrown away; metrics: the same, counted; null: with the exporter's queue and
thread; file: OTLP JSON.
usage: replay.py [--calls N] [--runs N] [--recording FILE] [--out build/bench-replay.json]
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
import bed as beds  # noqa: E402
import parts  # noqa: E402
import plans  # noqa: E402
from agent import BINARY, FINAL, Agent  # noqa: E402
from harness import check  # noqa: E402
from test_calls import plan_for, system  # noqa: E402

CPU = 0
TARGET = 200000  # spans/s on one core
METRICS = ["--metrics-file", "/dev/null"]
CASES = [("none", []), ("metrics", METRICS), ("Tempo's metrics", METRICS + ["--metrics-spans", "--metrics-graph", "class"]),
         ("null", []), ("file:/dev/null", [])]


def record(bed, calls):
    servers = system(bed, None)
    plan = plan_for(servers, calls, threads=4, seed=7)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True, witness=False)
    path = bed.path("bench.ttr")
    agent = Agent(bed, "--record", path, export=["null"])
    client.release()
    client.finish()
    agent.stop(seconds=30)
    return path


def replay(path, export, options):
    """One run: spans, seconds elapsed and of CPU, kB."""
    reading, writing = os.pipe()
    start = time.monotonic()
    proc = subprocess.Popen(["taskset", "-c", str(CPU), BINARY, "replay", path, "--export",
                             "none" if options else export] + options,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writing)
    os.close(writing)
    with os.fdopen(reading) as f:
        said = f.read()
    _, status, usage = os.wait4(proc.pid, 0)
    proc.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    check(proc.returncode == 0, "replay ended with %d" % proc.returncode, said)
    final = FINAL.search(said)
    check(final and final.group(4) == "0", "nothing lost", said)
    return {"events": int(final.group(1)), "spans": int(final.group(2)), "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime, "kb": usage.ru_maxrss}


def measure(path, export, options, runs):
    done = [replay(path, export, options) for _ in range(runs)]
    best = {key: min(d[key] for d in done) for key in ("seconds", "cpu")}
    return dict(done[0], export=export, kb=max(d["kb"] for d in done), **best)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=int(os.environ.get("TT_BENCH_REPLAY_CALLS", "50000")))
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--recording")
    options.add_argument("--out", default=os.path.join(ROOT, "build", "bench-replay.json"))
    given = options.parse_args()
    bed = beds.Bed("bench-replay")
    try:
        path = given.recording or record(bed, given.calls)
        size = os.path.getsize(path)
        results = [measure(path, export, options, given.runs) for export, options in CASES]
    finally:
        bed.close()
    with open(given.out, "w") as f:
        json.dump({"recording_bytes": size, "results": results}, f, indent=1)
    print("replay of %d events, %d spans, %.1f MB, on CPU %d; best of %d" % (
        results[0]["events"], results[0]["spans"], size / 1e6, CPU, given.runs))
    print("%-16s %12s %12s %10s %10s" % ("export", "spans/s", "by CPU time", "us/span", "memory MB"))
    for r in results:
        print("%-16s %12.0f %12.0f %10.2f %10.1f" % (re.sub(":.*", "", r["export"]), r["spans"] / r["seconds"],
              r["spans"] / r["cpu"], r["cpu"] * 1e6 / r["spans"], r["kb"] / 1024))
    for r in results[1:3]:
        print("%s: %.0f ns per span" % (r["export"], (r["cpu"] - results[0]["cpu"]) * 1e9 / r["spans"]))
    rate = results[0]["spans"] / results[0]["cpu"]
    print("target without export: %d spans/s on one core: %s" % (TARGET, "reached" if rate >= TARGET else "MISSED"))
    print("%s written" % os.path.relpath(given.out, os.getcwd()))


if __name__ == "__main__":
    main()
