"""The command line: what scripts and people may rely on (design section 7)."""
import json
import os
import pwd
import re
import signal
import subprocess

import agent as agents
import bed as beds
import otlp_peers
import parts
import plans
import spans as otlp
from agent import Agent, command, need_agent, only
from harness import Skip, check, equal, figure, wait_for

LIBTANGO = os.path.realpath("/usr/lib/x86_64-linux-gnu/libtango.so")


def test_wrong_command_lines(bed):
    """Exit 2, one clear line on stderr, nothing on stdout."""
    need_agent()
    for args in (["no-such-command"], ["run", "--no-such-option"], ["run", "--export"], ["run", "--export", "carrier:x"],
                 ["run", "--ring-size", "many"], ["plan"], ["list", "--nonsense"], []):
        code, out, err = command(*args)
        equal(code, 2, "exit code of %r (stderr %r)" % (args, err))
        check(err.strip() and not out.strip(), "the error is on stderr: %r" % args, out, err)


def test_help_and_version(bed):
    need_agent()
    for args in (["--help"], ["run", "--help"], ["--version"]):
        code, out, err = command(*args)
        equal(code, 0, "exit code of %r" % args)
        check(out.strip() and not err.strip(), "the text is on stdout: %r" % args, out, err)
    check("--export" in command("run", "--help")[1], "run --help names its options")


def test_list(bed):
    need_agent()
    server = parts.tangotest(bed, instance="Listed")
    follower = parts.follower(bed)
    code, out, err = command("list", "--exclude", "server:tangotest/listed")
    equal(code, 0, "exit code (stderr %r)" % err)
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    mine, other = lines.get(str(server.pid)), lines.get(str(follower.pid))
    check(mine and other, "a line for each of the two servers", out)
    check("tangotest/listed" in mine.lower() and "root" in mine, "server name and user", mine)
    check(beds.TANGO_VERSION in mine, "version of libtango", mine)
    check("server:tangotest/listed" in mine, "not selected, and by which rule", mine)
    check("leader_follower/f" in other.lower(), "the python server's name", other)
    check(str(os.getpid()) not in lines, "no process without Tango", out)
    figure(mine.strip())


def test_list_with_running_agent(bed):
    need_agent()
    server = parts.tangotest(bed)
    agent = Agent(bed)
    parts.Client(bed, [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]).finish()
    code, out, err = command("list", "--json", "--control", agent.control)
    equal(code, 0, "exit code (stderr %r)" % err)
    processes = json.loads(out)
    processes = processes["processes"] if isinstance(processes, dict) else processes
    mine = [p for p in processes if p["pid"] == server.pid]
    check(len(mine) == 1 and mine[0].get("points", 0) > 0 and mine[0].get("hits", 0) > 0,
          "points and hits of the server", mine)
    mine, status = mine[0], agent.status()
    # each event was a hit; a hit costs between the two figures of the calibration
    check(mine["traps"] >= mine["hits"], "hits of probes, by the kernel", mine)
    low, high = status["trap_ns"], max(status["trap_ns"], status["event_ns"])
    check(low > 0 and low <= mine["cost_seconds"] * 1e9 / mine["traps"] <= high, "what they cost", mine, low, high)
    total = sum(p["cost_seconds"] for p in processes if p["selected"])
    check(total <= status["kernel"]["cost_seconds"] * 1.05, "no more than all together", total, status["kernel"])
    check("COST" in command("list", "--control", agent.control)[1], "for people")
    figure("a hit costs %.0f ns, with an event %.0f ns; %d hits of %d events cost the server %.2f ms" % (
        low, status["event_ns"], mine["traps"], mine["hits"], mine["cost_seconds"] * 1e3))
    agent.stop()


def test_plan(bed):
    need_agent()
    beds.need(LIBTANGO, "apt-get install libtango-dev")
    code, out, err = command("plan", LIBTANGO)
    equal(code, 0, "exit code (stderr %r)" % err)
    check("Tango::DeviceProxy::read_attribute" in out, "the functions are named", out[:500])
    code, out, err = command("plan", LIBTANGO, "--json")
    equal(code, 0, "exit code (stderr %r)" % err)
    plan = json.loads(out)
    text = json.dumps(plan)
    for name in ("Tango::DeviceProxy::read_attribute", "Tango::Connection::command_inout",
                 "Tango::Device_5Impl::read_attributes_5", "Tango::Device_4Impl::command_inout_4"):
        check(name in text, "%s is planned" % name)


