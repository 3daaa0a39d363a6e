#!/usr/bin/python3
"""The tests that run inside the guest, on the kernel under test: with the beds and the checks of the end-to-end tests.

usage: guest.py HOST_TEST RESULTS [TEST...]    HOST_TEST is the compiled tests/host, RESULTS a file for verdicts, figures
"""
import ctypes
import glob
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))

import harness  # noqa: E402
import bed as beds  # noqa: E402
import parts  # noqa: E402
import plans  # noqa: E402
import procmem  # noqa: E402
import spans as otlp  # noqa: E402
import truth  # noqa: E402
from agent import Agent, command  # noqa: E402
from harness import check, check_all, equal, figure, wait_for  # noqa: E402

HOST_TEST, RESULTS = sys.argv[1:3]
WANTED = sys.argv[3:]
SLOW = 10  # everything is emulated: patience of the beds times this
CALLS = 200
# After SIGKILL the kernel itself closes the links, one RCU period each
CLEAN_SECONDS = 300
JOIN_WAIT = ("--join-wait", "30s")  # one side of a call may be seconds later than the other here
FIGURES = {}


class Patient(beds.Proc):
    def wait_text(self, text, seconds=15):
        return super().wait_text(text, seconds * SLOW)

    def wait(self, seconds):
        return super().wait(seconds * SLOW)


beds.Proc = Patient


def tell(key, value):
    FIGURES[key] = value
    figure("%s: %s" % (key, value))


# ---- what the kernel says about loaded programs: struct bpf_prog_info, include/uapi/linux/bpf.h

BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD = 11, 13, 15
INFO_SIZE, INFO_JITED, INFO_XLATED, INFO_NAME, INFO_MISSES, INFO_VERIFIED = 224, 16, 20, 64, 208, 216
SYS_BPF = 321  # x86-64


def bpf(operation, attributes):
    """The system call; gives its result and the attributes as the kernel left them."""
    buffer = ctypes.create_string_buffer(attributes, 64)
    result = ctypes.CDLL(None, use_errno=True).syscall(SYS_BPF, operation, buffer, 64)
    return result, buffer.raw


def programs():
    """(name, instructions, bytes of code, instructions the verifier walked, runs skipped as recursion) of each program."""
    number = 0
    while True:
        result, raw = bpf(BPF_PROG_GET_NEXT_ID, struct.pack("<II", number, 0))
        if result < 0:
            return
        number = struct.unpack_from("<I", raw, 4)[0]
        fd, _ = bpf(BPF_PROG_GET_FD_BY_ID, struct.pack("<I", number))
        if fd < 0:
            continue
        info = ctypes.create_string_buffer(INFO_SIZE)
        bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, INFO_SIZE, ctypes.addressof(info)))
        os.close(fd)
        jited, xlated = struct.unpack_from("<II", info.raw, INFO_JITED)
        misses, verified = struct.unpack_from("<QI", info.raw, INFO_MISSES)
        yield info.raw[INFO_NAME:INFO_NAME + 16].rstrip(b"\0").decode(), xlated // 8, jited, verified, misses


def tell_programs():
    """Every probe fires into one program: it must never have been skipped because it ran already (recursion)."""
    for name, xlated, jited, verified, misses in programs():
        if name.startswith("tt_"):
            tell("program " + name, "%d verified, %d instructions, %d bytes of code" % (verified, xlated, jited))
            equal(misses, 0, "runs of %s that were skipped" % name)


# ---- the tests

def findings():
    """What doctor says, by name: (verdict, found)."""
    code, out, err = command("doctor", "--json", "--log-level", "debug", seconds=60 * SLOW)
    check(code == 0, "doctor ended with %d" % code, out, err)
    answer = json.loads(out)
    check(answer["possible"], "tracing is possible", out)
    return {f["what"]: (f["verdict"], f["found"]) for f in answer["findings"]}


def test_doctor(bed):
    found = findings()
    bad = {k: v for k, v in found.items() if v[0] not in ("ok", "warn")}
    check(not bad, "no failing check", bad)
    for what in ("uprobe_multi", "uprobe_multi by pid", "read leases", "cost of a probe"):
        if what in found:
            tell(what, found[what][1])
    check_features(found, tuple(int(n) for n in os.uname().release.split(".")[:2]))


