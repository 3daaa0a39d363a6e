"""The agent under test: start, readiness, stop, and what it left."""
import json
import os
import re
import signal
import subprocess
import time

import bed as beds
import spans
from harness import ROOT, check

BINARY = os.environ.get("TT_AGENT", os.path.join(ROOT, "build", "tangotrace"))
# On a host where others test at the same time: only what the bed started before the agent is traced. Not for tests of
# processes that come later.
ONLY_BED = os.environ.get("TT_ONLY_BED", "") not in ("", "0")
FINAL = re.compile(r"tangotrace: seen (\d+) events?, (\d+) spans?(?: \([^)]*\))?; exported (\d+) spans?[^;]*; lost (\d+)(?: \((.*)\))?")


def need_agent():
    beds.need_root()
    if not os.path.exists(BINARY):
        raise AssertionError("%s is not built: run make" % BINARY)


def command(*args, seconds=30, env=None):
    """A short command of the agent's binary: (exit code, stdout, stderr)."""
    need_agent()
    done = subprocess.run([BINARY] + [str(a) for a in args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=seconds, env=env, universal_newlines=True)
    return done.returncode, done.stdout, done.stderr


def only(*procs):
    """Options that select these processes (parts, or pids) and no others: other Tango programs may run on this host."""
    return [word for p in procs for word in ("--select", "pid:%d" % getattr(p, "pid", p))]


class Agent:
    def __init__(self, bed, *args, export=None, ready=True, seconds=30, prefix=()):
        need_agent()
        self.bed = bed
        number = sum(1 for p in bed.procs if "agent" in p.name)
        self.file = bed.path("spans-%d.jsonl" % number)
        self.control = bed.path("control-%d.sock" % number)
        exports = ["file:" + self.file] if export is None else export
        argv = [BINARY, "run", "--control", self.control]
        for target in exports:
            argv += ["--export", target]
        if "--sampling-background" not in args:
            argv += ["--sampling-background", "1"]  # every span is counted: what sampling does is test_sampling's
        if ONLY_BED and not {"--select", "--exclude"} & set(args):
            argv += only(*bed.alive())
        self.started = time.monotonic()
        self.proc = bed.start("agent", list(prefix) + argv + list(args))
        self.ready_seconds = None
        if ready:
            self.wait_ready(seconds)

    def wait_ready(self, seconds=30):
        self.proc.wait_text("tangotrace: ready", seconds)
        self.ready_seconds = time.monotonic() - self.started

    def stop(self, number=signal.SIGINT, seconds=15):
        """Ends it as a person would and checks that it went cleanly; returns the figures of its final line."""
        begin = time.monotonic()
        self.proc.signal(number)
        code = self.proc.wait(seconds)
        self.stop_seconds = time.monotonic() - begin
        check(code == 0, "the agent ended with %d" % code, self.proc.tail())
        check("ERROR: AddressSanitizer" not in self.proc.stderr and "runtime error:" not in self.proc.stderr,
              "a sanitizer spoke", self.proc.tail())
        return self.final()

    def kill(self):
        self.proc.signal(signal.SIGKILL)
        self.proc.popen.wait(10)

    def final(self):
        found = FINAL.findall(self.proc.stderr)
        check(len(found) == 1, "one final line on stderr, not %d" % len(found), self.proc.tail())
        events, made, exported, lost, reasons = found[0]
        pairs = (r.rsplit(" ", 1) for r in filter(None, reasons.split(", ")))
        by_reason = {reason: int(number) for reason, number in pairs}
        return {"events": int(events), "spans": int(made), "exported": int(exported), "lost": int(lost),
                "reasons": by_reason}

    def status(self):
        code, out, err = command("status", "--json", "--control", self.control)
        check(code == 0, "status ended with %d" % code, err)
        return json.loads(out)

    def processes(self):
        """The Tango processes that it knows, as `list` gives them."""
        code, out, err = command("list", "--json", "--control", self.control)
        check(code == 0, "list ended with %d" % code, err)
        return json.loads(out)["processes"]

    def all_spans(self):
        return spans.load(self.file)

    def spans(self):
        """Those of the bed's own processes: other Tango programs may run on this host, and be traced too."""
        mine = {p.pid for p in self.bed.procs}
        return [s for s in self.all_spans() if s.pid in mine]

    def logs(self):
        """Log records of the bed's own processes."""
        mine = {p.pid for p in self.bed.procs}
        return [record for record in spans.load_logs(self.file) if record.pid in mine]
