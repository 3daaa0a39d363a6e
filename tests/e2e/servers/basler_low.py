"""The same camera by PyTango's low-level API: a device class, and a class that describes it."""
import sys

import tango


class Basler(tango.LatestDeviceImpl):
    def __init__(self, device_class, name):
        super().__init__(device_class, name)
        self._exposure = 1.0
        self.init_device()

    def init_device(self):
        self.set_state(tango.DevState.ON)

    def always_executed_hook(self):
        pass

    def read_attr_hardware(self, attributes):
        pass

    def read_ExposureTime(self, attr):
        attr.set_value(self._exposure)

    def write_ExposureTime(self, attr):
        self._exposure = attr.get_write_value()

    def is_ExposureTime_allowed(self, request):
        return True

    def Arm(self):
        pass

    def is_Arm_allowed(self):
        return True

    def Twice(self, number):
        return 2 * number

    def Refuse(self):
        tango.Except.throw_exception("Basler_Refused", "no film", "Basler.Refuse")


class BaslerClass(tango.DeviceClass):
    cmd_list = {
        "Arm": [[tango.DevVoid], [tango.DevVoid]],
        "Twice": [[tango.DevLong], [tango.DevLong]],
        "Refuse": [[tango.DevVoid], [tango.DevVoid]],
    }
    attr_list = {"ExposureTime": [[tango.DevDouble, tango.SCALAR, tango.READ_WRITE]]}


if __name__ == "__main__":
    util = tango.Util(sys.argv)
    util.add_class(BaslerClass, Basler)
    instance = tango.Util.instance()
    instance.server_init()
    print("Ready to accept request", flush=True)  # cppTango says so only in verbose mode
    instance.server_run()
