"""The client of the demo: makes the calls whose names it reads from the pipe. An ordinary PyTango script."""
import sys
import time

import tango


def failing(function, *args):
    try:
        function(*args)
    except tango.DevFailed as error:
        return error.args[0].reason
    raise SystemExit("%s should have failed" % (args,))


class Events:
    """What came from the camera."""

    def __init__(self):
        self.numbers = []

    def on_armed(self, event):
        if not event.err:
            self.numbers.append(event.attr_value.value)


def until(condition):
    end = time.monotonic() + 10
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("waited in vain")
        time.sleep(0.01)


def subscribe():
    """Until events really come: the first ones after a subscription may not."""
    camera, events = tango.DeviceProxy("test/camera/1"), Events()
    camera.subscribe_event("armed", tango.EventType.CHANGE_EVENT, events.on_armed)

    def arrived():
        camera.command_inout("Arm")
        return len(events.numbers) > 1
    until(arrived)
    return camera, events


def main():
    test = leader = None
    camera, events = subscribe()
    print("up", flush=True)
    steps = open(sys.argv[1])
    for line in steps:
        step = line.strip()
        if step == "connect":
            test = tango.DeviceProxy("sys/tg_test/1")
        elif step == "read":
            test.read_attribute("double_scalar")
        elif step == "write":
            test.write_attribute("ampli", 2.0)
        elif step == "command":
            test.command_inout("DevDouble", 2.0)
        elif step == "bad-command":
            failing(test.command_inout, "NoSuchCommand")
        elif step == "bad-attribute":
            failing(test.__getattr__, "throw_exception")
        elif step == "leader":
            leader = tango.DeviceProxy("test/leader/1")
            leader.command_inout("TurnFollowerOn")
        elif step == "leader-again":
            leader.command_inout("TurnFollowerOff")
        elif step == "leader-fails":
            failing(leader.command_inout, "RefuseFollower")
        elif step in ("event", "ledger"):
            before = len(events.numbers)
            camera.command_inout("Arm")
            until(lambda: len(events.numbers) > before)
        print("done", step, flush=True)


main()
