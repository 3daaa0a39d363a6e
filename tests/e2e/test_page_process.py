"""The process that serves the page: its end and the agent's, its certificates, its options anew, and what its load costs
those who are traced."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import page as pages
import parts
import plans
import spans as otlp
import truth
from agent import Agent, command, need_agent
from authority import Authority
from bed import free_port
from browser import Browser
from harness import check, equal, figure, scaled, wait_for
from test_reload import REFUSED, Configured


def url_of(agent, place=-1):
    """Where the agent said that its page is, the last time."""
    return pages.PAGE.findall(agent.proc.stderr)[place]


def is_page(pid):
    """Not ended, and no other program under that number."""
    try:
        with open("/proc/%d/comm" % pid) as f:
            name = f.read().strip()
        with open("/proc/%d/stat" % pid) as f:
            return name == "tt-page" and f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Load:
    """Clients one after the other, each with some thousand calls, until it is ended; each can be accounted for."""

    def __init__(self, bed, server, calls=2000):
        self.bed, self.server, self.calls, self.clients, self.going = bed, server, calls, [], threading.Event()
        device = plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)
        parts.Client(bed, plans.warm_up([device]), name="warm-up").finish()
        self.device = device
        self.thread = threading.Thread(target=self._go_on)

    def _go_on(self):
        while not self.going.is_set():
            client = parts.Client(self.bed, plans.mixed(self.device, [], self.calls, 2, seed=len(self.clients)),
                                  name="client-%d" % len(self.clients))
            self.clients.append(client)
            client.finish()
            self.going.wait(0.2)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *what):
        self.going.set()
        self.thread.join()

    def check(self, spans):
        for client in self.clients:
            truth.check_client(spans, client.pid, client.log())
        return sum(len(client.log()) for client in self.clients)


def page_of(agent):
    return agent.status().get("page")


def calls_told(url):
    return sum(r["calls"] for r in pages.ask(url + "api/usage")["rows"])


def test_ends(bed):
    """Killed, crashed, frozen while thousands of calls run: told, counted, started again, later each time; no span is lost."""
    need_agent()
    server = parts.tangotest(bed)
    agent = Agent(bed, "--view-listen", "127.0.0.1:0", "--select", "pid:%d" % server.pid, "--select", "mix")
    url = url_of(agent)
    with Load(bed, server) as load, Browser(bed.dir) as browser:
        browser.go(url + "#/live")
        browser.wait("document.querySelector('.tile dd') !== null", 20, "the view of whoever looks")
        before = wait_for(lambda: calls_told(url) > 500 and page_of(agent), 30, "calls in the page")
        equal((before["ended"], before["running"]), (0, True), "nothing has ended yet")
        waits = []
        for number, (how, why) in enumerate(((signal.SIGKILL, "killed by SIGKILL"), (signal.SIGSEGV, "killed by SIGSEGV"),
                                             (signal.SIGSTOP, "it took nothing for 5 s")), 1):
            pid = page_of(agent)["pid"]
            os.kill(pid, how)
            wait_for(lambda: page_of(agent)["ended"] == number, 30, "its end to be counted: %s" % why)
            begin = time.monotonic()
            check("the page ended (%s); it starts again in %d s" % (why, 2 ** (number - 1)) in agent.proc.stderr, "it is told", agent.proc.tail())
            equal(page_of(agent)["why"], why, "why")
            wait_for(lambda: page_of(agent)["running"], 30, "another one")
            waits.append(time.monotonic() - begin)
            check(page_of(agent)["pid"] != pid and not is_page(pid), "another process", page_of(agent), pid)
            # The same address; what happens now, and nothing of what was counted before.
            taken = wait_for(lambda: pages.ask(url + "api/info")["store"]["taken_spans"], 20, "spans in the page")
            made = agent.status()["spans"]["made"]
            check(taken < made, "only what came since", taken, made)
            wait_for(lambda: calls_told(url) > 100, 20, "counts in the page")
        figure("started again after %s" % ", ".join("%.1f s" % w for w in waits))
        check(waits[0] < waits[1] < waits[2] < 7, "later each time", waits)
        served = sum(server.dispatched().values())
        told = calls_told(url)
        check(told < served / 2, "what was counted before it began is not told as of now", told, served)
        # Who has it open sees it go on, without a touch; and how often it had to.
        browser.wait("document.querySelector('.tile dd') !== null && document.querySelector('#foot .state').innerText === 'live'", 20, "the view goes on")
        shown = browser.text("#foot")
        browser.wait("document.querySelector('#foot').innerText !== %s" % json.dumps(shown), 20, "with what happens now")
        browser.key("5")
        browser.wait("document.querySelector('main').innerText.includes('3 times, the last time: it took nothing for 5 s')", 20)
    status = agent.status()
    code, out, _ = command("status", "--control", agent.control)
    check(code == 0 and "3 ends of its process" in out, "status tells it", out)
    check(status["page"]["dropped"] > 0, "what no page was there for is counted", status["page"])
    final = agent.stop()
    equal(final["lost"], 0, "lost")
    calls = load.check(agent.all_spans())
    figure("%d calls, each with its spans, while the page ended 3 times; the page missed %d spans" % (calls, status["page"]["dropped"]))


def test_agent_ends(bed):
    """The agent is killed, or ends while its page is frozen: no page stays behind, and the port is free."""
    need_agent()
    server = parts.tangotest(bed)
    port = None
    for number, frozen in ((signal.SIGKILL, False), (signal.SIGTERM, True)):
        agent = Agent(bed, "--view-listen", "127.0.0.1:%d" % (port or 0), "--select", "pid:%d" % server.pid)
        url = url_of(agent)
        port = int(url.split(":")[2].rstrip("/"))
        pid = page_of(agent)["pid"]
        listening = subprocess.Popen(["curl", "-sN", url + "api/stream"], stdout=subprocess.PIPE)
        try:
            check(listening.stdout.readline(), "somebody listens")
            if frozen:
                os.kill(pid, signal.SIGSTOP)
                agent.stop(number)
            else:
                agent.kill()
            begin = time.monotonic()
            wait_for(lambda: not is_page(pid), 10, "the page to end with its agent")
            figure("the page ended %.0f ms after its agent (%s)" % ((time.monotonic() - begin) * 1000, signal.Signals(number).name))
            wait_for(lambda: listening.poll() is not None, 5, "who listened to be told")
        finally:
            listening.kill()
            listening.wait()
            listening.stdout.close()


# ---- certificates -------------------------------------------------------------------------------------------------------

def curl(url, *args):
    """(exit code, status, body) of a real client."""
    done = subprocess.run(["curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", url] + list(args), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True)
    body, _, status = done.stdout.rpartition("\n")
    return done.returncode, int(status), body


def of_client(pair):
    return ["--cert", pair[0], "--key", pair[1]]


def test_certificates(bed):
    """Mutual TLS: who has a certificate of the right authority is let in, and nobody else gets as far as a request."""
    need_agent()
    server = parts.tangotest(bed)
    ca, other = Authority(bed, "ca"), Authority(bed, "other")
    own = ca.issue("page", extensions="subjectAltName=DNS:localhost,IP:127.0.0.1")
    os.chmod(own[1], 0o600)  # root's: the process that serves cannot read it
    fine, foreign = ca.issue("fine"), other.issue("foreign")
    expired, early = ca.issue("expired", end="20210101000000Z"), ca.issue("early", start="20380101000000Z")
    servers = ca.issue("servers", extensions="extendedKeyUsage=serverAuth")
    clients = ca.issue("clients", extensions="extendedKeyUsage=clientAuth")
    select = ("--select", "pid:%d" % server.pid)
    tls = ("--view-certificate", own[0], "--view-key", own[1])
    agent = Agent(bed, "--view-listen", "0.0.0.0:0", *tls, "--view-client-ca", ca.cert, *select)
    url = url_of(agent)
    check(url.startswith("https://0.0.0.0:") and "token" not in url, "where it is", url)
    url = url.replace("0.0.0.0", "localhost")
    trust = ["--cacert", ca.cert]
    for pair, what in ((fine, "fine"), (clients, "for clients")):
        code, status, body = curl(url + "api/info", *trust, *of_client(pair))
        equal((code, status), (0, 200), "a certificate that is %s: %s" % (what, body))
    for version in ("1.2", "1.3"):
        equal(curl(url + "api/info", *trust, *of_client(fine), "--tlsv" + version, "--tls-max", version)[:2], (0, 200), "TLS " + version)
        for pair, what in ((None, "none"), (foreign, "of another authority"), (expired, "expired"), (early, "not valid yet"), (servers, "for servers")):
            code, status, body = curl(url + "api/info", *trust, *(of_client(pair) if pair else ()), "--tlsv" + version, "--tls-max", version)
            check(code != 0 and status == 0 and "version" not in body, "a client's certificate: %s, TLS %s" % (what, version), code, status, body)
    check(curl(url + "api/info", *trust, *of_client(fine), "--tls-max", "1.1")[0] != 0, "TLS 1.1")
    equal(curl(url + "api/info", "--cacert", other.cert, *of_client(fine))[0], 60, "curl does not know the page's authority")
    check(curl(url.replace("https", "http") + "api/info")[0] != 0, "no TLS at all")
    with open("/proc/%d/status" % page_of(agent)["pid"]) as f:
        check("Uid:\t65534\t65534\t65534\t65534" in f.read(), "who serves it is nobody")
    # A certificate that was renewed is taken by a reload, without any option changed; who looks meanwhile is let in again.
    serial = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-in", own[0]], stdout=subprocess.PIPE, check=True).stdout
    ca.issue("page", extensions="subjectAltName=DNS:localhost,IP:127.0.0.1")
    agent.proc.signal(signal.SIGHUP)
    agent.proc.wait_text("configuration read again")

    def shown():
        port = url.split(":")[2].rstrip("/")
        seen = subprocess.run("openssl s_client -connect localhost:%s -cert %s -key %s </dev/null 2>/dev/null | openssl x509 -noout -fingerprint 2>/dev/null"
                              % (port, *fine), shell=True, stdout=subprocess.PIPE).stdout
        return seen and seen != serial
    wait_for(shown, 10, "the new certificate", 0.1)
    equal(curl(url + "api/info", *trust, *of_client(fine))[:2], (0, 200), "after it")
    agent.stop()
    # TLS alone: the token as before, in a cookie that goes nowhere else.
    agent = Agent(bed, "--view-listen", "0.0.0.0:0", *tls, *select)
    url = url_of(agent).replace("0.0.0.0", "localhost")
    plain, token = url.split("?token=")
    equal(curl(plain + "api/info", *trust)[1], 401, "no token")
    equal(curl(plain + "api/info", *trust, "-H", "Authorization: Bearer " + token)[1], 200, "the token")
    check("SameSite=Lax; Secure" in curl(url, *trust, "-i")[2], "its cookie")
    agent.stop()
    # What makes no sense is refused, and tracing goes on.
    with open(bed.path("empty.pem"), "w"):
        pass
    for args, words in ((("--view-token", "none"), "can be reached from elsewhere, and --view-token is none"),
                        (("--view-certificate", own[0]), "--view-certificate and --view-key are given together"),
                        (("--view-client-ca", ca.cert), "--view-client-ca wants --view-certificate"),
                        (("--view-certificate", fine[0], "--view-key", own[1]), "certificate and key: "),
                        (tls + ("--view-client-ca", bed.path("empty.pem")), "certificates that sign those of clients: "),
                        (tls + ("--view-client-ca", bed.path("nothing")), "--view-client-ca %s: No such file" % bed.path("nothing"))):
        agent = Agent(bed, "--view-listen", "0.0.0.0:0", *args, *select)
        check("no page: " in agent.proc.stderr and words in agent.proc.stderr, "what is wrong with %s" % (args,), agent.proc.stderr)
        equal(page_of(agent), None, "no page")
        agent.stop()


# ---- options anew -------------------------------------------------------------------------------------------------------

def test_reload(bed):
    """Every view-* option by SIGHUP while calls run: the page alone is started anew; what makes no sense is refused whole."""
    need_agent()
    server = parts.tangotest(bed)
    bed.env.pop("TANGOTRACE_VIEW_LISTEN", None)  # stronger than the file
    ports, path = [free_port() for _ in range(2)], bed.path("spans.jsonl")
    base = 'select: ["pid:%d", mix]\nexport: ["file:%s"]\n' % (server.pid, path)
    here, there = ("http://127.0.0.1:%d/" % port for port in ports)
    own = Authority(bed, "ca").issue("page", extensions="subjectAltName=IP:127.0.0.1")

    def at(address, *more):
        return base + "\n".join(("view-listen: '%s'" % address,) + more) + "\n"

    c = Configured(bed, at("127.0.0.1:%d" % ports[0], "view-memory: 8M"), "--sampling-background", "1")

    def info(url, headers=None):
        try:
            status, _, body = pages.get(url + "api/info", headers)
        except OSError:
            return None
        return json.loads(body) if status == 200 else status

    def pid():
        return page_of(c.agent)["pid"]

    with Load(bed, server, 500) as load:
        size = info(here)["store"]["size"]
        check((5 << 20) < size <= (8 << 20), "its memory: what is left for spans", size)
        first = pid()
        c.reload(at("127.0.0.1:%d" % ports[0], "view-memory: 8M", "log-rate: 77"))
        equal(pid(), first, "the process, when nothing of the page has changed")
        c.reload(at("127.0.0.1:%d" % ports[0], "view-memory: 16M", "view-age: 5m"))
        new = wait_for(lambda: (lambda i: i if i and i["age_seconds"] == 300 else None)(info(here)), 15, "the new options")
        check(new["store"]["size"] > size * 1.9, "its memory, twice as much", new["store"], size)
        wait_for(lambda: info(here)["store"]["taken_spans"], 15, "spans in the new one")
        check(pid() != first and not is_page(first), "another process", pid(), first)
        c.reload(at("127.0.0.1:%d" % ports[0], "view-token: abcdefghij0123456789"))
        wait_for(lambda: info(here) == 401, 15, "the token to be wanted")
        equal(info(here, {"Authorization": "Bearer abcdefghij0123456789"})["age_seconds"], 1800, "with it; and the age as by default")
        c.reload(at("127.0.0.1:%d" % ports[1]))
        wait_for(lambda: isinstance(info(there), dict), 15, "another port, without a token")
        wait_for(lambda: info(here) is None, 5, "nothing at the old one")
        # The same port at every address.
        c.reload(at("0.0.0.0:%d" % ports[1]))
        wait_for(lambda: info(there) == 401, 15, "a token is wanted there")
        made = wait_for(lambda: page_of(c.agent), 5, "it")["url"].split("token=")[1]
        # Refused whole: the page, and all else, as it was.
        second = wait_for(pid, 5, "a process")
        wait_for(lambda: info(there, {"Authorization": "Bearer " + made})["store"]["taken_spans"], 15, "spans in it")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            for text, words in ((at("127.0.0.1:%d" % taken.getsockname()[1]), "the port is in use by"), (at("0.0.0.0:%d" % ports[1], "view-token: none"), "--view-token is none"),
                                (at("127.0.0.1:%d" % ports[1], "view-certificate: %s" % own[0]), "are given together"), (at("127.0.0.1:%d" % ports[1], "view-memory: 5"), "view-memory"),
                                (at("127.0.0.1:%d" % ports[1], "view-certificate: %s" % own[0], "view-key: /no/such"), "/no/such: No such file")):
                c.write(text + "log-rate: 5\n")
                c.hup(REFUSED)
                check(words in c.agent.proc.stderr, "it says what is wrong: " + words, c.agent.proc.tail())
        equal((pid(), info(there, {"Authorization": "Bearer " + made})["store"]["taken_spans"] > 0), (second, True), "the page is what it was")
        # TLS, the token that was made stays; then nowhere, and back.
        c.reload(at("0.0.0.0:%d" % ports[1], "view-certificate: %s" % own[0], "view-key: %s" % own[1]))
        wait_for(lambda: curl(there.replace("http", "https") + "api/info", "-k", "-H", "Authorization: Bearer " + made)[1] == 200, 15, "TLS")
        c.reload(at("none"))
        wait_for(lambda: info(there) is None and page_of(c.agent) is None, 15, "no page any more")
        c.reload(at("127.0.0.1:%d" % ports[0]))
        wait_for(lambda: isinstance(info(here), dict), 15, "and again")
        wait_for(lambda: info(here)["store"]["taken_spans"], 15, "with spans")
        equal(page_of(c.agent)["ended"], 0, "none of these was an end")
    final = c.agent.stop()
    equal(final["lost"], 0, "lost")
    load.check(otlp.load(path))


# ---- cost ---------------------------------------------------------------------------------------------------------------

CALLS = scaled("TT_PAGE_CALLS", 6000)
PATHS = ("api/info", "api/traces?limit=300", "api/usage?by=device,client&buckets=1", "app.js", "api/names", "api/traces?q=%7Bduration%3E1ns%7D")


class Abuse:
    """100 clients who ask without a break, 40 who ask for much and read nothing, 20 who listen."""

    def __init__(self, url):
        self.url, self.port = url, int(url.split(":")[2].rstrip("/"))
        self.stop, self.counts, self.lock = threading.Event(), {}, threading.Lock()
        self.threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(100)] + [threading.Thread(target=self._hold)]

    def _ask(self, number):
        while not self.stop.is_set():
            try:
                status = pages.get(self.url + PATHS[number % len(PATHS)], seconds=20)[0]
            except OSError as error:
                status = type(error).__name__
            with self.lock:
                self.counts[status] = self.counts.get(status, 0) + 1
            number += 1
            self.stop.wait(0.05)

    def _hold(self):
        while not self.stop.is_set():
            held = []
            for i in range(60):
                try:
                    s = socket.create_connection(("127.0.0.1", self.port), 5)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    s.sendall(b"GET /api/%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"traces?limit=2000" if i % 3 else b"stream"))
                    held.append(s)
                except OSError:
                    pass
            self.stop.wait(6)
            for s in held:
                s.close()

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *what):
        self.stop.set()
        for t in self.threads:
            t.join()


def resident(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_cost(bed):
    """What 100 who ask, slow readers and listeners do to the calls that are traced meanwhile; nothing is lost."""
    need_agent()
    server = parts.tangotest(bed)
    device = plans.at(server.url("sys/tg_test/1"), plans.TANGOTEST)
    parts.Client(bed, plans.warm_up([device]), name="warm-up").finish()
    agent = Agent(bed, "--view-listen", "127.0.0.1:0", "--view-memory", "16M", "--select", "pid:%d" % server.pid, "--select", "mix")
    url, clients, peak = url_of(agent), [], 0

    def calls(when):
        client = parts.Client(bed, plans.mixed(device, [], CALLS, 1, seed=5), name="client-%d" % len(clients))
        clients.append(client)
        took = sorted(line.end - line.start for line in client.finish())
        figure("%s: a call took %.0f us in the middle, %.0f us at the 99th percentile" % (when, took[len(took) // 2] / 1e3, took[len(took) * 99 // 100] / 1e3))
        return took[len(took) // 2]

    idle = calls("nobody looks")
    pid, before = page_of(agent)["pid"], resident(page_of(agent)["pid"])
    with Abuse(url) as abuse:
        wait_for(lambda: sum(abuse.counts.values()) > 200, 30, "the clients of the page")
        watch = threading.Event()

        def look():
            nonlocal peak
            while not watch.wait(0.05):
                peak = max(peak, resident(pid))
        looker = threading.Thread(target=look)
        looker.start()
        busy = calls("while 100 ask, 40 read nothing and 20 listen")
        watch.set()
        looker.join()
    status = agent.status()
    page = status["page"]
    figure("the page: %s; its memory %.0f MiB, at most %.0f MiB; %d spans not taken in time; calls took %.2f times as long"
           % (dict(abuse.counts), before / 2**20, peak / 2**20, page["dropped"], busy / idle))
    equal((page["pid"], page["ended"]), (pid, 0), "it lives")
    check(abuse.counts.get(200, 0) > 100, "they were answered", abuse.counts)
    check(peak < (16 + 112) << 20, "bounded memory", peak)
    final = agent.stop()
    equal((final["lost"], status["drops"]["total"]), (0, 0), "lost")
    for client in clients:
        truth.check_client(agent.all_spans(), client.pid, client.log())
