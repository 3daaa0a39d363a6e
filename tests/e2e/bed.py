"""A test bed: a private directory and the processes started in it, all of which end with it.

Processes are ended by the pid we got when we started them, never by name; each also asks the kernel to be killed when
the runner dies, so that an interrupted run leaves nothing behind.
"""
import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import harness
from harness import ROOT, check, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
PYTHON = "/usr/bin/python3"  # Debian's: python3-tango and python3-gevent belong to it
BIN = os.environ.get("TT_TEST_BIN", os.path.join(ROOT, "build", "tests"))
CACHE = os.environ.get("TANGOTRACE_CACHE") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "tangotrace")
VENV_PYTHON = os.path.join(CACHE, "venv", "bin", "python")
TANGO_VERSION = subprocess.run(["pkg-config", "--modversion", "tango"], stdout=subprocess.PIPE,
                               universal_newlines=True).stdout.strip() or "no libtango-dev"
# Of PyTango, as tests/e2e/venv installs them; of 9.5.1 there is none for Python 3.13 and later.
WHEELS = (("9.5.1",) if sys.version_info < (3, 13) else ()) + ("10.0.4", "10.3.1")


def runs_here(*builds):
    """Can all of them run with this host's Python?"""
    return all(not build[0].isdigit() or build in WHEELS for build in builds)


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


PORTS = iter(random.sample(range(20000, 32000), 12000))  # below the range from which the kernel takes clients' ports


def free_port():
    """A port that nobody listens on and that this run has not handed out before."""
    for port in PORTS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port")


class Proc:
    """One started process: its pid, its output files, the end of it."""

    def __init__(self, bed, name, argv, env=None, cwd=None):
        self.name, self.argv = name, argv
        self.out_path = os.path.join(bed.dir, name + ".out")
        self.err_path = os.path.join(bed.dir, name + ".err")
        self.stopped_by_us = self.asked_to_end = False
        full = dict(bed.env)
        full.update(env or {})
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.popen = subprocess.Popen(argv, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=full,
                                          cwd=cwd or bed.dir, preexec_fn=die_with_parent)
        self.pid = self.popen.pid

    @property
    def stdout(self):
        with open(self.out_path, errors="replace") as f:
            return f.read()

    @property
    def stderr(self):
        with open(self.err_path, errors="replace") as f:
            return f.read()

    def alive(self):
        return self.popen.poll() is None

    def tail(self):
        return "%s (pid %d, exit %s)\n%s%s" % (" ".join(self.argv), self.pid, self.popen.poll(),
                                               self.stdout[-1500:], self.stderr[-3000:])

    def wait_text(self, text, seconds=15):
        def there():
            found = text in self.stdout or text in self.stderr
            check(found or self.alive(), "%s ended before it said %r" % (self.name, text), self.tail())
            return found
        try:
            return wait_for(there, seconds, "%r from %s" % (text, self.name))
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.tail())) from None

    def wait(self, seconds):
        """Exit code; a process that does not end in time is an error."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s still runs after %g s\n%s" % (self.name, seconds, self.tail())) from None

    def finish(self, seconds=120):
        code = self.wait(seconds)
        check(code == 0, "%s ended with %d" % (self.name, code), self.tail())
        return self

    def signal(self, number):
        self.stopped_by_us = True
        if self.alive():
            os.kill(self.pid, number)

    def ask_to_end(self):
        """SIGTERM, once: a second one while it ends makes a server of Tango 9 crash, traced or not (Util::shutdown_ds joins
        its heartbeat thread a second time)."""
        if not self.asked_to_end:
            self.asked_to_end = True
            self.signal(signal.SIGTERM)

    def stop(self, seconds=5):
        """TERM, then KILL; says whether it was still alive when we came."""
        was_alive = self.alive()
        self.ask_to_end()
        try:
            self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self.popen.wait(10)
        return was_alive


class KernelLog:
    """What the kernel says from now on; by /dev/kmsg, since `dmesg` forgets old lines."""

    def __init__(self):
        self.leaks = []
        try:
            self.fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self.fd, 0, os.SEEK_END)
        except OSError:
            self.fd = None  # no rights: see need_kernel_log

    def leaked(self):
        """Lines so far that say that a breakpoint stays in a process though nobody wants it any more
        (kernel/events/uprobes.c: "failed to unregister, leaking uprobe")."""
        while self.fd is not None:
            try:
                line = os.read(self.fd, 8192).decode(errors="replace")
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # more lines at once than it holds: on with the oldest that is left
            if "leaking uprobe" in line:
                self.leaks.append(line.split(";", 1)[-1].rstrip())
        return self.leaks

    def close(self):
        if self.fd is not None:
            os.close(self.fd)


class Bed:
    def __init__(self, title):
        self.title = title
        self.kernel_log = KernelLog()
        self.dir = tempfile.mkdtemp(prefix="tt-e2e-")
        self.procs = []
        os.mkdir(self.path("omni"))
        self.env = dict(os.environ)
        # Sockets of omniORB inside the bed; no settings of the machine's own Tango system.
        self.env.update({"ORBunixTransportDirectory": self.path("omni"), "TMPDIR": self.dir, "HOME": self.dir,
                         "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"})
        for key in list(self.env):
            if key.startswith(("TANGO", "OTEL_", "PYTANGO")) and key != "TANGOTRACE_CACHE":
                del self.env[key]
        self.env["TANGOTRACE_PLAN_CACHE"] = self.path("plans")  # nothing of the machine's, nothing of other tests
        self.env["TANGO_HOST"] = "127.0.0.1:1"  # nothing answers there: a forgotten database shows at once

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def start(self, name, argv, env=None, cwd=None):
        proc = Proc(self, "%02d-%s" % (len(self.procs), name), [str(a) for a in argv], env, cwd)
        self.procs.append(proc)
        return proc

    def alive(self):
        return [p for p in self.procs if p.alive()]

    def run(self, name, argv, env=None, seconds=120):
        return self.start(name, argv, env).finish(seconds)

    def close(self, keep=False):
        """Ends everything and proves that nothing is left. A server takes 2 s to end: all at once, then."""
        for proc in reversed(self.procs):
            proc.ask_to_end()
        for proc in reversed(self.procs):
            proc.stop()
        left = [p.tail() for p in self.alive()] + orphans(self.dir)
        if not keep and not os.environ.get("TT_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)
        leaked = self.kernel_log.leaked()
        self.kernel_log.close()
        check(not left, "processes left behind", *left)
        check(not leaked, "%d breakpoints left behind, says the kernel" % len(leaked), *leaked[:5])


def descendants(directory):
    """(pid, name, command line) of the running processes that came from this bed: children, and theirs."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as f:
                if ("HOME=" + directory).encode() not in f.read().split(b"\0"):
                    continue
            with open("/proc/%s/stat" % pid) as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            if rest.split()[0] == "Z":
                continue
            with open("/proc/%s/cmdline" % pid, "rb") as f:
                yield int(pid), name, f.read().replace(b"\0", b" ").decode(errors="replace")
        except (OSError, IndexError):
            continue


