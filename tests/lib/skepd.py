"""Our own daemon on a host, as an operator would run it, and what must not be left behind when its tasks are gone."""
import json
import os
import re
import unittest

from lib.daemon import Daemon
from lib.hosts import cgroups_named, mounts_below, processes, read, run, wait_until
from lib.swarm_manager import SwarmManager

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
SKEPD = os.path.join(BUILD, "skepd")
SKEP = os.path.join(BUILD, "skep")
# A leak or an overrun must end the process with a code no exit of ours has, and say so in the log.
SANITIZERS = {"ASAN_OPTIONS": "abort_on_error=0:exitcode=99:detect_leaks=1:malloc_context_size=20", "UBSAN_OPTIONS": "print_stacktrace=1"}


def need_skepd():
    """Skip while there is no skepd to test."""
    for program in (SKEPD, SKEP):
        if not os.path.exists(program):
            raise unittest.SkipTest(f"{os.path.relpath(program, ROOT)} is not built yet")


class Skepd(SwarmManager, Daemon):
    kind = "skepd"

    def __init__(self, host, *options):
        super().__init__(host)
        self.options = options
        self.state = os.path.join(self.dir, "state")
        self.run_dir = os.path.join(self.dir, "run")
        self.env = SANITIZERS

    def argv(self, extra):
        return [SKEPD, "--state-dir", self.state, "--run-dir", self.run_dir, "--host", f"unix://{self.socket}",
                "--cgroup-parent", f"/{self.host.cgroup}", "--hostname", self.name, *self.options, *extra]

    def skep(self, *args, check=True, timeout=60, **more):
        """Run the skep command against this daemon."""
        return run([SKEP, "-H", f"unix://{self.socket}", *args], check=check, timeout=timeout, env={**os.environ, **SANITIZERS}, **more)

    def load_image(self, archive):
        with open(archive, "rb") as file:
            return self.skep("load", stdin=file).stdout

    def join(self, manager, token=None, role="worker", timeout=60, check=True):
        return self.skep("join", "--token", token or manager.token(role), manager.address, timeout=timeout, check=check)

    def restart(self, *extra):
        """SIGKILL and start again, as a supervisor does."""
        self.kill()
        return self.start(*extra)

    # What runs

    def containers(self, everything=False):
        return self.api("GET", f"/containers/json?all={int(everything)}")

    def inspect(self, container):
        return self.api("GET", f"/containers/{container}/json")

    def container_pids(self):
        """{container id: pid of its first process}, as the API has them."""
        return {entry["Id"]: self.inspect(entry["Id"])["State"]["Pid"] for entry in self.containers()}

    def supervisors(self):
        """The conmons of this daemon: [(pid, command line)]."""
        return [(pid, line) for pid, line in processes() if re.match(r"\S*conmon\b", line) and self.dir + "/" in line]

    def start_times(self):
        """{container id: (pid, kernel start time)}: equal only as long as the very same processes live."""
        return {container: (pid, process_start(pid)) for container, pid in self.container_pids().items()}

    # What is left

    def leftovers(self):
        """What tasks have left on the machine, one line each; empty when it is as clean as before the first task."""
        found = [f"process {pid}: {line[:160]}" for pid, line in processes()
                 if self.dir + "/" in line and pid != self.pid and re.match(r"\S*(conmon|crun)\b", line)]
        if self.process and self.process.poll() is None:
            found += [f"container {entry['Names']} {entry['Status']}" for entry in self.containers(everything=True)]
        found += [f"mount {point}" for point in mounts_below(self.dir)]
        for group in cgroups_named(self.host.cgroup):
            pids = read(f"{group}/cgroup.procs").split()
            if os.path.basename(group) != self.host.cgroup:
                found.append(f"cgroup {group}")
            elif pids:
                found.append(f"processes {pids} in {group}")
        links = json.loads(run(["ip", "-n", self.host.ns, "-j", "link"]).stdout)
        found += [f"interface {link['ifname']}" for link in links if link["ifname"] not in ("lo", "eth0") and link.get("link_type") == "ether"
                  and "master" in link]
        rules = self.host.run(["nft", "list", "ruleset"], check=False).stdout
        found += [f"nft rule: {line.strip()}" for line in rules.splitlines() if re.search(r"\bdnat\b.*\bto\s+\d", line)]
        return found

    def assert_clean(self, timeout_s=20):
        """Wait until nothing of any container is left: no process, mount, namespace, cgroup, interface or forwarding rule."""
        def clean():
            left = self.leftovers()
            if left:
                raise AssertionError("\n".join(left[:20]))
            return True
        wait_until(clean, timeout_s, f"nothing is left on {self.name}", every_s=0.3)

    def findings(self):
        """What the sanitizers have said in the log."""
        return [line for line in read(self.log).splitlines()
                if re.search(r"ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|runtime error:|SUMMARY: \w+Sanitizer", line)]

    def memory_kib(self, pid=None):
        """(RSS, PSS) in KiB."""
        return memory_kib(pid or self.pid)


def process_start(pid):
    """Clock ticks since boot at which the process began (field 22 of stat), None when it is gone."""
    text = read(f"/proc/{pid}/stat")
    return int(text.rpartition(")")[2].split()[19]) if text else None


def memory_kib(pid):
    """(RSS, PSS) of a process in KiB."""
    text = read(f"/proc/{pid}/smaps_rollup")
    sizes = {key: int(value) for key, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB", text, re.M)}
    return sizes.get("Rss", 0), sizes.get("Pss", 0)
