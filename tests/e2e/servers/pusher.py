"""A device that writes log messages and pushes change events when it is told to, from the request's own thread."""
import time

import tango
from tango import DevState
from tango.server import Device, attribute, command, device_property, run


class Pusher(Device):
    start = device_property(dtype=int, default_value=0)

    def init_device(self):
        super().init_device()
        self._number = self.start
        self.set_change_event("number", True, False)
        self.set_change_event("block", True, False)
        self.set_state(DevState.ON)

    def delete_device(self):
        self.info_stream("deleted")

    @attribute(dtype=int)
    def number(self):
        self.info_stream("number is read")
        return self._number

    @attribute(dtype=(float,), max_dim_x=4000)
    def block(self):
        return [float(self._number)]

    @command(dtype_in=int)
    def Push(self, count):
        for _ in range(count):
            self._number += 1
            self.push_change_event("number", self._number)

    @command(dtype_in=int)
    def PushBlocks(self, count):
        for _ in range(count):
            self._number += 1
            # larger ones are sent without a copy, and then the push waits for a receiver that does not read
            self.push_change_event("block", [float(self._number)] * 200)

    @command(dtype_in=int)
    def PushSlowly(self, count):
        """So that a receiver that has fallen behind gets some of them."""
        for _ in range(count):
            time.sleep(0.002)
            self._number += 1
            self.push_change_event("block", [float(self._number)])

    @command
    def Tick(self):
        pass

    @command
    def Complain(self):
        self.debug_stream("before")
        self.warn_stream("something %s", "odd")
        self.error_stream("x" * 3000)


if __name__ == "__main__":
    run((Pusher,))
