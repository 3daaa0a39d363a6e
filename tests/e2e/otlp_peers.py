"""Receivers of OTLP: a real Collector, and a small server that keeps request bodies and answers what it is told."""
import base64
import gzip
import http.server
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request

import bed as beds
import spans as otlp
from harness import HERE, Skip, check, wait_for

COLLECTOR_CONFIG = """
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:%(port)d"}}}
exporters:
  lines: {path: "%(path)s"}
service:
  telemetry: {metrics: {level: none}, logs: {level: warn}}
  pipelines:
    traces: {receivers: [otlp], exporters: [lines]}
"""
# Decodes bodies with the classes that protoc made from OpenTelemetry's own .proto files, to JSON lines on stdout.
DECODE = """
import sys
from google.protobuf import json_format
if sys.argv[1] == "metrics":
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest as Request
else:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request
for path in sys.argv[2:]:
    request = Request()
    with open(path, "rb") as f:
        data = f.read()
    if request.ParseFromString(data) != len(data):
        sys.exit("%s: not all bytes read" % path)
    def unknown(message, where):
        from google.protobuf import unknown_fields
        if len(unknown_fields.UnknownFieldSet(message)):
            sys.exit("%s: unknown field in %s" % (path, where))
        for field, value in message.ListFields():
            if field.message_type:
                for one in (value if field.is_repeated else [value]):
                    unknown(one, field.full_name)
    unknown(request, "request")
    print(json_format.MessageToJson(request, indent=None))
"""


class Collector:
    def __init__(self, bed):
        build = subprocess.run([os.path.join(HERE, "otelcol", "compile")], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, universal_newlines=True)
        if build.returncode:
            raise Skip("no Collector: " + build.stderr[-400:])
        port = beds.free_port()
        self.path = bed.path("collector.jsonl")
        self.url = "http://127.0.0.1:%d" % port
        config = bed.path("collector.yaml")
        with open(config, "w") as f:
            f.write(COLLECTOR_CONFIG % {"port": port, "path": self.path})
        self.proc = bed.start("collector", [build.stdout.strip(), "--config", "file:" + config])
        wait_for(self.answers, 20, "the Collector")

    def answers(self):
        check(self.proc.alive(), "the Collector ended", self.proc.tail())
        request = urllib.request.Request(self.url + "/v1/traces", b"{}", {"Content-Type": "application/json"})
        try:
            return urllib.request.urlopen(request, timeout=2).status == 200
        except urllib.error.URLError:
            return False


class Capture:
    """Keeps bodies; `answers` is a list of (status, headers) used up first, then 200 for ever."""

    def __init__(self, bed, answers=()):
        self.bed, self.answers, self.requests = bed, list(answers), []
        self.accepted = []  # paths of the (unzipped) bodies that were answered with 200
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                owner.take(self)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.lock = threading.Lock()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        headers = {k.lower(): v for k, v in handler.headers.items()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        with self.lock:
            status, extra = self.answers.pop(0) if self.answers else (200, {})
            self.requests.append((handler.path, headers, status))
            if status == 200:
                path = self.bed.path("body-%d.bin" % len(self.accepted))
                with open(path, "wb") as f:
                    f.write(body)
                self.accepted.append(path)
        handler.send_response(status)
        for key, value in extra.items():
            handler.send_header(key, value)
        handler.send_header("Content-Type", "application/x-protobuf")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def decoded(self, signal="traces"):
        """The accepted bodies as dicts in OTLP JSON form, read by the independent classes."""
        beds.need(beds.VENV_PYTHON, "run deploy/bootstrap demo")
        done = subprocess.run([beds.VENV_PYTHON, "-c", DECODE, signal] + self.accepted, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        check(done.returncode == 0, "the independent decoder refuses a body", done.stderr[-2000:])
        return [json.loads(line) for line in done.stdout.splitlines()]


def hex_ids(request):
    """protobuf's own JSON has bytes in base64; OTLP's JSON has ids in hex."""
    for resource_spans in request.get("resourceSpans", []):
        for scope_spans in resource_spans.get("scopeSpans", []):
            for span in scope_spans.get("spans", []):
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64decode(span[key]).hex()
                span["kind"] = otlp_kind(span.get("kind", 0))
                status = span.get("status", {})
                status["code"] = {"STATUS_CODE_ERROR": 2, "STATUS_CODE_OK": 1}.get(status.get("code"), 0)
    return request


def otlp_kind(kind):
    names = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
    return names.index(kind.replace("SPAN_KIND_", "")) if isinstance(kind, str) else kind


def decoded_spans(capture):
    return [s for r in capture.decoded() for s in otlp.spans_of_request(hex_ids(r))]
