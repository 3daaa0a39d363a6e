"""The measured client in Python; usage and output are those of calls.cpp."""
import sys
import time

import tango


def main():
    device, operation, name, count = sys.argv[1:5]
    proxy = tango.DeviceProxy(device)
    call = (lambda: proxy.read_attribute(name)) if operation == "read" else (lambda: proxy.command_inout(name, 2))
    call()
    print("up", flush=True)
    took = [0] * int(count)
    clock = time.monotonic_ns
    for _ in sys.stdin:
        cpu = time.process_time_ns()
        for i in range(len(took)):
            start = clock()
            call()
            took[i] = clock() - start
        cpu = time.process_time_ns() - cpu
        took.sort()
        print(took[len(took) // 2], took[len(took) * 99 // 100], sum(took) // len(took), cpu, flush=True)


main()
