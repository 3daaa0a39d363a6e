"""Real back ends on a bed, each with its own API to query what arrived: Jaeger, Loki, Prometheus, Tempo.

They are built once (tests/e2e/backends/compile). Data are throw-away: they are killed, not asked to end, which takes some of
them many seconds.
"""
import base64
import collections
import json
import os
import signal
import string
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import bed as beds
import spans as otlp
from harness import HERE, check, wait_for

FOLDER = os.path.join(HERE, "backends")

Answer = collections.namedtuple("Answer", "status headers body")


def request(url, body=None, headers=None):
    """Any answer, also of failure."""
    asked = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as answer:
        with answer:
            return Answer(answer.code, answer.headers, answer.read())


def get(url, **query):
    """The JSON that a query is answered with."""
    answer = request(url + ("?" + urllib.parse.urlencode(query) if query else ""))
    check(answer.status == 200, "%s answers %d" % (url, answer.status), query, answer.body[:500])
    return json.loads(answer.body)


def program(name):
    built = subprocess.run([os.path.join(FOLDER, "compile"), name], stdout=subprocess.PIPE, universal_newlines=True)
    check(built.returncode == 0, "%s could not be built" % name)
    return built.stdout.strip()


class Store:
    """A back end: program, configuration from backends/NAME.yaml, ports, and a page that says when it is ready."""

    name = ready_page = ""
    ports = ()

    def __init__(self, bed, binary, flags, config=None, **settings):
        self.bed = bed
        self.port = {name: settings.pop(name, None) or beds.free_port() for name in self.ports}
        self.directory = bed.path("%s-%d" % (self.name, len(bed.procs)))
        os.mkdir(self.directory)
        self.config = self.directory + ".yaml"
        with open(os.path.join(FOLDER, (config or self.name) + ".yaml")) as f:
            text = string.Template(f.read()).substitute(self.port, directory=self.directory, **settings)
        with open(self.config, "w") as f:
            f.write(text)
        self.argv = [binary] + [flag % dict(self.port, config=self.config, directory=self.directory) for flag in flags]
        self.start()

    def start(self):
        self.proc = self.bed.start(self.name, self.argv, cwd=self.directory)
        self.proc.ask_to_end = lambda: self.proc.signal(signal.SIGKILL)
        wait_for(self.answers, 30, "%s to be ready" % self.name)

    def url(self, port, path=""):
        return "http://127.0.0.1:%d%s" % (self.port[port], path)

    def answers(self):
        check(self.proc.alive(), "%s ended" % self.name, self.proc.tail())
        port, path = self.ready_page
        try:
            return request(self.url(port, path)).status in (200, 405)  # an OTLP receiver wants POST
        except OSError:
            return False


class Jaeger(Store):
    """Traces; its Collector's span metrics are on port `metrics`."""

    name, ready_page = "jaeger", ("query", "/api/services")
    ports = ("otlp", "query", "query_grpc", "metrics")

    def __init__(self, bed, **settings):
        super().__init__(bed, program("jaeger"), ["--config=file:%(config)s"], **settings)
        self.otlp = self.url("otlp", "/v1/traces")

    def ask(self, path, **query):
        return get(self.url("query", path), **query)

    def services(self):
        return set(self.ask("/api/services")["data"] or [])

    def search(self, service, **query):
        """Traces in the form of version 1 of its API."""
        return self.ask("/api/traces", service=service, limit=20000, **query)["data"]

    def spans(self, trace):
        """The spans of a trace, from version 3 of its API, which is OTLP."""
        answer = self.ask("/api/v3/traces/" + trace)
        return list(otlp.spans_of_request(answer["result"]))

    def edges(self):
        """{(parent's service, child's service): spans whose parent is of the other service}."""
        found = self.ask("/api/dependencies", endTs=int(time.time() * 1000) + 1000, lookback=3600000)["data"]
        return {(e["parent"], e["child"]): e["callCount"] for e in found if e["parent"] != e["child"]}


class Relay(Store):
    """Jaeger's Collector as one that hands traces on to `to` and keeps none."""

    name, ports, ready_page = "relay", ("otlp",), ("otlp", "/v1/traces")

    def __init__(self, bed, to):
        super().__init__(bed, program("jaeger"), ["--config=file:%(config)s"], to=to)
        self.otlp = self.url("otlp", "/v1/traces")


