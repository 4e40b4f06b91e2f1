"""What managers do to a node: they are restarted, paused for half a minute, demoted. Its tasks run on, and it finds its way back."""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper

PAUSE_S = 30


class ManagerFaults(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(managers=3)
        cls.node = cls.make_node()
        cls.manager.create_service("web", "hive:1", *sleeper(), on="skep-a", replicas=3)
        cls.manager.wait_running("web", 3)
        cls.before = cls.node.start_times()

    def assert_well(self, timeout_s=60):
        leader = self.leader()
        wait_until(lambda: leader.node_state("skep-a") == "ready", timeout_s, "the node is Ready")
        leader.wait_running("web", 3, timeout_s)
        self.assertEqual(self.before, self.node.start_times(), "no container was disturbed")

    def settled_start_times(self, unchanged_s=10, timeout_s=90):
        """As they are when nothing has been replaced for a while: leaders that were elected one after another replace tasks more than once."""
        end, seen, since = time.monotonic() + timeout_s, None, 0
        while seen is None or len(seen) != 3 or time.monotonic() - since < unchanged_s:
            self.assertLess(time.monotonic(), end, f"still changing, or not 3: {seen}")
            now = self.node.start_times()
            if now != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.2)
        return seen

    def test_1_every_manager_restarted_in_turn(self):
        for manager in self.managers:
            manager.stop(60)
            manager.start(timeout_s=60)
            wait_until(manager.nodes, 60, f"{manager.name} is back in the swarm")
        self.assert_well()

    def test_2_the_leader_paused_for_half_a_minute(self):
        leader = self.leader()
        leader.pause()
        try:
            time.sleep(PAUSE_S)
        finally:
            leader.resume()
        self.assert_well()

    def test_3_all_managers_paused_for_half_a_minute(self):
        for manager in self.managers:
            manager.pause()
        try:
            time.sleep(PAUSE_S)
            self.assertEqual(self.before, self.node.start_times(), "losing every manager stops nothing")
        finally:
            for manager in self.managers:
                manager.resume()
        # A leader that wakes up finds every node's heartbeat late and replaces their tasks: its right, and dockerd's nodes fare no better.
        leader = self.leader()
        wait_until(lambda: leader.node_state("skep-a") == "ready", 60, "the node is Ready")
        leader.wait_running("web", 3, 60)
        type(self).before = self.settled_start_times()

    def test_4_the_leader_demoted_and_promoted(self):
        leader = self.leader()
        others = [manager for manager in self.managers if manager is not leader]
        others[0].docker("node", "demote", leader.name)
        type(self).managers = others
        self.assert_well()

        def known():
            return {peer["Addr"] for peer in self.node.api("GET", "/info")["Swarm"]["RemoteManagers"]} == {other.address for other in others}
        wait_until(known, 30, "the demoted manager is forgotten")
        others[0].docker("node", "promote", leader.name)
        type(self).managers = [*others, leader]
        wait_until(leader.nodes, 40, "it is a manager again")
        self.assert_well()

    def test_5_nothing_is_left(self):
        self.leader().remove_service("web")
        self.node.assert_clean(30)


if __name__ == "__main__":
    unittest.main()
