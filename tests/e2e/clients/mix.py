"""Carries out a plan of mixed Tango calls from several threads (or gevent greenlets) and logs every answer.

usage: mix.py PLAN LOG [--shared] [--wait FIFO] [--timeout MS] [--gevent] [--repeat FILE] [--linger SECONDS]
The formats and options are those of plan.hpp and mix.cpp.
"""
import sys

if "--gevent" in sys.argv:
    from gevent import monkey
    monkey.patch_all()

import collections
import os
import threading
import time

import tango

if "--gevent" in sys.argv:
    import gevent
    from tango.gevent import DeviceProxy
else:
    from tango import DeviceProxy


def text_of(attribute):
    if attribute.has_failed:
        raise tango.DevFailed(*attribute.get_err_stack())
    if isinstance(attribute.value, float):
        return "%g" % attribute.value
    if isinstance(attribute.value, bool):
        return str(int(attribute.value))
    return str(attribute.value)


def number(call):
    return int(call.argument) if call.type == "long" else float(call.argument)


def arguments(call):
    """Name and argument, if there is one."""
    if call.type == "void":
        return (call.name,)
    return (call.name, call.argument if call.type == "string" else number(call))


def text_of_answer(answer):
    if answer is None:
        return ""
    return "%g" % answer if isinstance(answer, float) else str(answer)


def command(proxy, call):
    return text_of_answer(proxy.command_inout(*arguments(call)))


# ---- the same asynchronously: the reply is waited for, asked for again and again, or comes by a callback that is pulled

def waited_command(proxy, call):
    return text_of_answer(proxy.command_inout_reply(proxy.command_inout_asynch(*arguments(call)), 0))  # 0: without end


def waited_read(proxy, call):
    return text_of(proxy.read_attribute_reply(proxy.read_attribute_asynch(call.name), 0))


def polled(ask):
    """An exception for every time that it asks too early."""
    while True:
        try:
            return ask()
        except tango.AsynReplyNotArrived:
            time.sleep(0.0002)


def polled_command(proxy, call):
    number = proxy.command_inout_asynch(*arguments(call))
    return text_of_answer(polled(lambda: proxy.command_inout_reply(number)))


def polled_read(proxy, call):
    number = proxy.read_attribute_asynch(call.name)
    return text_of(polled(lambda: proxy.read_attribute_reply(number)))


class Pulled:
    """The reply of one call with a callback."""

    def __init__(self):
        self.event = None

    def cmd_ended(self, event):
        self.event = event

    def attr_read(self, event):
        self.event = event

    def answer(self, proxy):
        while self.event is None:
            try:
                proxy.get_asynch_replies(100)
            except tango.DevFailed:
                pass  # nothing yet
        if self.event.err:
            raise tango.DevFailed(*self.event.errors)
        return self.event.argout


def callback_command(proxy, call):
    pulled = Pulled()
    proxy.command_inout_asynch(*arguments(call), pulled)
    return text_of_answer(pulled.answer(proxy))


def callback_read(proxy, call):
    pulled = Pulled()
    proxy.read_attribute_asynch(call.name, pulled)
    return text_of(pulled.answer(proxy)[0])


TABLE = {
    "read": lambda p, c: text_of(p.read_attribute(c.name)),
    "reads": lambda p, c: "".join(text_of(a) + ";" for a in p.read_attributes(c.name.split(","))),
    "write": lambda p, c: p.write_attribute(c.name, number(c)) or "",
    "write_read": lambda p, c: text_of(p.write_read_attribute(c.name, number(c))),
    "command": command,
    "waited_read": waited_read,
    "waited_command": waited_command,
    "polled_read": polled_read,
    "polled_command": polled_command,
    "callback_read": callback_read,
    "callback_command": callback_command,
    "ping": lambda p, c: (p.ping(), "")[1],
    "state": lambda p, c: str(p.state()),
    "status": lambda p, c: p.status(),
}
Call = collections.namedtuple("Call", "operation device name type argument")


class Client:
    def __init__(self, argv):
        self.plan_path, self.log_path = argv[1:3]
        self.shared, self.gevent = "--shared" in argv, "--gevent" in argv
        self.fifo = argv[argv.index("--wait") + 1] if "--wait" in argv else None
        self.timeout = int(argv[argv.index("--timeout") + 1]) if "--timeout" in argv else 0
        self.repeat = argv[argv.index("--repeat") + 1] if "--repeat" in argv else None
        self.mismatches = 0
        self.calls = collections.defaultdict(list)
        with open(self.plan_path) as f:
            for line in f:
                thread, *rest = line.rstrip("\n").split("\t")
                self.calls[int(thread)].append(Call(*rest))
        self.proxies = collections.defaultdict(dict)
        self.logs = {}

    def proxy(self, thread, device):
        mine = self.proxies[0 if self.shared else thread]
        if device not in mine:
            mine[device] = DeviceProxy(device)
            if self.timeout:
                mine[device].set_timeout_millis(self.timeout)
        return mine[device]

    def make_proxies(self):
        for thread, calls in self.calls.items():
            for device in {c.device for c in calls}:
                try:
                    self.proxy(thread, device)
                except tango.DevFailed:
                    pass  # the call itself will meet this error again, and log it

    def outcome(self, thread, call):
        reason = answer = ""
        try:
            answer = TABLE[call.operation](self.proxy(thread, call.device), call)
        except tango.DevFailed as e:
            reason, answer = e.args[0].reason, e.args[-1].desc
        return reason, " ".join(answer.split())

    def run_thread(self, thread):
        tid, lines, first = threading.get_native_id(), [], []
        for i, call in enumerate(self.calls[thread]):
            start = time.time_ns()
            first.append(self.outcome(thread, call))
            lines.append("\t".join(map(str, (thread, tid, i, call.operation, call.device, call.name, start,
                                             time.time_ns()) + first[i])))
        self.logs[thread] = lines
        if self.repeat:
            self.repeat_rounds(thread, first)

    def repeat_rounds(self, thread, first):
        while os.path.exists(self.repeat):
            for call, before in zip(self.calls[thread], first):
                again = self.outcome(thread, call)
                if again != before:
                    self.mismatches += 1
                    if self.mismatches <= 5:
                        print("%s %s: first %s, then %s" % (call.operation, call.name, before, again), file=sys.stderr)
            print("round %d %d" % (thread, len(first)), flush=True)

    def run(self):
        if self.fifo or self.shared:
            self.make_proxies()
        if self.fifo:
            print("up", flush=True)
            with open(self.fifo) as gate:
                gate.readline()
        if self.gevent:
            gevent.joinall([gevent.spawn(self.run_thread, t) for t in sorted(self.calls)], raise_error=True)
        else:
            threads = [threading.Thread(target=self.run_thread, args=(t,)) for t in sorted(self.calls)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        with open(self.log_path, "w") as log:
            for thread in sorted(self.logs):
                log.write("".join(line + "\n" for line in self.logs[thread]))


if __name__ == "__main__":
    client = Client(sys.argv)
    client.run()
    if "--linger" in sys.argv:  # until what exports in the background has had its turn
        time.sleep(float(sys.argv[sys.argv.index("--linger") + 1]))
    sys.exit(3 if client.mismatches else 0)