def test_plan_of_no_library(bed):
    """Files that are no library: an error and exit 1, no crash."""
    need_agent()
    empty, text = bed.path("empty"), bed.path("text")
    open(empty, "w").close()
    with open(text, "w") as f:
        f.write("not an ELF file\n" * 100)
    cut = bed.path("cut.so")
    with open(LIBTANGO, "rb") as whole, open(cut, "wb") as part:
        part.write(whole.read(300000))
    for path in (empty, text, cut, bed.path("missing"), bed.dir):
        code, out, err = command("plan", path)
        equal(code, 1, "exit code for %s (stderr %r)" % (path, err))
        check(path in err, "the error names the file", err)


def test_doctor(bed):
    need_agent()
    code, out, err = command("doctor")
    equal(code, 0, "doctor on a host that can be traced (stdout %r, stderr %r)" % (out, err))
    for word in ("kernel", "BTF", "lockdown", "perf_event_paranoid", "rights", "control group", "clock"):
        check(word.lower() in out.lower(), "doctor speaks of %s" % word, out)
    server = parts.tangotest(bed)
    code, out, err = command("doctor", server.pid)
    equal(code, 0, "doctor for a process (stdout %r, stderr %r)" % (out, err))
    check(str(server.pid) in out or "TangoTest" in out, "it speaks of the process", out)
    code, _, _ = command("doctor", os.getpid())
    check(code != 0, "a process without Tango cannot be traced", code)


def test_doctor_receivers(bed):
    """Those that `run` would send to are asked, by its file and its environment."""
    need_agent()
    sink, path = otlp_peers.Capture(bed), bed.path("tangotrace.yaml")
    with open(path, "w") as f:
        f.write("export: [otlp]\notlp-endpoint: %s\notlp-headers: authorization=secret\n" % sink.url)
    code, out, err = command("doctor", "--config", path)
    equal(code, 0, "exit code (stderr %r)" % err)
    line = [l for l in out.splitlines() if "receiver of spans" in l]
    check(len(line) == 1 and line[0].startswith("ok") and sink.url + "/v1/traces accepts" in line[0], "it accepts", out)
    check("secret" not in out and sink.requests[0][1]["authorization"] == "secret", "headers are sent, and not shown", out)
    sink.close()
    env = dict(os.environ, OTEL_EXPORTER_OTLP_METRICS_ENDPOINT="http://127.0.0.1:%d/v1/metrics" % beds.free_port())
    code, out, err = command("doctor", "--config", path, "--json", env=env)
    equal(code, 0, "a receiver that is away is a warning (stderr %r)" % err)
    found = {f["what"]: f for f in json.loads(out)["findings"]}
    for what in ("receiver of spans", "receiver of metrics"):
        check(found[what]["verdict"] == "warn" and "onnect" in found[what]["found"] and found[what]["advice"], what, found[what])
    with open(path, "w") as f:
        f.write("export: [carrier:x]\n")
    code, _, err = command("doctor", "--config", path)
    check(code == 2 and "%s:1:" % path in err, "a configuration that 'run' would refuse", code, err)


def test_doctor_selection(bed):
    """`doctor PID` goes by the rules that are given; without any by the running agent's."""
    need_agent()
    server = parts.tangotest(bed)
    code, out, err = command("doctor", "--exclude", "SERVER:TangoTest", server.pid)
    equal(code, 1, "excluded by a rule (stdout %r, stderr %r)" % (out, err))
    check("exclude SERVER:TangoTest" in out, "it names the rule", out)
    agent = Agent(bed, "--exclude", "pid:%d" % server.pid)
    code, out, err = command("doctor", server.pid, "--control", agent.control)
    equal(code, 1, "excluded by the agent (stdout %r, stderr %r)" % (out, err))
    check("not selected by the running agent" in out and "exclude pid:%d" % server.pid in out, "the agent's rule", out)
    code, out, err = command("doctor", "--select", "TangoTest/*", server.pid, "--control", agent.control)
    equal(code, 0, "rules that are given are tried out (stdout %r, stderr %r)" % (out, err))
    agent.stop()
    code, out, _ = command("doctor", 1)
    check("user ?" not in out, "the user has a name", out)


