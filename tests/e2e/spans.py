"""OTLP JSON as the agent (file export) and the Collector write it, as plain Span objects."""
import json
import os

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = 1, 2, 3, 4, 5
ERROR = 2
NO_PARENT = ""


def value_of(any_value):
    """A protobuf AnyValue in JSON; int64 comes as a string by the protobuf JSON rules."""
    if "stringValue" in any_value:
        return any_value["stringValue"]
    if "intValue" in any_value:
        return int(any_value["intValue"])
    if "boolValue" in any_value:
        return any_value["boolValue"]
    if "doubleValue" in any_value:
        return float(any_value["doubleValue"])
    if "arrayValue" in any_value:
        return [value_of(v) for v in any_value["arrayValue"].get("values", [])]
    if "kvlistValue" in any_value:
        return attributes_of(any_value["kvlistValue"].get("values", []))
    return None


def attributes_of(pairs):
    return {p["key"]: value_of(p.get("value", {})) for p in pairs or []}


class Span:
    def __init__(self, raw, resource, scope):
        self.name, self.kind = raw["name"], raw.get("kind", 0)
        self.trace, self.id = raw["traceId"], raw["spanId"]
        self.parent = raw.get("parentSpanId", NO_PARENT)
        self.start, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.attrs = attributes_of(raw.get("attributes"))
        status = raw.get("status", {})
        self.status, self.message = status.get("code", 0), status.get("message", "")
        self.flags, self.state = raw.get("flags", 0), raw.get("traceState", "")
        self.event_times = [int(e.get("timeUnixNano", 0)) for e in raw.get("events", [])]
        self.events = [(e["name"], attributes_of(e.get("attributes"))) for e in raw.get("events", [])]
        self.links = raw.get("links", [])
        self.resource, self.scope = resource, scope

    @property
    def device(self):
        return self.attrs.get("tango.operation.target", "")

    @property
    def operation(self):
        return self.attrs.get("tango.operation.name", "")

    @property
    def pid(self):
        return self.resource.get("process.pid", 0)

    @property
    def is_method(self):
        """A method of a device class: "TangoTest.read_ampli". Functions of cppTango are qualified: "Tango::..."."""
        return self.kind == INTERNAL and "." in self.name and "::" not in self.name

    @property
    def is_caller(self):
        """The Python code that made the only call of its trace."""
        return self.kind == INTERNAL and self.scope["name"] == "tango.python.client"

    @property
    def failed(self):
        return self.status == ERROR

    @property
    def exceptions(self):
        return [a for name, a in self.events if name == "exception"]

    def key(self):
        """Everything that must survive any way of export."""
        return (self.trace, self.id, self.parent, self.name, self.kind, self.start, self.end, self.status, self.message,
                self.flags, tuple(self.event_times),
                json.dumps(self.attrs, sort_keys=True), json.dumps(self.events, sort_keys=True),
                json.dumps(self.resource, sort_keys=True), json.dumps(self.scope, sort_keys=True))

    def __repr__(self):
        dull = ("network.", "rpc.", "server.", "client.", "giop.version", "tango.client_ident")
        attrs = {k: v for k, v in self.attrs.items() if not k.startswith(dull)}
        return "<%s kind=%d %s %s pid=%s status=%d %s attrs=%s>" % (
            self.name, self.kind, self.device, self.operation, self.pid, self.status, self.message, attrs)


def spans_of_request(request):
    for resource_spans in request.get("resourceSpans", []):
        resource = attributes_of(resource_spans.get("resource", {}).get("attributes"))
        for scope_spans in resource_spans.get("scopeSpans", []):
            scope = scope_spans.get("scope", {})
            for raw in scope_spans.get("spans", []):
                yield Span(raw, resource, {"name": scope.get("name", ""), "version": scope.get("version", "")})


class Log:
    def __init__(self, raw, resource, scope):
        self.time, self.severity, self.text = int(raw["timeUnixNano"]), raw.get("severityNumber", 0), raw.get("severityText", "")
        self.body, self.attrs = value_of(raw["body"]), attributes_of(raw.get("attributes"))
        self.trace, self.span = raw.get("traceId", ""), raw.get("spanId", "")
        self.event = raw.get("eventName", "")
        self.resource, self.scope = resource, scope

    @property
    def pid(self):
        return self.resource.get("process.pid", 0)

    @property
    def logger(self):
        return self.attrs.get("tango.logger.name", "")

    def key(self):
        """Everything that must survive any way of export."""
        return (self.time, self.severity, self.text, self.body, self.trace, self.span,
                json.dumps(self.attrs, sort_keys=True), json.dumps(self.resource, sort_keys=True),
                json.dumps(self.scope, sort_keys=True))

    def __repr__(self):
        return "<log %s %s %r span=%s pid=%s>" % (self.logger, self.text, self.body[:60], self.span or "none", self.pid)


def logs_of_request(request):
    for resource_logs in request.get("resourceLogs", []):
        resource = attributes_of(resource_logs.get("resource", {}).get("attributes"))
        for scope_logs in resource_logs.get("scopeLogs", []):
            scope = scope_logs.get("scope", {})
            for raw in scope_logs.get("logRecords", []):
                yield Log(raw, resource, {"name": scope.get("name", ""), "version": scope.get("version", "")})


def lines_of(path, items):
    """A line that is no JSON is an error, a missing file has none."""
    if not os.path.exists(path):
        return []
    result = []
    with open(path) as f:
        for line in f:
            if line.strip():
                result.extend(items(json.loads(line)))
    return result


def load(path):
    """All spans of a file of OTLP JSON lines."""
    return lines_of(path, spans_of_request)


def load_logs(path):
    """All log records of such a file."""
    return lines_of(path, logs_of_request)
