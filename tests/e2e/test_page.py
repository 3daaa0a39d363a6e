"""The built-in page, in a real browser; its API, and what it does with those who mean it ill."""
import base64
import glob
import gzip
import json
import os
import random
import select
import signal
import socket
import threading
import time
import urllib.parse

import agent as agents
import bed as beds
import page as pages
import parts
from agent import need_agent
from browser import Browser
from harness import ROOT, check, equal, figure, wait_for

GOLDEN = os.path.join(ROOT, "tests", "golden")
SHOTS = os.path.join(ROOT, "build", "screenshots")
AXE = os.path.join(beds.CACHE, "venvs", "axe")
READY = "document.querySelector('#main')?.childElementCount > 0 && !document.querySelector('[aria-busy=true]')"
NOW = time.time_ns


def shot(browser, name):
    path = os.path.join(SHOTS, name + ".png")
    browser.screenshot(path)
    check(os.path.getsize(path) > 5000, "a picture of " + name)


def accessible(browser, what):
    """axe has nothing serious to say of what is shown now."""
    scripts = glob.glob(os.path.join(AXE, "lib", "python3*", "site-packages", "axe_playwright_python", "axe.min.js"))
    check(scripts, "axe-core is not installed: tests/e2e/venv check")
    with open(scripts[0]) as f:
        browser.js(f.read() + "; true")
    found = browser.js("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => ({id: v.id, impact: v.impact,"
                       " nodes: v.nodes.slice(0, 5).map(n => n.html.slice(0, 200) + ' | ' + n.failureSummary.slice(0, 300))})))", 60)
    bad = [v for v in found if v["impact"] in ("serious", "critical")]
    check(not bad, "%s: %d serious findings of axe" % (what, len(bad)), *["%s (%s): %s" % (v["id"], v["impact"], v["nodes"]) for v in bad])


def quiet(browser):
    """Nothing on its console."""
    check(not browser.said, "the browser's console", *browser.said[:10])


def open_view(browser, url, fragment):
    browser.go("about:blank")
    browser.go(url + "#/" + fragment)
    browser.wait(READY, 20, "the view %s" % fragment)