def test_status(bed):
    """For people some ten lines without zeros; every key of --json is explained in docs/status.md."""
    need_agent()
    server = parts.tangotest(bed)
    agent = Agent(bed, *only(server), "--record", bed.path("status.ttr"))
    parts.Client(bed, [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]).finish()
    wait_for(lambda: agent.status()["exporters"][0]["figures"]["exported"], 10, "a batch", 0.2)
    code, out, err = command("status", "--control", agent.control)
    equal(code, 0, "exit code (stderr %r)" % err)
    lines = out.splitlines()
    check(7 <= len(lines) <= 15, "a screenful", out)
    for word in ("agent ", "itself ", "traced ", "seen ", "cost ", "lost ", "exporter ", "recording "):
        check(any(line.startswith(word) for line in lines), "a line %r" % word, out)
    said = re.search(r"itself +([0-9.]+) % of one CPU since start, (\d+) MB of memory, ring buffer [0-9.]+ % full, at most ([0-9.]+) %", out)
    check(said and float(said.group(1)) > 0 and 5 < int(said.group(2)) < 1000 and float(said.group(3)) < 100, "what it takes itself", out)
    check(re.search(r"\d+ traps of the traced programs, \d+ a second", out), "traps a second", out)
    check(re.search(r"exporter .*: [0-9.]+ ms a batch; \d+ spans exported", out), "how long an export takes", out)
    check(", 0 " not in out, "zeros are hidden", out)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "status.md")) as f:
        text = f.read()

    def keys(value):
        if isinstance(value, dict):
            return set(value) | set().union(*[keys(v) for v in value.values()])
        return set().union(*[keys(v) for v in value]) if isinstance(value, list) else set()
    missing = sorted(k for k in keys(agent.status()) if "`%s`" % k not in text and ".%s`" % k not in text)
    check(not missing, "keys that docs/status.md does not explain", missing)
    agent.stop()


def test_config_check(bed):
    """What `run` refuses `config check` refuses, with the line."""
    need_agent()
    path = bed.path("tangotrace.yaml")
    for text, line in (("export: 5", 1), ("multi: no\nexport: [otlp:foo]", 2), ("otlp-endpoint: localhost", 1),
                       ("otlp-headers: nonsense", 1), ("select: [\"sever:x\"]", 1), ("queue-siz: 1", 1)):
        with open(path, "w") as f:
            f.write(text + "\n")
        refused = command("config", "check", path), command("run", "--config", path)
        for code, out, err in refused:
            equal(code, 2, "exit code for %r (stderr %r)" % (text, err))
            check("%s:%d:" % (path, line) in err and not out, "file and line", err, out)
        equal(refused[0][2], refused[1][2], "both say the same")
    with open(path, "w") as f:
        f.write('select: ["!Databaseds/*", "*"]\nexport: [otlp]\notlp-endpoint: http://collector:4318\n')
    code, out, err = command("config", "check", path)
    equal(code, 0, "a good file (stderr %r)" % err)
    code, out, err = command("config", "check", "--help")
    equal(code, 0, "help (stderr %r)" % err)


