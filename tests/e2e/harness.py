"""The runner of the end-to-end tests: finds `test_*` functions, runs them, counts them.

A test is a function `test_name(bed)`. It gets a fresh Bed (private directory, own processes) that is torn down
after it, whatever happened. It fails by any exception and skips by Skip, which CI=true turns into a failure.
"""
import importlib
import os
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
# Many agents, one after the other and side by side: none takes the page's port, unless its test asks for a page.
os.environ.setdefault("TANGOTRACE_VIEW_LISTEN", "none")
CI = os.environ.get("CI", "") not in ("", "0", "false")
MODULES = ["test_baseline", "test_cli", "test_sampling", "test_calls", "test_methods", "test_probes", "test_forwarded", "test_ssl", "test_matrix", "test_errors",
           "test_async", "test_inside", "test_ledger", "test_python", "test_taurus", "test_green", "test_every", "test_otlp", "test_outage", "test_servers", "test_metrics", "test_top", "test_reload", "test_loss", "test_processes", "test_late",
           "test_replay", "test_page", "test_page_counts", "test_page_process", "test_plan_cache", "test_native", "test_links", "test_harm", "test_harm_builds", "test_harm_full"]
NAMED = ["test_backends"]  # run only when named: see make check-backends


class Skip(Exception):
    """This host lacks something that the test needs."""


def check(condition, message, *detail):
    if not condition:
        raise AssertionError(message + "".join("\n    %s" % (d,) for d in detail))


def check_all(*checks):
    """Runs every check and fails once, with all that is wrong: one finding must not hide the next."""
    wrong = []
    for one in checks:
        try:
            one()
        except AssertionError as e:
            wrong.append(str(e))
    check(not wrong, "%d of %d checks failed" % (len(wrong), len(checks)), *wrong)


def equal(got, want, what):
    check(got == want, "%s: got %r, want %r" % (what, got, want))


def figure(text):
    """A measured value that a person wants to see in the log of a green run."""
    print("      %s" % text, flush=True)


def wait_for(condition, seconds, what, step=0.02):
    """Waits until condition() is true and returns its value; never a bare sleep."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for %s" % (seconds, what))
        time.sleep(step)


def scaled(name, default):
    """A size that `make check-long` raises by environment."""
    return int(os.environ.get(name, default))


def selected(names):
    """(module, function) pairs; a name is a module, or module.function, both with or without 'test_'."""
    pairs = []
    for module_name in MODULES + (NAMED if names else []):
        module = importlib.import_module(module_name)
        for key, function in vars(module).items():
            if key.startswith("test_") and callable(function) and function.__module__ == module_name:
                pairs.append((module_name[5:], key[5:], function))
    if not names:
        return pairs
    wanted = [n[:-3] if n.endswith(".py") else n for n in (name.replace("test_", "") for name in names)]
    chosen = [p for p in pairs if any(p[0] == w or "%s.%s" % p[:2] == w for w in wanted)]
    for want in wanted:
        if not any(want in (p[0], "%s.%s" % p[:2]) for p in pairs):
            sys.exit("no such test: %s (have: %s)" % (want, " ".join("%s.%s" % p[:2] for p in pairs)))
    return chosen


def run_one(title, function):
    import bed as bed_module
    start = time.monotonic()
    verdict, failed = "ok", None
    bed = bed_module.Bed(title)
    try:
        function(bed)
    except Skip as reason:
        verdict, failed = ("FAILED", "missing on CI: %s" % reason) if CI else ("skipped", str(reason))
    except Exception:
        verdict, failed = "FAILED", traceback.format_exc()
    try:
        bed.close(keep=verdict == "FAILED")
    except Exception:
        verdict, failed = "FAILED", (failed or "") + traceback.format_exc()
    print("%-8s %s (%.1f s)" % (verdict, title, time.monotonic() - start), flush=True)
    if failed:
        print("      " + failed.rstrip().replace("\n", "\n      "), flush=True)
    if verdict == "FAILED":
        print("      files kept in %s" % bed.dir, flush=True)
    return verdict


def main(names):
    counts = {"ok": 0, "FAILED": 0, "skipped": 0}
    for module, name, function in selected(names):
        counts[run_one("%s.%s" % (module, name), function)] += 1
    line = "%d passed, %d failed" % (counts["ok"], counts["FAILED"])
    if counts["skipped"]:
        line += ", %d skipped" % counts["skipped"]
    print(line, flush=True)
    return 1 if counts["FAILED"] or not counts["ok"] + counts["skipped"] else 0


if __name__ == "__main__":
    # The tests import this file as `harness`: run that copy, so that there is one Skip class and not two.
    import harness
    sys.exit(harness.main(sys.argv[1:]))
