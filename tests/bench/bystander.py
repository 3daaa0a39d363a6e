"""What a program pays that has nothing to do with Tango: at level of detail full the agent follows the scheduler, so every
switch of the host passes a BPF program. Measured with two processes that do nothing but switch, on one CPU; untraced,
and with an agent that traces a TangoTest beside them at each level, in turn."""
import statistics
import subprocess

import bed as beds
import parts
from agent import Agent, only
from harness import check

CPU = 0
COUNT = 100000


class Switches:
    def __init__(self, bed):
        self.popen = subprocess.Popen([beds.test_program("switches"), str(CPU), str(COUNT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      cwd=bed.dir, universal_newlines=True, bufsize=1, preexec_fn=beds.die_with_parent)
        check(self.popen.stdout.readline().strip() == "up", "the switching processes are up")

    def round(self):
        """ns of CPU for one switch, with the work of the pipe."""
        self.popen.stdin.write("go\n")
        return int(self.popen.stdout.readline())

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)


def measure(rounds, levels):
    """ns per switch by level; "off": no agent."""
    bed = beds.Bed("bystander")
    took = {level: [] for level in ["off"] + levels}
    try:
        server = parts.tangotest(bed, witness=False)
        switches = Switches(bed)
        switches.round()
        for _ in range(rounds):
            took["off"].append(switches.round())
            for level in levels:
                agent = Agent(bed, "--detail", level, *only(server), export=["null"])
                took[level].append(switches.round())
                agent.stop(seconds=30)
        switches.close()
    finally:
        bed.close()
    return took


def table(took):
    off = statistics.median(took["off"])
    rows = [("switch of a bystander", "ns", "+ns", "ratio")]
    for level, values in took.items():
        middle = statistics.median(values)
        rows.append((level, "%.0f" % middle, "%.0f" % (middle - off), "%.3f" % (middle / off)))
    return rows


