"""Calls a Basler from functions of all kinds: scan.py URL ROUNDS GATE [--threads N | --gevent | --high].

Every line that calls has a mark, "# call: OPERATION", by which the test knows it.
"""
import sys
import threading

import tango

HIGH = "--high" in sys.argv
GEVENT = "--gevent" in sys.argv


class Scan:
    def __init__(self, proxy):
        self.proxy = proxy

    def step(self):
        self.proxy.read_attribute("ExposureTime")  # call: read ExposureTime
        self.proxy.write_attribute(  # call: write ExposureTime
            "ExposureTime", 2.0)
        self.arm()

    def arm(self):
        self.proxy.command_inout("Arm")  # call: Arm
        try:
            self.proxy.command_inout("Refuse")  # call: Refuse
        except tango.DevFailed:
            pass

        def inner():
            return [self.proxy.command_inout("Twice", n) for n in (4,)]  # call: Twice
        inner()

    def high(self):
        self.proxy.read_attribute("Gain")  # call: read Gain
        self.proxy.command_inout("Double", 2.0)  # call: Double
        try:
            self.proxy.read_attribute("Broken")  # call: read Broken
        except tango.DevFailed:
            pass


def work(rounds):
    if GEVENT:
        from tango.gevent import DeviceProxy
        scan = Scan(DeviceProxy(sys.argv[1]))
    else:
        scan = Scan(tango.DeviceProxy(sys.argv[1]))
    for _ in range(rounds):
        scan.step()
        if HIGH:
            scan.high()


def main():
    rounds = int(sys.argv[2])
    work(1)  # proxies, types of commands: asked for before the agent looks
    print("up", flush=True)
    with open(sys.argv[3]) as gate:
        gate.read()
    if GEVENT:
        import gevent
        gevent.joinall([gevent.spawn(work, rounds) for _ in range(2)], raise_error=True)
        return
    threads = int(sys.argv[sys.argv.index("--threads") + 1]) if "--threads" in sys.argv else 0
    if not threads:
        work(rounds)
        return
    workers = [threading.Thread(target=work, args=(rounds,)) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    main()