def accepts(schema, value):
    """As much of JSON schema as ours uses."""
    kinds = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "object": dict, "array": list, "null": type(None)}
    if "anyOf" in schema and not any(accepts(one, value) for one in schema["anyOf"]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    types = schema.get("type", list(kinds))
    types = [types] if isinstance(types, str) else types
    if not any(isinstance(value, kinds[t]) and (t == "boolean" or not isinstance(value, bool)) for t in types):
        return False
    if isinstance(value, str):
        return "pattern" not in schema or re.search(schema["pattern"], value) is not None
    if isinstance(value, list):
        return all(accepts(schema.get("items", {}), one) for one in value)
    if isinstance(value, dict) and "properties" in schema:
        return all(k in schema["properties"] and accepts(schema["properties"][k], v) for k, v in value.items())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return schema.get("minimum", value) <= value <= schema.get("maximum", value)
    return True


def test_config_schema(bed):
    """The schema accepts what `config check` accepts, and refuses what has another shape."""
    need_agent()
    try:
        import yaml
    except ImportError:
        raise Skip("no python3-yaml")
    code, out, err = command("config", "schema")
    equal((code, err), (0, ""), "exit code")
    schema, path = json.loads(out), bed.path("tangotrace.yaml")
    code, printed, err = command("run", "--print-config", "--select", "TangoTest/*", "--sampling-rules", "device=b*; ratio=1")
    equal((code, err), (0, ""), "print-config")
    check("# option --select" in printed and "# default" in printed, "origins", printed)
    good = (printed, "select: ['!a', '*']\nsampling: {rules: [{device: 'b*', ratio: 1}], slow: 200ms}\n", "ring-size: 16M\nmulti: off\nexport: null\n",
            "metrics: {graph: no, listen: 9464}\nbatch-delay: 100\n")
    bad = ("queue-siz: 1\n", "sampling: {wat: 1}\n", "queue-size: many\n", "queue-size: 0\n", "batch-delay: soon\n", "native: maybe\n",
           "logs: perhaps\n", "select: {a: b}\n", "record: x\n")
    for texts, wanted in ((good, True), (bad, False)):
        for text in texts:
            with open(path, "w") as f:
                f.write(text)
            code, _, err = command("config", "check", path)
            equal((code == 0, accepts(schema, yaml.safe_load(text))), (wanted, wanted), "check and schema of %r (%s)" % (text[:80], err))


def test_without_rights(bed):
    """A user without rights: exit 77 and a word about what is missing."""
    need_agent()
    nobody = pwd.getpwnam("nobody")

    def drop():
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
    program = bed.path("tangotrace")
    with open(agents.BINARY, "rb") as source, open(program, "wb") as copy:
        copy.write(source.read())
    os.chmod(program, 0o755)
    os.chmod(bed.dir, 0o755)
    done = subprocess.run([program, "run", "--export", "console"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, preexec_fn=drop, timeout=30, universal_newlines=True, cwd="/")
    equal(done.returncode, 77, "exit code (stderr %r)" % done.stderr)
    check(done.stderr.strip(), "it says what is missing")


def test_signals(bed):
    """SIGTERM and SIGINT: exit 0 and the final line."""
    need_agent()
    for number in (signal.SIGTERM, signal.SIGINT):
        agent = Agent(bed)
        final = agent.stop(number)
        equal(final["lost"], 0, "lost")
        check(not os.path.exists(agent.control), "the control socket is gone")


def test_second_agent(bed):
    """A second agent on the host warns, names the first, and both trace."""
    need_agent()
    server = parts.tangotest(bed)
    plan = [plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)]
    first = Agent(bed)
    second = Agent(bed)
    check(str(first.proc.pid) in second.proc.stderr, "the second names the first", second.proc.stderr)
    log = parts.Client(bed, plan).finish()
    second.stop()
    first.stop()
    for agent in (first, second):
        found = [s for s in agent.spans() if s.kind == otlp.SERVER and s.operation == "DevDouble"]
        equal(len(found), sum(1 for c in log if c.name == "DevDouble"), "spans of both agents")


def strace_mode(bed, argv, *options):
    path = bed.path("strace.jsonl")
    proc = bed.start("strace-mode", [agents.BINARY, "run", "--export", "file:" + path] + list(options) + ["--"] + argv)
    code = proc.wait(60)
    return code, proc, otlp.load(path)


def test_strace_mode(bed):
    """`run -- COMMAND`: the command's exit code and output; only traces that begin in its process tree."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    flag = bed.path("repeat")
    open(flag, "w").close()
    noise = parts.Client(bed, [[("read", url, "ampli", "", "")] * 50], flags=["--repeat", flag], name="noise")
    wait_for(lambda: "round" in noise.proc.stdout, 30, "other calls on the host")
    plan, log = bed.path("plan.tsv"), bed.path("log.tsv")
    parts.write_plan([[("command", url, "DevDouble", "double", "2.5")] * 20], plan)
    # a shell between the agent and the client: the tree counts, not the child alone
    script = "%s %s %s; echo told; exit 7" % (beds.test_program("mix"), plan, log)
    code, proc, spans = strace_mode(bed, ["/bin/sh", "-c", script])
    equal(code, 7, "exit code of the command (stderr %r)" % proc.stderr[-800:])
    check("told" in proc.stdout, "the command's own output")
    os.unlink(flag)
    noise.finish()
    calls = [s for s in spans if s.operation == "DevDouble" and s.kind == otlp.CLIENT]
    equal(len(calls), 20, "client spans of the command")
    traces = {s.trace for s in spans if s.pid not in (server.pid, noise.pid)}
    strange = [s for s in spans if s.trace not in traces]
    check(not strange, "%d spans of traces that began elsewhere" % len(strange), *strange[:3])
    served = [s for s in spans if s.kind == otlp.SERVER and s.operation == "DevDouble"]
    equal(len(served), 20, "server spans below them")


def test_strace_mode_signal(bed):
    """A command that is killed by a signal: 128 + number, as a shell says it."""
    need_agent()
    code, proc, _ = strace_mode(bed, ["/bin/sh", "-c", "kill -9 $$"])
    equal(code, 137, "exit code (stderr %r)" % proc.stderr[-500:])


def test_strace_mode_missing_command(bed):
    need_agent()
    code, proc, _ = strace_mode(bed, ["/no/such/program"])
    check(code in (1, 126, 127), "exit code", code)
    check("/no/such/program" in proc.stderr, "the error names the command", proc.stderr)


def test_console(bed):
    """The console shows a trace as an indented tree with device, operation, error."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    client = parts.Client(bed, [[("read", url, "ampli", "", ""), ("command", url, "NoSuchCommand", "void", "")]],
                          gate=True)
    agent = Agent(bed, export=["console"])
    client.release()
    client.finish()
    agent.proc.wait_text("NoSuchCommand", 15)
    agent.stop()
    out = agent.proc.stdout
    for text in ("sys/tg_test/1", "read ampli", "NoSuchCommand", "API_CommandNotFound", "TangoTest"):
        check(text in out, "%r on the console" % text, out)
    check("\x1b[" not in out, "no colour where there is no terminal", out)
    lines = [line for line in out.splitlines() if "read ampli" in line and ("CLIENT" in line or "SERVER" in line)]
    check(len(lines) == 2 and "CLIENT" in lines[0] and "SERVER" in lines[1], "client and server of the read", out)
    indents = [line.index(kind) for line, kind in zip(lines, ("CLIENT", "SERVER"))]
    check(indents[1] > indents[0], "the server's line is indented below the client's", *lines)
    check("TangoTest/test" in lines[1] and "sys/tg_test/1" in lines[1], "server and device", *lines)


