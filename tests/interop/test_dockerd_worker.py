"""A real dockerd 20.10 as a worker of our swarm, beside a Skep worker."""
import unittest

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd


class DockerdWorker(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = Skepd(cls.net.host("manager-a")).start().init()
        cls.dockerd = Dockerd(cls.net.host("docker-a")).start()
        cls.dockerd.load_image(cls.image())
        cls.node = cls.make_node("skep-a")

    def test_1_it_joins(self):
        self.dockerd.join(self.manager)
        node = self.manager.wait_node("docker-a")
        self.assertEqual(node["Spec"]["Role"], "worker")
        self.assertEqual(node["Description"]["Platform"]["OS"], "linux")
        self.assertEqual(node["Status"]["Addr"], self.dockerd.host.ip)
        self.assertIn("Swarm: active", self.dockerd.docker("info").stdout)
        self.manager.docker("node", "update", "--availability", "drain", "manager-a")

    def hosts_of(self, tasks):
        names = {node["ID"]: node["Description"]["Hostname"] for node in self.manager.nodes()}
        return sorted(names[task["NodeID"]] for task in tasks)

    def test_2_a_service_spreads_over_both(self):
        self.manager.create_service("web", "hive:1", *sleeper(first="echo hello from $HOSTNAME"), replicas=6,
                                    options=["--hostname", "{{.Node.Hostname}}-{{.Task.Slot}}"])
        tasks = self.manager.wait_running("web", 6)
        self.assertEqual(self.hosts_of(tasks), ["docker-a"] * 3 + ["skep-a"] * 3)
        def all_have_spoken():
            lines = self.manager.docker("service", "logs", "--raw", "web").stdout.split("\n")
            spoken = sorted({line.rsplit("-", 1)[-1] for line in lines if line.startswith("hello from ")})
            return spoken == list("123456") or self.fail(lines)
        wait_until(all_have_spoken, 15, "all six have said hello")

    def test_3_secrets_reach_it(self):
        self.manager.docker("secret", "create", "honey", "-", input="sweet")
        self.manager.create_service("reader", "hive:1", *sleeper(first="cat /run/secrets/honey; echo"), on="docker-a", options=["--secret", "honey"])
        self.manager.wait_running("reader", 1)
        wait_until(lambda: "sweet" in self.manager.docker("service", "logs", "--raw", "reader").stdout, 10, "it is read")
        self.manager.remove_service("reader")

    def test_4_a_task_that_ends_there_is_reported(self):
        self.manager.create_service("once", "hive:1", "sh", "-c", "exit 7", on="docker-a", options=["--restart-condition", "none"])
        task = self.manager.wait_task("once", lambda one: one["Status"]["State"] == "failed", 20, "has failed")
        self.assertEqual(self.manager.exit_code(task), 7)
        self.manager.remove_service("once")

    def web_containers(self):
        """Those of services just removed may still be on their way out."""
        return self.dockerd.docker("ps", "-q", "--filter", "label=com.docker.swarm.service.name=web").stdout

    def test_5_the_root_ca_is_rotated(self):
        old = self.manager.certificate_pem()
        before = self.web_containers()
        self.manager.docker("swarm", "ca", "--rotate", "--detach")
        def rotated():
            swarm = self.manager.api("GET", "/swarm")
            return not swarm["RootRotationInProgress"] and swarm["TLSInfo"]["TrustRoot"] != old or self.fail(swarm["RootRotationInProgress"])
        wait_until(rotated, 60, "the root CA is another")
        new = self.manager.certificate_pem()
        self.assertNotEqual(new, old)
        wait_until(lambda: all(node["Description"]["TLSInfo"]["TrustRoot"] == new for node in self.manager.nodes()), 20, "all nodes trust it")
        self.assertEqual(self.web_containers(), before)
        self.manager.docker("service", "scale", "--detach", "web=8")
        self.assertEqual(self.hosts_of(self.manager.wait_running("web", 8)), ["docker-a"] * 4 + ["skep-a"] * 4)

    def test_6_it_is_drained(self):
        self.manager.docker("node", "update", "--availability", "drain", "docker-a")
        wait_until(lambda: self.hosts_of(self.manager.running("web")) == ["skep-a"] * 8, 40, "all run on the other node")
        self.manager.docker("node", "update", "--availability", "active", "docker-a")

    def test_7_it_is_lost_and_comes_back(self):
        self.manager.docker("service", "update", "--detach", "--quiet", "--force", "web")
        wait_until(lambda: "docker-a" in self.hosts_of(self.manager.running("web")), 60, "it has tasks again")
        self.dockerd.pause()
        self.manager.wait_node("docker-a", "down", 40)
        wait_until(lambda: self.hosts_of(self.manager.running("web")).count("skep-a") == 8, 40, "its tasks run elsewhere")
        self.dockerd.resume()
        self.manager.wait_node("docker-a", "ready", 40)

    def test_8_it_cannot_be_a_manager(self):
        refused = self.manager.docker("node", "promote", "docker-a", check=False)
        self.assertIn("Docker's managers cannot join the quorum of Skep's yet", refused.stderr)
        self.assertEqual(self.manager.node("docker-a")["Spec"]["Role"], "worker")

    def test_9_it_leaves(self):
        self.dockerd.docker("swarm", "leave")
        self.manager.wait_node("docker-a", "down", 40)
        self.manager.docker("node", "rm", "docker-a")
        self.assertEqual(sorted(node["Description"]["Hostname"] for node in self.manager.nodes()), ["manager-a", "skep-a"])


if __name__ == "__main__":
    unittest.main()
