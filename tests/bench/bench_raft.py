"""Our Raft group beside etcd's, on one machine, in one run: commits per second, latency and processor time with 1, 64 and 1,000 proposals of
256 bytes outstanding; then how long a member takes to be back, and in what memory, against the length of its log. Prints tables; nothing here
passes or fails.

    sudo SKEP_BUILD=build/release python3 tests/bench/bench_raft.py [--rounds 5] [--seconds 5] [--outstanding 1,64,1000] [--connections N]
                                                                    [--lengths 0,100000,1000000] [--restarts 3] [--only commits,recovery] [--realtime]

Three members each, on the loopback of a network namespace, mutual TLS between members and to the client, every write synced to the same file
system. tests/bench/bench_raft_load drives both with the same calls (KV/Put over gRPC) at their leaders; the rounds alternate. Needs Debian's
etcd-server: deploy/install-deps.sh bench. Processor time is that of the three members together, from /proc/<pid>/stat."""
import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("SKEP_BUILD", "build/release")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import Network, read, run, wait_until
from lib.skepd import memory_kib

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOLS = os.path.join(ROOT, os.environ["SKEP_BUILD"], "tests")
MEMBERS = 3
NO_SNAPSHOT = 1_000_000_000
LOAD_CONNECTIONS = 8


def table(title, head, rows):
    widths = [max(len(str(row[column])) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        print("| " + " | ".join(str(cell).ljust(width) if number == 0 else str(cell).rjust(width)
                                for number, (cell, width) in enumerate(zip(row, widths))) + " |")
    sys.stdout.flush()


def number(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(samples):
    return f"{number(statistics.median(samples))} ({number(min(samples))}-{number(max(samples))})"


def ratio(theirs, ours, more_is_better):
    """How many times as good ours is; from the medians."""
    theirs, ours = statistics.median(theirs), statistics.median(ours)
    if not theirs or not ours:
        return "-"
    return f"{ours / theirs if more_is_better else theirs / ours:.2f}"


class Authority:
    """A root and one identity for each member and the client, as files ca.pem, node.pem, node.key in a directory each."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory)
        self._key("ca.key")
        self._openssl("req", "-x509", "-new", "-key", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=swarm-ca",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _openssl(self, *argv):
        run(["openssl", *argv], cwd=self.dir)

    def _key(self, name):
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name)

    def identity(self, name):
        where = os.path.join(self.dir, name)
        os.makedirs(where)
        with open(f"{where}/extensions", "w") as file:
            file.write("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:swarm-manager,DNS:" + name + "\n"
                       "keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n")
        self._key(f"{name}/node.key")
        self._openssl("req", "-new", "-key", f"{name}/node.key", "-out", f"{name}/node.csr", "-subj", f"/O=bench/OU=swarm-manager/CN={name}")
        self._openssl("x509", "-req", "-in", f"{name}/node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                      "-extfile", f"{name}/extensions", "-out", f"{name}/node.pem")
        with open(f"{where}/ca.pem", "w") as file:
            file.write(read(f"{self.dir}/ca.pem"))
        return where


class Group:
    """Three members of one kind, told apart by number; subclasses know the command line of one."""
    name, port = "", 0

    def __init__(self, host, authority, directory, realtime, snapshot_count=None):
        self.host = host
        self.dir = directory
        self.priority = ["chrt", "--rr", "5"] if realtime else []
        self.snapshot_count = snapshot_count
        self.client = authority.client
        self.identities = authority.members
        self.members = [None] * MEMBERS
        os.makedirs(directory)
        for number_ in range(MEMBERS):
            self.start(number_)

    def start(self, at):
        self.members[at] = self.host.start(self.priority + self.command(at), self.log(at))

    def log(self, at):
        return f"{self.dir}/{at}.log"

    def client_at(self, at):
        return f"127.0.0.1:{self.port + at}"

    def peer_at(self, at):
        return f"127.0.0.1:{self.port + 100 + at}"

    def pids(self):
        return [member.pid for member in self.members]

    def check(self):
        for at, member in enumerate(self.members):
            if member and member.poll() is not None:
                raise AssertionError(f"{self.name}: member {at} ended with {member.returncode}\n{read(self.log(at))[-4000:]}")

    def tool(self, verb, at, *more, timeout=900):
        self.check()
        done = self.host.run([*self.priority, f"{TOOLS}/bench_raft_load", verb, "--at", self.client_at(at), "--tls", self.client, *map(str, more)],
                             timeout=timeout, check=False)
        if done.returncode != 0:
            self.check()
            raise AssertionError(f"{done.stderr}{self.name}, the end of the member's log:\n{read(self.log(at))[-2000:]}")
        return json.loads(done.stdout)

    def leader(self):
        """The number of the leader, once all members follow the same."""
        def find():
            seen = [self.tool("status", at) for at in range(MEMBERS)]
            leaders = {one["leader"] for one in seen}
            return len(leaders) == 1 and "0" not in leaders and [one["member"] for one in seen].index(leaders.pop()) + 1
        return wait_until(find, 30, f"{self.name} has a leader", every_s=0.2) - 1

    def put(self, outstanding, connections, *more, timeout=900):
        pids = [word for pid in self.pids() for word in ("--pid", pid)]
        return self.tool("put", self.leader(), "--outstanding", outstanding, "--connections", min(outstanding, connections), *pids, *more,
                         timeout=timeout)

    def restart(self, at):
        """Kill a member, start it again; seconds until it knows the leader and has applied what the leader has; and its memory in MiB."""
        goal = self.tool("status", self.leader())["applied"]
        self.tool("await", at, "--applied", goal, "--seconds", 600)
        self.members[at].kill()
        self.members[at].wait()
        begun = time.monotonic()
        self.start(at)
        done = self.tool("await", at, "--applied", goal, "--seconds", 600)
        seconds = done["monotonic_s"] - begun
        time.sleep(1)
        rss, pss = memory_kib(self.members[at].pid)
        return seconds, rss / 1024, pss / 1024

    def log_mib(self, at):
        return int(run(["du", "-sk", self.data(at)]).stdout.split()[0]) / 1024

    def stop(self):
        for member in self.members:
            if member:
                member.kill()
        for member in self.members:
            if member:
                member.wait()
        run(["rm", "-rf", *(self.data(at) for at in range(MEMBERS))])


class Etcd(Group):
    name, port = "etcd", 20000

    def data(self, at):
        return f"{self.dir}/{at}.etcd"

    def command(self, at):
        tls = self.identities[at]
        files = {"cert-file": "node.pem", "key-file": "node.key", "trusted-ca-file": "ca.pem"}
        secure = [f"--{who}{flag}={tls}/{file}" for who in ("", "peer-") for flag, file in files.items()]
        snapshots = [f"--snapshot-count={self.snapshot_count}"] if self.snapshot_count else []
        return ["etcd", f"--name=m{at}", f"--data-dir={self.data(at)}", f"--listen-client-urls=https://{self.client_at(at)}",
                f"--advertise-client-urls=https://{self.client_at(at)}", f"--listen-peer-urls=https://{self.peer_at(at)}",
                f"--initial-advertise-peer-urls=https://{self.peer_at(at)}", "--initial-cluster-state=new",
                "--initial-cluster=" + ",".join(f"m{other}=https://{self.peer_at(other)}" for other in range(MEMBERS)),
                "--client-cert-auth", "--peer-client-cert-auth", "--logger=zap", "--log-level=warn",
                "--quota-backend-bytes=8589934592", *secure, *snapshots]


class Skep(Group):
    name, port = "skep", 21000

    def data(self, at):
        return f"{self.dir}/{at}.skep"

    def command(self, at):
        snapshots = ["--snapshot-interval", str(self.snapshot_count)] if self.snapshot_count else []
        members = [word for other in range(MEMBERS) for word in ("--member", f"{other + 1}={self.client_at(other)}")]
        return [f"{TOOLS}/bench_raft_member", "--id", str(at + 1), "--dir", self.data(at), "--tls", self.identities[at], *members, *snapshots]


class Bench:
    def __init__(self, net, options):
        self.options = options
        self.net = net
        self.host = net.host("loop")
        self.authority = Authority(f"{net.dir}/tls")
        self.authority.members = [self.authority.identity(f"member-{at}") for at in range(MEMBERS)]
        self.authority.client = self.authority.identity("client")
        self.kinds = [kind for kind in (Etcd, Skep) if kind.name in options.systems.split(",")]

    def group(self, kind, name, snapshot_count=None):
        return kind(self.host, self.authority, f"{self.net.dir}/{name}-{kind.name}", self.options.realtime, snapshot_count)

    def commits(self):
        groups = [self.group(kind, "commits") for kind in self.kinds]
        outstanding = [int(word) for word in self.options.outstanding.split(",")]
        results = {}
        for turn in range(self.options.rounds):
            for count in outstanding:
                for group in groups if turn % 2 == 0 else groups[::-1]:
                    one = group.put(count, self.options.connections, "--seconds", self.options.seconds, "--warm", 1)
                    results.setdefault((count, group.name), []).append(one)
                    if self.options.verbose:
                        print(group.name, count, json.dumps(one), file=sys.stderr)
                    time.sleep(0.5)
        for group in groups:
            group.stop()
        figures = (("commits per second", "per_s", True), ("latency p50, us", "p50_us", False), ("latency p99, us", "p99_us", False),
                   ("processor time of the three per commit, us", "cpu_us", False))
        rows = []
        for count in outstanding:
            for what, field, more_is_better in figures:
                rows.append(self.row(f"{count:,} outstanding: {what}", more_is_better,
                                     {group.name: [one[field] for one in results[count, group.name]] for group in groups}))
        table(f"Commits of 256 bytes: median (least-most) of {self.options.rounds} rounds of {self.options.seconds} s, "
              f"{self.options.connections} connections", self.head(), rows)

    def recovery(self):
        rows = []
        for length in (int(word) for word in self.options.lengths.split(",")):
            groups = [self.group(kind, f"recovery-{length}", NO_SNAPSHOT) for kind in self.kinds]
            results = {}
            for group in groups:
                if length:
                    group.put(min(length, 1000), LOAD_CONNECTIONS, "--count", length, "--warm", 0, timeout=3600)
            for _ in range(self.options.restarts):
                for group in groups:
                    at = (group.leader() + 1) % MEMBERS
                    seconds, rss, pss = group.restart(at)
                    for what, value in (("back after, s", seconds), ("RSS, MiB", rss), ("PSS, MiB", pss), ("its directory, MiB", group.log_mib(at))):
                        results.setdefault(what, {}).setdefault(group.name, []).append(value)
                    if self.options.verbose:
                        print(group.name, length, seconds, rss, pss, file=sys.stderr)
            for group in groups:
                group.stop()
            rows += [self.row(f"{length:,} entries: {what}", False, samples) for what, samples in results.items()]
        table(f"A follower killed and started, no snapshot in its log: median (least-most) of {self.options.restarts} restarts; "
              "back: it knows the leader and has applied all", self.head(), rows)

    def head(self):
        return ("what", *(kind.name for kind in self.kinds), *(["ratio"] if len(self.kinds) == 2 else []))

    def row(self, what, more_is_better, samples):
        cells = [spread(samples[kind.name]) for kind in self.kinds]
        return (what, *cells, *([ratio(samples["etcd"], samples["skep"], more_is_better)] if len(self.kinds) == 2 else []))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--outstanding", default="1,64,1000")
    parser.add_argument("--connections", type=int, default=8, help="of the client to the leader; never more than are outstanding")
    parser.add_argument("--lengths", default="0,100000,1000000")
    parser.add_argument("--restarts", type=int, default=3)
    parser.add_argument("--realtime", action="store_true", help="members and clients of both before all other work on the machine, which then "
                        "waits: what it does to latency is left out")
    parser.add_argument("--only", default="commits,recovery")
    parser.add_argument("--systems", default="etcd,skep")
    parser.add_argument("--verbose", action="store_true", help="each round on standard error")
    options = parser.parse_args()
    if run(["sh", "-c", "command -v etcd"], check=False).returncode != 0:
        sys.exit("bench_raft.py: there is no etcd: deploy/install-deps.sh bench")
    missing = [name for name in ("bench_raft_load", "bench_raft_member") if not os.path.exists(f"{TOOLS}/{name}")]
    if missing:
        sys.exit(f"bench_raft.py: {TOOLS} has no {' and no '.join(missing)}: build it, or set SKEP_BUILD")
    with Network() as net:
        kind = run(["stat", "--file-system", "--format=%T", net.dir]).stdout.strip()
        if kind in ("tmpfs", "ramfs"):
            sys.exit(f"bench_raft.py: {net.dir} is a {kind}, where a sync costs nothing: set TMPDIR to a directory on a disk")
        print(f"file system: {kind}; {run(['etcd', '--version']).stdout.splitlines()[0]}; {os.cpu_count()} cores; "
              f"load before: {read('/proc/loadavg').split()[0]}")
        bench = Bench(net, options)
        for part in options.only.split(","):
            getattr(bench, part)()


if __name__ == "__main__":
    main()
