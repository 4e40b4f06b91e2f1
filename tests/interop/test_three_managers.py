"""A swarm of three dockerd managers loses its leader: the node finds another manager and its tasks run on."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper


class ThreeManagers(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(managers=3)
        cls.node = cls.make_node()
        cls.manager.create_service("web", "hive:1", *sleeper(), on="skep-a", replicas=3)
        cls.manager.wait_running("web", 3)

    def test_1_learns_of_all_managers(self):
        def known():
            peers = self.node.api("GET", "/info")["Swarm"]["RemoteManagers"] or []
            return {peer["Addr"] for peer in peers} == {manager.address for manager in self.managers}
        wait_until(known, 10, "all three managers are known")

    def test_2_leader_killed_node_stays_ready_tasks_run_on(self):
        before = self.node.start_times()
        first = self.leader()
        first.kill()
        second = self.leader()
        self.assertIsNot(first, second)
        wait_until(lambda: second.node_state("skep-a") == "ready", 30, "the new leader has heard of the node")
        self.always(lambda: second.node_state("skep-a") == "ready", 8, "the node stays Ready")
        self.assertEqual(before, self.node.start_times(), "no container was disturbed")
        second.wait_running("web", 3)
        second.docker("service", "scale", "--detach", "web=5")
        second.wait_running("web", 5, 30)
        after = self.node.start_times()
        for container, started in before.items():
            self.assertEqual(after.get(container), started)
        first.start()
        wait_until(lambda: second.node_state(first.name) == "ready", 60, "the killed manager is back")

    def test_3_each_manager_in_turn_is_cut_off(self):
        before = self.node.start_times()
        for manager in self.managers:
            manager.host.cut()
            others = [other for other in self.managers if other is not manager]
            # Docker elects without a pre-vote and with a tick of a second: each split vote costs it 10 to 20 s more
            wait_until(lambda others=others: any(other.is_leader() for other in others), 120, "a leader among the others")
            wait_until(lambda others=others: others[0].node_state("skep-a") == "ready", 60, "the node is Ready")
            manager.host.heal()
            wait_until(manager.nodes, 120, "the manager is back")
        self.assertEqual(before, self.node.start_times())

    def test_4_nothing_is_left(self):
        self.leader().remove_service("web")
        self.node.assert_clean(30)


if __name__ == "__main__":
    unittest.main()
