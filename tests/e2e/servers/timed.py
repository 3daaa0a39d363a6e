"""A device whose commands take a time that is known: asleep, or at work."""
import time

from tango.server import Device, attribute, command, run


class Timed(Device):
    @command(dtype_in=int)
    def SleepMs(self, ms):
        time.sleep(ms / 1000)

    @command(dtype_in=int, dtype_out=int)
    def SpinMs(self, ms):
        """At work for so long; returns the CPU time that it took, us."""
        begin, end = time.thread_time_ns(), time.monotonic() + ms / 1000
        while time.monotonic() < end:
            pass
        return (time.thread_time_ns() - begin) // 1000

    @attribute(dtype=float)
    def quick(self):
        return 1.0


if __name__ == "__main__":
    run((Timed,))
