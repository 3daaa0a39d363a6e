"""A camera as people write devices: high-level API; old and decorated style, hooks, user decorators, failures."""
import functools

import tango
from tango import AttrWriteType
from tango.server import Device, attribute, command, run


def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kw):
        return function(*args, **kw)
    return wrapper


class Camera(Device):
    """What all cameras have."""

    def init_device(self):
        super().init_device()
        self._exposure = 1.0
        self.set_state(tango.DevState.ON)

    def always_executed_hook(self):
        pass

    @command(dtype_in=float, dtype_out=float)
    def Double(self, number):
        return 2 * number


class Basler(Camera):
    ExposureTime = attribute(dtype=float, access=AttrWriteType.READ_WRITE)

    def read_attr_hardware(self, attributes):
        pass

    def read_ExposureTime(self):
        return self._exposure

    def write_ExposureTime(self, value):
        self._exposure = value

    def is_ExposureTime_allowed(self, request):
        return True

    @attribute(
        dtype=float)
    @traced
    def Gain(self):
        return 2.0

    @attribute(dtype=float)
    def Broken(self):
        raise RuntimeError("sensor gone")

    @command
    def Arm(self):
        self.info_stream("arming")
        self.debug_stream("armed, exposure %g", self._exposure)

    def is_Arm_allowed(self):
        return True

    @command(dtype_in=int, dtype_out=int)
    @traced
    def Twice(self, number):
        return 2 * number

    @command
    def Refuse(self):
        tango.Except.throw_exception("Basler_Refused", "no film", "Basler.Refuse")


if __name__ == "__main__":
    run((Basler,))
