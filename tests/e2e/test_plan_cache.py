"""Plans are kept on disk: the second start plans nothing, and nothing is believed that others could have written."""
import glob
import os

import parts
import plans
import spans as otlp
import truth
from agent import Agent, need_agent, only
from harness import check, equal, figure


def run(bed, server, directory):
    """A few calls under a fresh agent: (figures of attach, the agent)."""
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]
    client = parts.Client(bed, plan, gate=True, witness=False)
    agent = Agent(bed, "--plan-cache", directory, *only(client, server))
    client.release()
    log = client.finish()
    status = agent.status()
    truth.check_none_lost(agent.stop(), agent)
    truth.check_client(agent.spans(), client.pid, log)
    equal(len([s for s in agent.spans() if s.kind == otlp.SERVER]), len(log), "SERVER spans")
    return dict(status["attach"], seconds=status["plan_seconds"]), agent


def test_second_start(bed):
    need_agent()
    server = parts.tangotest(bed, witness=False)
    directory = bed.path("cache", "plans")
    first, _ = run(bed, server, directory)
    check(first["plans"] > 1 and not first["plans_cached"], "the first start plans", first)
    kept = {path: read(path) for path in glob.glob(directory + "/*")}
    equal(len(kept), first["plans"], "plans kept")
    second, _ = run(bed, server, directory)
    check(not second["plans"] and second["plans_cached"] == first["plans"], "the second start plans nothing", second)
    equal(second["points"], first["points"], "points")
    figure("planned in %.1f ms, read in %.1f ms" % (first["seconds"] * 1e3, second["seconds"] * 1e3))
    for path in kept:
        os.unlink(path)
    run(bed, server, directory)
    equal({path: read(path) for path in glob.glob(directory + "/*")}, kept, "the same bytes again")


def test_hostile_cache(bed):
    """A damaged plan and one that others could write are planned anew; a directory for all is not used."""
    need_agent()
    server = parts.tangotest(bed, witness=False)
    directory = bed.path("plans")
    first, _ = run(bed, server, directory)
    paths = sorted(glob.glob(directory + "/*"), key=os.path.getsize)
    with open(paths[-1], "r+b") as f:
        f.seek(1000)
        f.write(b"\x90" * 16)
    os.chmod(paths[0], 0o666)
    second, agent = run(bed, server, directory)
    equal((second["plans"], second["plans_refused"]), (2, 2), "planned anew, refused")
    check("damaged" in agent.proc.stderr and "others could have written" in agent.proc.stderr, "both are told", agent.proc.stderr)
    third, _ = run(bed, server, directory)
    equal((third["plans"], third["plans_cached"]), (0, first["plans"]), "repaired")
    os.chmod(directory, 0o777)
    fourth, agent = run(bed, server, directory)
    equal((fourth["plans"], fourth["plans_cached"]), (first["plans"], 0), "not used")
    check("not kept on disk" in agent.proc.stderr, "the directory is told", agent.proc.stderr)


def read(path):
    with open(path, "rb") as f:
        return f.read()
