"""The real parts of a Tango system on a bed: database, servers, clients, and the ORB's own log as witness."""
import collections
import glob
import os
import re
import shutil
import subprocess

import bed as beds
from harness import HERE, check, wait_for

TANGOTEST = "/usr/lib/tango/TangoTest"
TANGO_ADMIN = "/usr/bin/tango_admin"
MARIADBD, MARIADB, MARIADB_INSTALL = "/usr/sbin/mariadbd", "/usr/bin/mariadb", "/usr/bin/mariadb-install-db"
LEADER_FOLLOWER = os.path.join(HERE, "servers", "leader_follower.py")
MIX_PY = os.path.join(HERE, "clients", "mix.py")
ROOT_PROGRAMS = "/opt/tt/"  # where tests/e2e/chroot puts mix and thrower
READY = "Ready to accept request"


# ---- the witness: omniORB's log of every request it sends and dispatches, independent of any tracer

INVOKE = re.compile(r"Invoke '(\w+)' on remote")
DISPATCH = re.compile(r"Dispatching remote call '(\w+)' to: ")


def witness_env(path):
    return {"ORBtraceInvocations": "1", "ORBtraceFile": path}


def witnessed(path, pattern):
    """How often each operation was seen by the ORB itself."""
    with open(path, errors="replace") as f:
        return collections.Counter(pattern.findall(f.read()))


# ---- servers

class Server:
    """A running device server: its process and how its devices are called from outside."""

    def __init__(self, bed, proc, prefix, suffix, log):
        self.bed, self.proc, self.prefix, self.suffix, self.log = bed, proc, prefix, suffix, log

    @property
    def pid(self):
        return self.proc.pid

    def url(self, device):
        return self.prefix + device + self.suffix

    def dispatched(self):
        return witnessed(self.log, DISPATCH)


def visible(bed, path, root):
    """The path of one of our scripts as a process sees it: in another root, a copy in the bed's folder."""
    return shutil.copy(path, bed.path(os.path.basename(path))) if root else path


def start_server(bed, argv, instance, devices, database=None, env=None, witness=True, wait=True, root=None, extra=(),
                 classes=False):
    """Starts a server with `devices` ("name" or "Class::name"); with a database it is registered there first.

    With a database, devices are called by their plain names and omniORB uses unix sockets on one host; without, by
    TCP. Both are wanted by the tests. `root`: of another system in which it runs. `extra`: further arguments.
    `classes`: it has several.
    """
    name = os.path.basename(argv[-1]).replace(".py", "")
    log = bed.path("orb-%s-%s-%d.log" % (name, instance, len(bed.procs)))
    full = witness_env(log) if witness else {}
    full.update(env or {})
    argv = argv + [instance] + list(extra)
    if database:
        for device in devices:
            dev_class, dev_name = device.split("::")
            database.register("%s/%s" % (name, instance), dev_class, dev_name)
        full["TANGO_HOST"] = database.host
        prefix = suffix = ""
    else:
        port = beds.free_port()
        # TangoTest and the C++ servers have one class: their -dlist wants bare names
        many = ",".join(d if classes or argv[0].endswith("python3") or argv[0].endswith("python") else d.split("::")[-1] for d in devices)
        argv += ["-nodb", "-dlist", many, "-ORBendPoint", "giop:tcp:127.0.0.1:%d" % port]
        prefix, suffix = "tango://127.0.0.1:%d/" % port, "#dbase=no"
    proc = bed.start("%s-%s" % (name, instance), beds.inside(root, bed.dir, argv), full)
    if wait:
        proc.wait_text(READY, 30)
    return Server(bed, proc, prefix, suffix, log)


LIB_DIR = "/usr/lib/x86_64-linux-gnu"


def libraries():
    """Names of TangoTest's libraries, those that are probed first; which versions depends on the distribution."""
    done = subprocess.run(["ldd", beds.need(TANGOTEST, "tango-test is not installed")], stdout=subprocess.PIPE, check=True,
                          universal_newlines=True)
    needed = [line.split()[0] for line in done.stdout.splitlines()]
    return [next(name for name in needed if name.startswith(prefix + ".so"))
            for prefix in ("libtango", "libomniORB4", "libomniDynamic4", "libomnithread", "libCOS4")]


