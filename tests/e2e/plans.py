"""Which calls the clients make. Every answer is either fixed or reduced to what is fixed, so that two runs of one plan
must give the same answers, traced or not."""
import random

# (operation, name, type, argument): values written are always the same, so that the order of threads does not matter
TANGOTEST = [
    ("read", "ampli", "", ""),
    ("read", "double_scalar_w", "", ""),
    ("reads", "ampli,double_scalar_w", "", ""),
    ("write", "ampli", "double", "1.5"),
    ("write", "double_scalar_w", "double", "2.5"),
    ("write_read", "double_scalar_w", "double", "2.5"),
    ("command", "DevDouble", "double", "2.5"),
    ("command", "DevLong", "long", "7"),
    ("command", "DevString", "string", "hello"),
    ("command", "DevVoid", "void", ""),
    ("ping", "", "", ""),
    ("state", "", "", ""),
    ("status", "", "", ""),
]
TANGOTEST_FAIL = [
    ("read", "throw_exception", "", ""),
    ("read", "no_such_attribute", "", ""),
    ("command", "NoSuchCommand", "void", ""),
]
# PyTango 9.3.6 looks at uninitialised memory when it writes an attribute that does not exist (TypeError or SIGSEGV,
# without any tracer): only C++ clients do it.
CPP_ONLY_FAIL = [
    ("write", "no_such_attribute", "double", "1"),
]
THROWER = [
    ("read", "number", "", ""),
    ("write", "number", "double", "3.5"),
    ("write_read", "number", "double", "3.5"),
    ("command", "Twice", "long", "21"),
    ("command", "CatchInside", "long", "5"),
    ("command", "CancelThread", "long", "9"),
    ("ping", "", "", ""),
    ("state", "", "", ""),
]
THROWER_FAIL = [
    ("read", "bad", "", ""),
    ("reads", "bad,number", "", ""),
    ("write", "number", "double", "-1"),
    ("command", "ThrowStd", "long", "1"),
    ("command", "ThrowDev", "long", "2"),
    ("command", "ThrowInt", "long", "3"),
    ("command", "RethrowDev", "long", "4"),
    ("command", "RethrowPlain", "long", "5"),
]
# Those of them that end in CORBA::UNKNOWN: what was thrown is no DevFailed
CORBA_UNKNOWN = ("ThrowStd", "ThrowInt", "RethrowPlain")
FOLLOWER = [
    ("read", "level", "", ""),
    ("write", "level", "double", "1.5"),
    ("write_read", "level", "double", "1.5"),
    ("command", "Twice", "long", "4"),
    ("command", "TurnOff", "void", ""),
    ("ping", "", "", ""),
    ("status", "", "", ""),
]
FOLLOWER_FAIL = [
    ("read", "broken", "", ""),
    ("write", "level", "double", "-1"),
    ("command", "Refuse", "void", ""),
    ("command", "Fail", "void", ""),
    ("command", "NoSuchCommand", "void", ""),
]


# How a client may get the reply of a call that it sent without waiting
WAYS = ("waited", "polled")
CALLBACK = ("callback",)


def asynchronous(rows, ways):
    """The reads and commands of `rows`, sent without waiting, in each of the ways."""
    return [(way + "_" + row[0],) + row[1:] for way in ways for row in rows if row[0] in ("read", "command")]


def at(device, rows):
    return [(op, device, name, kind, arg) for op, name, kind, arg in rows]


def mixed(good, bad, calls, threads, seed, bad_share=0.25):
    """`calls` calls spread over `threads`; every row of both lists comes up, errors in the given share."""
    dice = random.Random(seed)
    plan = []
    for thread in range(threads):
        count = calls // threads + (1 if thread < calls % threads else 0)
        rows = [dice.choice(bad) if bad and dice.random() < bad_share else dice.choice(good) for _ in range(count)]
        plan.append(rows)
    return plan


def warm_up(plan):
    """The writes that settle every value that the plan reads."""
    seen = []
    for calls in plan:
        for call in calls:
            if call[0] == "write" and call not in seen and not call[4].startswith("-"):
                seen.append(call)
    return [seen]


def answers(log):
    """What the client got, in a form that is equal for equal behaviour: no times, no thread ids."""
    return [(line.thread, line.number, line.operation, line.device.split("/", 3)[-1], line.name, line.reason,
             steady(line.answer)) for line in log]


def steady(answer):
    """Leaves out the address of a server, which differs between two runs."""
    return " ".join("URL" if "tango://" in word else word for word in answer.split())