def test_filter_and_tail(bed):
    """--filter of the console, and `tail`: whole traces in which a span matches, as text and as OTLP JSON."""
    need_agent()
    server = parts.tangotest(bed)
    url = server.url("sys/tg_test/1")
    calls = [("read", url, "ampli", "", ""), ("command", url, "NoSuchCommand", "void", ""),
             ("command", url, "DevDouble", "double", "2.5")]
    client = parts.Client(bed, [calls * 3], gate=True)
    agent = Agent(bed, "--filter", '{ .tango.operation.name = "DevDouble" && kind = server }', export=["console"])
    failed = bed.start("tail-failed", [agents.BINARY, "tail", "--control", agent.control, "--filter", "{\n status = error }"])
    lines = bed.start("tail-json", [agents.BINARY, "tail", "--control", agent.control, "--json", "--filter",
                                    '{ resource.service.name = "TangoTest" && .tango.attribute.names = "ampli" }'])
    # A tail is there once the agent says that nothing more of them has room: so the last places are taken.
    watch = [agents.BINARY, "tail", "--control", agent.control]
    rest = [bed.start("tail", watch) for _ in range(2)]

    def refused():
        for i, proc in enumerate(rest):
            if not proc.alive():  # one of these questions had its place
                rest[i] = bed.start("tail", watch)
        try:
            code, _, err = command("tail", "--control", agent.control, seconds=2)
        except subprocess.TimeoutExpired:
            return False
        return code == 1 and "4 others" in err and all(p.alive() for p in rest)
    wait_for(refused, 15, "all four places taken", 0.2)
    client.release()
    client.finish()
    agent.proc.wait_text("DevDouble", 15)
    wait_for(lambda: failed.stdout.count("SERVER   NoSuchCommand") == 3, 15, "three traces in the tail")
    wait_for(lambda: lines.stdout.count("\n") == 3, 15, "three lines of JSON")
    rest[0].signal(signal.SIGKILL)
    code, out, err = command("status", "--control", agent.control)
    equal(code, 0, "the agent goes on answering (stderr %r)" % err)
    agent.stop()
    equal(failed.wait(10), 0, "a tail ends with the agent (stderr %r)" % failed.stderr)
    equal(lines.wait(10), 0, "a tail ends with the agent (stderr %r)" % lines.stderr)
    out = agent.proc.stdout
    equal(out.count("SERVER   DevDouble"), 3, "matching traces on the console")
    check("ampli" not in out and "NoSuch" not in out, "no other trace there", out)
    check("ampli" not in failed.stdout and "CLIENT   NoSuchCommand" in failed.stdout, "the failed ones, whole", failed.stdout)
    found = [s for line in lines.stdout.splitlines() for s in otlp.spans_of_request(json.loads(line))]
    equal(sorted(s.operation for s in found if not s.is_method), ["read ampli"] * 6, "client and server of each read")
    code, out, err = command("tail", "--control", agent.control)
    equal(code, 1, "without an agent (stderr %r)" % err)
    code, out, err = command("tail", "--filter", "{ name = }")
    equal(code, 2, "a filter that is none")
    check("  { name = }\n           ^" in err, "and where it is wrong", err)
