"""What a person types, on a real node: `docker` 20.10, `docker` 28.2 and `skep` against a skepd with real containers, under a real dockerd as the
manager and beside a real registry. The three are given the same work; exit codes are docker's and the ones that skep(1) lists."""
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import wait_until
from lib.registry import Registry
from lib.scenario import Scenario
from lib.skepd import SANITIZERS, SKEP, Skepd

BEATS = 'trap "echo bye; exit 0" TERM; i=0; while :; do i=$((i + 1)); echo beat $i; sleep 0.2 & wait $!; done'
SPEAKS = "for i in 1 2 3 4 5; do echo out $i; sleep 0.02; done; echo err >&2; exit 3"
NOTHING = "no-such-thing"


class Steps:
    """In order: each test goes on from the one before. A class for each command says how that one is called."""

    program = version = None
    swarm_verb = ("swarm",)

    @classmethod
    def setUpClass(cls):
        cls.need_program()
        super().setUpClass()
        cls.make_swarm()
        cls.node = Skepd(cls.net.host("skep-a")).start()
        cls.home = os.path.join(cls.net.dir, "home")
        os.makedirs(cls.home)
        cls.registry = Registry(cls.node.host).start()

    @classmethod
    def need_program(cls):
        """The command is of this version, or the class is skipped with a line that says so."""
        told = ""
        if os.path.exists(cls.program):
            told = subprocess.run([cls.program, "--version"], capture_output=True, text=True, timeout=30).stdout
        if f"version {cls.version}" not in told:
            raise unittest.SkipTest(f"docker {cls.version} is not at {cls.program}: it was not tried against a real node")

    # How the command is called

    def argv(self, *args, daemon=None):
        return [self.program, "-H", f"unix://{(daemon or self.node).socket}", *args]

    def env(self):
        return {"PATH": os.environ["PATH"], "HOME": self.home, "DOCKER_CONFIG": self.home, "DOCKER_CLI_HINTS": "false", "TERM": "xterm",
                **SANITIZERS}

    def call(self, *args, daemon=None, stdin=subprocess.DEVNULL):
        return subprocess.run(self.argv(*args, daemon=daemon), stdin=stdin, capture_output=True, text=True, timeout=60, env=self.env())

    def ok(self, *args, **more):
        done = self.call(*args, **more)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stdout}{done.stderr}")
        return done.stdout

    def on_terminal(self, *args):
        """The exit code of the command on a terminal, and what it wrote there."""
        ours, its = pty.openpty()
        with subprocess.Popen(self.argv(*args), stdin=its, stdout=its, stderr=its, env=self.env(), start_new_session=True) as process:
            os.close(its)
            self.addCleanup(process.kill)
            shown = b""
            with contextlib.suppress(OSError):  # the terminal's end is EIO
                while piece := os.read(ours, 65536):
                    shown += piece
            os.close(ours)
            return process.wait(30), shown.decode()

    @contextlib.contextmanager
    def live(self, *args):
        """The command running, its output one line at a time."""
        process = subprocess.Popen(self.argv(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   bufsize=1, env=self.env())
        alarm = signal.signal(signal.SIGALRM, lambda *_: process.kill())  # a line that never comes ends the reading
        signal.alarm(30)
        try:
            yield process
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, alarm)
            process.kill()
            process.wait(10)
            process.stdout.close()

    def refused(self, words, codes, *args):
        """It fails with these words, and with the first code as docker or the second as skep."""
        done = self.call(*args)
        self.assertEqual(done.returncode, codes[self.is_skep], f"{args}: {done.stdout}{done.stderr}")
        self.assertRegex(done.stderr, words)
        if not (self.is_skep and "join" in args):  # which shows the phases that it came to
            self.assertEqual(done.stdout, "", f"{args}: a failure speaks on standard error only")
        return done

    @property
    def is_skep(self):
        return self.program == SKEP

    def container(self, service, state="running"):
        """The name and id of the service's one container."""
        def found():
            return [entry for entry in self.node.containers(everything=True)
                    if entry["Names"][0].startswith(f"/{service}.") and entry["State"] == state]
        entry = wait_until(found, 30, f"a container of {service} is {state}")[0]
        return entry["Names"][0][1:], entry["Id"]

    def swarm_state(self):
        return self.node.api("GET", "/info")["Swarm"]["LocalNodeState"]

    # Before a swarm

    def test_01_info(self):
        info = self.ok("info")
        for line in ("Swarm: inactive", "Name: skep-a", "Containers: 0", "Images: 0"):
            self.assertIn(f" {line}\n", info)

    def test_02_load_says_what_it_loaded(self):
        self.assertEqual(self.ok("load", "-i", self.image("hive:1")), "Loaded image: hive:1\n")
        with open(self.image("hive:2", files={"etc/second": b"2"}), "rb") as archive:
            self.assertEqual(self.ok("load", "-q", stdin=archive), "Loaded image: hive:2\n")
        code, shown = self.on_terminal("load", "-i", self.image("hive:3", files={"etc/third": b"3" * 300_000}))
        self.assertEqual(code, 0, shown)
        self.assertIn("Loaded image: hive:3\r\n", shown)
        self.refused("(?i)no such file", (1, 66), "load", "-i", os.path.join(self.net.dir, NOTHING))
        with open(os.path.join(self.net.dir, "noise.tar"), "wb") as file:
            file.write(b"no archive at all" * 1000)
        self.refused("(?i)archive|tar", (1, 65), "load", "-q", "-i", file.name)

    def test_03_images(self):
        table = self.ok("images").splitlines()
        self.assertRegex(table[0], r"^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$")
        self.assertEqual(sorted(tuple(row.split()[:2]) for row in table[1:]), [("hive", "1"), ("hive", "2"), ("hive", "3")])
        whole = self.node.api("GET", "/images/hive:1/json")["Id"]
        self.assertEqual(self.ok("images", "-q", "hive:1"), f"{whole[7:19]}\n")
        self.assertEqual(self.ok("images", "-q", "--no-trunc", "hive:1"), f"{whole}\n")
        self.assertEqual(self.ok("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=hive:2"), "hive:2\n")
        self.assertEqual(self.ok("images", "-q", NOTHING), "", "an image that is not there is no failure of a list")

    # Pulls

    def push(self, name, tag):
        reference = self.registry.push(name, tag, files={"etc/part": f"{name}:{tag}".encode() * 20_000})
        head = self.node.host.run(["curl", "-fsI", "-H", "Accept: application/vnd.docker.distribution.manifest.v2+json",
                                   "-H", "Accept: application/vnd.oci.image.manifest.v1+json",
                                   f"http://{self.registry.address}/v2/{name}/manifests/{tag}"]).stdout
        return reference, re.search(r"(?i)docker-content-digest: (\S+)", head)[1]

    def test_04_pull_into_a_pipe(self):
        reference, digest = self.push("apiary/hive", "1")
        lines = self.ok("pull", reference).splitlines()
        self.assertEqual(lines[0], "1: Pulling from apiary/hive")
        done = [line for line in lines if re.fullmatch(r"[0-9a-f]{12}: Pull complete", line)]
        document = self.node.api("GET", f"/images/{reference}/json")
        self.assertEqual(len(done), len(document["RootFS"]["Layers"]), lines)
        self.assertEqual(lines[-3:], [f"Digest: {digest}", f"Status: Downloaded newer image for {reference}", reference])
        self.assertNotIn("\x1b", "".join(lines), "no terminal, no escapes")
        self.assertIn(f"{self.registry.address}/apiary/hive@{digest}", document["RepoDigests"])

        again = self.ok("pull", reference).splitlines()
        self.assertEqual(again[-3:], [f"Digest: {digest}", f"Status: Image is up to date for {reference}", reference])
        self.assertEqual(self.ok("pull", "-q", reference), f"{reference}\n")

    def test_05_pull_on_a_terminal(self):
        reference, digest = self.push("apiary/comb", "2")
        code, shown = self.on_terminal("pull", reference)
        self.assertEqual(code, 0, shown)
        self.assertIn("2: Pulling from apiary/comb", shown)
        self.assertRegex(shown, r"[0-9a-f]{12}: (\x1b\[\S+)*Pull complete")
        self.assertRegex(shown, r"\x1b\[\d+A", "a layer's line is written over")
        self.assertIn(f"Digest: {digest}", shown)
        self.assertIn(f"Status: Downloaded newer image for {reference}", shown)

    def test_06_pull_of_what_is_not_there(self):
        address = self.registry.address
        self.refused(r"(?i)manifest.*(unknown|not found)", (1, 66), "pull", f"{address}/apiary/hive:{NOTHING}")
        self.refused(r"(?i)invalid reference|not a valid", (1, 64), "pull", "Upper/Case:1")
        # Nobody listens there.
        self.refused(r"(?i)connect|refused", (1, 69), "pull", "127.0.0.1:1/apiary/hive:1")

    # Joining

    def test_07_join_with_a_wrong_token(self):
        join = (*self.swarm_verb, "join", "--token")
        good = self.manager.token()
        head, secret = good.rsplit("-", 1)
        another_secret = secret[:-1] + ("1" if secret[-1] == "0" else "0")
        another_cluster = re.sub(r"^(SWMTKN-1-)[^-]+", r"\g<1>" + "3" * 50, good)
        self.refused(r"(?i)invalid join token", (1, 65), *join, "wrong", self.manager.address)
        self.refused(r"(?i)token", (1, 65), *join, f"{head}-{another_secret}", self.manager.address)
        self.refused(r"(?i)another cluster|digest|not the one", (1, 77), *join, another_cluster, self.manager.address)
        self.assertEqual(self.swarm_state(), "inactive")
        self.refused(r"(?i)not part of a swarm", (1, 69), *self.swarm_verb, "leave")

    def test_08_join(self):
        join = (*self.swarm_verb, "join", "--token", self.manager.token(), self.manager.address)
        told = self.ok(*join)
        self.assertEqual(told.splitlines()[-1], "This node joined a swarm as a worker.")
        self.manager.wait_node("skep-a")
        info = self.ok("info")
        self.assertIn(" Swarm: active\n", info)
        self.assertIn(f"  NodeID: {self.manager.node('skep-a')['ID']}\n", info)
        self.assertIn(f"   {self.manager.address}\n", info)
        second = self.refused(r"This node is already part of a swarm", (1, 69), *join)
        self.same_as_dockerd(second, *join)

    def same_as_dockerd(self, done, *args):
        """A docker command cannot tell us from dockerd 20.10: same code, and with the command of that release the same words."""
        if self.is_skep:
            return
        theirs = self.call(*args, daemon=self.manager)
        self.assertEqual(done.returncode, theirs.returncode)
        if self.version == "20.10":
            self.assertEqual(done.stderr, theirs.stderr)

    # What runs

    def test_09_ps(self):
        self.manager.create_service("beats", "hive:1", "sh", "-c", BEATS, on="skep-a")
        self.manager.create_service("speaks", "hive:1", "sh", "-c", SPEAKS, on="skep-a", options=["--restart-condition", "none"])
        name, whole = self.container("beats")
        ended, ended_id = self.container("speaks", "exited")
        table = self.ok("ps").splitlines()
        self.assertRegex(table[0], r"^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$")
        self.assertEqual(len(table), 2)
        self.assertRegex(table[1], rf'^{whole[:12]} +hive:1 +"sh -c .*…" +\S.* ago +Up .*{re.escape(name)}$')
        self.assertEqual(self.ok("ps", "-q"), f"{whole[:12]}\n")
        self.assertEqual(self.ok("ps", "-q", "--no-trunc"), f"{whole}\n")
        self.assertEqual(sorted(self.ok("ps", "-aq", "--no-trunc").split()), sorted([whole, ended_id]))
        for one in ("status=exited", "exited=3", "name=speaks", f"id={ended_id[:20]}", "label=com.docker.swarm.service.name=speaks"):
            self.assertEqual(self.ok("ps", "-aq", "--no-trunc", "--filter", one), f"{ended_id}\n", one)
        row = self.ok("ps", "-a", "--filter", "name=speaks", "--format", "{{.Names}}|{{.Image}}|{{.Status}}")
        self.assertRegex(row, rf"^{re.escape(ended)}\|hive:1\|Exited \(3\) .* ago\n$")
        self.assertIn("sleep 0.2 & wait $!; done'", self.ok("ps", "--no-trunc"), "the whole command")
        self.refused(r"(?i)invalid filter", (1, 64), "ps", "--filter", "colour=red")

    def test_10_logs(self):
        name, whole = self.container("speaks", "exited")
        done = self.call("logs", name)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "".join(f"out {i}\n" for i in range(1, 6)), "err\n"))
        self.assertEqual(self.ok("logs", "--tail", "3", whole[:12]), "out 4\nout 5\n", "the third is on the other stream")
        stamped = self.ok("logs", "--timestamps", name).splitlines()
        for i, line in enumerate(stamped, 1):
            self.assertRegex(line, rf"^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z out {i}$")
        third = stamped[2].split()[0]
        self.assertEqual(self.ok("logs", "--since", third, name), "out 3\nout 4\nout 5\n")
        self.assertEqual(self.ok("logs", "--since", "1h", "--tail", "all", name).count("\n"), 5)
        self.assertEqual(self.ok("logs", "--until", stamped[0].split()[0], name), "out 1\n")
        self.assertEqual(self.ok("logs", "-f", name).count("\n"), 5, "following what has ended ends")

    def test_11_logs_are_followed_until_the_end(self):
        name, _ = self.container("beats")
        seen = int(self.ok("logs", "--tail", "1", name).split()[1])
        with self.live("logs", "-f", "--tail", "0", name) as follow:
            first = [int(follow.stdout.readline().split()[1]) for _ in range(3)]
            self.assertGreater(first[0], seen, "only lines of after it was asked")
            self.assertEqual(first, [first[0], first[0] + 1, first[0] + 2])
            self.assertIsNone(follow.poll())
            self.manager.remove_service("beats")
            rest = follow.stdout.read().splitlines()
            self.assertEqual(follow.wait(10), 0)
        self.assertEqual(rest[-1], "bye", "nothing is missing at its end")
        self.assertEqual([int(line.split()[1]) for line in rest[:-1]], list(range(first[2] + 1, first[2] + len(rest))))

    def test_12_errors_are_dockers(self):
        for args, words in ((("logs", NOTHING), "No such container: " + NOTHING), (("inspect", NOTHING), "(?i)No such object: " + NOTHING),
                            (("stats", "--no-stream", NOTHING), "No such container: " + NOTHING),
                            (("image", "inspect", NOTHING), "(?i)No such image: " + NOTHING), (("rmi", NOTHING), "No such image: " + NOTHING)):
            with self.subTest(args):
                if self.is_skep and args[0] == "image":  # of which it has prune alone
                    self.refused("requires exactly 1 argument", (None, 64), *args)
                    continue
                if self.is_skep and args[0] not in ("logs", "rmi"):
                    self.refused(f"'{args[0]}' is not a skep command", (None, 64), *args)
                    continue
                done = self.call(*args)
                self.assertEqual(done.returncode, 66 if self.is_skep else 1)
                self.assertRegex(done.stderr, words)
                self.same_as_dockerd(done, *args)
        self.refused("(?i)unknown flag: --colour", (125, 64), "ps", "--colour")
        self.refused("(?i)requires (exactly |at least )?1 argument", (1, 64), "pull")
        nobody = subprocess.run([self.program, "-H", f"unix://{self.net.dir}/nobody", "ps"], capture_output=True, text=True, timeout=30,
                                env=self.env())
        self.assertEqual(nobody.returncode, 69 if self.is_skep else 1)
        self.assertRegex(nobody.stderr, "Cannot connect to the (Docker|Skep) daemon at unix://")

    # Leaving

    def test_20_leave_ends_the_tasks(self):
        self.manager.create_service("stays", "hive:1", "sh", "-c", BEATS, on="skep-a")
        self.container("stays")
        self.assertEqual(self.ok(*self.swarm_verb, "leave"), "Node left the swarm.\n")
        self.assertEqual(self.swarm_state(), "inactive")
        self.node.assert_clean()
        self.assertEqual(self.ok("ps", "-aq"), "")
        self.refused(r"(?i)not part of a swarm", (1, 69), *self.swarm_verb, "leave", "--force")

    def test_21_joins_again_and_leaves_by_force(self):
        self.ok(*self.swarm_verb, "join", "--token", self.manager.token(), self.manager.address)
        self.manager.wait_node("skep-a")
        self.assertEqual(self.ok(*self.swarm_verb, "leave", "--force"), "Node left the swarm.\n")
        self.assertEqual(self.swarm_state(), "inactive")
        self.assertEqual(sorted(self.ok("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=hive").split()),
                         ["hive:1", "hive:2", "hive:3"], "images stay")


