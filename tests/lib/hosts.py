"""Hosts made of network namespaces, joined by a bridge that lives in a namespace of its own.

    with Network() as net:
        one, two = net.host("one"), net.host("two")
        one.run(["ping", "-c1", two.ip])

Nothing shows outside these namespaces: every interface, address and port is private to the run, so that runs can go on side by side. All
names (namespaces, cgroups, the directory under the temporary one) begin with "skt<pid>-<n>-"; a run cleans up when it ends, fails or is
told to stop, and sweeps what runs that were killed have left."""
import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

PREFIX = "skt"
CGROUPS = "/sys/fs/cgroup"
NETNS = "/run/netns"
_networks = []
_count = 0


def run(argv, timeout=60, check=True, text=True, **more):
    """subprocess.run with output captured, and an error that shows it."""
    done = subprocess.run(argv, stdin=more.pop("stdin", None if "input" in more else subprocess.DEVNULL), capture_output=True, text=text, timeout=timeout, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def wait_until(claim, timeout_s, what, every_s=0.1):
    """Poll until claim() returns something true, and return that. Fails naming @what and the last thing seen."""
    end = time.monotonic() + timeout_s
    seen = None
    while True:
        try:
            seen = claim()
            if seen:
                return seen
        except (AssertionError, OSError, subprocess.SubprocessError, ValueError, KeyError) as err:
            seen = err
        if time.monotonic() >= end:
            raise AssertionError(f"after {timeout_s} s still not: {what}; last seen: {seen!r}")
        time.sleep(every_s)


def read(path):
    """The text of a file that may have gone, or be another process' and unreadable."""
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def processes():
    """Yield (pid, command line) of every process."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            line = read(f"/proc/{entry}/cmdline").replace("\0", " ").strip()
            if line:
                yield int(entry), line


def mounts_below(directory):
    """Mount points below @directory, innermost first."""
    points = [line.split()[4].replace("\\040", " ") for line in read("/proc/self/mountinfo").splitlines()]
    return sorted((point for point in points if point.startswith(directory + "/")), key=len, reverse=True)


def cgroups_named(name):
    """Every cgroup directory at or below one called @name (a prefix of a path's element), innermost first, in all hierarchies."""
    found = []
    for hierarchy, _, _ in _hierarchies():
        for path, _, _ in os.walk(hierarchy):
            inner = path[len(hierarchy):].split("/")
            if any(part.startswith(name) for part in inner):
                found.append(path)
    return sorted(found, key=len, reverse=True)


def _hierarchies():
    for line in read("/proc/self/mounts").splitlines():
        source, point, kind = line.split()[:3]
        if kind in ("cgroup", "cgroup2"):
            yield point, source, kind


def _kill(pid):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)


def _kill_cgroups(name):
    """Kill what runs in cgroups called @name, and remove them."""
    for attempt in range(50):
        groups = cgroups_named(name)
        if not groups:
            return
        for group in groups:
            for pid in read(f"{group}/cgroup.procs").split():
                _kill(int(pid))
            # A frozen process does not die.
            for knob, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                with contextlib.suppress(OSError), open(f"{group}/{knob}", "w") as file:
                    file.write(value)
        for group in groups:
            with contextlib.suppress(OSError):
                os.rmdir(group)
        if attempt:
            time.sleep(0.1)


def _remove(prefix, directory):
    """Take away everything that carries @prefix: processes, cgroups, mounts, namespaces, files."""
    names = [name for name in (os.listdir(NETNS) if os.path.isdir(NETNS) else []) if name.startswith(prefix)]
    for _ in range(3):  # a supervisor may start another while it is being killed
        for name in names:
            for pid in run(["ip", "netns", "pids", name], check=False).stdout.split():
                _kill(int(pid))
        _kill_cgroups(prefix)
    for pid, line in processes():
        if directory + "/" in line and pid != os.getpid() and re.match(r"\S*(conmon|crun|skepd|runc|containerd|dockerd)", line):
            _kill(pid)
    for _ in range(5):
        left = mounts_below(directory)
        for point in left:
            run(["umount", "--lazy", point], check=False)
        if not left:
            break
    for name in names:
        run(["ip", "netns", "del", name], check=False)
    shutil.rmtree(directory, ignore_errors=True)


def sweep():
    """Take away what runs whose process is gone have left behind."""
    left = set()
    for place in (NETNS, tempfile.gettempdir()):
        for name in os.listdir(place) if os.path.isdir(place) else []:
            match = re.match(rf"({PREFIX}(\d+)-)", name)
            if match and not os.path.exists(f"/proc/{match[2]}"):
                left.add(match[1])
    for prefix in left:
        directories = [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(prefix)]
        for name in directories or [f"{prefix}none"]:
            _remove(prefix, os.path.join(tempfile.gettempdir(), name))


class Host:
    """One namespace with an address on the network. `dir` is its disk; `cgroup` the name its daemons put their containers below."""

    def __init__(self, net, name, number):
        self.net = net
        self.name = name
        self.ns = f"{net.prefix}{name}"
        self.port = f"p{number}"
        self.ip = f"100.64.0.{number}"
        self.dir = os.path.join(net.dir, name)
        self.cgroup = f"{net.prefix}{name}"
        os.makedirs(self.dir)
        run(["ip", "netns", "add", self.ns])
        run(["ip", "-n", self.ns, "link", "set", "lo", "up"])
        run(["ip", "-n", net.switch, "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.ns])
        run(["ip", "-n", net.switch, "link", "set", self.port, "master", "br0", "up"])
        run(["ip", "-n", self.ns, "addr", "add", f"{self.ip}/24", "dev", "eth0"])
        run(["ip", "-n", self.ns, "link", "set", "eth0", "up"])

    def inside(self, argv):
        """The command line that runs @argv on this host."""
        return ["nsenter", f"--net={NETNS}/{self.ns}", "--", *argv]

    def run(self, argv, **more):
        return run(self.inside(argv), **more)

    def start(self, argv, log, own_mounts=False, env=None):
        """Start a daemon under this host's name, output to the file @log; its pid is the daemon's own."""
        spaces = ["unshare", "--uts"] + (["--mount", "--propagation", "private"] if own_mounts else [])
        named = spaces + ["sh", "-c", 'hostname "$0" && exec "$@"', self.name, *argv]
        with open(log, "ab") as output:
            return subprocess.Popen(self.inside(named), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                                    env={**os.environ, **(env or {})})

    def call(self, work, *arguments):
        """work(*arguments) on this host: what it opens is opened here. Its result, or its error."""
        made = []

        def enter():  # a namespace belongs to a thread: this one enters it, works and ends
            try:
                with open(f"{NETNS}/{self.ns}") as space:
                    if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), 0x40000000) != 0:  # os.setns came with Python 3.12
                        raise OSError(ctypes.get_errno(), "setns")
                made.append((work(*arguments), None))
            except Exception as err:
                made.append((None, err))

        worker = threading.Thread(target=enter)
        worker.start()
        worker.join()
        if made[0][1] is not None:
            raise made[0][1]
        return made[0][0]

    def listen(self, address, port):
        """A listening socket of this process on this host."""
        return self.call(socket.create_server, (address, port))

    def cut(self):
        """Pull the cable."""
        run(["ip", "-n", self.net.switch, "link", "set", self.port, "down"])

    def heal(self):
        run(["ip", "-n", self.net.switch, "link", "set", self.port, "up"])

    def slow(self, kbit_per_s):
        """Limit what reaches this host."""
        run(["ip", "netns", "exec", self.net.switch, "tc", "qdisc", "replace", "dev", self.port, "root", "tbf", "rate",
             f"{kbit_per_s}kbit", "burst", "16kb", "latency", "400ms"])


class Network:
    """The bridge, its hosts, and what they leave on the machine."""

    def __init__(self):
        global _count
        if os.geteuid() != 0:
            raise AssertionError("these tests make network namespaces: run them as root")
        if not _networks:
            _install()
            sweep()
        _count += 1
        self.prefix = f"{PREFIX}{os.getpid()}-{_count}-"
        self.switch = f"{self.prefix}switch"
        self.dir = tempfile.mkdtemp(prefix=self.prefix)
        self.hosts = []
        self.daemons = []
        _networks.append(self)
        run(["ip", "netns", "add", self.switch])
        run(["ip", "-n", self.switch, "link", "add", "br0", "type", "bridge"])
        run(["ip", "-n", self.switch, "link", "set", "br0", "up"])

    def host(self, name):
        host = Host(self, name, len(self.hosts) + 1)
        self.hosts.append(host)
        return host

    def close(self):
        for daemon in self.daemons:
            daemon.destroy()
        _remove(self.prefix, self.dir)
        for daemon in self.daemons:
            daemon.reap()
        if self in _networks:
            _networks.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _close_all():
    for net in list(_networks):
        with contextlib.suppress(Exception):
            net.close()


def _stopped(number, _frame):
    """unittest would take SystemExit for one more failed test and go on with the next."""
    _close_all()
    sys.stdout.flush()
    os._exit(128 + number)


_installed = False


def _install():
    global _installed
    if _installed:
        return
    _installed = True
    atexit.register(_close_all)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stopped)
