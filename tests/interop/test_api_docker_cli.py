"""The stock docker commands, old and new, against our API: they must understand every answer, and a person must understand every refusal.

The API runs over an emulated host here (tests/helpers/api_fixture.c), so that no image, registry or manager is needed and nothing else can
fail; the scenarios beside this one run the same API in skepd with real containers."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.images import Image

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
SKEP = os.path.join(BUILD, "skep")
SKEP_IMAGE = os.path.join(BUILD, "skep-image")
WEB, JOB, IDLE = "a1b2c3d4e5f6", "a1b2c3ffffff", "b0b0c3ffffff"
TOKEN = "SWMTKN-1-fixture"


class Api(unittest.TestCase):
    """One API per test; `docker` is the command under test."""
    docker = None
    has_store = False  # real images, in place of the fixture's
    fixture = os.path.join(BUILD, "tests", "api_fixture")

    @classmethod
    def setUpClass(cls):
        if cls.docker is None or not os.path.exists(cls.docker):
            raise unittest.SkipTest(f"{cls.docker or 'no docker command'} is not here")
        if not os.path.exists(cls.fixture):
            raise unittest.SkipTest(f"tests/helpers/{os.path.basename(cls.fixture)} is not built")

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="skep-api-cli-")
        self.host = f"unix://{self.dir}/api.sock"
        self.log = open(os.path.join(self.dir, "log"), "w+b")
        store = [os.path.join(self.dir, "images"), SKEP_IMAGE] if self.has_store else []
        self.server = subprocess.Popen([self.fixture, self.host, *store], stdout=subprocess.PIPE, stderr=self.log)
        self.addCleanup(self.stop)
        self.assertEqual(self.server.stdout.readline(), b"ready\n")

    def stop(self):
        self.server.terminate()
        code = self.server.wait(10)
        self.server.stdout.close()
        self.log.seek(0)
        said = self.log.read().decode()
        self.log.close()
        shutil.rmtree(self.dir)
        self.assertEqual(code, 0, said)  # a leak or an overrun ends it with another code

    def command(self, *args, **more):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir, "DOCKER_CONFIG": self.dir, "DOCKER_CLI_HINTS": "false"}
        return subprocess.run([self.docker, "-H", self.host, *args], capture_output=True, timeout=30, env=env, **more)

    def ok(self, *args, **more):
        done = self.command(*args, **more)
        self.assertEqual(done.returncode, 0, f"{args}: {done.stderr.decode()}")
        return done.stdout.decode()

    def refused(self, words, *args):
        done = self.command(*args)
        self.assertNotEqual(done.returncode, 0, args)
        self.assertIn(words, done.stderr.decode())


class Docker:
    """What both docker commands do; mixed into a class for each."""

    def test_who_it_is(self):
        version = self.ok("version")
        self.assertIn("Server: Skep", version)
        self.assertIn("1.50 (minimum version 1.24)", version)
        info = self.ok("info")
        for line in ("Containers: 3", "Running: 1", "Stopped: 2", "Swarm: inactive", "Name: fixture", "Live Restore Enabled: true",
                     "skep.isolation.process=true"):
            self.assertIn(line, info)
        self.assertEqual(json.loads(self.ok("info", "--format", "{{json .Swarm}}"))["LocalNodeState"], "inactive")

    def test_containers(self):
        self.assertEqual(self.ok("ps", "-q").split(), [IDLE])
        self.assertEqual(self.ok("ps", "-aq").split(), [IDLE, JOB, WEB])
        self.assertEqual(self.ok("ps", "-aq", "--filter", "name=^web", "--filter", "label=tier").split(), [WEB])
        self.assertEqual(self.ok("ps", "-aq", "--filter", "exited=3").split(), [JOB])
        self.assertEqual(self.ok("ps", "-n", "1", "-q").split(), [IDLE])
        row = self.ok("ps", "--format", "{{.Image}} {{.Command}} {{.Status}} {{.Ports}} {{.Names}}")
        self.assertRegex(row, r'busybox:1.36 "sleep 100000" Up .* \(healthy\) 0.0.0.0:8080->80/tcp idle.1.z')
        self.refused("invalid filter 'colour'", "ps", "--filter", "colour=red")

    def test_inspect(self):
        self.assertEqual(self.ok("inspect", "-f", "{{.State.ExitCode}} {{.Config.Image}} {{.Path}}", "job.1.y").strip(), "3 busybox:1.36 exit")
        self.assertEqual(self.ok("inspect", "-f", "{{.Os}} {{.Config.Cmd}}", "busybox:1.36").strip(), "linux [sh]")
        self.refused("No such object: nothing", "inspect", "nothing")
        self.refused("multiple IDs or names found with provided prefix", "container", "inspect", "a1b2c3")

    def test_logs(self):
        self.assertEqual(self.ok("logs", "web.1.x"), "hello from web\n")
        self.assertRegex(self.ok("logs", "-f", "-t", "web.1.x"), r"^\d{4}-\d\d-\d\dT\S+Z hello from web\n$")
        self.assertEqual(self.ok("logs", "--tail", "0", "web.1.x"), "")
        self.refused("No such container: nothing", "logs", "nothing")

    def test_followed_log_ends_with_the_command(self):
        env = {"PATH": os.environ["PATH"], "HOME": self.dir}
        follow = subprocess.Popen([self.docker, "-H", self.host, "logs", "-f", "idle.1.z"], env=env)
        time.sleep(0.5)
        self.assertIsNone(follow.poll())
        follow.terminate()
        follow.wait(5)
        self.ok("ps")

    def test_stats(self):
        self.assertIn("idle.1.z", self.ok("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}"))

    def test_images(self):
        listed = self.ok("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}} {{.Size}}")
        self.assertIn("busybox:1.36 111111111111 4.26MB\n", listed)
        self.assertIn("<none>:<none> 444444444444", listed)
        self.assertNotIn("<none>", self.ok("images", "busybox"))
        self.assertIn("Untagged: busybox:1.36", self.ok("rmi", "busybox:1.36"))
        self.refused("No such image: nothing", "rmi", "nothing")

    def test_pull(self):
        said = self.ok("pull", "busybox:1.36")
        self.assertIn("a2abf6c4d29d: Pull complete", said)
        self.assertIn("Status: Downloaded newer image for busybox:1.36", said)

    def test_load(self):
        archive = os.path.join(self.dir, "a.tar")
        with open(archive, "wb") as file:
            file.write(os.urandom(300_000))
        self.assertIn("Loaded image: busybox:latest", self.ok("load", "-i", archive))
        with open(archive, "rb") as file:
            self.assertIn("Loaded image: busybox:latest", self.ok("load", "-q", stdin=file))

    def test_swarm(self):
        self.refused("Use \"docker swarm init\" or \"docker swarm join\"", "node", "ls")
        self.refused("This node is not part of a swarm", "swarm", "leave")
        self.refused("invalid join token", "swarm", "join", "--token", "wrong", "127.0.0.1:2377")
        self.assertEqual(self.ok("swarm", "join", "--token", TOKEN, "127.0.0.1:2377"), "This node joined a swarm as a worker.\n")
        info = self.ok("info")
        for line in ("Swarm: active", "NodeID: node1id", "Is Manager: false", "Node Address: 10.0.0.7", "10.0.0.5:2377"):
            self.assertIn(line, info)
        self.refused("This node is already part of a swarm", "swarm", "join", "--token", TOKEN, "127.0.0.1:2377")
        self.refused("Worker nodes can't be used to view or modify cluster state", "service", "ls")
        self.assertEqual(self.ok("swarm", "leave"), "Node left the swarm.\n")

    def test_events(self):
        time.sleep(1.1)  # the command cuts instants to whole seconds
        said = self.ok("events", "--since", "1h", "--until", "0s", "--filter", "type=container", "--filter", "event=die")
        self.assertRegex(said, r"container die " + JOB + r".*exitCode=3")
        self.assertNotIn("container start", said)

    def test_what_tasks_do_is_refused(self):
        words = "containers on this node are made and ended by swarm tasks only"
        for args in (("run", "busybox"), ("stop", "idle.1.z"), ("rm", "web.1.x"), ("exec", "idle.1.z", "ls")):
            self.refused(words, *args)
        self.assertEqual(len(self.ok("network", "ls").splitlines()), 1)
        self.assertEqual(len(self.ok("volume", "ls").splitlines()), 1)
        self.assertIn("Images", self.ok("system", "df"))


class Docker20(Docker, Api):
    docker = os.environ.get("DOCKER_OLD", "/usr/bin/docker")


class Docker28(Docker, Api):
    docker = os.environ.get("DOCKER_NEW", "/usr/local/bin/docker")


class Store:
    """Archives and names through the API into a real image store."""
    has_store = True

    def archive(self, name, **more):
        path = os.path.join(self.dir, "archive.tar")
        Image(name, cmd=["echo", name]).docker_archive(path, **more)
        return path

    def test_load_list_inspect_remove(self):
        for oci in (False, True):
            name = f"skep/hello:{int(oci)}"
            self.assertIn(f"Loaded image: {name}", self.ok("load", "-i", self.archive(name, oci=oci)))
            self.assertIn(name, self.ok("images", "--format", "{{.Repository}}:{{.Tag}}"))
            self.assertEqual(self.ok("inspect", "-f", "{{.Config.Cmd}}", name).strip(), f"[echo {name}]")
            self.assertIn(f"Untagged: {name}", self.ok("rmi", name))
        self.assertEqual(self.ok("images", "-q"), "")

    def test_damaged_archive_is_refused(self):
        with open(self.archive("skep/hello:1"), "rb") as file:
            half = file.read(5000)
        done = self.command("load", input=half)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("Truncated tar archive", done.stderr.decode())
        self.assertEqual(self.ok("images", "-q"), "")

    def test_unreachable_registry_is_named(self):
        self.refused("registry 127.0.0.1:1", "pull", "127.0.0.1:1/x:1")


class Docker20Store(Store, Api):
    docker = Docker20.docker


class Docker28Store(Store, Api):
    docker = Docker28.docker


class Skep(Api):
    """Our own command against the same API."""
    docker = SKEP

    def code(self, *args, **more):
        return self.command(*args, **more).returncode

    def test_verbs(self):
        self.assertEqual(self.ok("ps", "-q").split(), [IDLE])
        self.assertEqual(self.ok("logs", "web.1.x"), "hello from web\n")
        self.assertIn("busybox      1.36", self.ok("images"))
        self.assertIn("Swarm: inactive", self.ok("info"))
        self.assertIn("1.50", self.ok("version"))
        self.assertIn("a2abf6c4d29d: Pull complete\n", self.ok("pull", "busybox:1.36"))
        self.assertEqual(json.loads(self.ok("ps", "--format", "json"))["Names"], "idle.1.z")

    def test_join_shows_phases_and_keeps_the_token_off_the_command_line(self):
        said = self.ok("join", "--token-file", "-", "--availability", "drain", "127.0.0.1:2377", input=f"{TOKEN}\n".encode())
        self.assertRegex(said, r"(?s)^ +0\.\d{3}s  reading the join token\n.*requesting a certificate\n.*\nThis node joined a swarm as a worker.\n$")
        self.assertEqual(self.ok("leave"), "Node left the swarm.\n")

    def test_exit_codes_say_what_kind_of_failure(self):
        self.assertEqual(self.code("ps", "--nonsense"), 64)
        self.assertEqual(self.code("logs", "nothing"), 66)
        self.assertEqual(self.code("join", "--token", "wrong", "127.0.0.1:2377"), 65)
        self.assertEqual(self.code("leave"), 69)
        self.assertEqual(self.code("-H", "unix:///nonexistent", "ps"), 69)
        self.refused("Cannot connect to the Skep daemon at unix:///nonexistent. Is skepd running?", "-H", "unix:///nonexistent", "ps")

    def test_load_from_a_pipe(self):
        self.assertIn("Loaded image: busybox:latest", self.ok("load", input=os.urandom(200_000)))
        self.assertEqual(self.code("load", "-i", "/nonexistent"), 66)

    def test_reader_that_goes_away_is_no_crash(self):
        done = subprocess.run(f"{SKEP} -H {self.host} ps -a | head -0", shell=True, capture_output=True, timeout=30)
        self.assertNotIn(b"Sanitizer", done.stderr)


class Door(Api):
    """The socket itself."""
    docker = SKEP

    def test_socket_is_for_owner_and_group(self):
        self.assertEqual(os.stat(self.host[len("unix://"):]).st_mode & 0o777, 0o660)

    def test_second_daemon_is_refused_and_a_dead_ones_socket_replaced(self):
        second = subprocess.run([self.fixture, self.host], capture_output=True, timeout=30)
        self.assertEqual(second.returncode, 73)
        self.assertIn(b"another daemon listens", second.stderr)
        left = os.path.join(self.dir, "left.sock")
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(left)
        dead.close()
        third = subprocess.Popen([self.fixture, f"unix://{left}"], stdout=subprocess.PIPE)
        self.assertEqual(third.stdout.readline(), b"ready\n")
        third.terminate()
        self.assertEqual(third.wait(10), 0)
        third.stdout.close()
        self.assertFalse(os.path.exists(left))

    def test_many_idle_connections_do_not_shut_out_a_command(self):
        path, idle = self.host[len("unix://"):], []
        for _ in range(200):
            one = socket.socket(socket.AF_UNIX)
            one.connect(path)
            idle.append(one)
        self.ok("ps")
        for one in idle:
            one.close()


if __name__ == "__main__":
    unittest.main()
