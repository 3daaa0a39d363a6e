"""The client of the demo: makes the calls whose names it reads from the pipe. An ordinary PyTango script."""
import sys

import tango


def failing(function, *args):
    try:
        function(*args)
    except tango.DevFailed as error:
        return error.args[0].reason
    raise SystemExit("%s should have failed" % (args,))


def main():
    test = leader = None
    steps = open(sys.argv[1])
    print("up", flush=True)
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
        print("done", step, flush=True)


main()