def check_features(found, version):
    """The agent tries and never asks for a version; here it must have come to what is known of the versions."""
    multi = found["uprobe_multi"][0] == "ok"
    equal(multi, version >= (6, 6), "uprobe_multi in Linux %d.%d" % version)
    if multi:
        # fixed by 46ba0e49b642 in 6.10; before it the filter by pid sees the first thread only
        right = found["uprobe_multi by pid"][0] == "ok"
        equal(right, version >= (6, 10), "a right filter by pid in Linux %d.%d" % version)


def test_host(bed):
    done = subprocess.run([HOST_TEST], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900,
                          universal_newlines=True)
    failed = set(re.findall(r"^\[ +FAILED +\] (\w+)$", done.stdout, re.M))
    closed = re.search(r"100 links closed in ([\d.]+) s", done.stdout)
    if closed:
        tell("100 links by pid closed in", closed.group(1) + " s")
    # Its limit of 2 s is one for a real machine, and for uprobe_multi: without it perf_uprobe_destroy
    # (kernel/trace/trace_event_perf.c) waits for RCU once per link under a lock that all share.
    failed -= {"links_close_in_parallel"}
    ended = done.returncode in (0, 1) and "test(s) run" in done.stdout
    check(ended and not failed, "tests/host ended with %d" % done.returncode, done.stdout)
    check("100 links closed" in done.stdout, "the links were closed", done.stdout)
    tell("tests/host", "%d passed" % len(re.findall(r"^\[ +OK +\]", done.stdout, re.M)))


def kernel_links(pid):
    """How many links the process holds."""
    return sum("bpf_link" in os.readlink(fd.path) for fd in os.scandir("/proc/%d/fd" % pid))


def plan_of(server, calls, threads):
    url = server.url("sys/tg_test/1")
    return plans.mixed(plans.at(url, plans.TANGOTEST), plans.at(url, plans.TANGOTEST_FAIL + plans.CPP_ONLY_FAIL),
                       calls, threads, seed=3)


def mixed_calls(bed, *options, calls=CALLS, threads=2, one_cpu=False):
    """Reads, writes, commands and failures: one CLIENT and one SERVER span each, joined, none lost."""
    server = parts.tangotest(bed)
    plan = plan_of(server, calls, threads)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, gate=True)
    agent = Agent(bed, *JOIN_WAIT, *options)
    if one_cpu:
        crowd(server.proc, client.proc)
    status = agent.status()
    points = len(procmem.differing_bytes(server.pid))
    tell("points in TangoTest", points)
    links = kernel_links(agent.proc.pid)
    before = server.dispatched(), client.invoked()
    client.release()
    log = client.finish()
    requests, invoked = server.dispatched() - before[0], client.invoked() - before[1]
    tell_programs()
    final = agent.stop(seconds=60)  # single uprobes: an RCU period or two for each
    equal(procmem.differing_bytes(server.pid), [], "differing bytes of code after the agent's end")
    tell("attach", "%.2f s to ready (%.2f s of it planning), %d links" % (
        agent.ready_seconds, status["plan_seconds"], links))
    tell("detach", "%.2f s" % agent.stop_seconds)
    spans = agent.spans()
    server_spans = truth.of(spans, server.pid, otlp.SERVER)
    tell("calls", "%d calls, %d failing, %d CLIENT and %d SERVER spans, %d lost" % (
        len(log), sum(1 for c in log if c.reason), len(truth.of(spans, client.pid, otlp.CLIENT)), len(server_spans),
        final["lost"]))
    equal(len(log), calls, "calls in the client's log")
    check_all(
        lambda: truth.check_unique(spans),
        lambda: truth.check_client(spans, client.pid, log),
        lambda: truth.check_wire(spans, client.pid, otlp.CLIENT, invoked),
        lambda: truth.check_wire(spans, server.pid, otlp.SERVER, requests),
        lambda: truth.check_pairs(spans, client.pid, [server.pid]),
        lambda: truth.check_threads(spans, client.pid, log),
        lambda: truth.check_certain(spans),
        lambda: truth.check_none_lost(final, agent))
    return spans


def crowd(*procs):
    """All threads, and those that they will start, on one CPU."""
    for proc in procs:
        for tid in os.listdir("/proc/%d/task" % proc.pid):
            os.sched_setaffinity(int(tid), {0})


