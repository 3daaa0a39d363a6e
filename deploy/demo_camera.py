"""The camera of the demo: an ordinary PyTango device that writes log messages, takes its time, and pushes an event."""
import time

from tango import DevState
from tango.server import Device, attribute, command, run


class Basler(Device):
    def init_device(self):
        super().init_device()
        self._armed = 0
        self.set_change_event("armed", True, False)
        self.set_state(DevState.ON)

    @attribute(dtype=int)
    def armed(self):
        return self._armed

    def is_Arm_allowed(self):
        return self.get_state() == DevState.ON

    @command
    def Arm(self):
        self.info_stream("arming")
        time.sleep(0.02)  # the camera answers slowly ..
        sum(range(400000))  # .. and its answer is hard to read
        self._armed += 1
        self.push_change_event("armed", self._armed)


if __name__ == "__main__":
    run((Basler,))
