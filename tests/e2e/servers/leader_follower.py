"""Leader and Follower as in Figure 1 of MAX IV's paper: a command on the Leader calls the Follower by DeviceProxy.

Both classes live in this file; which devices a process hosts comes from the database or from -dlist.
"""
import os
import time

import tango
from tango import AttrWriteType, DevState
from tango.server import Device, attribute, command, device_property, run


class Follower(Device):
    def init_device(self):
        super().init_device()
        self._level = 1.0
        self.set_state(DevState.OFF)

    @attribute(dtype=bool)
    def is_on(self):
        return self.get_state() == DevState.ON

    @attribute(dtype=float, access=AttrWriteType.READ_WRITE)
    def level(self):
        return self._level

    @level.write
    def level(self, value):
        if value < 0:
            tango.Except.throw_exception("Follower_Negative", "only positive levels", "Follower.write_level")
        self._level = value

    @attribute(dtype=float)
    def broken(self):
        raise ValueError("sensor gone")

    @command
    def TurnOn(self):
        time.sleep(0.002)
        self.set_state(DevState.ON)

    @command
    def TurnOff(self):
        self.set_state(DevState.OFF)

    @command(dtype_in="DevLong", dtype_out="DevLong")
    def Twice(self, number):
        return 2 * number

    @command
    def Refuse(self):
        tango.Except.throw_exception("Follower_Refused", "follower refuses", "Follower.Refuse")

    @command
    def Fail(self):
        raise RuntimeError("follower fails")


class Leader(Device):
    FollowerTRL = device_property(dtype=str, default_value=os.environ.get("FOLLOWER", "test/follower/1"))

    def init_device(self):
        super().init_device()
        self._proxy = None
        self.set_state(DevState.ON)

    def follower(self):
        if self._proxy is None:
            self._proxy = tango.DeviceProxy(self.FollowerTRL)
        return self._proxy

    @attribute(dtype=bool)
    def follower_is_on(self):
        return self.follower().read_attribute("is_on").value

    @command
    def TurnFollowerOn(self):
        self.follower().command_inout("TurnOn")

    @command
    def TurnFollowerOff(self):
        self.follower().command_inout("TurnOff")

    @command
    def RefuseFollower(self):
        self.follower().command_inout("Refuse")


if __name__ == "__main__":
    run((Leader, Follower))