def tangotest(bed, database=None, instance="test", devices=("sys/tg_test/1",), **kw):
    beds.need(TANGOTEST, "apt-get install tango-test")
    binary = kw.pop("binary", TANGOTEST)
    return start_server(bed, [binary], instance, ["TangoTest::" + d for d in devices], database, **kw)


def thrower(bed, database=None, instance="t", devices=("test/thrower/1",), **kw):
    if kw.get("root") and not os.path.exists(kw["root"] + ROOT_PROGRAMS + "thrower"):
        kw["root"] = None  # cppTango 10.3 makes a server's classes in another way: that of this host, then
    binary = kw.pop("binary", None) or (ROOT_PROGRAMS + "thrower" if kw.get("root") else beds.test_program("thrower"))
    return start_server(bed, [binary], instance, ["Thrower::" + d for d in devices], database, **kw)


def follower(bed, database=None, instance="f", devices=("test/follower/1",), python=beds.PYTHON, **kw):
    script = visible(bed, LEADER_FOLLOWER, kw.get("root"))
    return start_server(bed, [python, script], instance, ["Follower::" + d for d in devices],
                        database, **kw)


def leader(bed, follower_server, database=None, instance="l", device="test/leader/1", python=beds.PYTHON, env=None,
           **kw):
    env = dict(env or {}, FOLLOWER=follower_server.url("test/follower/1"))
    script = visible(bed, LEADER_FOLLOWER, kw.get("root"))
    return start_server(bed, [python, script], instance, ["Leader::" + device], database, env=env, **kw)


