"""A node's life under dockerd 20.10 as the manager: joining, services that grow, shrink and change, drain, refusal of promotion, leaving."""
import json
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.daemon import DOCKERS
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd


class SwarmLifecycle(Scenario):
    """In order: each test goes on from the one before."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.config = os.path.join(cls.net.dir, "skepd.json")
        cls.configure({"label": ["rack=7"]})
        cls.node = Skepd(cls.net.host("skep-a"), "--label", "colour=gold", "--config", cls.config).start()
        for reference in ("hive:1", "hive:2"):
            cls.node.load_image(cls.image(reference))

    @classmethod
    def configure(cls, content):
        with open(cls.config, "w") as file:
            json.dump(content, file)

    def test_01_joins_and_shows_its_phases(self):
        self.assertEqual(self.node.api("GET", "/info")["Swarm"]["LocalNodeState"], "inactive")
        shown = self.node.join(self.manager)
        for phase in ("root CA", "certificate"):
            self.assertIn(phase, shown.stdout + shown.stderr)
        self.manager.wait_node("skep-a", timeout_s=5)
        swarm = self.node.api("GET", "/info")["Swarm"]
        self.assertEqual(swarm["LocalNodeState"], "active")
        self.assertEqual(swarm["NodeID"], self.manager.node("skep-a")["ID"])

    def test_02_describes_itself(self):
        node = self.manager.node("skep-a")
        description = node["Description"]
        self.assertEqual(node["Spec"]["Role"], "worker")
        self.assertEqual(description["Platform"], {"Architecture": os.uname().machine, "OS": "linux"})
        self.assertEqual(description["Resources"]["NanoCPUs"], os.cpu_count() * 10**9)
        self.assertGreater(description["Resources"]["MemoryBytes"], 2**28)
        self.assertTrue(description["Engine"]["EngineVersion"])
        labels = description["Engine"]["Labels"]
        self.assertEqual((labels["colour"], labels["rack"]), ("gold", "7"))
        self.assertEqual(labels["skep.isolation.process"], "true")
        plugins = {(plugin["Type"], plugin["Name"]) for plugin in description["Engine"]["Plugins"]}
        self.assertIn(("Network", "bridge"), plugins)
        self.assertIn(("Network", "host"), plugins)
        self.assertNotIn(("Network", "overlay"), plugins, "the manager must keep overlay tasks away")
        self.assertEqual(node["Status"]["Addr"], self.node.host.ip)

    def test_02b_labels_that_are_read_again_reach_the_manager(self):
        def labels():
            return self.manager.node("skep-a")["Description"]["Engine"]["Labels"]
        self.configure({"label": ["rack=8", "floor=2"], "bridge": "other0"})
        os.kill(self.node.pid, signal.SIGHUP)
        wait_until(lambda: labels().get("rack") == "8", 15, "the manager knows the new label")
        self.assertEqual((labels()["colour"], labels()["floor"]), ("gold", "2"))
        self.assertIn("floor=2", self.node.api("GET", "/info")["Labels"])
        self.assertRegex(self.node.tail(20), r"count from its next start on: --bridge\b")
        self.configure({"label": "no value"})
        os.kill(self.node.pid, signal.SIGHUP)
        wait_until(lambda: "the configuration stays as it was" in self.node.tail(20), 10, "a wrong file is refused")
        self.assertEqual(labels()["rack"], "8")
        self.assertEqual(self.manager.node_state("skep-a"), "ready")

    def test_03_joining_again_is_refused(self):
        again = self.node.join(self.manager, check=False)
        self.assertNotEqual(again.returncode, 0)
        self.assertRegex(again.stderr, r"already.*swarm")

    def test_04_twenty_replicas_run(self):
        self.manager.create_service("web", "hive:1", *sleeper(7), on="skep-a", replicas=20)
        tasks = self.manager.wait_running("web", 20, 60)
        containers = {container["Id"] for container in self.node.containers()}
        self.assertEqual({task["Status"]["ContainerStatus"]["ContainerID"] for task in tasks}, containers)
        for task in tasks:
            self.assertGreater(task["Status"]["ContainerStatus"]["PID"], 0)

    def test_05_both_docker_commands_list_them(self):
        for cli in DOCKERS:
            with self.subTest(cli=cli):
                self.assertEqual(len(self.node.docker("ps", "-q", "--no-trunc", cli=cli).stdout.split()), 20)
        self.assertEqual(len(self.node.skep("ps", "-q").stdout.split()), 20)

    def test_06_scaled_to_five(self):
        self.manager.docker("service", "scale", "--detach", "web=5")
        self.manager.wait_running("web", 5)
        wait_until(lambda: len(self.node.containers(everything=True)) == 5, 20, "five containers are left")

    def test_07_image_updated(self):
        old = {task["ID"] for task in self.manager.running("web")}
        self.manager.update_service("web", "--image", "hive:2", "--update-parallelism", "0")
        wait_until(lambda: len([task for task in self.manager.running("web") if task["ID"] not in old]) == 5, 60, "five tasks of the new image")
        self.manager.wait_running("web", 5)
        for task in self.manager.tasks("web"):
            if task["ID"] in old:
                self.assertEqual((task["DesiredState"], task["Status"]["State"]), ("shutdown", "shutdown"))
                self.assertEqual(self.manager.exit_code(task), 7, "as its trap says")
            elif task["DesiredState"] == "running":
                self.assertEqual(task["Spec"]["ContainerSpec"]["Image"], "hive:2")

    def test_08_drained_and_active_again(self):
        self.manager.docker("node", "update", "--availability", "drain", "skep-a")
        wait_until(lambda: not self.node.containers(), 30, "nothing runs on a drained node")
        wait_until(lambda: not self.manager.running("web"), 10, "and the manager knows")
        self.assertEqual(self.manager.node_state("skep-a"), "ready")
        self.manager.docker("node", "update", "--availability", "active", "skep-a")
        self.manager.wait_running("web", 5)

    def test_09_exit_codes_and_states(self):
        cases = {
            "complete": (["true"], ("complete",), 0, None),
            "fails": (["sh", "-c", "exit 3"], ("failed",), 3, r"non-zero exit \(3\)"),
            "killed": (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], ("failed",), 137, r"non-zero exit \(137\)"),
            "missing": (["/no/such/command"], ("failed", "rejected"), None, r"(?i)no such file|not found"),
        }
        for name, (command, *_) in cases.items():
            self.manager.create_service(name, "hive:1", *command, on="skep-a", options=["--restart-condition", "none"])
        for name, (_, states, code, words) in cases.items():
            with self.subTest(name):
                task = self.manager.wait_task(name, lambda task, states=states: task["Status"]["State"] in states, 20, f"is {states}")
                if code is not None:
                    self.assertEqual(self.manager.exit_code(task), code)
                if words:
                    self.assertRegex(task["Status"].get("Err", ""), words)
        self.manager.remove_service(*cases)

    def test_10_a_stubborn_task_is_killed_after_its_grace_period(self):
        self.manager.create_service("stubborn", "hive:1", "sh", "-c", 'trap "" TERM; while :; do sleep 1; done', on="skep-a",
                                    options=["--stop-grace-period", "2s"])
        self.manager.wait_running("stubborn", 1)
        old = self.manager.tasks("stubborn")[0]["ID"]
        self.manager.update_service("stubborn", "--force")
        stopped = self.manager.wait_task("stubborn", lambda task: task["ID"] == old and task["Status"]["State"] == "shutdown", 20, "is shut down")
        self.assertEqual(self.manager.exit_code(stopped), 137)
        self.manager.remove_service("stubborn")

    def test_11_a_task_for_an_overlay_network_stays_away(self):
        self.manager.docker("network", "create", "--driver", "overlay", "far")
        self.manager.create_service("overlaid", "hive:1", *sleeper(), on="skep-a", options=["--network", "far"])
        task = self.manager.wait_task("overlaid", lambda task: task["Status"].get("Err"), 20, "is refused a place")
        self.assertEqual(task["Status"]["State"], "pending")
        self.assertIn("missing plugin", task["Status"]["Err"])
        self.manager.remove_service("overlaid")

    def test_12_promotion_is_refused_with_a_clear_message(self):
        wait_until(lambda: len(self.node.start_times()) == len(self.manager.running("web")), 20, "earlier services' containers are gone")
        running = self.node.start_times()
        self.manager.docker("node", "promote", "skep-a")
        wait_until(lambda: "to be a manager, which it cannot be" in self.node.tail(40), 15, "skepd says that it cannot be a manager")
        self.always(lambda: self.manager.node_state("skep-a") == "ready", 4, "the node stays Ready")
        self.assertNotEqual(self.manager.node("skep-a").get("ManagerStatus", {}).get("Reachability"), "reachable")
        # dockerd takes no wish back from a node that never came to its Raft log, hence the advice in skepd's message: remove it, join again.
        refused = self.manager.docker("node", "demote", "skep-a", check=False)
        self.assertIn("can't find manager in raft memberlist", refused.stderr)
        self.assertEqual(running, self.node.start_times(), "its tasks did not notice")

    def test_13_nothing_is_left_of_removed_services(self):
        self.manager.remove_service("web")
        self.node.assert_clean()

    def test_14_leaves(self):
        identity = self.manager.node("skep-a")["ID"]
        self.manager.create_service("last", "hive:1", *sleeper(), on="skep-a")
        self.manager.wait_running("last", 1)
        self.node.skep("leave")
        self.manager.wait_node("skep-a", "down")
        self.node.assert_clean()
        self.assertEqual(self.node.api("GET", "/info")["Swarm"]["LocalNodeState"], "inactive")
        self.manager.remove_service("last")
        self.manager.docker("node", "rm", identity)

    def test_15_joins_again_through_docker_as_a_new_node(self):
        self.node.docker("swarm", "join", "--token", self.manager.token(), self.manager.address)
        self.manager.wait_node("skep-a")
        self.manager.create_service("again", "hive:1", *sleeper(), on="skep-a", replicas=2)
        self.manager.wait_running("again", 2)
        self.manager.remove_service("again")
        self.node.docker("swarm", "leave")
        self.manager.wait_node("skep-a", "down")
        self.node.assert_clean()

    def test_16_a_managers_token_is_refused_for_now(self):
        refused = self.node.join(self.manager, self.manager.token("manager"), check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, r"manager")
        self.assertEqual(self.node.api("GET", "/info")["Swarm"]["LocalNodeState"], "inactive")


if __name__ == "__main__":
    unittest.main()
