"""A real browser without a screen: Debian's Chromium, driven over its debugging pipe (no further library)."""
import base64
import json
import os
import queue
import shutil
import subprocess
import threading
import time

import bed as beds
from harness import Skip, check, wait_for

FLAGS = ["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--force-color-profile=srgb", "--no-proxy-server"]


def binary():
    """TT_BROWSER, that of the distribution, or what tests/e2e/chromium has fetched."""
    fetched = os.path.join(beds.CACHE, "chromium", "chromium")
    for path in (os.environ.get("TT_BROWSER"), shutil.which("chromium"), fetched):
        if path and os.path.exists(path):
            return path
    raise Skip("no chromium: deploy/bootstrap check installs it")


class Browser:
    """One process and one tab. Everything it says on its console, and every exception, is kept in `said`."""

    def __init__(self, directory, width=1360, height=900):
        to_child, self.out = os.pipe()
        self.inp, from_child = os.pipe()
        argv = [binary()] + FLAGS + ["--user-data-dir=" + os.path.join(directory, "chromium"),
                                     "--window-size=%d,%d" % (width, height), "about:blank"]
        if os.geteuid() == 0:
            argv.insert(1, "--no-sandbox")  # it refuses to be root with one

        def places():
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, close_fds=False, preexec_fn=places,
                                        start_new_session=True)
        os.close(to_child)
        os.close(from_child)
        self.number, self.answers, self.events, self.said = 0, {}, queue.Queue(), []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.session = None
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Performance"):
            self.command(domain + ".enable")
        self.size(width, height)

    def _read(self):
        rest = b""
        while True:
            try:
                data = os.read(self.inp, 1 << 20)
            except OSError:
                return
            if not data:
                return
            *whole, rest = (rest + data).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    self.answers[message["id"]] = message
                else:
                    self._event(message)

    def _event(self, message):
        method, params = message["method"], message["params"]
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.said.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.said.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.said.append("%s %s" % (params["entry"]["text"], params["entry"].get("url", "")))

    def command(self, method, seconds=30, **params):
        self.number += 1
        number = self.number
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        answer = wait_for(lambda: self.answers.pop(number, None), seconds, "the browser to answer " + method, 0.005)
        check("error" not in answer, "%s: %s" % (method, answer.get("error")))
        return answer["result"]

    def size(self, width, height):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self, dark):
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def go(self, url):
        self.command("Page.navigate", url=url)

    def js(self, expression, seconds=30):
        """The value of an expression, awaited if it is a promise."""
        answer = self.command("Runtime.evaluate", seconds, expression=expression, awaitPromise=True, returnByValue=True,
                              userGesture=True)
        check("exceptionDetails" not in answer, "in the page: %s" % expression[:200],
              answer.get("exceptionDetails", {}).get("exception", {}).get("description"))
        return answer["result"].get("value")

    def wait(self, expression, seconds=20, what=None):
        """Until the expression is true."""
        try:
            return wait_for(lambda: self.js(expression), seconds, what or expression, 0.05)
        except AssertionError as error:
            raise AssertionError("%s\n    the page: %s\n    said: %s" % (error, self.js("document.body.innerText")[:1500],
                                                                       self.said))

    def text(self, selector="body"):
        return self.js("document.querySelector(%s)?.innerText ?? ''" % json.dumps(selector))

    def click(self, selector):
        """Where a person would: in the middle of what is there, by the mouse."""
        box = self.js("(() => { const e = document.querySelector(%s); if (!e) return null; e.scrollIntoView({block: 'center'});"
                      " const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
                      % json.dumps(selector))
        check(box, "nothing to click: " + selector, self.text()[:1500])
        self.mouse(*box)

    def mouse(self, x, y):
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def drag(self, x0, y0, x1, y1):
        self.command("Input.dispatchMouseEvent", type="mousePressed", x=x0, y=y0, button="left", clickCount=1)
        for i in range(1, 6):
            self.command("Input.dispatchMouseEvent", type="mouseMoved", x=x0 + (x1 - x0) * i / 5,
                         y=y0 + (y1 - y0) * i / 5, button="left", buttons=1)
        self.command("Input.dispatchMouseEvent", type="mouseReleased", x=x1, y=y1, button="left", clickCount=1)

    def key(self, key, code=None, text=None):
        """One key: "ArrowDown", "Enter", "n"."""
        codes = {"Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Tab": 9,
                 "End": 35, "Home": 36, "PageDown": 34, " ": 32}
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else None)
        params = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        self.command("Input.dispatchKeyEvent", type="keyDown", **params, **({"text": text} if text else {}))
        self.command("Input.dispatchKeyEvent", type="keyUp", **params)

    def fill(self, selector, value):
        """As by hand: the field, all of it, and the text."""
        self.js("(() => { const e = document.querySelector(%s); e.focus(); e.select?.(); })()" % json.dumps(selector))
        self.command("Input.insertText", text=value)
        if not value:
            self.js("(() => { const e = document.querySelector(%s); e.value = ''; e.dispatchEvent(new Event('input', {bubbles: true})); })()"
                    % json.dumps(selector))

    def screenshot(self, path, full=True):
        params = {"format": "png"}
        if full:
            size = self.command("Page.getLayoutMetrics")["cssContentSize"]
            params["captureBeyondViewport"] = True
            params["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 4000), "scale": 1}
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(base64.b64decode(self.command("Page.captureScreenshot", **params)["data"]))

    def close(self):
        try:
            self.command("Browser.close", 5)
        except (AssertionError, OSError):
            pass
        end = time.monotonic() + 5
        while self.process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(5)
        for fd in (self.out, self.inp):
            try:
                os.close(fd)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()
