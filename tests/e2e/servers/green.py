"""Devices in a green mode (TT_GREEN: gevent or asyncio), many of which are asked at a time: each asks a device of its own,
whose number is that of its name, in the way of that mode. TT_FOLLOWERS: their address."""
import os

import tango
from tango import GreenMode
from tango.server import Device, command, run

MODE = os.environ["TT_GREEN"]


def follower_of(device):
    return os.environ["TT_FOLLOWERS"] % device.get_name().split("/")[-1]


if MODE == "asyncio":
    import asyncio
    from tango.asyncio import DeviceProxy

    class Green(Device):
        green_mode = GreenMode.Asyncio

        async def init_device(self):
            await super().init_device()
            self.proxy = None
            self.set_state(tango.DevState.ON)

        @command(dtype_out=float)
        async def Ask(self):
            if self.proxy is None:
                self.proxy = await DeviceProxy(follower_of(self))
            await asyncio.sleep(0.001)
            return (await self.proxy.read_attribute("ExposureTime")).value

        @command
        async def Refuse(self):
            await asyncio.sleep(0.001)
            raise RuntimeError("not now")
else:
    import gevent
    from tango.gevent import DeviceProxy

    class Green(Device):
        green_mode = GreenMode.Gevent

        def init_device(self):
            super().init_device()
            self.proxy = None
            self.set_state(tango.DevState.ON)

        @command(dtype_out=float)
        def Ask(self):
            if self.proxy is None:
                self.proxy = DeviceProxy(follower_of(self))
            gevent.sleep(0.001)
            return self.proxy.read_attribute("ExposureTime").value

        @command
        def Refuse(self):
            gevent.sleep(0.001)
            raise RuntimeError("not now")


if __name__ == "__main__":
    run((Green,))
