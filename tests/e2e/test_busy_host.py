"""Heartbeats keep their time while every core is busy and 50 tasks start at once."""
# alone: it measures
import os
import re
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import read
from lib.scenario import Scenario, sleeper

PERIOD_S = 5  # what dockerd names, less its jitter; it calls a node down after three of them
TASKS = 50


class BusyHost(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node("skep-a", "--log-level", "debug")

    def load_all_cores(self):
        for _ in range(2 * os.cpu_count()):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
            self.addCleanup(process.wait, 10)
            self.addCleanup(process.kill)

    def heartbeats(self):
        """How late each was, in ms, as skepd's log has it."""
        return [int(ms) for ms in re.findall(r"session: heartbeat, (\d+) ms after its time", read(self.node.log))]

    def test_50_tasks_at_once_on_a_busy_host(self):
        self.load_all_cores()
        before = len(self.heartbeats())
        self.manager.create_service("fifty", "hive:1", *sleeper(), on="skep-a", replicas=TASKS)
        begun = time.monotonic()

        def all_run():
            self.assertEqual(self.manager.node_state("skep-a"), "ready")
            return len(self.manager.running("fifty")) == TASKS

        while not all_run():
            self.assertLess(time.monotonic() - begun, 120, f"{TASKS} tasks run")
            time.sleep(0.3)
        took = time.monotonic() - begun
        self.manager.remove_service("fifty")
        self.always(lambda: self.manager.node_state("skep-a") == "ready", 12, "the node is ready")
        late = self.heartbeats()[before:]
        print(f"{TASKS} tasks ran after {took:.1f} s; {len(late)} heartbeats, the latest of them {max(late)} ms after its time")
        self.assertGreaterEqual(len(late), 2)
        self.assertLess(max(late), PERIOD_S * 1000 / 2)
        self.assertEqual(read(self.node.log).count("INFO session: registered"), 1, "one session all along")
        self.node.assert_clean(60)


if __name__ == "__main__":
    unittest.main()
