"""A whole cluster of Skep managers, with real TLS, Raft and fsync, and agents that are emulated by one process: how fast a service's tasks are
placed and run, how many sessions one core holds, and how soon all is well again after the leader was killed. Prints tables; nothing here
passes or fails.

    sudo python3 tests/bench/bench_cluster.py [--only tasks,sessions,failover] [--sizes 1000x10000,1000x100000] [--managers 3]
                                              [--sessions 10000] [--seconds 60] [--runs 20] [--agents 300] [--perf FILE] [--smoke]

tasks      three managers on hosts of their own (network namespaces), every entry synced to disk by each; one `service create` with so many
           replicas, until the leader's store has all of them ASSIGNED (or beyond), and until it has all RUNNING. 10000x1000000 is a size too
sessions   so many agents in session with one manager for so long: each with a certificate, a TLS connection, Session, Assignments, heartbeats
failover   the leader of three is killed with SIGKILL, again and again: until a `service update` is acknowledged by another manager, and until
           every agent has a new session

The agents are tests/bench/bench_agents.c: their certificates come from the managers' CA by NodeCA. What a task would do on its node is not
measured: it is reported RUNNING as soon as it arrives. --perf records the leader meanwhile. SKEP_BUILD names the build: build/release."""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time

os.environ.setdefault("SKEP_BUILD", "build/release")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import swarm
from lib.hosts import Network, read, wait_until
from lib.skepd import BUILD, Skepd, memory_kib

AGENTS = os.path.join(BUILD, "tests", "bench_agents")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# What SwarmKit does on a machine such as this one.
SWARMKIT_PLACES_PER_S = "~2,200"
SWARMKIT_FAILOVER_S = "10-20 s"
LOOK_S = 0.1
DONE = ("assigned", "accepted", "preparing", "ready", "starting", "running")


def table(title, head, rows):
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(cell).ljust(width) if at == 0 else str(cell).rjust(width)
                                for at, (cell, width) in enumerate(zip(row, widths))) + " |")
    sys.stdout.flush()


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def load():
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def cpu_s(pid):
    """Processor time of all of a process' threads."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_mib(pid):
    return memory_kib(pid)[0] / 1024


def percentile(samples, part):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


class Quick:
    """Numbers of /metrics by name, or by name and one label's value, without the strict reading of lib.metrics: it is asked often."""

    def __init__(self, manager):
        text = manager.api("GET", "/metrics", raw=True, timeout_s=120).decode()
        self.found = dict(re.findall(r"^(\S+) (\S+)$", text, re.M))

    def __call__(self, name, default=0.0):
        return float(self.found.get(name, default))

    def tasks(self, *states):
        return sum(self(f'swarm_manager_tasks_total{{state="{state}"}}') for state in states)

    def nodes(self, state):
        return self(f'swarm_manager_nodes{{state="{state}"}}')


