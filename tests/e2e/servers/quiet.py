"""A device that has no hooks of its own, until it is told to."""
from tango import DevState
from tango.server import Device, attribute, command


class Hooks:
    def hook(self):
        pass


class Quiet(Device):
    def init_device(self):
        super().init_device()
        self.set_state(DevState.ON)

    @attribute(dtype=float)
    def level(self):
        return 1.5

    @command
    def Hook(self):
        Quiet.always_executed_hook = Hooks.hook


if __name__ == "__main__":
    Quiet.run_server()
