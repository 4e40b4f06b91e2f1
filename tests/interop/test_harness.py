"""The harness itself, on real dockerds alone: what the other scenarios lean on works on this machine."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.scenario import Scenario


class ThreeManagers(Scenario):
    needs_skepd = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(managers=3)
        for manager in cls.managers:
            manager.load_image(cls.image())

    def test_1_tasks_run_and_their_output_reaches_the_manager(self):
        self.manager.create_service("echo", "hive:1", "sh", "-c", "echo from $HOSTNAME; exec sleep 1000", replicas=3)
        self.manager.wait_running("echo", 3)
        wait_until(lambda: self.manager.docker("service", "logs", "echo").stdout.count("from ") == 3, 10, "three lines of output")
        self.manager.remove_service("echo")

    def test_2_root_ca_rotates(self):
        before = self.manager.certificate_pem()
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=60)
        self.assertNotEqual(before, self.manager.certificate_pem())

    def test_3_a_leader_is_replaced_when_killed(self):
        leader = next(manager for manager in self.managers if manager.is_leader())
        others = [manager for manager in self.managers if manager is not leader]
        leader.kill()
        wait_until(lambda: any(manager.is_leader() for manager in others), 40, "another manager leads")
        leader.start()
        wait_until(lambda: leader.node_state(leader.name) == "ready", 40, "the old leader is back")

    def test_4_a_cut_host_is_missed_and_found_again(self):
        worker = Dockerd(self.net.host("worker")).start().join(self.manager)
        self.manager.wait_node("worker")
        worker.host.cut()
        self.manager.wait_node("worker", "down", 60)
        worker.host.heal()
        self.manager.wait_node("worker", "ready", 60)


if __name__ == "__main__":
    unittest.main()
