"""The stock docker commands, old and new, against the API of a manager: what they say to a swarm, and what they make of its answers.

The swarm is a real control on a store in memory (tests/helpers/swarm_api_fixture.c) that nobody schedules; scenarios with real managers and
real containers stand beside this one."""
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from test_api_docker_cli import BUILD, SKEP, Api as NodeApi


class Swarm(NodeApi):
    fixture = os.path.join(BUILD, "tests", "swarm_api_fixture")

    def setUp(self):
        super().setUp()
        self.assertIn("Swarm initialized: current node (m1) is now a manager.", self.ok("swarm", "init", "--advertise-addr", "10.0.0.1"))

    def inspect(self, kind, name):
        return json.loads(self.ok(kind, "inspect", name))[0]

    def create_web(self, *args):
        return self.ok("service", "create", "-d", "--name", "web", "--replicas", "2", *args, "busybox:1", "sleep", "100").strip()


class Docker:
    def test_swarm_begins_and_is_left(self):
        self.assertIn("Is Manager: true", self.ok("info"))
        self.refused("already part of a swarm", "swarm", "join", "--token", "SWMTKN-1-fixture", "10.0.0.5:2377")
        self.refused("Removing the last manager erases all current state of the swarm", "swarm", "leave")
        self.assertEqual(self.ok("swarm", "leave", "--force"), "Node left the swarm.\n")

    def test_tokens(self):
        self.assertIn("docker swarm join --token worker-token 10.0.0.1:2377", self.ok("swarm", "join-token", "worker"))
        self.assertEqual(self.ok("swarm", "join-token", "-q", "--rotate", "manager"), "manager-anew\n")
        self.assertEqual(self.ok("swarm", "join-token", "-q", "worker"), "worker-token\n")

    def test_swarm_is_updated(self):
        self.assertIn("Swarm updated.", self.ok("swarm", "update", "--task-history-limit", "3", "--cert-expiry", "48h"))
        swarm = json.loads(self.ok("info", "-f", "{{json .Swarm.Cluster.Spec}}"))
        self.assertEqual(swarm["Orchestration"]["TaskHistoryRetentionLimit"], 3)
        self.assertEqual(swarm["CAConfig"]["NodeCertExpiry"], 48 * 3600 * 10**9)
        self.assertEqual(self.ok("swarm", "ca"), "public\n")
        self.refused("swarm is not locked", "swarm", "unlock")

    def test_nodes(self):
        self.assertEqual(self.ok("node", "ls", "--format", "{{.ID}} {{.Hostname}} {{.ManagerStatus}} {{.Self}}"), "m1 hive Leader true\n")
        self.ok("node", "update", "--label-add", "rack=1", "--availability", "pause", "hive")
        node = self.inspect("node", "self")
        self.assertEqual((node["Spec"]["Labels"], node["Spec"]["Availability"]), ({"rack": "1"}, "pause"))
        self.assertEqual(self.ok("node", "ls", "-q", "--filter", "node.label=rack=1"), "m1\n")
        self.refused("must be demoted to worker before removal", "node", "rm", "hive")
        self.refused("attempting to demote the last manager of the swarm", "node", "demote", "hive")
        self.assertEqual(len(self.ok("node", "ps").splitlines()), 1)

    def test_service_lives(self):
        service_id = self.create_web("--env", "A=b", "--label", "tier=edge", "--publish", "mode=host,target=80,published=8080")
        self.assertEqual(self.ok("service", "ls", "--format", "{{.ID}} {{.Name}} {{.Mode}} {{.Replicas}} {{.Ports}}"),
                         f"{service_id[:12]} web replicated 0/2 \n")
        self.assertIn("web scaled to 3", self.ok("service", "scale", "-d", "web=3"))
        self.ok("service", "update", "-d", "--env-add", "C=d", "web")
        env = self.inspect("service", "web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"]
        self.assertEqual(sorted(env), ["A=b", "C=d"])  # the client sends them in any order
        self.ok("service", "rollback", "-d", "web")
        self.assertEqual(self.inspect("service", "web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"], ["A=b"])
        self.assertIn("Update order:      stop-first", self.ok("service", "inspect", "--pretty", "web"))
        self.assertEqual(len(self.ok("service", "ps", "web").splitlines()), 1)
        self.refused("name conflicts with an existing object", "service", "create", "-d", "--name", "web", "busybox:1")
        self.assertEqual(self.ok("service", "rm", "web"), "web\n")
        self.assertEqual(self.ok("service", "ls", "-q"), "")
        self.refused("web", "service", "inspect", "web")

    def test_global_service_and_job(self):
        self.ok("service", "create", "-d", "--mode", "global", "--name", "everywhere", "busybox:1")
        self.ok("service", "create", "-d", "--mode", "replicated-job", "--name", "job", "busybox:1", "true")
        self.assertEqual(self.ok("service", "ls", "--filter", "mode=global", "--format", "{{.Name}}"), "everywhere\n")
        self.assertIn("job", self.ok("service", "ls", "--filter", "mode=replicated-job"))

    def test_secrets_and_configs(self):
        for kind in ("secret", "config"):
            self.ok(kind, "create", "--label", "of=bees", "jar", "-", input=b"honey")
            self.assertEqual(self.ok(kind, "ls", "--filter", "label=of=bees", "--format", "{{.Name}}"), "jar\n")
            self.assertEqual(self.inspect(kind, "jar")["Spec"].get("Data"), None if kind == "secret" else "aG9uZXk=")
            self.refused(f"{kind} jar already exists", kind, "create", "jar", __file__)
        self.create_web("--secret", "jar", "--config", "source=jar,target=/etc/jar")
        for kind in ("secret", "config"):
            self.refused("is in use by the following service: web", kind, "rm", "jar")
        self.ok("service", "rm", "web")
        for kind in ("secret", "config"):
            self.assertEqual(self.ok(kind, "rm", "jar"), "jar\n")

    def test_networks(self):
        self.create_web("--network", "host")
        self.assertIn("Networks: host", self.ok("service", "inspect", "--pretty", "web"))
        self.assertEqual(self.ok("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"),
                         "bridge bridge local\nhost host local\nnone null local\n")
        self.refused("cannot create overlay networks yet", "network", "create", "-d", "overlay", "meadow")
        self.refused("is a pre-defined network and cannot be removed", "network", "rm", "bridge")


