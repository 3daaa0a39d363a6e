"""Compares spans with what clients and servers know themselves: the client's log and the ORB's own log."""
import collections

import spans as otlp
from harness import check, equal

API = {  # operation of the plan: the API function that the client's span is named after
    "read": "Tango::DeviceProxy::read_attribute",
    "reads": "Tango::DeviceProxy::read_attributes",
    "write": "Tango::DeviceProxy::write_attribute",
    "write_read": "Tango::DeviceProxy::write_read_attribute",
    "command": "Tango::Connection::command_inout",
    "ping": "Tango::DeviceProxy::ping",
    "state": "Tango::DeviceProxy::state",
    "status": "Tango::DeviceProxy::status",
}
# What a C++ server throws itself is known there by its C++ type; the client gets CORBA's word for it.
SERVER_REASON = {"ThrowStd": "std::runtime_error", "ThrowInt": "int"}


def operation_name(line):
    """tango.operation.name as design section 5 wants it."""
    if line.operation == "command":
        return line.name
    if line.operation == "reads":
        return "read %d attributes" % len(line.name.split(","))
    if line.operation in ("read", "write", "write_read"):
        return "%s %s" % (line.operation, line.name)
    return line.operation


def device_name(url):
    """"tango://127.0.0.1:1234/a/b/c#dbase=no" -> "a/b/c"."""
    return url.split("#")[0].split("/", 3)[-1] if url.startswith("tango://") else url


def difference(want, got):
    """Two Counters as readable lines of what is missing and what is extra."""
    lines = ["missing %d x %s" % (n, k) for k, n in sorted((want - got).items(), key=str)]
    lines += ["extra   %d x %s" % (n, k) for k, n in sorted((got - want).items(), key=str)]
    return lines[:20]


def same(want, got, what):
    want, got = collections.Counter(want), collections.Counter(got)
    check(want == got, "%s: %d expected, %d found" % (what, sum(want.values()), sum(got.values())),
          *difference(want, got))


def of(spans, pid, *kinds):
    return [s for s in spans if s.pid == pid and (not kinds or s.kind in kinds)]


def client_calls(spans, pid):
    """The spans of the calls that the program made itself: not those that an API function made inside."""
    mine = {s.id for s in of(spans, pid) if not s.is_caller}
    return [s for s in of(spans, pid, otlp.CLIENT) if s.parent not in mine]


def check_client(spans, client_pid, log, aux=()):
    """Exactly one CLIENT span per logged call, with name, device, operation, status and reason.

    `aux` are API functions that the program did not call itself but its binding did (PyTango asks for a command's
    types before the first call): they are taken out here and counted by check_wire.
    """
    want = [(API[line.operation], device_name(line.device).lower(), operation_name(line), bool(line.reason),
             line.reason) for line in log]
    got = [(s.name, s.device.lower(), s.operation, s.failed, s.attrs.get("error.type", ""))
           for s in client_calls(spans, client_pid) if s.name not in aux]
    same(want, got, "client spans of %d calls" % len(log))


def check_threads(spans, client_pid, log):
    """Every call's span lies inside the time in which the client itself saw the call, in the same order per thread."""
    by_thread = collections.defaultdict(list)
    for s in client_calls(spans, client_pid):
        by_thread[int(s.attrs.get("thread.id", 0))].append(s)
    lines = collections.defaultdict(list)
    for line in log:
        lines[line.tid].append(line)
    slack = 20_000_000  # the agent maps clocks by one offset per trace; the wall clock may be slewed meanwhile
    for tid, calls in lines.items():
        mine = sorted(by_thread[tid], key=lambda s: s.start)
        mine = [s for s in mine if s.name in API.values()]
        equal(len(mine), len(calls), "spans of thread %d" % tid)
        for s, line in zip(mine, sorted(calls, key=lambda c: c.start)):
            check(s.name == API[line.operation] and s.operation == operation_name(line),
                  "calls of a thread in order", s, line)
            check(line.start - slack <= s.start and s.end <= line.end + slack and s.start <= s.end,
                  "a span inside the time of its call", s, s.start, s.end, line)


def check_pairs(spans, client_pid, server_pids):
    """Every CLIENT span has exactly one SERVER span as child, in the same trace; no SERVER span is without one."""
    children = collections.defaultdict(list)
    for s in spans:
        if s.kind == otlp.SERVER and s.pid in server_pids:
            children[s.parent].append(s)
    clients = {s.id: s for s in of(spans, client_pid, otlp.CLIENT)}
    alone = [s for i, s in clients.items() if len(children[i]) != 1]
    strange = [s for parent, list_ in children.items() for s in list_ if parent not in clients]
    wrong = collections.defaultdict(list)
    if alone:
        wrong["alone"] = ["%d of %d CLIENT spans without exactly one SERVER child: %s" % (
            len(alone), len(clients), alone[:3])]
    if strange:
        wrong["strange"] = ["%d SERVER spans whose parent is no CLIENT span: %s" % (len(strange), strange[:3])]
    for i, client in clients.items():
        if len(children[i]) == 1:
            try:
                check_pair(client, children[i][0])
            except AssertionError as e:
                wrong[str(e).split("\n")[0]].append(e)
    check(not wrong, "pairs of CLIENT and SERVER spans",
          *["%d x %s" % (len(v), v[0]) for v in wrong.values()])
    return len(clients)


