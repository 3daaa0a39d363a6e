"""The harm test (test_harm.py) at level of detail `full`, while servers start and stop: their exceptions leave methods in C++
and in Python, of classes in programs and plug-ins. Every answer is that of servers which nobody watched, and each server
ends as it does by itself. `make check` does it shortly, make check-long at the length of the main test.
"""
import bed as beds
import parts
import plans
from agent import need_agent
from harness import check, equal, figure, scaled
from test_calls import system
from test_harm import Load, attach_detach_kill
from test_methods import LAB, LAB_FAIL, PLUG, PLUG_FAIL, start_lab
from test_python import HIGH

CALLS = scaled("TT_HARM_FULL_CALLS", 20000)
ATTACH = scaled("TT_HARM_FULL_ATTACH", 3)
KILL = scaled("TT_HARM_FULL_KILL", 1)
BASLER = [("read", "Gain", "", ""), ("command", "Double", "double", "1.5"), ("command", "Arm", "void", ""),
          ("command", "Refuse", "void", ""), ("read", "Broken", "", ""), ("reads", "Gain,Broken", "", "")]


class Guests:
    """Servers that start, are called, and stop: in C++ with a plug-in, in Python with two builds of PyTango."""

    def __init__(self, bed):
        self.bed = bed
        self.pythons = [beds.PYTHON, beds.wheel_python("10.3.1")]
        self.expected, self.calls, self.rounds = None, 0, 0

    def arrive(self):
        """Starts them, without waiting: whatever comes next happens while they start."""
        self.here = [start_lab(self.bed, "plain", wait=False)]
        for number, python in enumerate(self.pythons):
            self.here.append(parts.start_server(self.bed, [python, HIGH], "guest%d" % number, ["Basler::test/camera/1"], witness=False,
                                                wait=False))

    def leave(self):
        """Calls and stops them; all is as it was the first time."""
        lab, baslers = self.here[0], self.here[1:]
        for server in self.here:
            server.proc.wait_text(parts.READY, 60)
        plan = [plans.at(lab.url("test/lab/1"), LAB + LAB_FAIL) + plans.at(lab.url("test/plug/1"), PLUG + PLUG_FAIL)]
        plan += [plans.at(s.url("test/camera/1"), BASLER) for s in baslers]
        log = parts.Client(self.bed, plan, witness=False, name="visitor").finish()
        codes = []
        for server in self.here:
            server.proc.ask_to_end()
            codes.append(server.proc.wait(60))
        seen = sorted(plans.answers(log)), codes
        if self.expected is None:
            self.expected = seen
            check(sum(1 for c in log if c.reason) > 10, "calls that fail", len(log))
        equal(seen, self.expected, "answers and ends of servers that no agent watched")
        self.calls += len(log)
        self.rounds += 1


def test_servers_come_and_go(bed):
    need_agent()
    guests = Guests(bed)
    guests.arrive()
    guests.leave()
    attach_detach_kill(bed, system(bed, None), Load.KINDS, CALLS, ATTACH, KILL, ("--detail", "full"), guests)
    figure("%d times %d servers started and stopped meanwhile; %d calls of them, as without an agent" % (
        guests.rounds - 1, len(guests.here), guests.calls))
