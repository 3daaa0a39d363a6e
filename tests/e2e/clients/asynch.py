"""Asynchronous calls of PyTango: polling and callback models, failures, a call forgotten.

usage: asynch.py URL FIFO [ROUNDS]     (URL: a Thrower)
Says "up", waits for a line from FIFO, then logs what it did, as it saw it: WHAT OPERATION REASON, tab between.
"""
import sys
import time

import tango

url, fifo = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
proxy = tango.DeviceProxy(url)
for warm_up in (lambda: proxy.read_attribute("number"), lambda: proxy.command_inout("Twice", 1),
                lambda: proxy.command_inout("SleepMs", 1), lambda: proxy.write_attribute("number", 1.0)):
    warm_up()
try:
    proxy.command_inout("RethrowDev", 4)
except tango.DevFailed:
    pass
print("up", flush=True)
with open(fifo) as gate:
    gate.readline()


def log(what, operation, reason=""):
    print("%s\t%s\t%s" % (what, operation, reason), flush=True)


def reason_of(attributes):
    return next((a.get_err_stack()[0].reason for a in attributes if a.has_failed), "")


def reply(what, operation, ask):
    """Logs the call and its reply: the same outcome, unless it was asked for too early."""
    try:
        answer = ask()
        reason = reason_of(answer if isinstance(answer, list) else [answer]) if what == "read" else ""
    except tango.DevFailed as e:
        reason = e.args[0].reason
    log("reply", operation, reason)
    if reason != "API_AsynReplyNotArrived":
        log(what, operation, reason)


def read(*names):
    number = proxy.read_attributes_asynch(list(names)) if len(names) > 1 else proxy.read_attribute_asynch(names[0])
    operation = names[0] if len(names) == 1 else "%d attributes" % len(names)
    return "read", operation, lambda: proxy.read_attributes_reply(number, 3000) if len(names) > 1 \
        else proxy.read_attribute_reply(number, 3000)


def command(name, argument, wait=3000):
    number = proxy.command_inout_asynch(name, argument)
    return "command", name, lambda: proxy.command_inout_reply(number, wait)


def write(name, value):
    number = proxy.write_attribute_asynch(name, value)
    return "write", name, lambda: proxy.write_attribute_reply(number, 3000)


for _ in range(rounds):
    reply(*read("number"))
    reply(*read("bad"))
    reply(*read("number", "bad"))
    reply(*command("Twice", 21))
    reply(*command("RethrowDev", 4))
    reply(*write("number", 2.5))

# many at once, collected in another order
calls = [read("number") for _ in range(2 * rounds)] + [command("Twice", n) for n in range(2 * rounds)]
for call in reversed(calls):
    reply(*call)

# asked for too early, then again
number = proxy.command_inout_asynch("SleepMs", 300)
reply("command", "SleepMs", lambda: proxy.command_inout_reply(number))
reply("command", "SleepMs", lambda: proxy.command_inout_reply(number, 3000))


class Callback:
    done = 0

    def attr_read(self, event):
        Callback.done += 1
        log("reply", "number", event.errors[0].reason if event.err else "")

    def cmd_ended(self, event):
        Callback.done += 1
        log("reply", "Twice", event.errors[0].reason if event.err else "")


callback = Callback()
proxy.read_attribute_asynch("number", callback)
log("read", "number")
proxy.command_inout_asynch("Twice", 3, callback)
log("command", "Twice")
end = time.monotonic() + 5
while Callback.done < 2 and time.monotonic() < end:
    proxy.get_asynch_replies(100)

proxy.command_inout_asynch("Twice", 5, True)
log("one-way", "Twice")
time.sleep(0.3)