class Docker20(Docker, Swarm):
    docker = os.environ.get("DOCKER_OLD", "/usr/bin/docker")


class Docker28(Docker, Swarm):
    docker = os.environ.get("DOCKER_NEW", "/usr/local/bin/docker")


class Skep(NodeApi):
    """Our own command against the same API, with the words of docker."""
    docker = SKEP
    fixture = Swarm.fixture

    def setUp(self):
        super().setUp()
        said = self.ok("init", "--advertise-addr", "10.0.0.1", "--task-history-limit", "2", "--cert-expiry", "48h")
        self.assertIn("skep join --token worker-token 10.0.0.1:2377", said)

    def code(self, *args, **more):
        return self.command(*args, **more).returncode

    def inspect(self, kind, name):
        return json.loads(self.ok(kind, "inspect", name))[0]

    def test_swarm_as_a_whole(self):
        info = json.loads(self.ok("info", "--format", "json"))["Swarm"]["Cluster"]["Spec"]
        self.assertEqual((info["Orchestration"]["TaskHistoryRetentionLimit"], info["CAConfig"]["NodeCertExpiry"]), (2, 48 * 3600 * 10**9))
        self.assertIn("Is Manager: true", self.ok("info"))
        self.assertEqual(self.ok("join-token", "-q", "worker"), "worker-token\n")
        self.assertIn("skep join --token manager-anew 10.0.0.1:2377", self.ok("join-token", "--rotate", "manager"))
        self.assertEqual(self.ok("swarm", "update", "--task-history-limit", "7", "--autolock=false"), "Swarm updated.\n")
        self.assertEqual(json.loads(self.ok("info", "-f", "json"))["Swarm"]["Cluster"]["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"], 7)
        self.refused("no unlock key is set", "unlock-key")
        self.refused("autolock is not turned on", "unlock-key", "--rotate")
        self.assertEqual(self.code("unlock", input=b"SWMKEY-1-x\n"), 70)
        self.refused("already part of a swarm", "init")
        self.refused("erases all current state", "leave")
        self.ok("leave", "-f")

    def test_nodes(self):
        self.assertEqual(self.ok("node", "ls", "--format", "{{.ID}} {{.Hostname}} {{.Status}} {{.ManagerStatus}} {{.Self}}"),
                         "m1 hive Unknown Leader true\n")
        self.ok("node", "update", "--label-add", "a=b", "--label-add", "c=d", "--availability", "pause", "hive")
        self.ok("node", "update", "--label-rm", "c", "self")
        self.assertEqual(self.inspect("node", "self")["Spec"], {"Labels": {"a": "b"}, "Role": "manager", "Availability": "pause"})
        self.refused("attempting to demote the last manager", "node", "demote", "hive")
        self.refused("must be demoted to worker before removal", "node", "rm", "hive")
        self.assertEqual(self.code("node", "inspect", "none"), 66)

    def test_services(self):
        self.ok("secret", "create", "-l", "x=y", "jar", "-", input=b"honey")
        self.ok("config", "create", "jar", "-", input=b"honey")
        made = self.ok("service", "create", "-d", "--name", "web", "--secret", "jar", "--config", "source=jar,target=/etc/jar", "--network", "host",
                       "--replicas", "2", "-e", "A=b", "-l", "tier=edge", "--constraint", "node.role==manager", "--limit-cpu", "0.5",
                       "--limit-memory", "64m", "--update-delay", "10s", "-p", "published=8080,target=80,mode=host", "busybox:1", "sh", "-c", "sleep 1")
        self.assertEqual(self.ok("service", "ls"),
                         "ID             NAME   MODE         REPLICAS   IMAGE       PORTS\n"
                         f"{made[:12]}   web    replicated   0/2        busybox:1   \n")
        spec = self.inspect("service", "web")["Spec"]
        task = spec["TaskTemplate"]
        self.assertEqual(task["ContainerSpec"]["Args"], ["sh", "-c", "sleep 1"])
        self.assertEqual(task["Resources"]["Limits"], {"NanoCPUs": 5 * 10**8, "MemoryBytes": 64 << 20})
        self.assertEqual((spec["UpdateConfig"]["Parallelism"], spec["UpdateConfig"]["Delay"]), (1, 10**10))
        self.assertEqual(self.ok("service", "scale", "-d", "web=5"), "web scaled to 5\n")
        self.ok("service", "update", "-d", "--env-add", "C=d", "--env-rm", "A", "--publish-rm", "80", "--secret-rm", "jar", "--force", "web")
        spec = self.inspect("service", "web")["Spec"]
        self.assertEqual((spec["Mode"]["Replicated"]["Replicas"], spec["TaskTemplate"]["ForceUpdate"]), (5, 1))
        self.assertEqual(spec["TaskTemplate"]["ContainerSpec"]["Env"], ["C=d"])
        self.assertNotIn("Secrets", spec["TaskTemplate"]["ContainerSpec"])
        self.ok("service", "rollback", "-d", "web")
        self.assertEqual(self.inspect("service", "web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"], ["A=b"])
        self.refused("is in use by the following service: web", "config", "rm", "jar")
        done = self.command("service", "rm", "web", "none")
        self.assertEqual((done.stdout, done.returncode), (b"web\n", 66))
        self.assertEqual(self.ok("secret", "rm", "jar"), "jar\n")

    def test_mistakes_are_named(self):
        for words, args in (("unknown mode: sideways", ("--mode", "sideways")), ("--limit-cpu: cpus much", ("--limit-cpu", "much")),
                            ("--publish: port x", ("-p", "x")), ("secret not found: none", ("--secret", "none")),
                            ("replicas can only be used with", ("--mode", "global", "--replicas", "2"))):
            self.refused(words, "service", "create", "-d", *args, "busybox:1")
        self.refused("write SERVICE=REPLICAS", "service", "scale", "web")
        self.refused("requires at least 1 argument", "service", "create", "-d")
        self.refused("'frob' is not a command of skep node", "node", "frob")

    def test_service_is_waited_for(self):
        self.assertEqual(self.ok("service", "create", "--replicas", "0", "--name", "none", "busybox:1").splitlines()[1:],
                         ["0 of 0 tasks running", "Service converged"])


del NodeApi, Swarm

if __name__ == "__main__":
    unittest.main(verbosity=2)
