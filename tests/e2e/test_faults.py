"""Processes die at any moment – skepd, a conmon, a container – and the node settles on what the manager wants, with nothing left over."""
import os
import random
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import process_start

SEED = int(os.environ.get("SKEP_SEED", random.SystemRandom().randrange(10**6)))
FAST = ["--restart-delay", "100ms"]


class Faults(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()

    def settled(self, service, count, timeout_s=60):
        """The manager sees @count tasks run, and exactly their containers run here."""
        def agree():
            tasks = self.manager.wait_running(service, count, 1)
            ids = {task["Status"]["ContainerStatus"]["ContainerID"] for task in tasks} if count else set()
            here = {container["Id"] for container in self.node.containers()}
            return ids == here or (_ for _ in ()).throw(AssertionError(f"manager has {len(ids)}, the node {len(here)}"))
        wait_until(agree, timeout_s, f"manager and node agree on {count} tasks of {service}")

    def test_1_a_container_is_killed(self):
        self.manager.create_service("bee", "hive:1", *sleeper(), on="skep-a", options=FAST)
        task = self.manager.wait_running("bee", 1)[0]
        os.kill(self.node.inspect(task["Status"]["ContainerStatus"]["ContainerID"])["State"]["Pid"], signal.SIGKILL)
        failed = self.manager.wait_task("bee", lambda seen: seen["ID"] == task["ID"] and seen["Status"]["State"] == "failed", 15, "has failed")
        self.assertEqual(self.manager.exit_code(failed), 137)
        self.assertRegex(failed["Status"]["Err"], r"non-zero exit \(137\)")
        self.settled("bee", 1)

    def test_2_a_conmon_is_killed(self):
        """Without its supervisor a container must not run on unseen: the task ends one way or another, and a new one takes its place."""
        task = self.manager.wait_running("bee", 1)[0]
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        pid = self.node.inspect(container)["State"]["Pid"]
        conmon = [number for number, line in self.node.supervisors() if container in line]
        self.assertEqual(len(conmon), 1)
        os.kill(conmon[0], signal.SIGKILL)
        self.manager.wait_task("bee", lambda seen: seen["ID"] == task["ID"] and seen["Status"]["State"] in ("failed", "complete", "shutdown"), 30,
                               "has ended")
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the old container is gone")
        self.settled("bee", 1)

    def test_3_conmon_and_container_die_while_skepd_is_away(self):
        task = self.manager.wait_running("bee", 1)[0]
        container = task["Status"]["ContainerStatus"]["ContainerID"]
        pid = self.node.inspect(container)["State"]["Pid"]
        conmon = [number for number, line in self.node.supervisors() if container in line]
        self.node.kill()
        for number in (*conmon, pid):
            os.kill(number, signal.SIGKILL)
        self.node.start()
        self.manager.wait_task("bee", lambda seen: seen["ID"] == task["ID"] and seen["Status"]["State"] == "failed", 30, "has failed")
        self.settled("bee", 1)
        self.manager.remove_service("bee")
        self.node.assert_clean()

    def test_4_anything_at_random_moments(self):
        """While a service is scaled, updated and its tasks come and go. SKEP_SEED repeats a run's choices."""
        chance = random.Random(SEED)
        print(f"SKEP_SEED={SEED}")
        self.manager.create_service("swarm", "hive:1", *sleeper(), on="skep-a", replicas=6, options=FAST)
        for _ in range(12):
            time.sleep(chance.uniform(0, 1.2))
            act = chance.choice(("skepd", "skepd", "conmon", "container", "scale", "update"))
            if act == "skepd":
                self.node.kill()
                time.sleep(chance.choice((0, 0, 0.5, 2)))
                self.node.start()
            elif act == "conmon" and self.node.supervisors():
                self.kill_one(chance.choice(self.node.supervisors())[0])
            elif act == "container":
                pids = [pid for pid in self.pids() if pid]
                if pids:
                    self.kill_one(chance.choice(pids))
            elif act == "scale":
                self.manager.docker("service", "scale", "--detach", f"swarm={chance.randrange(1, 10)}")
            elif act == "update":
                self.manager.update_service("swarm", "--force", "--update-parallelism", "0")
        self.manager.docker("service", "scale", "--detach", "swarm=4")
        self.settled("swarm", 4, 120)
        self.manager.remove_service("swarm")
        self.node.assert_clean(40)

    @staticmethod
    def kill_one(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def pids(self):
        """Of the containers that are still there when asked about one after the other."""
        for entry in self.node.containers():
            try:
                yield self.node.inspect(entry["Id"])["State"]["Pid"]
            except AssertionError:
                continue

    def test_5_a_paused_skepd_is_missed_and_found_again(self):
        self.manager.create_service("calm", "hive:1", *sleeper(), on="skep-a", replicas=2)
        self.manager.wait_running("calm", 2)
        before = self.node.start_times()
        self.node.pause()
        try:
            self.manager.wait_node("skep-a", "down", 40)
            for pid, started in before.values():
                self.assertEqual(process_start(pid), started, "its tasks run on")
        finally:
            self.node.resume()
        self.manager.wait_node("skep-a", "ready", 30)
        self.settled("calm", 2)

    def test_6_a_cut_cable(self):
        before = self.node.start_times()
        self.node.host.cut()
        self.manager.wait_node("skep-a", "down", 40)
        self.assertEqual(before, self.node.start_times(), "losing the session stops nothing")
        self.node.host.heal()
        self.manager.wait_node("skep-a", "ready", 40)
        self.settled("calm", 2)
        self.manager.remove_service("calm")
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
