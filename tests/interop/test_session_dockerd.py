"""Our session against dockerd as the manager. The node is skep_session_probe with the identity of a dockerd that joined and was stopped; it
claims to run what it is given, so that only the session is on trial."""
import json
import os
import queue
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.scenario import Scenario
from lib.skepd import BUILD, SANITIZERS

PROBE = os.path.join(BUILD, "tests/skep_session_probe")
RUNNING, SHUTDOWN = 512, 640


class Probe:
    """The program on a host: what it said, in order."""

    def __init__(self, host, identity, manager, *options):
        self.host = host
        self.log = os.path.join(host.dir, "probe.log")
        self.events = []
        self.lines = queue.Queue()
        argv = [PROBE, "--identity", identity, "--manager", manager, "--hostname", "probe", *options]
        self.process = subprocess.Popen(host.inside(argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "ab"),
                                        env={**os.environ, **SANITIZERS}, text=True)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def heard(self, name, since=0):
        """The events called @name, from the one numbered @since on."""
        while not self.lines.empty():
            self.events.append(self.lines.get())
        return [event for event in self.events[since:] if event["event"] == name]

    def mark(self):
        self.heard("")
        return len(self.events)

    def last(self, name):
        found = self.heard(name)
        return found[-1] if found else {}

    def wait(self, name, claim, timeout_s, what, since=0):
        return wait_until(lambda: next((event for event in self.heard(name, since) if claim(event)), None), timeout_s, what)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        if self.process.poll() is None:
            self.tell("quit")
            self.process.wait(10)
        return self.process.returncode

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def tail(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-3000:]


class SessionCase(Scenario):
    needs_skepd = False

    @classmethod
    def make_probe(cls, *options):
        if not os.path.exists(PROBE):
            raise unittest.SkipTest("skep_session_probe is not built")
        worker = Dockerd(cls.net.host("worker")).start().join(cls.manager)
        cls.manager.wait_node("worker")
        worker.stop()
        cls.identity = os.path.join(worker.dir, "data/swarm/certificates")
        cls.probe = Probe(worker.host, cls.identity, cls.manager.address, *options)
        cls.addClassCleanup(lambda: cls.probe.kill())
        cls.manager.wait_node("probe")

    def dump(self):
        super().dump()
        print(f"----- the probe's log ends:\n{self.probe.tail()}\n----- and it heard:")
        for event in self.probe.events[-15:]:
            print(json.dumps(event)[:600])

    def description(self):
        return self.manager.node("probe")["Description"]


