"""A swarm without Docker: skepd begins it, and the stock docker command drives it."""
import unittest

from lib.daemon import DOCKERS
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd


class OneNode(Scenario):
    """One host, which is manager and worker."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = Skepd(cls.net.host("skep-a")).start()
        for reference in ("hive:1", "hive:2"):
            cls.manager.load_image(cls.image(reference))

    def test_01_init(self):
        self.manager.init()
        node = self.manager.wait_node("skep-a")
        self.assertTrue(node["ManagerStatus"]["Leader"])
        self.assertEqual(node["ManagerStatus"]["Addr"], self.manager.address)
        again = self.manager.docker("swarm", "init", check=False)
        self.assertIn("already part of a swarm", again.stderr)
        for cli in DOCKERS:
            self.assertIn("Leader", self.manager.docker("node", "ls", cli=cli).stdout)
            self.assertIn("Is Manager: true", self.manager.docker("info", cli=cli).stdout)

    def test_02_a_service_runs_and_its_output_is_read(self):
        self.manager.create_service("web", "hive:1", *sleeper(first="echo hello from $HOSTNAME"), replicas=3, options=["--hostname", "{{.Task.Slot}}"])
        self.manager.wait_running("web", 3)
        self.assertIn("3/3", self.manager.docker("service", "ls").stdout)
        def all_have_spoken():
            lines = self.manager.docker("service", "logs", "--raw", "web").stdout.splitlines()
            return sorted(lines) == [f"hello from {slot}" for slot in (1, 2, 3)] or self.fail(lines)
        wait_until(all_have_spoken, 10, "all three have said hello")
        said = self.manager.skep("service", "logs", "--tail", "5", "web").stdout
        self.assertEqual(sorted(said.splitlines()), [f"hello from {slot}" for slot in (1, 2, 3)])
        for cli in DOCKERS:
            self.assertIn("Running", self.manager.docker("service", "ps", "web", cli=cli).stdout)
            self.assertIn("Replicas:\t3", self.manager.docker("service", "inspect", "--pretty", "web", cli=cli).stdout)

    def test_03_scale(self):
        self.manager.docker("service", "scale", "--detach", "web=5")
        self.manager.wait_running("web", 5)
        self.manager.docker("service", "scale", "--detach", "web=2")
        self.manager.wait_running("web", 2)

    def test_04_update_and_rollback(self):
        self.manager.update_service("web", "--image", "hive:2", "--update-parallelism", "0")
        def all_are(image):
            return all(task["Spec"]["ContainerSpec"]["Image"] == image for task in self.manager.wait_running("web", 2))
        wait_until(lambda: all_are("hive:2"), 30, "all run the new image")
        wait_until(lambda: self.service("web")["UpdateStatus"]["State"] == "completed", 30, "the update is over")
        self.manager.docker("service", "rollback", "--detach", "web")
        wait_until(lambda: all_are("hive:1"), 30, "all run the old image")

    def service(self, name):
        return self.manager.api("GET", f"/services/{name}")

    def test_05_secrets_and_configs(self):
        self.manager.docker("secret", "create", "honey", "-", input="sweet")
        self.manager.docker("config", "create", "comb", "-", input="six corners")
        self.manager.create_service("reader", "hive:1", *sleeper(first="cat /run/secrets/honey /comb; echo"),
                                    options=["--secret", "honey", "--config", "source=comb,target=/comb"])
        self.manager.wait_running("reader", 1)
        wait_until(lambda: "sweetsix corners" in self.manager.docker("service", "logs", "--raw", "reader").stdout, 10, "both are read")
        in_use = self.manager.docker("secret", "rm", "honey", check=False)
        self.assertIn("is in use by the following service: reader", in_use.stderr)
        self.manager.remove_service("reader")
        self.manager.docker("secret", "rm", "honey")
        self.manager.docker("config", "rm", "comb")

    def test_06_what_ends_is_started_again(self):
        task = self.manager.wait_running("web", 2)[0]
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        pid = self.manager.inspect(container)["State"]["Pid"]
        self.manager.host.run(["kill", "-9", str(pid)])
        failed = self.manager.wait_task("web", lambda one: one["ID"] == task["ID"] and one["Status"]["State"] == "failed", 10, "has failed")
        self.assertEqual(failed["Status"]["ContainerStatus"]["ExitCode"], 137)
        self.manager.wait_running("web", 2)

    def test_07_no_suitable_node_says_why(self):
        self.manager.create_service("nowhere", "hive:1", *sleeper(), options=["--constraint", "node.labels.zone==b"])
        task = self.manager.wait_task("nowhere", lambda one: one["Status"].get("Err"), 10, "says why it does not run")
        self.assertIn("no suitable node", task["Status"]["Err"])
        self.assertIn("scheduling constraints", task["Status"]["Err"])
        self.manager.docker("node", "update", "--label-add", "zone=b", "skep-a")
        self.manager.wait_running("nowhere", 1)
        self.manager.remove_service("nowhere")

    def test_08_everything_is_there_after_a_crash(self):
        wait_until(lambda: len(self.manager.containers()) == 2, 20, "the two of web are all that runs")
        before = self.manager.start_times()
        self.manager.restart()
        self.manager.wait_node("skep-a")
        self.manager.wait_running("web", 2)
        self.assertEqual(self.manager.start_times(), before)

    def test_09_drain_moves_the_tasks_away_and_active_brings_them_back(self):
        self.manager.docker("node", "update", "--availability", "drain", "skep-a")
        wait_until(lambda: not self.manager.running("web") and not self.manager.containers(), 20, "nothing runs")
        self.manager.docker("node", "update", "--availability", "active", "skep-a")
        self.manager.wait_running("web", 2)

    def test_10_a_service_that_goes_leaves_nothing(self):
        self.manager.remove_service("web")
        wait_until(lambda: not self.manager.api("GET", "/tasks"), 20, "no task is left")
        self.manager.assert_clean()

    def test_11_leave_needs_force_and_ends_the_swarm(self):
        refused = self.manager.docker("swarm", "leave", check=False)
        self.assertIn("--force", refused.stderr)
        self.manager.docker("swarm", "leave", "--force")
        self.assertIn("Swarm: inactive", self.manager.docker("info").stdout)
        self.manager.init()
        self.assertEqual(len(wait_until(self.manager.nodes, 10, "a new swarm has one node")), 1)


if __name__ == "__main__":
    unittest.main()
