#!/usr/bin/python3
"""Sums up what the guests left: a line of figures per kernel and the closing line. report.py SUITE=FIGURES..."""
import json
import sys

SHOWN = [("doctor", "uprobe_multi"), ("doctor", "uprobe_multi by pid"), ("doctor", "cost of a probe"),
         ("host", "tests/host"), ("host", "100 links by pid closed in"), ("calls", "program tt_probe"),
         ("calls", "points in TangoTest"), ("calls_full", "program tt_sched_switch"), ("calls_full", "ledgers")]


def line(tests):
    def of(test, key):
        return tests.get(test, {}).get("figures", {}).get(key)
    parts = ["%s %s" % (key, of(test, key)) for test, key in SHOWN if of(test, key)]
    for test, how in (("calls", "default"), ("one_cpu", "8 threads on one CPU"), ("calls_single", "single uprobes")):
        found = ["%s %s" % (key, of(test, key)) for key in ("attach", "detach", "calls") if of(test, key)]
        kill = of("sigkill", "clean after SIGKILL")
        if kill and test == "calls":
            found.append("clean %s after SIGKILL" % kill)
        if found:
            parts.append("[%s: %s]" % (how, ", ".join(found)))
    return "; ".join(parts)


def main(arguments):
    passed = failed = 0
    for argument in arguments:
        suite, path = argument.split("=", 1)
        try:
            with open(path) as f:
                report = json.load(f)
        except (OSError, ValueError):
            report = {"kernel": "no kernel", "tests": {}}
        good = sum(t["verdict"] == "ok" for t in report["tests"].values())
        bad = len(report["tests"]) - good + (not report.get("complete"))
        passed, failed = passed + good, failed + bad
        if not report.get("complete"):
            print("%s: did not come to the end" % suite)
        print("%s %s: %s" % (suite, report["kernel"], line(report["tests"])))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
