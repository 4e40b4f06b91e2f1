"""skepd is killed ten times over fifty running tasks; not one of them notices."""
# alone: it measures
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper

TASKS = 50
KILLS = 10


class KillRestart(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()

    def test_1_fifty_tasks_ten_kills(self):
        self.manager.create_service("web", "hive:1", *sleeper(), on="skep-a", replicas=TASKS)
        tasks = {task["ID"] for task in self.manager.wait_running("web", TASKS, 120)}
        before = self.node.start_times()
        self.assertEqual(len(before), TASKS)
        adopted_ms = []
        for kill in range(KILLS):
            self.node.kill()
            begun = time.monotonic()
            self.node.start()
            wait_until(lambda: len(self.node.containers()) == TASKS, 20, f"all are found again after kill {kill + 1}")
            adopted_ms.append(round((time.monotonic() - begun) * 1000))
            self.assertEqual(before, self.node.start_times(), f"after kill {kill + 1}")
        self.manager.wait_node("skep-a", timeout_s=60)
        time.sleep(3)  # what was wrong would be reported by now
        self.assertEqual(tasks, {task["ID"] for task in self.manager.wait_running("web", TASKS)})
        self.assertEqual(before, self.node.start_times())
        print(f"ready again with {TASKS} tasks after {min(adopted_ms)}-{max(adopted_ms)} ms")

    def test_2_what_ends_while_skepd_is_away_is_reported_when_it_is_back(self):
        self.manager.create_service("short", "hive:1", "sh", "-c", "sleep 3; exit 5", on="skep-a", options=["--restart-condition", "none"])
        self.manager.wait_running("short", 1)
        self.node.kill()
        time.sleep(4)
        self.node.start()
        task = self.manager.wait_task("short", lambda task: task["Status"]["State"] == "failed", 20, "has failed")
        self.assertEqual(self.manager.exit_code(task), 5)
        self.manager.remove_service("short")

    def test_3_what_is_removed_while_skepd_is_away_is_removed_when_it_is_back(self):
        self.node.kill()
        self.manager.remove_service("web")
        time.sleep(1)
        self.assertEqual(len(self.node.supervisors()), TASKS)
        self.node.start()
        self.node.assert_clean(60)

    def test_4_a_plain_stop_leaves_tasks_running_too(self):
        self.manager.create_service("web2", "hive:1", *sleeper(), on="skep-a", replicas=3)
        self.manager.wait_running("web2", 3)
        before = self.node.start_times()
        self.assertEqual(self.node.stop(), 0)
        self.node.start()
        self.assertEqual(before, self.node.start_times())
        self.manager.wait_node("skep-a", timeout_s=30)
        self.manager.remove_service("web2")
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
