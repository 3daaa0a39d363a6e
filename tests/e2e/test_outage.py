"""What happens to spans when their destination goes away, agents end and are killed, and disks are full.

The agent is `tangotrace replay`: recordings of real programs, again and again with fresh ids, at 3,000 spans/s through the very
queue, spool and connection of a live agent. Truth is the same replay into a receiver that is always there.
TT_OUTAGE_SECONDS: how long in all (600 in `make check-long`).
"""
import gzip
import os
import re
import signal
import struct
import subprocess
import threading
import time

import bed as beds
import spans as otlp
from agent import BINARY
from harness import Skip, check, equal, figure, scaled, wait_for
from receivers import IDLE, Destination, ended, files, golden, replay, span_ids

SECONDS = scaled("TT_OUTAGE_SECONDS", 40)
RATE = 3000  # spans/s
HEADER = struct.Struct("<8sIIIBBH")  # of a file of the spool: magic, crc, items, size, encoding, json, zero


# ---- agents -------------------------------------------------------------------------------------------------------------

def pace(bed, name):
    """Arguments that make RATE spans/s of a recording, and its spans: by the time from one pass to the next."""
    path = bed.path(name + ".jsonl")
    subprocess.run([BINARY, "replay", golden(name), "--export", "file:" + path, "--repeat", "2"],
                   stderr=subprocess.DEVNULL, check=True)
    starts = sorted(s.start for s in otlp.load(path))
    spans = len(starts) // 2
    lasts = (starts[spans] - starts[0]) / 1e9
    return ["--speed", "%.1f" % (RATE * lasts / spans)], spans


def spooled(spool):
    """Ids in the spool, by the files themselves."""
    found, largest = [], 0
    for path in files(spool):
        with open(path, "rb") as f:
            data = f.read()
        magic, _, items, size, encoding, is_json, _ = HEADER.unpack_from(data)
        equal((magic, size, encoding, is_json), (b"TTSPOOL1", len(data) - HEADER.size, 1, 0), "header of %s" % path)
        ids = span_ids(gzip.decompress(data[HEADER.size:]))
        equal(len(ids), items, "spans in %s" % path)
        found += ids
        largest = max(largest, items)
    return sorted(found), largest


def without(ids, others):
    others = set(others)
    return [i for i in ids if i not in others]


def truth(name, passes):
    """Ids of so many passes, by a receiver that is always there."""
    receiver = Destination().up()
    subprocess.run([BINARY, "replay", golden(name), "--export", "otlp:" + receiver.url, "--repeat", str(passes)],
                   stderr=subprocess.DEVNULL, check=True)
    receiver.down()
    return receiver.ids()


def pause(seconds):
    """The point of the test is that time passes; an agent that ends meanwhile is found later."""
    threading.Event().wait(seconds)


def gap_of(proc):
    found = re.search(r"spool .*/traces-.* a gap of up to ([0-9.]+) s", proc.stderr)
    check(found, "the gap is told", proc.tail())
    return float(found.group(1))


# ---- tests --------------------------------------------------------------------------------------------------------------

def test_outage(bed):
    """Destination down most of the time; the agent stopped and restarted, then killed, twice: whatever was in the spool
    arrives, with the same ids, at most one batch for each kill twice; what a kill lost in memory is told as a gap."""
    spool, receiver, step = bed.path("spool"), Destination().up(), SECONDS / 8
    speeds, passes = {}, {}
    for name in ("calls", "chain", "events", "asynch"):
        speeds[name], spans = pace(bed, name)
        passes[name] = int(0.75 * RATE * SECONDS / spans) + 10

    def start(name, *args):
        return replay(bed, name, receiver.url, "--spool", spool, "--repeat", str(passes[name]), *speeds[name], *args)

    # A destination that goes away under a running agent, which is then stopped.
    first = start("calls")
    pause(step)
    live = wait_for(receiver.count, 10, "spans at the receiver")
    receiver.down()
    pause(3 * step)
    begin = time.monotonic()
    first.signal(signal.SIGTERM)
    stopped = ended(first)
    check(time.monotonic() - begin < 5, "an end does not wait for who is away", time.monotonic() - begin)
    kept, largest = spooled(spool)
    equal(stopped["lost"], 0, "lost by the first agent")
    equal(len(set(receiver.ids() + kept)), stopped["spans"], "spans sent or stored")
    rate = stopped["spans"] / (4 * step)
    # One that never meets it, and is killed.
    second = start("chain")
    pause(3 * step)
    second.signal(signal.SIGKILL)
    second.popen.wait(10)
    killed = time.time()
    silent = killed - os.stat(files(spool)[-1]).st_mtime
    kept_by_two, largest = spooled(spool)
    check(not without(kept, kept_by_two), "the first one's batches are all there")
    # One that finds it back, and is killed in the middle of what it has to send.
    third = start("events", "--spool-rate", "100K", "--metrics-file", bed.path("third.prom"))
    third.wait_text("of an earlier run are to be sent")
    gap, dead = gap_of(third), time.time() - killed
    # From the oldest that was in memory (held for 6 s at most) to the start of the next agent.
    check(silent - 1 <= gap < dead + 12, "the gap", gap, silent, dead)
    receiver.up()
    wait_for(lambda: len(without(kept[:1000], receiver.ids())) < 1000, 20, "the oldest batch")
    third.signal(signal.SIGKILL)
    third.popen.wait(10)
    kept_by_three, _ = spooled(spool)
    check(kept_by_three, "it was killed before it had sent everything")
    # And one that sends the rest.
    metrics = bed.path("fourth.prom")
    fourth = start("asynch", "--metrics-file", metrics)
    wait_for(lambda: not files(spool), 60 + SECONDS, "an empty spool")
    fourth.signal(signal.SIGTERM)
    equal(ended(fourth)["lost"], 0, "lost by the last agent")
    receiver.down()

    ids = receiver.ids()
    twice = [a for a, b in zip(ids, ids[1:]) if a == b]
    equal(without(kept_by_two, ids) + without(kept_by_three, ids), [], "spans that were in the spool and never came")
    check(len(twice) <= 2 * largest, "no more than a batch for each kill twice", len(twice), largest)
    strangers = set(ids)
    for name in passes:
        strangers -= set(truth(name, passes[name]))
    equal(len(strangers), 0, "ids that no replay has")
    with open(metrics) as f:
        said = re.search(r'^tangotrace_exporter_gap_seconds\{.*otlp.*\} ([0-9.e+-]+)$', f.read(), re.M)
    check(said and float(said.group(1)) > 0, "the gap as a metric", said)
    figure("%d s at %.0f spans/s: %d arrived live, %d spooled by two agents, %d at the second kill; %d twice of at most %d; "
           "gap %.1f s" % (SECONDS, rate, live, len(kept_by_two), len(kept_by_three), len(twice), 2 * largest, gap))