class Database:
    """The Tango database on a free port: pytango-db (sqlite in memory), unless a subclass starts another."""

    server = "PyDatabaseds/2"

    def __init__(self, bed):
        self.bed = bed
        self.port = beds.free_port()
        self.host = "127.0.0.1:%d" % self.port
        self.proc = self.start()
        bed.env["TANGO_HOST"] = self.host
        wait_for(self.answers, 20, "the Tango database", 0.05)

    def start(self):
        beds.need(beds.VENV_PYTHON, "run deploy/bootstrap demo")
        program = os.path.join(os.path.dirname(beds.VENV_PYTHON), "PyDatabaseds")
        return self.bed.start("database", [program, "2", "--host", "127.0.0.1", "--port", self.port],
                              {"TANGO_HOST": self.host, "PYTANGO_DATABASE_NAME": ":memory:"})

    def answers(self):
        check(self.proc.alive(), "the database ended", self.proc.tail())
        return self.admin("--ping-database") == 0

    def admin(self, *args):
        env = dict(self.bed.env, TANGO_HOST=self.host)
        return subprocess.run([TANGO_ADMIN] + list(args), env=env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode

    def register(self, server, dev_class, device):
        check(self.admin("--add-server", server, dev_class, device) == 0, "tango_admin --add-server %s" % server)

    def forward(self, device, roots):
        """Forwarded attributes of a device: {its attribute: root attribute}."""
        program = "import sys, tango\ndb = tango.Database()\n" + "".join(
            "db.put_device_attribute_property(%r, {%r: {'__root_att': [%r]}})\n" % (device, name, root)
            for name, root in roots.items())
        self.bed.run("roots", [beds.PYTHON, "-c", program], {"TANGO_HOST": self.host})


class CppDatabase(Database):
    """The C++ DataBaseds on a MariaDB of its own: data, socket and processes are the bed's, no service is touched. It
    listens on its socket alone."""

    def start(self):
        package = databaseds()
        program, = glob.glob(package + "/usr/lib/tango/[Dd]ata[Bb]aseds")  # by version
        self.server = os.path.basename(program) + "/2"
        data, socket = self.bed.path("mariadb"), self.bed.path("mariadb.sock")
        own = ["--no-defaults", "--user=root", "--datadir=" + data]
        self.bed.run("mariadb-install", [MARIADB_INSTALL] + own + [
            "--skip-test-db", "--auth-root-authentication-method=normal"])
        mariadb = self.bed.start("mariadb", [MARIADBD] + own + [
            "--socket=" + socket, "--skip-networking", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
            "--performance-schema=OFF"])
        mariadb.wait_text("ready for connections", 30)
        self.bed.run("mariadb-schema", [MARIADB, "--no-defaults", "--socket=" + socket, "--user=root", "--execute",
                                        "create database tango; use tango; " + schema(package)])
        with open(self.bed.path(".my.cnf"), "w") as settings:  # in what is HOME there: DataBaseds reads group "client"
            settings.write("[client]\nsocket=%s\n" % socket)
        return self.bed.start("database", [
            program, "2", "-ORBendPoint", "giop:tcp:" + self.host],
            {"TANGO_HOST": self.host, "MYSQL_USER": "root", "MYSQL_DATABASE": "tango"})


def databaseds():
    """Where the package tango-db is unpacked."""
    for program in (MARIADBD, MARIADB, MARIADB_INSTALL):
        beds.need(program, "apt-get install mariadb-server-core mariadb-client-core")
    done = subprocess.run([os.path.join(HERE, "databaseds")], stdout=subprocess.PIPE, universal_newlines=True,
                          timeout=300, stdin=subprocess.DEVNULL)
    check(done.returncode == 0, "tests/e2e/databaseds ended with %d" % done.returncode)
    return done.stdout.strip()


def schema(package):
    """Commands that fill an empty database; the package's own names files where it would be installed."""
    with open(package + "/usr/share/dbconfig-common/data/tango-db/install/mysql") as f:
        return f.read().replace("/usr/share/tango-db", package + "/usr/share/tango-db")


# ---- clients

LogLine = collections.namedtuple("LogLine", "thread tid number operation device name start end reason answer")


class Client:
    """A client that carries out a plan; start() it, release() it when it should go, then finish(). `python`: by PyTango,
    True for Debian's, or the path of another interpreter."""

    def __init__(self, bed, plan, python=False, flags=(), gate=False, env=None, witness=True, name="client",
                 root=None, binary=None):
        self.bed = bed
        number = len(bed.procs)
        self.plan_path, self.log_path = bed.path("plan-%d.tsv" % number), bed.path("log-%d.tsv" % number)
        self.orb_log = bed.path("orb-client-%d.log" % number)
        write_plan(plan, self.plan_path)
        if python:
            argv = [beds.PYTHON if python is True else python, visible(bed, MIX_PY, root)]
        else:
            argv = [binary or (ROOT_PROGRAMS + "mix" if root else beds.test_program("mix"))]
        argv += [self.plan_path, self.log_path] + list(flags)
        self.fifo = None
        if gate:
            self.fifo = bed.path("gate-%d" % number)
            os.mkfifo(self.fifo)
            argv += ["--wait", self.fifo]
        full = witness_env(self.orb_log) if witness else {}
        full.update(env or {})
        self.proc = bed.start(name, beds.inside(root, bed.dir, argv), full)
        if gate:
            self.proc.wait_text("up", 60)

    @property
    def pid(self):
        return self.proc.pid

    def release(self):
        with open(self.fifo, "w") as gate:
            gate.write("go\n")

    def finish(self, seconds=300):
        self.proc.finish(seconds)
        return self.log()

    def log(self):
        lines = []
        with open(self.log_path) as f:
            for line in f:
                thread, tid, number, operation, device, name, start, end, reason, answer = line.rstrip("\n").split("\t")
                lines.append(LogLine(int(thread), int(tid), int(number), operation, device, name, int(start),
                                     int(end), reason, answer))
        return lines

    def invoked(self):
        return witnessed(self.orb_log, INVOKE)


def write_plan(plan, path):
    """plan: a list per thread of (operation, device url, name, type, argument)."""
    with open(path, "w") as f:
        for thread, calls in enumerate(plan):
            for call in calls:
                f.write("%d\t%s\n" % (thread, "\t".join(map(str, call))))