class Loki(Store):
    """Logs."""

    name, ports, ready_page = "loki", ("http", "grpc"), ("http", "/ready")

    def __init__(self, bed, **limits):
        limits.setdefault("allow_structured_metadata", True)
        super().__init__(bed, program("loki"), ["-config.file=%(config)s"], limits=json.dumps(limits))
        self.otlp = self.url("http", "/otlp/v1/logs")

    def records(self, query, since):
        """[(unix ns, text, labels and metadata)] that a LogQL query finds in the hour since then (unix seconds)."""
        found = get(self.url("http", "/loki/api/v1/query_range"), query=query, start=int(since * 1e9),
                    end=int((since + 3600) * 1e9), limit=5000)
        records = [(int(when), text, stream["stream"]) for stream in found["data"]["result"] for when, text in stream["values"]]
        check(len(records) < 5000, "all of them: it gives no more at once")
        return records

    def old_records(self, since, number):
        """All that it has of the hour since then, once there are so many: what is hours old is found when it is stored only."""
        check(request(self.url("http", "/flush"), b"").status == 204, "Loki stores what it has")
        query = '{service_name=~".+"}'
        wait_for(lambda: len(self.records(query, since)) >= number, 20, "%d records in Loki" % number, 0.2)
        return self.records(query, since)


class Prometheus(Store):
    """Metrics; it scrapes `scraped` (a port) besides."""

    name, ports, ready_page = "prometheus", ("http", "scraped"), ("http", "/-/ready")

    def __init__(self, bed, **settings):
        super().__init__(bed, program("prometheus"), [
            "--config.file=%(config)s", "--storage.tsdb.path=%(directory)s", "--web.enable-otlp-receiver",
            "--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage", "--log.level=warn",
            "--web.listen-address=127.0.0.1:%(http)d"], **settings)
        self.otlp = self.url("http", "/api/v1/otlp/v1/metrics")

    def ask(self, page, **query):
        return get(self.url("http", "/api/v1/" + page), **query)["data"]

    def vector(self, query, *labels):
        """{values of these labels: number} of an instant query; what is 0 is left out."""
        found = collections.Counter()
        for one in self.ask("query", query=query)["result"]:
            found[tuple(one["metric"].get(label, "") for label in labels)] += float(one["value"][1])
        return {key: value for key, value in found.items() if value}

    def exemplars(self, name):
        """[(labels of the series, labels of the exemplar, value)] of the last minutes."""
        found = self.ask("query_exemplars", query=name, start=time.time() - 600, end=time.time() + 60)
        return [(series["seriesLabels"], e["labels"], float(e["value"])) for series in found for e in series["exemplars"]]


NUMBERS = {name: number for names in (
    ("SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT", "SPAN_KIND_PRODUCER",
     "SPAN_KIND_CONSUMER"), ("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR")) for number, name in enumerate(names)}


def as_otlp(value):
    """JSON of protobuf, which Tempo answers with, as OTLP has it: ids in hex, kinds and codes as numbers."""
    if isinstance(value, list):
        return [as_otlp(v) for v in value]
    if not isinstance(value, dict):
        return value
    return {k: base64.b64decode(v).hex() if k in ("traceId", "spanId", "parentSpanId") else
            NUMBERS[v] if k in ("kind", "code") else as_otlp(v) for k, v in value.items()}


class Tempo(Store):
    """Traces and TraceQL; its metrics-generator writes to a Prometheus. The binary is given: it is no Go module."""

    name, ports, ready_page = "tempo", ("otlp", "http", "grpc", "gossip"), ("http", "/ready")

    def __init__(self, bed, prometheus=None):
        binary = beds.need(os.environ["TEMPO_BIN"], "TEMPO_BIN names it")
        to = prometheus.url("http", "/api/v1/write") if prometheus else "http://127.0.0.1:%d" % beds.free_port()
        super().__init__(bed, binary, ["-config.file=%(config)s"], remote_write=to)
        self.otlp = self.url("otlp", "/v1/traces")

    def spans(self, trace):
        answer = request(self.url("http", "/api/v2/traces/" + trace), headers={"Accept": "application/json"})
        check(answer.status == 200, "a trace of Tempo: %d" % answer.status, answer.body[:300])
        return list(otlp.spans_of_request(as_otlp(json.loads(answer.body)["trace"])))

    def search(self, query, since, limit=10000):
        """Traces that a TraceQL query finds since then (unix seconds), or a little before: it refuses short times."""
        return get(self.url("http", "/api/search"), q=query, start=int(since) - 3600, end=int(time.time()) + 60, limit=limit,
                   spss=100)["traces"]