class OneManager(SessionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.make_probe("--label", "zone=a", "--lines", "500")

    def test_1_it_is_ready_and_described(self):
        description = self.description()
        labels = description["Engine"]["Labels"]
        self.assertEqual(labels["zone"], "a")
        self.assertEqual(labels["skep.isolation.process"], "true")
        self.assertEqual(labels["skep.isolation.hyperv"], "false")
        self.assertEqual(labels["skep.isolation.default"], "process")
        self.assertTrue(description["Engine"]["EngineVersion"].endswith("+skep"))
        self.assertEqual({(plugin["Type"], plugin["Name"]) for plugin in description["Engine"]["Plugins"]},
                         {("Log", "json-file"), ("Network", "bridge"), ("Network", "host"), ("Network", "null"), ("Volume", "local")})
        self.assertEqual(description["Platform"]["OS"], "linux")
        self.assertEqual(description["Platform"]["Architecture"], os.uname().machine)
        self.assertEqual(description["Resources"]["NanoCPUs"], os.cpu_count() * 10**9)
        manager = self.manager.node(self.manager.name)["Description"]
        self.assertEqual(description["TLSInfo"], manager["TLSInfo"])
        facts = self.probe.last("facts")
        self.assertEqual(facts["managers"], [self.manager.address])
        self.assertEqual((facts["role"], facts["availability"]), ("worker", "active"))
        self.assertEqual(facts["addr"], self.probe.host.ip)
        self.assertIn("ingress", facts["attachments"])
        self.assertGreater(facts["root_size"], 400)

    def test_2_heartbeats_hold(self):
        before = wait_until(lambda: self.probe.last("stats"), 5, "the first counts")
        self.always(lambda: self.manager.node_state("probe") == "ready", 24, "the node is ready")
        after = self.probe.last("stats")
        self.assertEqual(after["registrations"], before["registrations"])
        self.assertGreaterEqual(after["heartbeats"] - before["heartbeats"], 4)
        self.assertLess(after["late_max_us"], 500_000)
        print(f"heartbeats: {after['heartbeats']}, the latest of them {after['late_max_us']} µs after its time")

    def test_3_a_changed_description_is_told(self):
        registrations = self.probe.last("stats")["registrations"]
        self.probe.tell("label zone=b")
        wait_until(lambda: self.description()["Engine"]["Labels"]["zone"] == "b", 10, "the new label is seen")
        wait_until(lambda: self.probe.last("stats")["registrations"] == registrations + 1, 5, "one more registration")
        self.assertEqual(self.manager.node_state("probe"), "ready")

    def test_4_tasks_come_with_their_secrets_and_their_states_arrive(self):
        self.assertEqual(self.probe.heard("assigned")[0], {**self.probe.heard("assigned")[0], "complete": True, "tasks": []})
        mark = self.probe.mark()
        self.manager.docker("secret", "create", "word", "-", stdin=open("/etc/hostname", "rb"))
        self.manager.create_service("four", "hive:1", "sleep", "1000", on="probe", replicas=4, options=["--secret", "word"])
        self.manager.wait_running("four", 4, 20)
        first = self.probe.heard("assigned", mark)[0]
        self.assertFalse(first["complete"])
        self.assertEqual({task["desired"] for task in first["tasks"]}, {RUNNING})
        self.assertEqual({task["secret_size"] for task in first["tasks"]}, {os.path.getsize("/etc/hostname")})
        self.assertEqual(first["dependencies"], 1)
        self.assertTrue(all(task["Status"]["Message"] == "started" for task in self.manager.tasks("four")))
        mark = self.probe.mark()
        self.manager.remove_service("four")
        self.probe.wait("assigned", lambda event: any(task["desired"] >= SHUTDOWN for task in event["tasks"]), 10, "tasks are to stop", mark)
        wait_until(lambda: sum(len(event["removed"]) for event in self.probe.heard("assigned", mark)) == 4, 20, "all four are gone")
        self.assertEqual(self.probe.last("assigned")["dependencies"], 0)
        self.assertEqual(self.probe.last("stats")["statuses_waiting"], 0)
        self.manager.docker("secret", "rm", "word")

    def test_5_an_update_and_a_scale(self):
        self.manager.create_service("moving", "hive:1", "sleep", "1000", on="probe", replicas=6)
        self.manager.wait_running("moving", 6, 20)
        self.manager.docker("service", "scale", "--detach", "moving=2")
        self.manager.wait_running("moving", 2, 20)
        self.manager.update_service("moving", "--args", "sleep 2000", "--update-parallelism", "0")
        wait_until(lambda: len([task for task in self.manager.running("moving") if task["Spec"]["ContainerSpec"]["Args"][-1] == "2000"]) == 2,
                   30, "two new tasks run")
        self.manager.remove_service("moving")

    def test_6_the_output_reaches_service_logs(self):
        self.manager.create_service("talk", "hive:1", "cat", on="probe", replicas=2)
        self.manager.wait_running("talk", 2, 20)
        done = self.manager.docker("service", "logs", "--raw", "talk")
        self.assertGreaterEqual(done.stdout.count("of a task that claims to run\n"), 2 * 450)
        self.assertGreaterEqual(done.stderr.count("of a task that claims to run\n"), 2 * 50)
        for number in (0, 1, 8, 498):
            self.assertEqual(done.stdout.count(f"line {number} of"), 2)
        self.assertNotIn("warning", done.stderr)
        tail = self.manager.docker("service", "logs", "--raw", "--tail", "2", "talk")
        self.assertEqual((tail.stdout + tail.stderr).count("line "), 4)
        none = self.manager.docker("service", "logs", "--raw", "--tail", "0", "talk")
        self.assertEqual(none.stdout + none.stderr, "")
        wait_until(lambda: self.probe.last("stats")["subscriptions"] == 0, 5, "no subscription is left")

    def test_7_following_goes_on_and_ends(self):
        argv = ["/usr/bin/docker", "-H", f"unix://{self.manager.socket}", "service", "logs", "--raw", "-f", "--tail", "1", "talk"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as follower:
            seen = [follower.stdout.readline() for _ in range(6)]
            self.assertTrue(all("of a task" in line for line in seen), seen)
            follower.kill()
        wait_until(lambda: self.probe.last("stats")["subscriptions"] == 0, 10, "the manager's close was heard")
        self.manager.remove_service("talk")

    def test_8_tasks_on_overlay_networks_are_kept_away(self):
        self.manager.docker("network", "create", "-d", "overlay", "wide")
        self.manager.create_service("wide", "hive:1", "cat", on="probe", options=["--network", "wide"])
        time.sleep(2)
        task = self.manager.tasks("wide")[0]
        self.assertEqual(task["Status"]["State"], "pending")
        self.assertIn("plugin", task["Status"]["Err"])
        self.manager.remove_service("wide")

    def test_9_drain_and_activate_are_seen(self):
        self.manager.create_service("stay", "hive:1", "cat", on="probe", replicas=2)
        self.manager.wait_running("stay", 2, 20)
        mark = self.probe.mark()
        self.manager.docker("node", "update", "--availability", "drain", "probe")
        self.probe.wait("facts", lambda facts: facts["availability"] == "drain", 10, "drain is heard", mark)
        wait_until(lambda: not self.manager.running("stay"), 20, "no task runs")
        wait_until(lambda: {task["Status"]["State"] for task in self.manager.tasks("stay")} == {"shutdown", "pending"}, 10, "all have stopped")
        mark = self.probe.mark()
        self.manager.docker("node", "update", "--availability", "active", "probe")
        self.probe.wait("facts", lambda facts: facts["availability"] == "active", 10, "active is heard", mark)
        self.manager.wait_running("stay", 2, 30)

    def test_a_the_manager_stops_for_30_s(self):
        mark = self.probe.mark()
        paused = time.monotonic()
        self.manager.pause()
        self.probe.wait("state", lambda event: "heartbeat" in event.get("error", ""), 20, "the missing answer is noticed", mark)
        time.sleep(paused + 30 - time.monotonic())
        self.manager.resume()
        self.probe.wait("registered", lambda event: True, 30, "it registered again", mark)
        self.manager.wait_node("probe", timeout_s=30)
        self.manager.wait_running("stay", 2, 40)

    def test_b_the_manager_restarts(self):
        mark = self.probe.mark()
        self.manager.stop()
        self.manager.start()
        self.probe.wait("registered", lambda event: True, 40, "it registered again", mark)
        self.manager.wait_node("probe", timeout_s=40)
        self.manager.wait_running("stay", 2, 40)
        self.probe.wait("assigned", lambda event: event["complete"] and len(event["tasks"]) >= 2, 10, "the whole set came again", mark)

    def test_c_new_credentials_mean_a_new_session(self):
        mark = self.probe.mark()
        self.probe.tell("credentials")
        self.probe.wait("registered", lambda event: True, 10, "it registered again", mark)
        self.assertEqual(self.manager.node_state("probe"), "ready")

    def test_d_a_burst_of_registrations_stays_below_the_limit(self):
        mark = self.probe.mark()
        for _ in range(8):
            self.probe.tell("credentials")
            time.sleep(0.3)
        time.sleep(10)
        errors = [event["error"] for event in self.probe.heard("state", mark) if "rate limit" in event.get("error", "")]
        self.assertEqual(errors, [])
        self.assertEqual(self.probe.last("state")["state"], "RUNNING")

    def test_e_a_removed_node_is_told_so(self):
        mark = self.probe.mark()
        self.manager.docker("node", "rm", "--force", "probe")
        event = self.probe.wait("state", lambda event: event["state"] == "REMOVED", 30, "the removal is noticed", mark)
        self.assertIn("removed this node from the swarm", event["error"])

    def test_f_it_ends_cleanly(self):
        self.assertEqual(self.probe.end(), 0, self.probe.tail())


class ThreeManagers(SessionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(managers=3)
        cls.make_probe()

    def test_1_it_knows_all_managers(self):
        self.probe.wait("facts", lambda facts: set(facts["managers"]) == {manager.address for manager in self.managers}, 10, "three managers")
        self.assertEqual(self.probe.last("remotes")["count"], 3)

    def test_2_the_leader_is_killed(self):
        self.manager.create_service("stay", "hive:1", "cat", on="probe", replicas=2)
        self.manager.wait_running("stay", 2, 20)
        mark = self.probe.mark()
        leader = next(manager for manager in self.managers if manager.is_leader())
        others = [manager for manager in self.managers if manager is not leader]
        leader.kill()
        wait_until(lambda: any(manager.is_leader() for manager in others), 40, "another manager leads")
        self.probe.wait("registered", lambda event: True, 40, "it registered with another", mark)
        wait_until(lambda: others[0].node_state("probe") == "ready", 40, "the node is ready")
        others[0].wait_running("stay", 2, 40)

    def test_3_it_ends_cleanly(self):
        self.assertEqual(self.probe.end(), 0, self.probe.tail())


if __name__ == "__main__":
    unittest.main()