def fill(bed, spool, *args):
    """Replays for a while to nobody: (process, its final line)."""
    speed, spans = pace(bed, "database")
    proc = replay(bed, "database", "http://127.0.0.1:%d" % beds.free_port(), "--spool", spool, "--repeat",
                  str(int(RATE * 8 / spans)), "--batch-size", "1000", *speed, *args)
    return proc, ended(proc, 60)


def mount(bed, size):
    beds.need_root()
    path = bed.path("small")
    os.mkdir(path, 0o700)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700,size=" + size, "tmpfs", path], stderr=subprocess.PIPE,
                          universal_newlines=True)
    if done.returncode:
        raise Skip("no tmpfs can be mounted here: " + done.stderr.strip())
    return path


def umount(path):
    subprocess.run(["umount", "-l", path], check=True)


def drain(bed, spool, port):
    """What is in the spool goes to a receiver on that port."""
    receiver = Destination()
    receiver.port = port
    receiver.up()
    proc = replay(bed, "calls", "http://127.0.0.1:%d" % port, "--spool", spool, *IDLE)
    wait_for(lambda: not files(spool), 30, "an empty spool")
    proc.signal(signal.SIGTERM)
    ended(proc)
    receiver.down()
    return receiver.ids()


def port_of(spool):
    return int(re.search(r"127\.0\.0\.1_(\d+)_", files(spool)[0]).group(1))


def test_disk_too_small(bed):
    """The spool is allowed more than the disk has: tracing goes on, the oldest make room, every span is counted, and what
    is on the disk arrives."""
    disk = mount(bed, "600k")
    try:
        spool = os.path.join(disk, "spool")
        proc, figures = fill(bed, spool)
        lost = re.search(r"spool full (\d+)", figures["reasons"] or "")
        check(lost and int(lost.group(1)) == figures["lost"] > 0, "what found no room is counted", figures)
        check("the disk is full" in proc.stderr, "and said", proc.tail())
        kept, _ = spooled(spool)
        check(len(kept) > 1000, "the disk is used", len(kept))
        equal(len(set(kept)) + figures["lost"], figures["spans"], "spans kept and lost")
        ids = drain(bed, spool, port_of(spool))
        equal(without(kept, ids), [], "spans that were in the spool and never came")
        figure("%d spans on 600 KiB: %d kept, %d lost" % (figures["spans"], len(kept), figures["lost"]))
    finally:
        umount(disk)


def test_disk_unwritable(bed):
    """The disk turns read-only under the agent: said, counted, and tracing goes on."""
    disk = mount(bed, "20m")
    try:
        spool = os.path.join(disk, "spool")
        speed, spans = pace(bed, "database")
        proc = replay(bed, "database", "http://127.0.0.1:%d" % beds.free_port(), "--spool", spool, "--repeat",
                      str(int(RATE * 8 / spans)), *speed)
        wait_for(lambda: files(spool), 20, "a batch on the disk")
        wait_for(lambda: subprocess.run(["mount", "-o", "remount,ro", disk], stderr=subprocess.DEVNULL).returncode == 0, 5,
                 "a moment in which no file is open for writing")
        figures = ended(proc, 60)
        kept, _ = spooled(spool)
        check("cannot be stored: Read-only file system" in proc.stderr, "it is said", proc.tail())
        equal(len(set(kept)) + figures["lost"], figures["spans"], "spans kept and lost")
        check(figures["lost"] > len(kept) > 0, "before and after", figures, len(kept))
        figure("%d spans: %d before, %d lost" % (figures["spans"], len(kept), figures["lost"]))
    finally:
        umount(disk)


def test_size_bound(bed):
    """--spool-size is kept, and what it costs is counted."""
    spool = bed.path("spool")
    proc, figures = fill(bed, spool, "--spool-size", "400K")
    size = sum((os.stat(f).st_size + 4095) // 4096 * 4096 for f in files(spool))
    kept, _ = spooled(spool)
    check(200 << 10 < size <= 400 << 10, "bytes on the disk", size)
    equal(len(set(kept)) + figures["lost"], figures["spans"], "spans kept and lost")
    check("spool full %d" % figures["lost"] in figures["reasons"], "the reason", figures)
