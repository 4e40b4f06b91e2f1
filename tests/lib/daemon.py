"""What dockerd and skepd have in common here: a process on a host with a directory, a log and a socket that speaks Docker's API."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess

from lib.hosts import run, wait_until

DOCKER = "/usr/bin/docker"
NOISE = r"ipvs|ip_vs|ipv4\.vs|level=debug|registry-1\.docker\.io"
# The docker commands of this machine: Debian's 20.10, and a newer one where there is one.
DOCKERS = [path for path in (DOCKER, "/usr/local/bin/docker") if os.path.exists(path)]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Daemon:
    """Base of Dockerd and Skepd; they give `argv(extra)`, `kind` and `own_mounts`."""

    kind = "daemon"
    own_mounts = False

    def __init__(self, host):
        self.host = host
        self.dir = os.path.join(host.dir, self.kind)
        os.makedirs(self.dir, exist_ok=True)
        self.log = os.path.join(self.dir, "log")
        self.socket = os.path.join(self.dir, "sock")
        self.process = None
        self.extra = ()
        self.env = {}
        host.net.daemons.append(self)

    @property
    def name(self):
        return self.host.name

    @property
    def pid(self):
        return self.process.pid

    def start(self, *extra, timeout_s=30):
        """Start with @extra options (those of the last start when none are given) and wait until the API answers."""
        self.extra = extra or self.extra
        self.process = self.host.start(self.argv(self.extra), self.log, own_mounts=self.own_mounts, env=self.env)
        wait_until(self.answers, timeout_s, f"{self.kind} on {self.name} answers; its log ends:\n{self.tail(20)}", every_s=0.05)
        return self

    def answers(self):
        code = self.process.poll()
        if code is not None:
            raise SystemError(f"{self.kind} on {self.name} ended with code {code}:\n{self.tail(30)}")
        return self.api("GET", "/_ping", raw=True) == b"OK"

    def stop(self, timeout_s=30):
        """Ask it to end, and wait until it has. Returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def destroy(self):
        """End it in whatever state it is; the network takes away what it leaves."""
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()

    def reap(self):
        if self.process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)

    def api(self, method, path, body=None, headers=None, raw=False, timeout_s=30):
        """One request; the JSON of the answer. Fails unless its status is below 300."""
        connection = _UnixConnection(self.socket, timeout_s)
        try:
            payload = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
            connection.request(method, path, payload, {"Content-Type": "application/json", **(headers or {})} if payload else headers or {})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise AssertionError(f"{method} {path} on {self.name}: {answer.status} {data.decode(errors='replace').strip()}")
        return data if raw else json.loads(data) if data else None

    def docker(self, *args, cli=DOCKER, check=True, timeout=60, **more):
        """Run the docker command against this daemon."""
        return run([cli, "-H", f"unix://{self.socket}", *args], check=check, timeout=timeout, **more)

    def load_image(self, archive):
        with open(archive, "rb") as file:
            return self.docker("load", stdin=file).stdout

    def tail(self, lines):
        """The log's last lines without the noise of a kernel that has no IPVS and a network that has no registry."""
        with contextlib.suppress(OSError), open(self.log, "rb") as file:
            told = [line for line in file.read().decode(errors="replace").splitlines() if not re.search(NOISE, line)]
            return "\n".join(told[-lines:])
        return "(no log)"

    def keep_log(self, directory):
        with contextlib.suppress(OSError):
            shutil.copy(self.log, os.path.join(directory, f"{self.name}.{self.kind}.log"))