def check_pair(client, server):
    check(server.trace == client.trace, "one trace for both sides", client, server)
    check(server.device.lower() == client.device.lower() or
          (not client.device and client.attrs.get("peer.service") == "DataBase") or  # a Database is no DeviceProxy
          (not server.device and server.attrs.get("rpc.method") == "Tango/_non_existent"),  # the ORB's own, of any object
          "one device on both sides", client, server)
    check(server.attrs.get("tangotrace.parent.proof") == "request", "the proof is the request", server)
    check_pair_connection(client, server)
    check(client.start <= server.start <= client.end, "the server's span starts inside", client, server)
    check_pair_outcome(client, server)


def check_pair_connection(client, server):
    """One request on one connection: the same id on it, and what is one side's own end is the other's peer."""
    number = client.attrs.get("giop.request_id")
    check(number is not None and server.attrs.get("giop.request_id") == number, "one GIOP request id on both sides",
          client.attrs, server.attrs)
    equal(server.attrs.get("network.transport"), client.attrs.get("network.transport"), "transport of both sides")
    for what in ("port", "address"):
        for one, other in ((client, server), (server, client)):
            mine, peer = one.attrs.get("network.local." + what), other.attrs.get("network.peer." + what)
            check(mine is None or peer is None or mine == peer, "mirrored %ss of the connection" % what, client.attrs,
                  server.attrs)
    if client.attrs.get("network.transport") == "tcp":
        check(client.attrs.get("network.local.port") and server.attrs.get("network.local.port"),
              "both sides know the ports of TCP", client.attrs, server.attrs)
        secured = client.attrs.get("tls.established", False)
        equal(server.attrs.get("tls.established", False), secured, "TLS on both sides")
        equal(server.attrs.get("tango.client_ident.location"), "giop:%s:%s:%d" % (
            "ssl" if secured else "tcp", server.attrs["client.address"], server.attrs["client.port"]),
            "location of the client")


def check_pair_outcome(client, server):
    check(client.failed == server.failed, "one outcome on both sides", client, server)
    if client.failed and server.failed:
        want = SERVER_REASON.get(client.operation, client.attrs.get("error.type"))
        equal(server.attrs.get("error.type"), want, "reason on the server of %s %s" % (client.device, client.operation))
    for s in (client, server):
        check(not s.failed or s.exceptions, "a failed span has an exception event", s)
        check(s.failed or not s.exceptions, "a span without failure has no exception event", s)


def check_wire(spans, pid, kind, counted):
    """As many spans of the kind as the ORB of the process counted requests, by operation on the wire."""
    got = collections.Counter(s.attrs.get("rpc.method", "no rpc.method: " + s.name) for s in of(spans, pid, kind))
    counted = {"Tango/" + operation: number for operation, number in counted.items()}
    same(counted, got, "%s spans against the ORB's own log" % {otlp.CLIENT: "CLIENT", otlp.SERVER: "SERVER"}[kind])


def check_certain(spans):
    """No span in doubt. One mark is no doubt about the call: a text that is longer than any limit, here the traceback
    that PyTango puts into the description of a Python error."""
    def doubt(span):
        marks = set(span.attrs.get("tangotrace.incomplete", []))
        return marks - {"field_cut"} if span.attrs.get("error.type") == "PyDs_PythonError" else marks
    doubtful = collections.defaultdict(list)
    for s in spans:
        if doubt(s):
            doubtful[s.kind, s.name, tuple(sorted(doubt(s)))].append(s)
    check(not doubtful, "%d of %d spans in doubt" % (sum(map(len, doubtful.values())), len(spans)),
          *["%d x %s, e.g. %s" % (len(v), k, v[0]) for k, v in doubtful.items()])


def check_unique(spans):
    same([s.id for s in spans if s.id], set(s.id for s in spans), "span ids")
    for s in spans:
        check(len(s.trace) == 32 and len(s.id) == 16 and len(s.parent) in (0, 16), "ids in hex of the right length", s)
        check(s.start <= s.end, "a span ends after it starts", s)
        check(s.name and s.kind in (1, 2, 3, 4, 5), "name and kind", s)


def check_none_lost(final, agent):
    check(final["lost"] == 0, "nothing lost", final)
    equal(final["exported"], len(agent.all_spans()), "spans exported by the final line")
