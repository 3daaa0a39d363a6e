"""Subscribes to change events: subscriber.py URL ATTRIBUTE. Says "up", then a line for each event until it is ended:
"event NUMBER" or "error REASON". The event that cppTango makes up at subscription is not pushed by anybody: "first"."""
import sys
import time

import tango

FIRST = []


def callback(event):
    if event.err:
        print("error", event.errors[0].reason, flush=True)
        return
    value = event.attr_value.value
    number = int(value[0]) if hasattr(value, "__len__") else int(value)
    print("event" if FIRST else "first", number, flush=True)
    FIRST.append(True)


proxy = tango.DeviceProxy(sys.argv[1])
proxy.subscribe_event(sys.argv[2], tango.EventType.CHANGE_EVENT, callback)
print("up", flush=True)
while True:
    time.sleep(60)
