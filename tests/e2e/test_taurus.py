"""The scene that native telemetry is shown with: somebody clicks a button of a GUI, which arms a camera. A real Taurus, without
a screen, and a PyTango device; neither knows of any tracing."""
import ast
import os

import bed as beds
import parts
import spans as otlp
import truth
from agent import Agent, need_agent
from harness import HERE, check, check_all, equal, figure
from test_python import HIGH, METHODS, check_methods, code_of, functions_of

BUTTON = os.path.join(HERE, "clients", "button.py")
FUNCTION = "TaurusCommandButton._onClicked"
BUILDS = ("debian", "10.3.1")  # of the server


def taurus_python():
    return beds.need(os.path.join(beds.CACHE, "venvs", "taurus", "bin", "python"), "run tests/e2e/venv")


def place_of_call(bed):
    """(file, line) of command_inout in the button's method, read from the source of Taurus."""
    text = "import taurus.qt.qtgui.button.taurusbutton as b; print('file', b.__file__)"
    found = bed.run("where", [taurus_python(), "-c", text], {"QT_QPA_PLATFORM": "offscreen"}).stdout
    path = found.split("file ", 1)[1].strip()
    with open(path) as f:
        tree = ast.parse(f.read())
    method = next(m for c in tree.body if isinstance(c, ast.ClassDef) and c.name == FUNCTION.split(".")[0]
                  for m in c.body if isinstance(m, ast.FunctionDef) and m.name == FUNCTION.split(".")[1])
    lines = [n.lineno for n in ast.walk(method)
             if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "command_inout"]
    equal(len(lines), 1, "calls of command_inout in %s" % FUNCTION)
    return path, lines[0]


def check_trace(trace, logs, place, pids):
    """The whole trace, node by node, from the click to the two messages."""
    below = {s.id: sorted((c for c in trace if c.parent == s.id), key=lambda c: c.start) for s in trace}
    root, = [s for s in trace if s.parent == otlp.NO_PARENT]
    equal((root.name, root.kind, root.scope["name"], root.pid), (FUNCTION, otlp.INTERNAL, "tango.python.client", pids[0]), "root")
    equal(code_of(root), (FUNCTION,) + place, "the code that was clicked")
    call, = below[root.id]
    equal((call.kind, call.operation, call.device, call.pid), (otlp.CLIENT, "Arm", "test/camera/1", pids[0]), "its call")
    server, = below[call.id]
    equal((server.kind, server.operation, server.pid), (otlp.SERVER, "Arm", pids[1]), "in the server")
    check_methods(server, below[server.id], METHODS["Arm"], functions_of(HIGH))
    arm = below[server.id][-1]
    equal((arm.name, below[arm.id], len(trace)), ("Basler.Arm", [], 6), "the last of them")
    equal([(log.text, log.body, log.span, log.pid) for log in logs],
          [("INFO", "arming", arm.id, arm.pid), ("DEBUG", "armed, exposure 1", arm.id, arm.pid)], "log records")
    for log in logs:
        check(arm.start <= log.time <= arm.end, "inside its span", log, arm)
    check(root.start <= call.start <= server.start <= arm.start <= arm.end <= server.end <= call.end <= root.end, "one inside the other")


def clicked(build):
    def test(bed):
        need_agent()
        server_python = beds.PYTHON if build == "debian" else beds.wheel_python(build)
        server = parts.start_server(bed, [server_python, HIGH], "cam", ["Basler::test/camera/1"], witness=False, extra=("-v4",))
        place, gate = place_of_call(bed), bed.path("gate")
        os.mkfifo(gate)
        gui = bed.start("gui", [taurus_python(), BUTTON, server.url("test/camera/1"), "Arm", gate], {"QT_QPA_PLATFORM": "offscreen"})
        gui.wait_text("up", 60)
        agent = Agent(bed)
        with open(gate, "w") as f:
            f.write("go\n")
        gui.finish(60)
        final = agent.stop()
        spans = agent.spans()
        armed = [s for s in spans if s.kind == otlp.SERVER and s.operation == "Arm"]
        equal(len(armed), 1, "times that the camera was armed")
        trace = [s for s in spans if s.trace == armed[0].trace]
        logs = sorted((log for log in agent.logs() if log.trace == armed[0].trace), key=lambda log: log.time)
        figure("%d spans and %d log records in the trace of the click; %d spans in all" % (len(trace), len(logs), len(spans)))
        check_all(lambda: check_trace(trace, logs, place, (gui.pid, server.pid)), lambda: truth.check_unique(spans),
                  lambda: truth.check_none_lost(final, agent))
    return test


for _build in BUILDS:
    _test = clicked(_build)
    _test.__module__ = __name__
    globals()["test_click_" + _build.replace(".", "_")] = _test