class DockerSteps(Steps):
    """What only docker has a verb for."""

    def test_13_stats(self):
        self.manager.create_service("busy", "hive:1", "sh", "-c", BEATS, on="skep-a")
        name, whole = self.container("busy")
        row = self.ok("stats", "--no-stream", "--format", "{{.Name}}|{{.ID}}|{{.CPUPerc}}|{{.MemUsage}}|{{.PIDs}}", name)
        self.assertRegex(row, rf"^{re.escape(name)}\|{whole[:12]}\|\d+\.\d\d%\|[\d.]+[KM]iB / [\d.]+GiB\|[1-9]\d*\n$")
        self.assertRegex(self.ok("stats", "--no-stream"), rf"(?s)^CONTAINER ID +NAME.*{re.escape(name)}")

    def test_14_inspect(self):
        name, whole = self.container("busy")
        seen = json.loads(self.ok("inspect", name))[0]
        self.assertEqual((seen["Id"], seen["Path"], seen["Args"]), (whole, "sh", ["-c", BEATS]))
        self.assertTrue(seen["State"]["Running"])
        self.assertTrue(os.path.isdir(f"/proc/{seen['State']['Pid']}"))
        self.assertEqual(seen["Image"], self.ok("inspect", "-f", "{{.Id}}", "hive:1").strip())
        self.assertEqual(self.ok("image", "inspect", "-f", "{{.RepoTags}}", "hive:1"), "[hive:1]\n")

    def test_15_events(self):
        with self.live("events", "--filter", "type=container", "--format", "{{json .}}") as events:
            time.sleep(0.3)
            self.manager.create_service("brief", "hive:1", "sh", "-c", "exit 3", on="skep-a", options=["--restart-condition", "none"])
            told = []
            while not told or told[-1]["Action"] != "die":
                told.append(json.loads(events.stdout.readline()))
        self.assertEqual([event["Action"] for event in told], ["create", "start", "die"])
        self.assertEqual(told[-1]["Actor"]["Attributes"]["exitCode"], "3")
        self.assertEqual({event["Actor"]["ID"] for event in told}, {self.container("brief", "exited")[1]})
        self.assertRegex(told[0]["Actor"]["Attributes"]["name"], r"^brief\.1\.")

    def test_16_what_tasks_do_is_refused(self):
        self.refused("by swarm tasks only", (125, None), "run", "hive:1")
        self.refused("by swarm tasks only", (1, None), "rm", "-f", self.container("busy")[0])
        self.manager.remove_service("busy", "brief", "speaks")


class Docker20(DockerSteps, Scenario):
    program, version = "/usr/bin/docker", "20.10"


class Docker28(DockerSteps, Scenario):
    program, version = "/usr/local/bin/docker", "28.2"


class SkepCommand(Steps, Scenario):
    program, swarm_verb = SKEP, ()

    @classmethod
    def need_program(cls):
        pass  # where it is not built the whole scenario is skipped

    def test_13_joining_shows_its_phases(self):
        self.manager.remove_service("speaks")
        identity = self.manager.node("skep-a")["ID"]
        self.ok("leave", "-f")
        self.manager.docker("node", "rm", "--force", identity)  # it would be given tasks until it is found to be down
        told = self.ok("join", "--token", self.manager.token(), self.manager.address).splitlines()
        phases = [line for line in told if re.match(r" *\d+\.\d{3}s  \S", line)]
        self.assertEqual(phases, told[:-1])
        self.assertRegex("\n".join(phases), r"(?s)root CA.*certificate")
        self.manager.wait_node("skep-a")


if __name__ == "__main__":
    unittest.main()