def test_views(bed):
    """Every view of a recording, light and dark: what it shows, no error, accessible, quick and light."""
    with pages.Replay(bed, os.path.join(GOLDEN, "chain.ttr")) as replay, Browser(bed.dir) as browser:
        trace = max(replay.traces(), key=lambda t: t["spans"])
        browser.go(replay.url)
        browser.wait(READY, 20)
        paint = browser.js("performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
        weight = browser.js("performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
                            ".filter(e => !e.name.includes('/api/')).reduce((n, e) => n + e.transferSize, 0)")
        figure("first paint after %.0f ms; the page weighs %.0f kB on the wire" % (paint, weight / 1000))
        check(paint < 1000, "first paint under 1 s", paint)
        check(20000 < weight < 300000, "under 300 kB on the wire", weight)
        views = {"live": ["Leader", "Follower", "CALLS/S", "test/follower/1"], "traces": ["RefuseFollower", "Duration over time"],
                 "series": ["Calls per second", "How long calls took"], "changes": ["Operations that changed", "new"],
                 "agent": ["What this page holds", "otlp:http://collector:4318"],
                 "trace/%s" % trace["id"]: ["Follower", "Leader", "server", "critical path"]}
        for dark in (False, True):
            browser.dark(dark)
            for view, texts in views.items():
                open_view(browser, replay.url, view)
                shown = browser.text("main")
                for text in texts:
                    check(text.lower() in shown.lower(), "%s shows %r" % (view, text), shown[:1500])
                name = view.split("/")[0]
                shot(browser, "%s%s" % (name, "-dark" if dark else ""))
                accessible(browser, "%s, %s" % (name, "dark" if dark else "light"))
        quiet(browser)


def test_search(bed):
    """Every field of the search, the query line right and wrong, zoom by dragging, the address as a permalink."""
    with pages.Replay(bed, os.path.join(GOLDEN, "chain.ttr")) as replay, Browser(bed.dir) as browser:
        everything = replay.traces()
        names = "[...document.querySelectorAll('.results tbody tr')].map(r => r.cells[0].innerText).sort().join()"
        all_names = ",".join(sorted("mix: " + t["root"]["title"] for t in everything))

        def found(fragment):
            open_view(browser, replay.url, fragment)
            return [n for n in browser.js(names).split(",") if n]

        equal(",".join(found("traces")), all_names, "all traces")
        cut = [pages.ask(replay.url + "api/traces?limit=%d" % (len(everything) + more))["whole"] for more in (-1, 0)]
        equal(cut, [False, True], "an answer that is cut says so")
        wanted = {"status=error": lambda t: t["errors"], "device=test/leader/*": lambda t: t["root"]["device"] == "test/leader/1",
                  "operation=RefuseFollower": lambda t: t["root"]["title"] == "RefuseFollower", "service=Leader": lambda t: "Leader" in t["services"],
                  "client=mix": lambda t: True, "client=nobody": lambda t: False, "text=follower%20refuses": lambda t: t["root"]["title"] == "RefuseFollower",
                  "min=2ms": lambda t: t["duration_ns"] >= 2e6, "max=1ns": lambda t: False,
                  "q=" + urllib.parse.quote('{ resource.service.name = "Leader" && status = error }'): lambda t: "Leader" in t["services"] and t["errors"]}
        for fragment, holds in wanted.items():
            equal(found("traces?" + fragment), sorted("mix: " + t["root"]["title"] for t in everything if holds(t)), fragment)

        # By hand: a wrong query shows where it is wrong, while it is written and when it is sent; a right one is in the address.
        open_view(browser, replay.url, "traces")
        browser.key("/")
        browser.wait("document.activeElement.id === 'query'", what="the key / leads to the query")
        browser.fill("#query", '{ duration > 10xs }')
        browser.wait("document.querySelector('#query').getAttribute('aria-invalid') === 'true'", what="the query is marked")
        lines = browser.js("document.querySelector('#query-problem pre').textContent").split("\n")
        equal(lines[0], "{ duration > 10xs }", "the query below itself")
        check(13 <= lines[1].index("▲") <= 17, "the place of the error", *lines)
        shot(browser, "query-wrong")
        accessible(browser, "a wrong query")
        browser.key("Enter")
        browser.wait("document.querySelector('.results').innerText.includes('not right')", what="results say so")
        browser.fill("#query", '{ status = error }')
        browser.key("Enter")
        browser.wait("location.hash.includes('q=')", what="the address has the query")
        browser.wait("document.querySelectorAll('.results tbody tr').length === %d" % sum(1 for t in everything if t["errors"]))
        address = browser.js("location.href")
        open_view(browser, address.split("#")[0], address.split("#/")[1])
        equal(browser.js("document.querySelector('#query').value"), "{ status = error }", "the permalink has the query")

        # Dragging over the scatter zooms in, and out again.
        open_view(browser, replay.url, "traces")
        browser.wait("document.querySelector('.chart') !== null", what="the scatter is drawn")
        box = browser.js("(() => { const r = document.querySelector('.chart').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()")
        browser.drag(box[0] + 70, box[1] + 12, box[0] + box[2] * 0.35, box[1] + box[3] - 30)
        browser.wait("location.hash.includes('from=')", what="the time is zoomed into")
        browser.wait(READY)
        check(browser.js("document.querySelectorAll('.results tbody tr').length") < len(everything), "fewer traces")
        browser.click("#unzoom")
        browser.wait("document.querySelectorAll('.results tbody tr').length === %d" % len(everything), what="zoomed out")
        browser.wait(READY)  # what is clicked stays where it is
        browser.click(".results tbody tr:first-child button")
        browser.wait("location.hash.startsWith('#/trace/')", what="a row leads to its trace")
        browser.said = [s for s in browser.said if "400" not in s]  # of the wrong query, which Chromium mentions
        quiet(browser)


def test_trace(bed):
    """A trace by keyboard: rows, details with the DevError stack, JSON, critical path, find, permalink."""
    with pages.Replay(bed, os.path.join(GOLDEN, "chain.ttr")) as replay, Browser(bed.dir) as browser:
        trace = next(t for t in replay.traces() if t["root"]["title"] == "RefuseFollower")
        whole = pages.ask(replay.url + "api/trace/" + trace["id"])
        equal(len(whole["spans"]), 6, "spans")
        open_view(browser, replay.url, "trace/" + trace["id"])
        current = "document.querySelector('.row.current .title').textContent"
        equal(browser.js("document.querySelectorAll('.row').length"), 6, "rows")
        browser.js("document.querySelector('#waterfall').focus()")
        for _ in range(3):
            browser.key("ArrowDown")
        equal(browser.js(current), "Refuse", "three rows down")
        browser.key("ArrowLeft")
        equal(browser.js("document.querySelectorAll('.row').length"), 4, "rows with one closed")
        browser.key("ArrowRight")
        equal(browser.js("document.querySelectorAll('.row').length"), 6, "and open again")
        browser.key("Enter")
        browser.wait("document.querySelector('.details h2')?.textContent === 'Refuse'", what="details by Enter")
        details = browser.text(".side")
        for text in ("Follower_Refused", "follower refuses", "CLIENT", "tango.operation.target", "test/follower/1"):
            check(text in details, "the details have %r" % text, details)
        shot(browser, "span")
        accessible(browser, "details of a span")
        browser.js("navigator.clipboard.writeText = (t) => { window.copied = t; return Promise.resolve(); }; true")
        browser.click("#copy-json")
        copied = json.loads(browser.wait("window.copied"))
        equal(copied["attributes"]["tango.operation.target"], "test/follower/1", "the span as JSON")
        address = browser.js("location.href")
        check("span=" + copied["id"] in address, "the address names the span", address)
        open_view(browser, address.split("#")[0], address.split("#/")[1])
        browser.wait("document.querySelector('.details h2')?.textContent === 'Refuse'", what="the permalink opens the details")
        browser.js("document.querySelector('#waterfall').focus()")
        browser.key("c")
        crit = browser.js("[...document.querySelectorAll('.crit')].length")
        check(crit >= 6, "the critical path is drawn", crit)
        shot(browser, "critical-path")
        browser.fill("[data-find]", "follower/1")
        browser.wait("document.querySelectorAll('.row.hit').length > 0", what="what was looked for is marked")
        browser.js("document.querySelector('#waterfall').focus()")
        row = "document.querySelector('.row.current').id"
        before = browser.js(row)
        browser.key("n")
        check(browser.js(row) != before, "n goes to the next")
        browser.key("Escape")
        browser.wait("document.querySelector('.side').hidden", what="Escape closes the details")
        # the same spans as the file exporter writes
        otlp = pages.ask(replay.url + "api/trace/%s?format=otlp" % trace["id"])
        ids = {s["spanId"] for r in otlp["resourceSpans"] for sc in r["scopeSpans"] for s in sc["spans"]}
        equal(ids, {s["id"] for s in whole["spans"]}, "spans as OTLP")
        quiet(browser)


def big_trace(count, start):
    """One trace: a root, groups, calls in them."""
    trace = bytes(15) + b"\7"
    frames, random_ = [], random.Random(3)
    step = 10**9 // count
    for i in range(count, 0, -1):
        parent = None if i == 1 else 1 if i % 50 == 2 else i - (i - 2) % 50 if i % 3 else i - 1
        begin = start + (i - 1) * step
        end = start + 10**9 + 5 if i == 1 else begin + step * random_.randint(1, 40)
        frames.append(pages.span(trace, i, parent, begin, min(end, start + 10**9 + 5), of=1 + i % 2, kind=pages.CLIENT if i % 2 else pages.SERVER,
                                 title="call %d" % i, error="Broken: number %d" % i if i % 997 == 0 else None, values={"tango.operation.target": "a/b/%d" % (i % 9)}))
    return trace.hex(), frames


def test_large(bed):
    """A trace of 10,000 spans scrolls smoothly, while 50 others arrive every second; those are seen at once."""
    with pages.Page(bed) as page, Browser(bed.dir) as browser:
        known = [pages.resource(1, "sequencer", "host:1", client=True), pages.resource(2, "Motor", "a/b/1")]
        trace, frames = big_trace(10000, NOW() - 3 * 10**9)
        page.send(*known, *frames, pages.frame(pages.BATCH, b""))
        stop = threading.Event()

        def go_on():
            number, calls = 1 << 20, 0
            while not stop.wait(0.1):
                now, out = NOW(), list(known)
                for _ in range(5):
                    number += 1
                    calls += 1
                    t = bytes(8) + number.to_bytes(8, "big")
                    out += [pages.span(t, 2, 1, now - 900000, now - 200000, of=2, kind=pages.SERVER, title="read"),
                            pages.span(t, 1, None, now - 10**6, now, of=1, kind=pages.CLIENT, title="read")]
                out.append(pages.frame(pages.BATCH, b""))
                out.append(pages.usage(now, [("a/b/1", "Motor", "sequencer host:1", "read", calls, calls // 10, calls * 10**6, 13)]))
                page.send(*out)

        feeder = threading.Thread(target=go_on)
        feeder.start()
        try:
            begin = time.monotonic()
            open_view(browser, page.url, "trace/" + trace)
            browser.wait("document.querySelectorAll('.row').length > 10")
            figure("10,000 spans are shown after %.1f s" % (time.monotonic() - begin))
            check(browser.js("document.querySelectorAll('.row').length") < 100, "only rows in sight exist")
            browser.js("[...document.querySelectorAll('.toolbar .tool')].find(b => b.textContent === 'open all').click(); true")
            equal(browser.js("document.querySelector('#waterfall').getAttribute('aria-rowcount')"), "10000", "all rows are open")
            shot(browser, "large")
            frames_ = browser.js("""new Promise(done => { const w = document.querySelector('#waterfall'), took = []; let last = performance.now(), n = 0;
                const step = () => { const now = performance.now(); if (n) took.push(now - last); last = now; w.scrollTop += 1700;
                if (n++ < 120) requestAnimationFrame(step); else done(took.sort((a, b) => a - b)); }; requestAnimationFrame(step); })""", 60)
            median, worst = frames_[len(frames_) // 2], frames_[int(len(frames_) * 0.95)]
            figure("a frame while scrolling through them: %.0f ms in the middle, %.0f ms at the 95th percentile" % (median, worst))
            work = browser.js("""(() => { const w = document.querySelector('#waterfall'), took = []; w.scrollTop = 0;
                for (let i = 0; i < 150; i++) { const begin = performance.now(); w.scrollTop += 400; w.dispatchEvent(new Event('scroll')); w.offsetHeight;
                took.push(performance.now() - begin); } return took.sort((a, b) => a - b); })()""", 60)
            figure("of it the page's own work: %.1f ms, %.1f ms" % (work[75], work[142]))
            check(work[75] < 25, "the work of a frame while scrolling", work)
            browser.fill("[data-find]", "call 9973")
            browser.wait("document.querySelector('.row.current .title').textContent === 'call 9973'", what="found in 10,000")
            browser.wait("document.querySelectorAll('.row.hit').length > 0")
            # what arrives is seen without a touch
            open_view(browser, page.url, "traces?last=30s")
            first = browser.js("document.querySelector('.results tbody tr td:nth-child(3)').innerText")
            browser.wait("document.querySelector('.results tbody tr td:nth-child(3)').innerText > %s" % json.dumps(first), 10, "new traces by themselves")
            browser.click("#pause")
            browser.wait(READY)
            time_ = browser.js("document.querySelector('.results tbody tr td:nth-child(3)').innerText")
            spans = pages.ask(page.url + "api/info")["store"]["taken_spans"]
            wait_for(lambda: pages.ask(page.url + "api/info")["store"]["taken_spans"] > spans + 200, 10, "more spans")
            equal(browser.js("document.querySelector('.results tbody tr td:nth-child(3)').innerText"), time_, "paused: the page stands still")
            browser.key(" ")
            browser.wait("document.querySelector('.results tbody tr td:nth-child(3)').innerText !== %s" % json.dumps(time_), 10, "it goes on")
            open_view(browser, page.url, "live")
            browser.wait("document.querySelector('main').innerText.includes('Motor')")
            wait_for(lambda: 20 < float(browser.js("document.querySelector('.tile dd').innerText").split()[0] or 0), 20, "calls per second go up")
            shot(browser, "live-busy")
            open_view(browser, page.url, "series?last=1m&by=operation")
            browser.wait("document.querySelectorAll('path.line').length >= 3", what="lines over time")
            shot(browser, "series-busy")
            quiet(browser)
        finally:
            stop.set()
            feeder.join()


def test_empty(bed):
    """Where there is nothing, the page says why, and what to do."""
    with pages.Page(bed) as page, Browser(bed.dir) as browser:
        open_view(browser, page.url, "live")
        check("No calls in this time" in browser.text("main"), "nothing yet", browser.text("main"))
        page.send(pages.state("processes", {"processes": []}), pages.frame(pages.BATCH, b""))
        browser.wait("document.querySelector('main').innerText.includes('No Tango program runs')", 10)
        shot(browser, "empty-no-process")
        accessible(browser, "no process")
        page.send(pages.state("processes", {"processes": [{"name": "x", "pid": 1, "selected": False, "rule": "!x"}]}), pages.frame(pages.BATCH, b""))
        browser.wait("document.querySelector('main').innerText.includes('is selected')", 10)
        shot(browser, "empty-none-selected")
        open_view(browser, page.url, "trace/" + "ab" * 16)
        check("made room for newer ones" in browser.text("main"), "a trace that is gone", browser.text("main"))
        for view in ("traces", "series", "changes", "agent"):
            open_view(browser, page.url, view)
            check(browser.js("document.querySelector('.empty h2') !== null"), "%s teaches" % view, browser.text("main"))
        browser.said = [s for s in browser.said if "404" not in s]  # what is not there, Chromium mentions
        quiet(browser)


def raw(port, data, seconds=8, until_end=True):
    """Whatever comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", port), seconds) as s:
        try:
            s.sendall(data)
        except OSError:
            pass  # it has had enough
        out = b""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([s], [], [], 0.2)[0]:
                if not until_end and out:
                    break
                continue
            try:
                more = s.recv(65536)
            except OSError:
                break
            if not more:
                break
            out += more
    return out


def line(data):
    return data.split(b"\r\n", 1)[0].decode("latin-1")


def test_guarded(bed):
    """Host, token, headers, paths: who may ask, and for what."""
    token = "0123456789abcdef0123"
    with pages.Page(bed) as page:
        wait_for(lambda: page.get("/api/info")[0] == 200, 10, "the page")
        for host, status in (("127.0.0.1", 200), ("localhost:4380", 200), ("[::1]:1", 200), ("10.1.2.3", 200), (socket.gethostname(), 200),
                             ("evil.example", 421), (socket.gethostname() + ".evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421), ("a" * 300, 421)):
            equal(page.get("/api/info", {"Host": host})[0], status, "host " + host)
        check(" 4" in line(raw(page.port, b"GET / HTTP/1.0\r\n\r\n")), "no host")
        status, headers, body = page.get("/")
        policy = headers["Content-Security-Policy"]
        check("default-src 'none'" in policy and "unsafe" not in policy and "script-src 'self'" in policy, "the policy", policy)
        for name, value in (("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY"), ("Referrer-Policy", "no-referrer")):
            equal(headers[name], value, name)
        check(b"<script>" not in body and b"style=" not in body and b"onclick" not in body, "nothing inline")
        for path in ("/", "/api/info", "/api/traces"):
            equal(page.get(path, {"Origin": "http://evil.example"})[1].get("Access-Control-Allow-Origin"), None, "no CORS for " + path)
        for path in ("/../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/api/state/../../etc/passwd", "//etc/passwd", "/style.css/../app.js", "/api/trace/../info"):
            answer = raw(page.port, b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
            check(b"root:" not in answer and line(answer).split()[1] in ("400", "404"), "the path " + path, answer[:200])
        status, headers, body = page.get("/app.js", {"Accept-Encoding": "gzip"})
        with open(os.path.join(ROOT, "src", "view", "web", "app.js"), "rb") as f:
            equal(gzip.decompress(body), f.read(), "the page's program is the one of the tree")
        equal(page.get("/app.js", {"If-None-Match": headers["ETag"]})[0], 304, "known already")
        # no rights: nobody, who may do nothing
        with open("/proc/%d/status" % page.process.pid) as f:
            text = f.read()
        rights = dict(l.split(":", 1) for l in text.splitlines())
        if os.geteuid() == 0:
            equal(rights["Uid"].split(), ["65534"] * 4, "its user")
            equal(rights["Groups"].split(), [], "its groups")
            for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                equal(int(rights[cap], 16), 0, cap)
        equal(rights["NoNewPrivs"].strip(), "1", "no new rights")
    with pages.Page(bed, token=token) as page:
        wait_for(lambda: page.get("/api/info")[0], 10, "the page")
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer " + token[:-1]}, {"Cookie": "tangotrace-%d=%sx" % (page.port, token)},
                        {"Cookie": "tangotrace-1=" + token}):
            for path in ("/", "/api/info", "/app.js", "/api/stream", "/jaeger/api/services", "/tempo/api/echo", "/?token=wrong"):
                equal(page.get(path, headers)[0], 401, "%s with %s" % (path, headers))
        equal(page.get("/api/info", {"Authorization": "Bearer " + token})[0], 200, "the token as a header")
        answer = raw(page.port, b"GET /?token=%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % token.encode())
        check("303" in line(answer) and b"HttpOnly; SameSite=Lax" in answer and b"Location: /\r\n" in answer, "the token in the address", answer)
        cookie = answer.split(b"Set-Cookie: ")[1].split(b";")[0].decode()
        equal(page.get("/api/info", {"Cookie": "other=1; " + cookie})[0], 200, "the token as a cookie")
        with Browser(bed.dir) as browser:
            browser.go(page.url + "?token=" + token)
            browser.wait(READY, 20)
            check(token not in browser.js("location.href"), "the address bar does not keep it")
            quiet(browser)


def test_abuse(bed):
    """Many, slow, huge and senseless: bounded, and others are answered meanwhile."""
    with pages.Page(bed, memory=16 << 20) as page:
        known = [pages.resource(1, "sequencer", "host:1", client=True)]
        for block in range(60):
            now = NOW()
            page.send(*known, *[pages.span(bytes(8) + (block * 1000 + i).to_bytes(8, "big"), 1, None, now - 1000, now, values={"x": "y" * 300}) for i in range(1000)],
                      pages.frame(pages.BATCH, b""))
        stats = wait_for(lambda: (lambda s: s if s["taken_spans"] == 60000 else None)(pages.ask(page.url + "api/info")["store"]), 20, "60,000 spans")
        check(stats["left_spans"] > 20000 and stats["bytes"] <= stats["size"], "they made room", stats)
        before = page.memory()
        good = b"GET /api/traces?limit=2000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
        # senseless
        for data in (b"\0" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Y: " + b"z" * 1000000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                     b"POST /api/traces HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 200000, b"PUT /api/info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"GET /api/traces?q=" + b"%28" * 4000 + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"GET /api/usage?from=0&to=9e15&step=1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"GET /api/usage?by=x,y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"GET /api/traces?limit=nan&min=-1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                     b"GET /api/span/zz/1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"GET /api/trace/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"):
            answer = raw(page.port, data, 7, until_end=False)
            check(not answer or line(answer).split()[1][0] in "45", "an answer to %r" % data[:60], line(answer))
            equal(page.process.poll(), None, "it lives after %r" % data[:60])
        for number in range(60):
            equal(len(raw(page.port, random.Random(number).randbytes(200), 0.3, until_end=False)) < 2000, True, "noise")
        # slow: who reads nothing, who sends nothing, who sends a byte at a time
        slow = []
        for i in range(60):
            s = socket.create_connection(("127.0.0.1", page.port), 5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall((good, b"GET /api/str", b"")[i % 3])
            slow.append(s)
        begin = time.monotonic()
        equal(page.get("/api/info")[0], 200, "others are answered")
        figure("beside 60 slow ones an answer takes %.0f ms" % ((time.monotonic() - begin) * 1000))
        # who asks for much and reads none of it holds what was made for him: so much, and no more
        held = []
        for _ in range(100):
            s = socket.create_connection(("127.0.0.1", page.port), 5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(good)
            held.append(s)
        most = 0
        def asked():
            nonlocal most
            most = max(most, page.memory())
            return pages.ask(page.url + "api/info")["store"]
        for _ in range(30):
            asked()
        figure("while 100 read nothing of large answers: %.0f MiB more" % ((most - before) / 2**20))
        check(most < before + (160 << 20), "memory is bounded", before, most)
        for s in held:
            s.close()
        # 100 at once, each several times
        counts, lock, took = {}, threading.Lock(), []

        def client():
            for path in ("/api/info", "/api/traces?limit=50", "/api/usage?by=device", "/app.js", "/api/names"):
                start = time.monotonic()
                try:
                    status = page.get(path, seconds=20)[0]
                except OSError as error:
                    status = type(error).__name__
                with lock:
                    counts[status] = counts.get(status, 0) + 1
                    took.append(time.monotonic() - start)

        threads = [threading.Thread(target=client) for _ in range(100)]
        for t in threads:
            t.start()
        now = NOW()
        sent = time.monotonic()
        page.send(*known, *[pages.span(bytes(8) + (10**6 + i).to_bytes(8, "big"), 1, None, now - 1000, now) for i in range(2000)], pages.frame(pages.BATCH, b""))
        sent = time.monotonic() - sent
        for t in threads:
            t.join()
        took.sort()
        figure("100 clients, 500 requests: %s; half within %.2f s, all within %.2f s; the agent's side waited %.0f ms for 2,000 spans"
               % (counts, took[250], took[-1], sent * 1000))
        check(set(counts) <= {200, 429} and counts[200] >= 100, "answers", counts)
        equal(wait_for(lambda: pages.ask(page.url + "api/info")["store"]["taken_spans"] == 62000, 10, "their spans"), True, "nothing was lost")
        for s in slow:
            s.close()
        # who listens on and on: so many, and no more
        streams, answers = [], []

        def listen():
            s = socket.create_connection(("127.0.0.1", page.port), 5)
            s.sendall(b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            streams.append(s)
            status = line(s.recv(4096)).split()[1]
            return status if status != "429" else None  # the rate of requests is spent: later

        for _ in range(40):
            answers.append(wait_for(listen, 10, "a stream, or its refusal", 0.05))
        check(answers.count("200") == 32 and answers.count("503") == 8, "streams", answers)
        for s in streams:
            s.close()
        wait_for(lambda: b" 200 " in raw(page.port, b"GET /api/stream HTTP/1.1\r\nHost: localhost\r\n\r\n", 1, until_end=False), 25, "places are free again", 0.5)
        after = page.memory()
        figure("its memory: %.0f MiB full, %.0f MiB after all of it" % (before / 2**20, after / 2**20))
        # replies (64 MiB, TT_HTTPD_BYTES) and searches: the allocator may keep what they had
        check(after < before + (112 << 20), "memory is bounded", before, after)


def test_apis(bed):
    """Jaeger's and Tempo's ways of asking give the spans that are exported."""
    export = bed.path("spans.jsonl")
    with pages.Replay(bed, os.path.join(GOLDEN, "calls.ttr"), "--export", "file:" + export) as replay:
        spans = {}
        for text in open(export):
            for r in json.loads(text).get("resourceSpans", []):
                service = next(a["value"]["stringValue"] for a in r["resource"]["attributes"] if a["key"] == "service.name")
                for scope in r["scopeSpans"]:
                    for s in scope["spans"]:
                        spans[s["spanId"]] = (service, s)
        services = sorted({service for service, _ in spans.values()})
        url = replay.url
        jaeger = lambda path: pages.ask(url + "jaeger/api/" + path)["data"]
        equal(jaeger("services"), services, "services")
        for service in services:
            equal(jaeger("services/%s/operations" % service), sorted({s["name"] for v, s in spans.values() if v == service}), "operations of " + service)
        got = {}
        for service in services:
            for trace in jaeger("traces?service=%s&limit=1000" % service):
                for s in trace["spans"]:
                    got[s["spanID"]] = (trace["processes"][s["processID"]]["serviceName"], s)
        equal(set(got), set(spans), "ids of all spans")
        for number, (service, s) in spans.items():
            theirs = got[number]
            equal(theirs[0], service, "service")
            equal(theirs[1]["operationName"], s["name"], "name")
            equal(theirs[1]["startTime"], int(s["startTimeUnixNano"]) // 1000, "start")
            equal([r["spanID"] for r in theirs[1]["references"] if r["refType"] == "CHILD_OF"], [s["parentSpanId"]] if s.get("parentSpanId") else [], "parent")
            tags = {t["key"]: t["value"] for t in theirs[1]["tags"]}
            equal(tags.get("error", False), s.get("status", {}).get("code") == 2, "error")
            for a in s["attributes"]:
                value = a["value"]
                if "stringValue" in value:
                    equal(tags[a["key"]], value["stringValue"], a["key"])
                elif "intValue" in value:
                    equal(tags[a["key"]], int(value["intValue"]), a["key"])
        failed = jaeger("traces?service=Thrower&limit=1000&tags=" + urllib.parse.quote('{"error":"true"}'))
        equal({t["traceID"] for t in failed}, {s["traceId"] for v, s in spans.values() if v == "Thrower" and s.get("status", {}).get("code") == 2}, "failed ones by tag")
        equal(pages.get(url + "jaeger/api/traces/" + "f" * 32)[0], 404, "a trace that is not there")
        equal(pages.get(url + "jaeger/api/traces")[0], 400, "no service")
        # Tempo
        equal(pages.get(url + "tempo/api/echo")[2], b"echo", "echo")
        found = pages.ask(url + "tempo/api/search?limit=1000&q=" + urllib.parse.quote("{ status = error }"))["traces"]
        equal({t["traceID"] for t in found}, {s["traceId"] for _, s in spans.values() if s.get("status", {}).get("code") == 2}, "by TraceQL")
        equal(pages.get(url + "tempo/api/search?q=" + urllib.parse.quote("{ nonsense"))[0], 400, "a wrong query")
        trace = found[0]["traceID"]
        wanted = {n for n, (_, s) in spans.items() if s["traceId"] == trace}
        for path, key in (("traces/", lambda t: t["batches"]), ("v2/traces/", lambda t: t["trace"]["resourceSpans"])):
            batches = key(pages.ask(url + "tempo/api/" + path + trace))
            # as protobuf has it in JSON, which Tempo writes
            equal({base64.b64decode(s["spanId"]).hex() for r in batches for sc in r["scopeSpans"] for s in sc["spans"]}, wanted, path)
        body = pages.get(url + "tempo/api/traces/" + trace, {"Accept": "application/protobuf"})[2]
        program = "import sys; from opentelemetry.proto.trace.v1.trace_pb2 import TracesData as T; t = T.FromString(sys.stdin.buffer.read()); print(sorted(s.span_id.hex() for r in t.resource_spans for c in r.scope_spans for s in c.spans))"
        import subprocess
        out = subprocess.run([beds.VENV_PYTHON, "-c", program], input=body, stdout=subprocess.PIPE, check=True).stdout
        equal(out.decode().strip(), str(sorted(wanted)), "the trace as protobuf")
        equal(pages.ask(url + "tempo/api/search/tag/service.name/values")["tagValues"], services, "values of a tag")


def test_live(bed):
    """A real agent and real Tango programs: what they do is seen while they do it."""
    need_agent()
    database = parts.Database(bed)
    test = parts.tangotest(bed, database)
    follow = parts.follower(bed, database)
    lead = parts.leader(bed, follow, database)
    camera = parts.start_server(bed, [beds.PYTHON, os.path.join(ROOT, "deploy", "demo_camera.py")], "c", ["Basler::test/camera/1"], database,
                                extra=("-v4",))
    fifo = bed.path("steps")
    os.mkfifo(fifo)
    client = bed.start("client", [beds.PYTHON, os.path.join(ROOT, "deploy", "demo_client.py"), fifo])
    client.wait_text("up", 30)
    steps = open(fifo, "w")
    selects = agents.only(*(p.pid for p in (database.proc, test.proc, follow.proc, lead.proc, camera.proc, client)))
    agent = agents.Agent(bed, *selects, "--view-listen", "127.0.0.1:0")
    url = pages.PAGE.search(agent.proc.stderr).group(1)
    done = 0

    def step(name):
        nonlocal done
        steps.write(name + "\n")
        steps.flush()
        done += 1
        wait_for(lambda: client.stdout.count("done") == done, 40, "the step " + name)

    stop = threading.Event()

    def go_on():
        while not stop.is_set():
            for name in ("read", "command", "leader-again", "leader-fails", "bad-attribute", "event"):
                step(name)
                stop.wait(0.05)

    for name in ("connect", "read", "write", "command", "bad-command", "bad-attribute", "leader"):
        step(name)
    caller = threading.Thread(target=go_on)
    caller.start()
    try:
        with Browser(bed.dir) as browser:
            open_view(browser, url, "live?last=30s")
            browser.wait("['Leader', 'Follower', 'TangoTest', 'Basler'].every(n => document.querySelector('.map').textContent.includes(n))", 40, "the map has all classes")
            edge = "[...document.querySelectorAll('.edge title')].length"
            check(browser.js(edge) >= 3, "edges")
            before = browser.text(".tiles")
            browser.wait("document.querySelector('.tiles').innerText !== %s" % json.dumps(before), 30, "the figures move")
            shot(browser, "live-demo")
            browser.js("[...document.querySelectorAll('.node')].find(n => n.textContent.includes('Leader')).dispatchEvent(new MouseEvent('click', {bubbles: true})); true")
            browser.wait("location.hash.includes('node=Leader')", what="a click filters")
            browser.wait("![...document.querySelectorAll('.live tbody tr')].some(r => r.innerText.includes('tg_test'))", 30, "the table is filtered")
            open_view(browser, url, "traces?operation=RefuseFollower&last=1m")
            browser.wait("document.querySelectorAll('.results tbody tr').length > 1", 30, "traces")
            browser.click("#pause")
            shot(browser, "traces-demo")
            browser.click(".results tbody tr:first-child button")
            browser.wait("document.querySelectorAll('.row').length >= 6", 30, "its waterfall")
            browser.js("[...document.querySelectorAll('.row')].find(r => r.querySelector('.title').textContent === 'Refuse').click(); true")
            browser.wait("document.querySelector('.stack')?.textContent.includes('Follower_Refused')", 30, "the stack")
            shot(browser, "trace-demo")
            open_view(browser, url, "series?last=1m&by=device")
            browser.wait("document.querySelectorAll('path.line').length >= 3", 30, "lines")
            shot(browser, "series-demo")
            open_view(browser, url, "changes?last=1m")
            browser.wait("document.querySelectorAll('.node').length >= 3", 30, "a map")
            shot(browser, "changes-demo")
            open_view(browser, url, "agent")
            browser.wait("document.querySelectorAll('tbody tr').length >= 5 && document.querySelector('main').innerText.includes('Nothing was lost')", 40, "the agent tells of itself")
            shot(browser, "agent-demo")
            accessible(browser, "the agent's view")
            quiet(browser)
        status = agent.status()["page"]
        check(status["running"] and status["spans"] > 50 and not status["dropped"], "the page in the status", status)
        # A second one at the same port: said, and tracing goes on.
        other = agents.Agent(bed, *selects, "--view-listen", url.split("/")[2])
        check("no page: %s: the port is in use by tangotrace" % url.split("/")[2] in other.proc.stderr, "the port is taken", other.proc.stderr)
        other.stop()
    finally:
        stop.set()
        caller.join()
    steps.close()
    client.finish(20)
    final = agent.stop()
    equal(final["lost"], 0, "the agent lost nothing")