class Agents:
    """The process that emulates agents, on a host of its own."""

    def __init__(self, net, managers, count, at_once=64):
        self.count = count
        self.host = net.host("agents")
        self.log = os.path.join(self.host.dir, "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.host.inside([AGENTS, "--token", managers[0].token(), "--agents", str(count), "--at-once", str(at_once),
                                  *(manager.address for manager in managers)]),
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
        self.begun = time.monotonic()

    def ask(self, word="stats"):
        try:
            self.process.stdin.write(word + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise SystemError(f"bench_agents ended with {self.process.poll()}: {read(self.log)[-2000:]}")
        return json.loads(line)

    def wait(self, name, timeout_s=900):
        """Seconds from now until all agents have it."""
        begun = time.monotonic()
        def have():
            seen = self.ask()
            return seen[name] == self.count or self.fail(seen)
        wait_until(have, timeout_s, f"{self.count} {name}", every_s=LOOK_S)
        return time.monotonic() - begun

    @staticmethod
    def fail(seen):
        raise AssertionError(seen)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


class Cluster:
    """Managers that run no tasks themselves; and the agents in session with them, once they were started."""

    def __init__(self, net, managers):
        self.net = net
        self.managers = swarm(net, managers, kind=Skepd)
        self.agents = self.recording = None
        for manager in self.managers:
            self.managers[0].wait_node(manager.name)
            self.managers[0].docker("node", "update", "--availability", "drain", manager.name)

    def start_agents(self, count):
        self.agents = Agents(self.net, self.managers, count)
        self.certificates_s = self.agents.wait("certificates")
        say(f"{count} certificates in {self.certificates_s:.1f} s")
        self.sessions_s = self.agents.wait("sessions")
        say(f"{count} sessions in {self.sessions_s:.1f} s")
        return self

    def leader(self, among=None):
        def find():
            for manager in among or self.managers:
                try:
                    if manager.process.poll() is None and Quick(manager)("swarm_manager_leader") == 1:
                        return manager
                except (AssertionError, OSError):
                    continue
            return None
        return wait_until(find, 60, "a manager leads", every_s=0.05)

    def create(self, replicas, name="bench"):
        spec = {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": "registry.example/team/app:1"}}, "Mode": {"Replicated": {"Replicas": replicas}}}
        return self.leader().api("POST", "/services/create", spec)["ID"]

    def perf(self, file, manager):
        self.recording = Perf(file, manager.pid)
        return self.recording

    def close(self):
        if self.recording:
            self.recording.close()
        if self.agents:
            self.agents.close()


class Perf:
    """perf record of one process while it lasts."""

    def __init__(self, file, pid):
        self.process = file and subprocess.Popen(["perf", "record", "-q", "-g", "-F", "499", "-o", file, "-p", str(pid)], stdout=subprocess.DEVNULL,
                                                 stderr=subprocess.DEVNULL)

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)


def measure_tasks(arguments, nodes, tasks):
    rows = []
    with Network() as net:
        cluster = Cluster(net, arguments.managers)
        try:
            cluster.start_agents(nodes)
            leader = cluster.leader()
            before, cpu_before = Quick(leader), [cpu_s(manager.pid) for manager in cluster.managers]
            agents_before = cluster.agents.ask()["cpu_s"]
            perf = cluster.perf(arguments.perf, leader)
            begun = time.monotonic()
            cluster.create(tasks)
            created_s = time.monotonic() - begun
            assigned_s = None
            def all_run():
                nonlocal assigned_s
                now = Quick(leader)
                if arguments.trace:
                    states = {state: int(now.tasks(state)) for state in ("new", "pending", *DONE)}
                    say(f"{time.monotonic() - begun:6.2f} s, processor {cpu_s(leader.pid) - cpu_before[0]:.2f} s, entry "
                        f"{now('skep_raft_last_index') - before('skep_raft_last_index'):.0f}, {({key: value for key, value in states.items() if value})}")
                if assigned_s is None and now.tasks(*DONE) >= tasks:
                    assigned_s = time.monotonic() - begun
                return now.tasks("running") >= tasks or Agents.fail(sorted((key, value) for key, value in now.found.items()
                                                                           if key.startswith("swarm_manager_tasks_total") and value != "0"))
            wait_until(all_run, arguments.patience, f"{tasks} tasks run", every_s=LOOK_S)
            running_s = time.monotonic() - begun
            perf.close()
            after, cpu_after = Quick(leader), [cpu_s(manager.pid) for manager in cluster.managers]
            agents = cluster.agents.ask()
            cpu = [late - early for early, late in zip(cpu_before, cpu_after)]
            at = cluster.managers.index(leader)
            entries = after("skep_raft_last_index") - before("skep_raft_last_index")
            syncs = after("skep_raft_fsync_seconds_count") - before("skep_raft_fsync_seconds_count")
            sync_s = after("skep_raft_fsync_seconds_sum") - before("skep_raft_fsync_seconds_sum")
            rows = [["service created and acknowledged", f"{created_s:.2f} s", ""],
                    ["all ASSIGNED in the store", f"{assigned_s:.2f} s", f"{tasks / 2200:.0f} s, placing alone"],
                    ["– tasks a second", number(tasks / assigned_s), SWARMKIT_PLACES_PER_S],
                    ["all RUNNING in the store", f"{running_s:.2f} s", ""],
                    ["– tasks a second", number(tasks / running_s), ""],
                    ["Raft entries", number(entries), ""],
                    ["fsyncs of the leader", f"{syncs:,.0f} in {sync_s:.2f} s", ""],
                    ["processor time of the leader", f"{cpu[at]:.2f} s", ""],
                    ["processor time of a follower", " / ".join(f"{one:.2f} s" for i, one in enumerate(cpu) if i != at) or "-", ""],
                    ["processor time of all agents", f"{agents['cpu_s'] - agents_before:.2f} s", ""],
                    ["RSS of the leader", f"{rss_mib(leader.pid):.0f} MiB", ""],
                    ["RSS of a follower", " / ".join(f"{rss_mib(one.pid):.0f} MiB" for one in cluster.managers if one is not leader) or "-", ""],
                    ["the store's objects", f"{after('skep_store_size_bytes') / 1048576:.0f} MiB", ""],
                    ["sessions lost, nodes taken to be down", f"{agents['lost']}, {after('skep_dispatcher_lost_nodes_total'):.0f}", ""],
                    ["nodes joined, certificates a second", number(nodes / cluster.certificates_s), ""]]
        finally:
            cluster.close()
    table(f"{nodes:,} nodes x {tasks:,} tasks, {arguments.managers} managers, {load()}", ["", "Skep", "SwarmKit, known"], rows)


def measure_sessions(arguments):
    with Network() as net:
        cluster = Cluster(net, 1)
        manager = cluster.managers[0]
        try:
            idle_mib, idle_cpu_s = rss_mib(manager.pid), cpu_s(manager.pid)
            cluster.start_agents(arguments.sessions)
            joining_cpu_s = cpu_s(manager.pid) - idle_cpu_s
            time.sleep(arguments.settle)  # what registering and the first heartbeats have left to do
            agents_before, before, cpu_before = cluster.agents.ask("reset"), Quick(manager), cpu_s(manager.pid)
            perf = cluster.perf(arguments.perf, manager)
            begun = time.monotonic()
            time.sleep(arguments.seconds)
            seconds = time.monotonic() - begun
            cpu = cpu_s(manager.pid) - cpu_before
            perf.close()
            seen, after = cluster.agents.ask(), Quick(manager)
            mib = rss_mib(manager.pid)
            beats = after("skep_dispatcher_heartbeats_total") - before("skep_dispatcher_heartbeats_total")
            down = after.nodes("down"), after("skep_dispatcher_lost_nodes_total")
            each = [f"{number(one)} ms" for one in [*seen.get("late_ms", [0, 0, 0]), *seen.get("reply_ms", [0, 0, 0])]]
            rows = [["sessions at the end", f"{after('skep_dispatcher_sessions'):,.0f} of {arguments.sessions:,} and its own"],
                    ["certificates issued a second", number(arguments.sessions / cluster.certificates_s)],
                    ["connections and sessions begun a second", number(arguments.sessions / cluster.sessions_s)],
                    ["processor time of the manager until all were in session", f"{joining_cpu_s:.1f} s"],
                    ["period of heartbeats asked for", f"{after('skep_dispatcher_heartbeat_period_seconds'):.1f} s"],
                    ["heartbeats a second", number(beats / seconds)],
                    ["processor of the manager, of one core", f"{cpu / seconds * 100:.1f} %"],
                    ["– for one heartbeat", f"{cpu / max(beats, 1) * 1e6:.0f} us"],
                    ["processor of the process with the agents, of one core", f"{(seen['cpu_s'] - agents_before['cpu_s']) / seconds * 100:.1f} %"],
                    ["RSS of the manager, before and with all", f"{idle_mib:.0f}, {mib:.0f} MiB"],
                    ["RSS for one session", f"{(mib - idle_mib) * 1024 / arguments.sessions:.1f} KiB"],
                    ["heartbeats sent late by the agents, p50, p99, most", ", ".join(each[:3])],
                    ["heartbeats answered after, p50, p99, most", ", ".join(each[3:])],
                    ["sessions lost", seen["lost"]],
                    ["nodes taken to be down wrongly", f"{down[0]:.0f} now, {down[1]:.0f} ever"]]
        finally:
            cluster.close()
    table(f"{arguments.sessions:,} agents in session with one manager for {seconds:.0f} s, {load()}", ["", "Skep"], rows)


class Writer(threading.Thread):
    """Asks one manager to update the service until it is acknowledged, or another has done so."""

    def __init__(self, manager, service, is_over):
        super().__init__(daemon=True)
        self.manager, self.service, self.is_over = manager, service, is_over
        self.acknowledged = None
        self.start()

    def run(self):
        number_ = 0
        while not self.is_over.is_set():
            number_ += 1
            try:
                found = self.manager.api("GET", f"/services/{self.service}", timeout_s=5)
                found["Spec"]["Labels"] = {"write": f"{self.manager.name}-{number_}"}
                self.manager.api("POST", f"/services/{self.service}/update?version={found['Version']['Index']}", found["Spec"], timeout_s=5)
            except (AssertionError, OSError, ValueError):
                time.sleep(0.01)
                continue
            self.acknowledged = time.monotonic()
            self.is_over.set()


def kill_leader(cluster, service):
    """One run: milliseconds until the next acknowledged write, until half, 99 % and all of the agents are in session again."""
    agents = cluster.agents
    leader = cluster.leader()
    others = [manager for manager in cluster.managers if manager is not leader]
    wait_until(lambda: Quick(leader)("skep_raft_members_reachable") == len(cluster.managers), 60, "all managers are reachable")
    agents.wait("sessions", 60)
    killed = time.monotonic()
    leader.process.kill()
    agents.ask("mark")
    is_over = threading.Event()
    writers = [Writer(manager, service, is_over) for manager in others]
    if not is_over.wait(60):
        raise AssertionError("no write was acknowledged within 60 s")
    for writer in writers:
        writer.join(10)
    write_ms = min(writer.acknowledged for writer in writers if writer.acknowledged) * 1000 - killed * 1000
    agents.wait("since_mark", 120)
    back = agents.ask()["back_ms"]
    leader.process.wait(10)
    leader.start()
    wait_until(lambda: Quick(leader)("skep_ready") == 1, 60, "the killed manager is back", every_s=0.05)
    return [write_ms, *back]


def measure_failover(arguments):
    runs, down = [], 0
    with Network() as net:
        cluster = Cluster(net, arguments.managers)
        try:
            cluster.start_agents(arguments.agents)
            service = cluster.create(arguments.agents)
            wait_until(lambda: Quick(cluster.leader()).tasks("running") >= arguments.agents, 60, "the service runs")
            for at in range(arguments.runs):
                runs.append(kill_leader(cluster, service))
                say(f"run {at + 1}: write after {runs[-1][0]:.0f} ms, all agents after {runs[-1][3]:.0f} ms")
                down = max(down, Quick(cluster.leader())("skep_dispatcher_lost_nodes_total"))
            running = Quick(cluster.leader()).tasks("running")
        finally:
            cluster.close()
    write, half, most, every = zip(*runs)
    rows = [[what, *(f"{number(value)} ms" for value in (statistics.median(one), percentile(one, 0.99), max(one))), known]
            for what, one, known in (("to the next acknowledged `service update`", write, SWARMKIT_FAILOVER_S), ("to half of the agents in session again", half, ""),
                                     ("to 99 % of the agents", most, ""), ("to all agents", every, ""))]
    table(f"leader killed {arguments.runs} times, {arguments.managers} managers, {arguments.agents} agents, {load()}", ["", "p50", "p99", "most", "SwarmKit, known"],
          rows)
    print(f"\nnodes taken to be down: {down:.0f}; tasks running in the end: {running:.0f} of {arguments.agents}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="tasks,sessions,failover")
    parser.add_argument("--sizes", default="1000x10000,1000x100000", help="nodes x tasks, of tasks")
    parser.add_argument("--managers", type=int, default=3, help="of tasks and failover")
    parser.add_argument("--sessions", type=int, default=10000)
    parser.add_argument("--seconds", type=float, default=60, help="of sessions")
    parser.add_argument("--runs", type=int, default=20, help="of failover")
    parser.add_argument("--agents", type=int, default=300, help="of failover")
    parser.add_argument("--perf", metavar="FILE", help="perf record the leader into it")
    parser.add_argument("--trace", action="store_true", help="of tasks: their states over time")
    parser.add_argument("--smoke", action="store_true", help="everything, very small: does it work?")
    arguments = parser.parse_args()
    arguments.patience, arguments.settle = 900, 20
    if arguments.smoke:
        arguments.sizes, arguments.sessions, arguments.seconds, arguments.settle, arguments.runs, arguments.agents = "5x50", 20, 2, 1, 1, 5
    return arguments


def main():
    arguments = parse()
    picked = arguments.only.split(",")
    if "tasks" in picked:
        for size in arguments.sizes.split(","):
            measure_tasks(arguments, *map(int, size.split("x")))
    if "sessions" in picked:
        measure_sessions(arguments)
    if "failover" in picked:
        measure_failover(arguments)


if __name__ == "__main__":
    main()
