"""The coverage table: what `tangotrace plan` covers of each build, and what it leaves out.

usage: check.py [TANGOTRACE] < list      (the list: lines of "build<tab>path", as tests/libraries/fetch prints it)

Fails when a library has less than 85 % of its catalogued functions fully covered by emulated instructions; when a
function is neither fully covered so, nor called seldom and covered by stepping, nor has a named substitute in the same
file that is; when a catalogued function is missing where no version is known to lack it; when a field of a span cannot
be captured; when the layout of the build is not known; or when planning takes longer than a second. Of TangoTest, a C++ server
of the same build: when a method that all its versions have is not found, or of a kind of methods too few are covered.
"""
import collections
import json
import os
import subprocess
import sys

LEAST = 0.85
SECONDS = 1.0
HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build", "tangotrace")

# Rows that a library's own version does not have: {name: versions that lack it}.
ABSENT = {
    "Tango::Device_6Impl::info_6": ("9.",),
    "Tango::Database::get_device_defined": ("9.3", "9.4"),
    # Inline in the header; Ubuntu's build (LTO) keeps no copy of it. What it calls, get_attribute_config, is probed.
    "Tango::DeviceProxy::attribute_query": ("9.5.0",),
}
# Control of native telemetry by the client came with 10.3.
ABSENT.update({"Tango::DeviceProxy::" + name: ("9.", "10.0", "10.1") for name in (
    "is_telemetry_enabled", "set_telemetry_logging", "set_telemetry_topics", "set_telemetry_tracing", "start_telemetry",
    "stop_telemetry")})
# Fields that a build does not let us take, where the span goes without them: {(signature, field): why}.
NO_FIELD = {}
# What TangoTest has in all versions, and how many of it at least are covered.
METHODS = {"{class}.read_{attribute}": 50, "{class}.write_{attribute}": 30, "{class}.{command}": 20, "{class}.init_device": 1,
           "{class}.delete_device": 1, "{class}.always_executed_hook": 1, "{class}.read_attr_hardware": 1,
           "{class}.command_factory": 1, "{class}.attribute_factory": 1, "{class}.device_factory": 1}
HEAD = ("build", "library", "version", "functions", "emulated", "stepped", "left to", "uncovered", "points", "ms")


class Library:
    """One planned file, and what is wrong with it."""

    def __init__(self, build, path, plan):
        self.build, self.file, self.plan = build, os.path.basename(path), plan
        self.kind = " ".join(plan["libraries"])
        self.functions = plan["functions"]
        self.wrong, self.remarks = [], []
        self.covered_names = {f["name"] for f in self.functions if self.covered(f)}
        self.emulated = [f for f in self.functions if self.covered(f) and self.all_emulated(f)]
        self.stepped = [f for f in self.functions if self.covered(f) and not self.all_emulated(f)]
        self.uncovered = [f for f in self.functions if not self.covered(f)]
        self.left = [f for f in self.uncovered if f["substitute"] in self.covered_names]

    @staticmethod
    def covered(function):
        return bool(function["points"]) and not function["entry_only"] and not function["refused"]

    @staticmethod
    def all_emulated(function):
        return all(p["emulated"] for p in function["points"])

    @property
    def share(self):
        return len(self.emulated) / len(self.functions)

    def row(self):
        return (self.build, self.kind, self.plan["version"] or "-", len(self.functions),
                "%d (%.0f %%)" % (len(self.emulated), 100 * self.share), len(self.stepped), len(self.left),
                len(self.uncovered) - len(self.left), self.plan["totals"]["points"],
                "%.0f" % (1000 * self.plan["totals"]["seconds"]))

    def judge(self, every):
        """`every`: {kind of library: names of all rows that some build has}."""
        # six functions, two of them asked once per connection: a share says nothing about omniORB
        if self.kind == "cppTango" and self.share < LEAST:
            self.wrong.append("only %.1f %% of its functions are covered by emulated instructions" % (100 * self.share))
        for function in self.stepped:
            if not function["seldom"]:
                self.wrong.append("%s: a point that has to be stepped" % function["signature"])
        for function in self.uncovered:
            if function not in self.left:
                self.wrong.append("%s: %s" % (function["signature"], function["refused"]))
        for name in sorted(every[self.kind] - {f["name"] for f in self.functions}):
            if not (self.plan["version"] or "").startswith(ABSENT.get(name, ("-",))):
                self.wrong.append("%s: not found" % name)
        for function in self.functions:
            self.judge_fields(function)
        if "cppTango" in self.kind and not self.plan["layout"] or "omniORB" in self.kind and not self.plan[
                "omniorb_layout"]:
            self.wrong.append("layout not known")
        if self.plan["totals"]["seconds"] > SECONDS:
            self.wrong.append("planned in %.2f s" % self.plan["totals"]["seconds"])

    def judge_fields(self, function):
        for note in filter(None, (function["note"] or "").split("; ")):
            if " not captured (" in note:
                field = note.split(": ", 1)[1].split(" ", 1)[0]
                if (function["signature"], field) in NO_FIELD:
                    self.remarks.append("%s: %s" % (function["signature"], note))
                else:
                    self.wrong.append("%s: %s" % (function["signature"], note))


