"""The agent's HTTP pages, and its metrics as Prometheus' own parsers read them."""
import collections
import glob
import http.client
import sys

import bed as beds
from harness import Skip, check

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

Answer = collections.namedtuple("Answer", "status type text")


def get(address, path, headers=None, method="GET", body=None):
    host, port = address.rsplit(":", 1)
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.getheader("content-type"), answer.read().decode())
    finally:
        connection.close()


def parsers():
    """prometheus_client's, of the tests' own environment; it is pure Python."""
    found = glob.glob(beds.CACHE + "/venvs/prometheus/lib/python3*/site-packages")
    if not found:
        raise Skip("no prometheus-client: run tests/e2e/venv")
    if found[0] not in sys.path:
        sys.path.append(found[0])
    from prometheus_client import parser
    from prometheus_client.openmetrics import parser as openmetrics
    return parser, openmetrics


class Metrics:
    """Samples by name: {name: [(labels, value, exemplar)]}; text that is not what it says it is raises."""

    def __init__(self, text, is_openmetrics=False):
        self.samples, self.types = collections.defaultdict(list), {}
        module = parsers()[1 if is_openmetrics else 0]
        for family in module.text_string_to_metric_families(text):
            self.types[family.name] = family.type
            for s in family.samples:
                self.samples[s.name].append((s.labels, s.value, s.exemplar))
        seen = [(name, tuple(sorted(labels.items()))) for name, all_of in self.samples.items() for labels, _, _ in all_of]
        check(len(seen) == len(set(seen)), "no series twice")

    def select(self, name, **labels):
        return [(l, v, e) for l, v, e in self.samples.get(name, []) if all(l.get(k, "") == w for k, w in labels.items())]

    def sum(self, name, **labels):
        return sum(v for _, v, _ in self.select(name, **labels))

    def by(self, name, *keys, **labels):
        """Sums by the values of these labels."""
        result = collections.Counter()
        for have, value, _ in self.select(name, **labels):
            result[tuple(have.get(k, "") for k in keys)] += value
        return {k: v for k, v in result.items() if v}


def scrape(address, is_openmetrics=False):
    answer = get(address, "/metrics", {"Accept": OPENMETRICS if is_openmetrics else "text/plain"})
    check(answer.status == 200, "/metrics", answer.status, answer.text[:300])
    want = "application/openmetrics-text; version=1.0.0" if is_openmetrics else "text/plain; version=0.0.4"
    check(answer.type.startswith(want), "content type", answer.type)
    return Metrics(answer.text, is_openmetrics)
