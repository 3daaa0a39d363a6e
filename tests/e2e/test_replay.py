"""A recording is the run: its replay gives the very spans that were exported while it was made, byte by byte the same
every time, and from a damaged file all that stands before the damage."""
import os
import shutil
import subprocess

import bed as beds
import parts
import plans
import spans as otlp
import truth
from agent import BINARY, FINAL, Agent, command, need_agent
from harness import check, equal, figure, scaled
from test_calls import plan_for, system

CALLS = scaled("TT_REPLAY_CALLS", 2000)


def record(bed, use_database=False, *args, calls=CALLS, python=False):
    """A run of mixed calls, exported and recorded at the same time: (agent, path of the recording, final line)."""
    need_agent()
    database = parts.Database(bed) if use_database else None
    servers = system(bed, database)
    plan = plan_for(servers, calls, threads=4, seed=11, python=python)
    parts.Client(bed, plans.warm_up(plan), name="warm-up").finish()
    client = parts.Client(bed, plan, python=python, gate=True, witness=False)
    path = bed.path("run.ttr")
    agent = Agent(bed, "--record", path, *args)
    client.release()
    client.finish()
    status = agent.status()["recording"]
    equal(status["dropped"], 0, "records dropped")
    final = agent.stop()
    truth.check_none_lost(final, agent)
    return agent, path, final


def unprivileged():
    """Becomes nobody: a replay needs no rights."""
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def replay(bed, path, name, *args, nobody=False):
    """(path of the OTLP JSON, figures of the final line, standard error)"""
    out, program = bed.path(name), BINARY
    if nobody:
        program = shutil.copy(BINARY, bed.path("tangotrace"))  # the checkout may lie where only root may look
        os.chmod(bed.dir, 0o755)
        os.chmod(path, 0o644)
        open(out, "w").close()
        os.chmod(out, 0o666)
    done = subprocess.run([program, "replay", path, "--export", "file:" + out] + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120, universal_newlines=True,
                          preexec_fn=unprivileged if nobody else None)
    check(done.returncode == 0, "replay ended with %d" % done.returncode, done.stderr)
    found = FINAL.findall(done.stderr)
    equal(len(found), 1, "final lines")
    return out, {"events": int(found[0][0]), "spans": int(found[0][1]), "exported": int(found[0][2]),
                 "lost": int(found[0][3])}, done.stderr


def read(path):
    with open(path, "rb") as f:
        return f.read()


def keys(path):
    return sorted(span.key() for span in otlp.load(path))


def check_replay(bed, agent, path, final):
    first, figures, _ = replay(bed, path, "first.jsonl", nobody=True)
    second, _, _ = replay(bed, path, "second.jsonl")
    for key in ("events", "spans", "exported", "lost"):
        equal(figures[key], final[key], key)
    check(read(first) == read(second), "two replays write the same bytes")
    truth.same(keys(agent.file), keys(first), "spans of the run and of its replay")
    figure("%d events in %.1f MB; %d spans" % (figures["events"], os.path.getsize(path) / 1e6, figures["spans"]))


def test_same_spans(bed):
    agent, path, final = record(bed)
    check_replay(bed, agent, path, final)
    equal(os.stat(path).st_mode & 0o777, 0o644, "mode, after our chmod")


def test_same_spans_python_unix(bed):
    agent, path, final = record(bed, True, python=True)
    check_replay(bed, agent, path, final)


def test_truncated(bed):
    """Cut at every tenth: each gives a part of the whole, more from a longer file, and says what is missing."""
    agent, path, _ = record(bed, calls=500)
    whole = {span.id: span.key() for span in otlp.load(agent.file)}
    data, last = read(path), 0
    for tenth in range(1, 10):
        cut = bed.path("cut-%d.ttr" % tenth)
        size = len(data) * tenth // 10
        with open(cut, "wb") as f:
            f.write(data[:size])
        out, figures, stderr = replay(bed, cut, "cut-%d.jsonl" % tenth)
        check("the recording is" in stderr and "are not" in stderr, "the damage is told", stderr)
        spans = otlp.load(out)
        check(last <= figures["spans"], "more from a longer file", tenth, figures)
        last = figures["spans"]
        # Of a trace that was cut only what was open is in doubt; what ended is as it was
        certain = [s for s in spans if not s.attrs.get("tangotrace.incomplete")]
        same = [s for s in certain if whole.get(s.id) == s.key()]
        check(len(same) >= len(certain) - 16, "spans before the cut are those of the run", tenth, len(same), len(certain))
    check(last > len(whole) * 0.7, "most spans from nine tenths", last, len(whole))


def test_record_command(bed):
    """`record FILE -- COMMAND` exports nothing by itself and shows, replayed, what the strace mode shows."""
    need_agent()
    server = parts.tangotest(bed)
    path = bed.path("strace.ttr")
    plan = bed.path("plan.tsv")
    parts.write_plan([plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)], plan)
    stranger = parts.Client(bed, [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)] * 2, gate=True, name="stranger")
    code, out, err = command("record", path, "--control", bed.path("c.sock"), "--", beds.test_program("mix"), plan,
                             bed.path("log.tsv"), env=bed.env, seconds=60)
    check(code == 0, "record ended with %d" % code, err)
    equal(out.strip(), "", "nothing on standard output")
    out, figures, err = replay(bed, path, "strace.jsonl")
    spans = otlp.load(out)
    check(len(spans) >= 2 * len(plans.TANGOTEST), "both sides of every call", len(spans), err)
    check(all(s.pid != stranger.pid for s in spans), "no spans of others")
    stranger.release()
    stranger.finish()


def test_refusals(bed):
    """What is no recording, and what may not be overwritten."""
    need_agent()
    thesis = bed.path("thesis.txt")
    with open(thesis, "w") as f:
        f.write("not a recording at all, and nothing to overwrite")
    code, _, err = command("replay", thesis, "--export", "null")
    check(code == 1 and "is no recording" in err, "replay of something else", code, err)
    code, _, err = command("replay", bed.path("missing"), "--export", "null")
    check(code == 1 and "No such file" in err, "replay of nothing", code, err)
    code, _, err = command("replay")
    check(code == 2, "replay without a file", code, err)
    code, _, err = command("replay", thesis, "--speed", "fast")
    check(code == 2 and "--speed" in err, "speed", code, err)
    code, _, err = command("record", thesis, "--control", bed.path("c.sock"), "--", "/bin/true")
    check(code == 1 and "is no recording" in err, "record over something else", code, err)
    equal(read(thesis), b"not a recording at all, and nothing to overwrite", "the file")