def plan(binary, path, *options):
    """The plan as JSON, or None for a file without catalogued functions."""
    done = subprocess.run([binary, "plan", "--json", path] + list(options), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, universal_newlines=True, timeout=60)
    if done.returncode and "has none of the functions" in done.stderr:
        return None
    if done.returncode:
        raise SystemExit("%s: %s" % (path, done.stderr.strip()))
    return json.loads(done.stdout)


def judge_server(binary, build, path, tango):
    """What is wrong with the plan of TangoTest, which uses the library `tango`."""
    functions = plan(binary, path, "--tango", tango)["functions"]
    covered = collections.Counter(f["name"] for f in functions if Library.covered(f))
    print("%s TangoTest: %d methods, %d covered" % (build, len(functions), sum(covered.values())))
    return ["%s: only %d covered" % (name, covered[name]) for name, least in METHODS.items() if covered[name] < least]


def print_table(rows):
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(HEAD))]
    for row in rows:
        print("  ".join(str(v).ljust(w) if i < 3 else str(v).rjust(w) for i, (v, w) in enumerate(zip(row, widths))))


def check(pairs, binary):
    """Prints the table and what is wrong; returns the numbers of good and bad libraries."""
    libraries = []
    servers = [pair for pair in pairs if os.path.basename(pair[1]) == "TangoTest"]
    tango = {build: path for build, path in pairs if os.path.basename(path).startswith("libtango")}
    for build, path in (pair for pair in pairs if pair not in servers):
        found = plan(binary, path)
        if found:
            libraries.append(Library(build, path, found))
    every = collections.defaultdict(set)
    for library in libraries:
        every[library.kind] |= {f["name"] for f in library.functions}
    print_table([HEAD] + [library.row() for library in libraries])
    for library in libraries:
        library.judge(every)
        for function in library.left:
            print("%s: %s left to %s (%s)" % (library.build, function["name"], function["substitute"],
                                              function["refused"]))
        for line in library.remarks:
            print("%s: %s" % (library.build, line))
        for line in library.wrong:
            print("FAILED   %s %s: %s" % (library.build, library.file, line))
    bad = sum(1 for library in libraries if library.wrong)
    for build, path in servers:
        wrong = judge_server(binary, build, path, tango[build])
        bad += bool(wrong)
        for line in wrong:
            print("FAILED   %s TangoTest: %s" % (build, line))
    return len(libraries) + len(servers) - bad, bad


def main(argv):
    pairs = [line.rstrip("\n").split("\t") for line in sys.stdin if line.strip()]
    good, bad = check(pairs, argv[1] if len(argv) > 1 else BINARY)
    print("%d passed, %d failed" % (good, bad))
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
