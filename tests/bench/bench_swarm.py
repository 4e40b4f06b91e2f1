"""Skep beside dockerd as workers of one swarm, on one machine, in one run: how fast tasks start and end, what memory they cost, how long a
join takes. Prints tables; nothing here passes or fails.

    sudo SKEP_BUILD=build/release python3 tests/bench/bench_swarm.py [--rounds 5] [--joins 100] [--tasks 50] [--many 200] [--only start,memory,join]

The manager is a dockerd of its own, and its share of every time is the same for both. Times are from `docker service create` (or the
removal) to the moment at which the manager's API shows the end; both are looked at every 20 ms."""
import argparse
import os
import re
import shutil
import statistics
import sys
import time

os.environ.setdefault("SKEP_BUILD", "build/release")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd, swarm
from lib.hosts import Network, processes, wait_until
from lib.images import Image
from lib.scenario import sleeper
from lib.skepd import Skepd, memory_kib

LOOK_S = 0.02


def table(title, head, rows):
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        print("  " + "  ".join(str(cell).ljust(width) if number == 0 else str(cell).rjust(width)
                               for number, (cell, width) in enumerate(zip(row, widths))))
    sys.stdout.flush()


def spread(samples, unit="s"):
    scale, digits = (1000, 0) if unit == "ms" else (1, 2)
    ordered = sorted(sample * scale for sample in samples)
    return f"{statistics.median(ordered):.{digits}f} ({ordered[0]:.{digits}f}-{ordered[-1]:.{digits}f})"


class Bench:
    def __init__(self, net, options):
        self.options = options
        self.net = net
        self.manager = swarm(net)[0]
        self.manager.docker("node", "update", "--availability", "drain", self.manager.name)
        self.peer = Dockerd(net.host("docker-a")).start().join(self.manager)
        self.ours = Skepd(net.host("skep-a")).start()
        self.archive = Image("hive:1").docker_archive(f"{net.dir}/hive.tar")
        for worker in (self.peer, self.ours):
            worker.load_image(self.archive)
        self.ours.join(self.manager)
        self.manager.wait_node("docker-a")
        self.manager.wait_node("skep-a")
        self.count = 0

    def wait(self, claim, timeout_s, what):
        return wait_until(claim, timeout_s, what, every_s=LOOK_S)

    def up(self, worker, replicas):
        """Seconds until a new service's replicas all run, and its name."""
        self.count += 1
        name = f"bench-{self.count}"
        begun = time.monotonic()
        self.manager.create_service(name, "hive:1", *sleeper(), on=worker.name, replicas=replicas)
        self.wait(lambda: len(self.manager.running(name)) == replicas, 300, f"{replicas} tasks run on {worker.name}")
        return time.monotonic() - begun, name

    def down(self, worker, name):
        """Seconds until nothing of the service is left on the worker."""
        begun = time.monotonic()
        self.manager.remove_service(name)
        self.wait(lambda: not worker.api("GET", "/containers/json?all=1"), 300, f"{worker.name} is empty")
        return time.monotonic() - begun

    def start(self):
        rows = []
        for replicas, rounds in ((1, self.options.rounds * 3), (self.options.tasks, self.options.rounds)):
            times = {worker: ([], []) for worker in (self.peer, self.ours)}
            for _ in range(rounds):
                for worker, (ups, downs) in times.items():
                    seconds, name = self.up(worker, replicas)
                    ups.append(seconds)
                    downs.append(self.down(worker, name))
                    time.sleep(1)
            what = "task" if replicas == 1 else "tasks"
            for index, verb in enumerate(("created to running", "removed to gone")):
                theirs, ours = times[self.peer][index], times[self.ours][index]
                rows.append((f"{replicas} {what}, {verb}", spread(theirs), spread(ours),
                             f"{statistics.median(theirs) / statistics.median(ours):.1f}x"))
        table(f"Starting and ending, seconds: median (least-most) of {self.options.rounds} rounds, single tasks {self.options.rounds * 3}",
              ("what", "dockerd 20.10", "skepd", "ratio"), rows)

    def memory(self):
        rows, names, running = [], {self.peer: [], self.ours: []}, 0
        for tasks in (0, self.options.tasks, self.options.many):
            for worker, service_names in names.items():
                if tasks > running:
                    service_names.append(self.up(worker, tasks - running)[1])
            running = tasks
            time.sleep(5)
            rows.append((f"{tasks} tasks", *self.sizes(self.peer, r"\S*(dockerd|containerd )", r"\S*containerd-shim"),
                         *self.sizes(self.ours, r"\S*skepd ", r"\S*conmon ")))
        table("Memory, MiB: RSS / PSS of the agent (dockerd and its containerd; skepd) and, per container, of what watches over it (shim; conmon)",
              ("", "dockerd", "per shim", "skepd", "per conmon"), rows)
        for worker, service_names in names.items():
            for name in service_names:
                self.manager.remove_service(name)
            self.wait(lambda worker=worker: not worker.api("GET", "/containers/json?all=1"), 300, f"{worker.name} is empty")

    @staticmethod
    def sizes(worker, agent, watcher):
        """RSS / PSS of the agent's processes together, and of the watchers on average."""
        def sum_of(pattern):
            found = [memory_kib(pid) for pid, line in processes() if worker.dir + "/" in line and re.match(pattern, line)
                     and not line.startswith(("nsenter", "unshare", "sh "))]
            return len(found), sum(rss for rss, _ in found) / 1024, sum(pss for _, pss in found) / 1024
        _, rss, pss = sum_of(agent)
        count, watcher_rss, watcher_pss = sum_of(watcher)
        per = f"{watcher_rss / count:.2f} / {watcher_pss / count:.2f}" if count else "-"
        return f"{rss:.1f} / {pss:.1f}", per

    def join(self):
        """Fresh skepds one after the other, each from token to Ready as the manager sees it; the phases are those that `skep join` shows."""
        host = self.net.host("joiner")
        token = self.manager.token()
        whole, ready, phases = [], [], {}
        for number in range(self.options.joins):
            node = Skepd(host)
            node.start("--hostname", f"joiner-{number}")
            begun = time.monotonic()
            shown = node.join(self.manager, token)
            whole.append(time.monotonic() - begun)
            self.wait(lambda number=number: self.manager.node_state(f"joiner-{number}") == "ready", 20, "Ready")
            ready.append(time.monotonic() - begun)
            steps = re.findall(r"^\s*([\d.]+)s\s+(\S.*)$", shown.stdout, re.M)  # when each phase began
            for (at, name), (end, _) in zip(steps, steps[1:] + [(whole[-1], "")]):
                phases.setdefault(name, []).append(max(0.0, float(end) - float(at)))
            identity = self.manager.node(f"joiner-{number}")["ID"]
            node.kill()
            self.net.daemons.remove(node)
            shutil.rmtree(node.dir)
            self.manager.docker("node", "rm", "--force", identity)
        rows = [(name, spread(samples, "ms"), f"{percentile(samples, 99) * 1000:.0f}") for name, samples in
                [*phases.items(), ("skep join as a whole", whole), ("token to Ready at the manager", ready)]]
        table(f"Joining, ms, over {self.options.joins} joins", ("phase", "median (least-most)", "p99"), rows)


def percentile(samples, percent):
    return sorted(samples)[min(len(samples) - 1, int(len(samples) * percent / 100))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--joins", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--only", default="start,memory,join")
    options = parser.parse_args()
    with Network() as net:
        bench = Bench(net, options)
        for part in options.only.split(","):
            getattr(bench, part)()


if __name__ == "__main__":
    main()