def test_sigkill(bed):
    """The agent dies in mid-flight: server and client go on, get the same answers, and their code is clean again."""
    server = parts.tangotest(bed)
    plan = plan_of(server, 40, 2)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    flag = bed.path("repeat")
    open(flag, "w").close()
    client = parts.Client(bed, plan, flags=["--repeat", flag], witness=False)

    def rounds():
        check(client.proc.alive() and server.proc.alive(), "client and server live", client.proc.tail(),
              server.proc.tail())
        return client.proc.stdout.count("round")

    def more(what):
        done = rounds()
        wait_for(lambda: rounds() >= done + 2, 30 * SLOW, what, 0.1)

    wait_for(rounds, 30 * SLOW, "the first round", 0.1)
    agent = Agent(bed, *JOIN_WAIT)
    more("rounds while traced")
    check(any(d[3] == 0xcc for d in procmem.differing_bytes(server.pid, "libtango")), "breakpoints while traced")
    begin = time.monotonic()
    agent.proc.signal(signal.SIGKILL)
    for proc in (server.proc, client.proc):
        wait_for(lambda p=proc: not procmem.differing_bytes(p.pid), CLEAN_SECONDS,
                 "the code of %s to be as in its files" % proc.name, 0.1)
    tell("clean after SIGKILL", "%.1f s" % (time.monotonic() - begin))
    more("rounds after the kill")
    os.unlink(flag)
    client.finish()  # exit code 3: an answer changed from one round to the next
    check(server.proc.alive(), "the server lives", server.proc.tail())
    agent.proc.popen.wait(CLEAN_SECONDS)


def test_calls(bed):
    mixed_calls(bed)


def test_one_cpu(bed):
    """Threads that push each other off one CPU, in the middle of the BPF program as well where the kernel is preemptible:
    what a run has in its hands must be its own."""
    mixed_calls(bed, calls=10 * CALLS, threads=8, one_cpu=True)


def test_calls_single(bed):
    """With a link per point, the only way before 6.6, by choice."""
    mixed_calls(bed, "--no-multi")


def test_calls_full(bed):
    """With the scheduler followed: where the time of each call went, to the nanosecond."""
    spans = [s for s in mixed_calls(bed, "--detail", "full") if s.kind in (otlp.SERVER, otlp.CLIENT)]
    off_cpu = 0
    for span in spans:
        parts_of = [ns for key, ns in span.attrs.items() if key.startswith("tango.time.")]
        check(parts_of, "a ledger", span)
        equal(sum(parts_of), span.end - span.start, "its sum, of %r" % span)
        off_cpu += span.attrs.get("tango.time.user_off_cpu_ns", 0) > 0
    tell("ledgers", "%d, %d with methods off the CPU" % (len(spans), off_cpu))


def test_kernel_is_content(bed):
    """What the kernel complains about, all tests through. (Not about segfaults: TangoTest 9.3.4 may die of one when it
    is ended after it has served clients, on any kernel, untraced as well; while the tests want it alive they check it.)
    """
    text = subprocess.run(["dmesg"], stdout=subprocess.PIPE, universal_newlines=True).stdout
    bad = [line for line in text.splitlines() if re.search(r"BUG:|WARNING:|Oops|Call Trace|blocked for more", line)]
    check(not bad, "the kernel's log", *bad[:10])


def keep_files(name):
    """What a failed test left would go with the guest: beside the figures it stays (TT_KEEP=1)."""
    kept = os.path.join(os.path.dirname(RESULTS), "failed-" + name)
    for directory in glob.glob("/tmp/tt-e2e-*"):
        subprocess.run(["tar", "-C", "/tmp", "-czf", "%s-%s.tar.gz" % (kept, directory[-8:]), os.path.basename(directory)])


def main():
    tests = [test_doctor, test_host, test_calls, test_calls_full, test_sigkill, test_one_cpu]
    if findings()["uprobe_multi"][0] == "ok":
        tests.append(test_calls_single)
    tests.append(test_kernel_is_content)
    verdicts = {}
    for test in tests:
        name = test.__name__[5:]
        if WANTED and name not in WANTED:
            continue
        FIGURES.clear()
        start = time.monotonic()
        verdict = harness.run_one(name, test)
        if verdict == "FAILED":
            keep_files(name)
        verdicts[name] = {"verdict": verdict, "seconds": time.monotonic() - start, "figures": dict(FIGURES)}
        with open(RESULTS, "w") as f:
            json.dump({"kernel": os.uname().release, "tests": verdicts}, f)
    with open(RESULTS, "w") as f:
        json.dump({"kernel": os.uname().release, "tests": verdicts, "complete": True}, f)


if __name__ == "__main__":
    main()