KEEPER_SECONDS = 60


def orphans(directory):
    """Processes that we did not start ourselves but that came from this bed: killed, told."""
    # The keeper of an agent that was killed takes the probes out and ends by itself.
    end = time.monotonic() + KEEPER_SECONDS
    while any(name == "tt-keeper" for _, name, _ in descendants(directory)) and time.monotonic() < end:
        time.sleep(0.02)
    found = []
    for pid, _, command in descendants(directory):
        try:
            os.kill(pid, signal.SIGKILL)
            found.append("orphan %d: %s" % (pid, command))
        except OSError:
            continue
    return found


def need(path, how):
    if not os.path.exists(path):
        raise harness.Skip("%s is missing: %s" % (path, how))
    return path


def need_root():
    if os.geteuid() != 0:
        raise harness.Skip("needs root")


def need_kernel_log(bed):
    if bed.kernel_log.fd is None:
        raise harness.Skip("/dev/kmsg cannot be read: it tells of breakpoints that stay")


def wheel_python(version):
    """The interpreter that imports the pinned PyTango wheel."""
    return need(os.path.join(CACHE, "venvs", "pytango-" + version, "bin", "python"), "run tests/e2e/venv")


def suite_root(suite):
    """The root of another Debian suite, made when it is not there."""
    done = subprocess.run([os.path.join(harness.HERE, "chroot"), suite], stdout=subprocess.PIPE,
                          universal_newlines=True, timeout=900, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, "tests/e2e/chroot %s ended with %d" % (suite, done.returncode))
    return done.stdout.strip()


# A mount namespace of the process's own: nothing stays mounted. The folder of the bed lies where it does outside.
INSIDE = ('mount --bind "$2" "$1$2" && mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && '
          'root=$1 && shift 2 && exec chroot "$root" "$@"')


def inside(root, directory, argv):
    """argv of a process that runs in the root of another system, as one process with one pid."""
    if not root:
        return argv
    os.makedirs(root + directory, exist_ok=True)
    return ["unshare", "--mount", "sh", "-c", INSIDE, "sh", root, directory] + argv


def test_program(name):
    return need(os.path.join(BIN, name), "run tests/e2e/compile")
