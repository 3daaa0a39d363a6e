"""What the page makes of counts of calls and of calls that are open, in a real browser."""
import json
import os
import urllib.parse

import page as pages
from browser import Browser
from harness import check, equal, wait_for
from test_page import GOLDEN, NOW, accessible, open_view, quiet, shot


def test_histograms(bed):
    """How long the calls of each operation took; of one of them, by a click; of none where counts do not know the condition."""
    with pages.Replay(bed, os.path.join(GOLDEN, "calls.ttr")) as replay, Browser(bed.dir) as browser:
        rows = {r["operation"]: r for r in pages.ask(replay.url + "api/usage?by=operation&buckets=1")["rows"]}
        open_view(browser, replay.url, "traces")
        browser.wait("document.querySelector('.multiples .bar') !== null", what="bars")
        drawn = browser.js("[...document.querySelectorAll('.multiples > div')].map(d => [d.querySelector('button').innerText, [...d.querySelectorAll('.bar title')].map(t => Number(/: (\\d+) calls/.exec(t.textContent)[1]))])")
        equal(sorted(rows[name]["calls"] for name, _ in drawn), sorted(r["calls"] for r in rows.values() if r["calls"] > 1)[-6:], "those with the most calls")
        for name, bars in drawn:
            equal([n for n in bars if n], [n for n in rows[name]["buckets"] if n], "bars of " + name)
        shot(browser, "histograms")
        accessible(browser, "histograms")
        browser.click(".multiples button")
        browser.wait("document.querySelector('#histogram-title')?.innerText === %s" % json.dumps("How long calls of %s took" % drawn[0][0]), what="the one of that operation")
        open_view(browser, replay.url, "traces?status=error")
        check(not browser.js("document.querySelector('#histogram-title') !== null"), "no histogram of what is not counted so")
        quiet(browser)


def test_quantiles(bed):
    """A quantile of calls by several clients is that of all these calls together, everywhere on the page."""
    mix = [("fast host:1", 900, 10), ("slow host:2", 60, 20), ("rare host:3", 40, 30)]  # client, calls, bucket of all of them
    with pages.Page(bed) as page, Browser(bed.dir) as browser:
        now = NOW()
        page.send(pages.usage(now - 3 * 10**9, [("a/b/1", "Motor", client, "read", 10**6, 0, 10**6, bucket) for client, _, bucket in mix], pages.COUNTED))
        page.send(pages.usage(now - 10**9, [("a/b/1", "Motor", client, "read", 10**6 + calls, 0, 2 * 10**6, bucket) for client, calls, bucket in mix]))

        def told(**args):
            return pages.ask(page.url + "api/usage?" + urllib.parse.urlencode(args))
        whole = wait_for(lambda: (lambda u: u if u["rows"] else None)(told(buckets="1")), 10, "counts")
        all_, bounds = whole["rows"][0], whole["bounds_ns"]
        rows = told(by="client", buckets="pairs")["rows"]
        equal(sorted((r["client"], r["calls"], r["buckets"]) for r in rows), sorted((c, n, [[b, n]]) for c, n, b in mix), "each for itself")
        equal([n for n in all_["buckets"] if n], [900, 60, 40], "all together; nothing of what was counted before")
        for name, bucket in (("p50", 10), ("p95", 20), ("p99", 30)):
            check(bounds[bucket - 1] <= all_[name] <= bounds[bucket], "%s of the mix" % name, all_[name])
        open_view(browser, page.url, "live?last=5m&level=device")
        browser.wait("document.querySelector('.tile dd') !== null")
        got = browser.js("import('/format.js').then(f => [0.5, 0.95, 0.99].map(q => f.quantile(%s, %s, q)))" % (json.dumps(rows), json.dumps(bounds)))
        wanted = [all_[name] for name in ("p50", "p95", "p99")]
        check(len(got) == 3 and all(abs(a - b) <= 1 for a, b in zip(got, wanted)), "the page puts rows together as the agent does", got, wanted)
        texts = browser.js("import('/format.js').then(f => %s.map(f.duration))" % json.dumps(wanted))
        equal(browser.js("[...document.querySelectorAll('.tile dd')].slice(2, 5).map(e => e.innerText)"), texts, "the tiles")
        equal(browser.js("[...document.querySelectorAll('.live tbody tr')[0].cells].slice(4, 7).map(e => e.innerText)"), texts, "the device's row")
        check("p50 " in browser.js("document.querySelector('.edge title').textContent"), "an edge tells its median")
        quiet(browser)


def test_open(bed):
    """A call that hangs: its trace is shown as open, and then as what it was, without a touch."""
    with pages.Page(bed) as page, Browser(bed.dir) as browser:
        trace = bytes(15) + b"\x09"
        call = {"age_seconds": 12.5, "side": "client", "process": "sequencer", "pid": 5, "thread": 5, "operation": "Home", "device": "a/b/1",
                "client": "", "waits_for": "the server", "trace_id": trace.hex(), "span_id": "01" * 8}
        now = NOW()
        page.send(pages.state("calls", {"calls": [call], "blocks": []}),
                  pages.usage(now, [("a/b/1", "Motor", "sequencer host:1", "read", 5, 0, 10**6, 13)]), pages.frame(pages.BATCH, b""))
        open_view(browser, page.url, "live")
        browser.wait("[...document.querySelectorAll('.live section:last-child tbody tr')].some(r => r.innerText.includes('Home') && r.innerText.includes('12.5 s'))", what="the open call, with its age")
        browser.click(".live section:last-child tbody button")
        browser.wait("location.hash.startsWith('#/trace/') && document.querySelector('main').innerText.includes('This trace has not ended')", what="its trace is open")
        check("the server" in browser.text("main"), "what it waits for", browser.text("main"))
        shot(browser, "trace-open")
        accessible(browser, "a trace that is open")
        page.send(pages.resource(1, "sequencer", "host:1", client=True), pages.state("calls", {"calls": [], "blocks": []}),
                  pages.span(trace, 1, None, now - 13 * 10**9, now, kind=pages.CLIENT, title="Home", values={"tango.operation.target": "a/b/1"}), pages.frame(pages.BATCH, b""))
        browser.wait("document.querySelectorAll('.row').length === 1 && document.querySelector('.row .title').textContent === 'Home'", what="its spans, once it has ended")
        browser.said = [s for s in browser.said if "404" not in s]  # what is not there, Chromium mentions
        quiet(browser)
