"""What a dashboard reads: /health and /metrics of nodes and managers of ours, on the API's socket and over TCP."""
import http.client
import json
import os
import time
import unittest

from lib.daemon import _UnixConnection
from lib.hosts import wait_until
from lib.metrics import Metrics, promtool_says
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd, process_start

PORT = 9323


def ask(daemon, path):
    """(status, body) on the API's socket."""
    connection = _UnixConnection(daemon.socket, 30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def health(daemon, path="/health"):
    status, body = ask(daemon, path)
    return status, json.loads(body)


def metrics(daemon):
    status, body = ask(daemon, "/metrics")
    if status != 200:
        raise AssertionError(f"/metrics: {status} {body}")
    return Metrics(body)


class OneNode(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manager = Skepd(cls.net.host("skep-a"), "--metrics-addr", f"127.0.0.1:{PORT}").start()
        cls.manager.load_image(cls.image())

    def test_1_in_no_swarm(self):
        status, said = health(self.manager)
        self.assertEqual((status, said["live"], said["ready"], said["state"]), (503, True, False, "inactive"))
        self.assertIn("this node is in no swarm", said["reasons"])
        self.assertEqual(health(self.manager, "/health/live"), (200, {"live": True}))
        told = metrics(self.manager)
        self.assertEqual(told("skep_node_state", state="inactive"), 1)
        self.assertEqual(told("swarm_node_manager"), 0)
        self.assertFalse(told.has("swarm_node_info"))
        self.assertFalse(told.has("swarm_manager_leader"))

    def test_2_a_swarm_of_one_is_well(self):
        self.manager.init()
        self.manager.wait_node("skep-a")
        wait_until(lambda: health(self.manager)[0] == 200 or self.fail(health(self.manager)), 20, "all is well")
        self.assertEqual(health(self.manager)[1], {"live": True, "ready": True, "quorum": True, "state": "active", "role": "manager",
                                                   "reasons": []})
        told, info = metrics(self.manager), self.manager.api("GET", "/info")["Swarm"]
        self.assertEqual(told("swarm_node_info", swarm_id=info["Cluster"]["ID"], node_id=info["NodeID"]), 1)
        self.assertEqual((told("swarm_node_manager"), told("swarm_manager_leader"), told("skep_raft_quorum")), (1, 1, 1))
        self.assertEqual(told("swarm_manager_nodes", state="ready"), 1)
        self.assertEqual(told("swarm_manager_nodes", state="down"), 0)
        self.assertEqual(told("skep_raft_members"), 1)
        self.assertGreater(told("skep_raft_commit_index"), 0)
        self.assertEqual(told("skep_raft_apply_lag_entries"), 0)
        self.assertGreater(told("skep_raft_fsync_seconds_count"), 0)
        self.assertGreater(told("skep_raft_log_size_bytes"), 0)
        ninety_days = 90 * 86400
        self.assertAlmostEqual(told("skep_node_certificate_expiry_timestamp_seconds") - time.time(), ninety_days, delta=2 * 86400)
        self.assertGreater(told("skep_root_certificate_expiry_timestamp_seconds"), time.time() + 365 * 86400)

    def test_3_its_own_process(self):
        told = metrics(self.manager)
        pid = self.manager.pid
        handles = len(os.listdir(f"/proc/{pid}/fd"))
        self.assertAlmostEqual(told("process_open_fds"), handles, delta=10)
        self.assertAlmostEqual(told("process_resident_memory_bytes") / 1024, self.manager.memory_kib()[0], delta=32 * 1024)
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self.assertAlmostEqual(told("process_start_time_seconds"), booted + process_start(pid) / os.sysconf("SC_CLK_TCK"), delta=2)

    def test_4_services_and_tasks(self):
        self.manager.create_service("web", "hive:1", *sleeper(), replicas=3)
        self.manager.create_service("nowhere", "hive:1", *sleeper(), options=["--constraint", "node.labels.zone==b"])
        self.manager.wait_running("web", 3)
        self.manager.wait_task("nowhere", lambda one: one["Status"].get("Err"), 10, "says why it does not run")
        told = metrics(self.manager)
        self.assertEqual(told("swarm_manager_services_total"), 2)
        self.assertEqual(told("swarm_manager_tasks_total", state="running"), 3)
        self.assertEqual(told("swarm_manager_tasks_total", state="pending"), 1)
        self.assertEqual(told("skep_scheduler_pending_tasks"), 1)
        self.assertGreater(told("skep_scheduler_refusals_total", reason="constraint"), 0)
        self.assertEqual(told("skep_scheduler_refusals_total", reason="resource"), 0)
        self.assertEqual(told("skep_node_tasks"), 3)

        def tallied():
            told = metrics(self.manager)
            web = (told.one("skep_service_tasks_desired", service_name="web"), told.one("skep_service_tasks_running", service_name="web"))
            nowhere = (told.one("skep_service_tasks_desired", service_name="nowhere"),
                       told.one("skep_service_tasks_running", service_name="nowhere"))
            return (web, nowhere) == ((3, 3), (1, 0)) or self.fail((web, nowhere))
        wait_until(tallied, 10, "services are told as they are")
        wait_until(lambda: metrics(self.manager)("skep_tasks_older", state="pending", than=10) == 1, 30,
                   "the one that waits is seen to be waiting")

    def test_5_heartbeats(self):
        wait_until(lambda: metrics(self.manager)("skep_node_heartbeats_total") > 0, 20, "one was sent")
        told = metrics(self.manager)
        self.assertGreater(told("skep_node_heartbeat_period_seconds"), 0)
        self.assertLess(told("skep_node_heartbeat_late_seconds"), 5)
        self.assertEqual((told("skep_node_session"), told("skep_dispatcher_sessions")), (1, 1))

    def test_6_over_tcp_there_is_this_and_nothing_else(self):
        get = lambda path: self.manager.host.run(["curl", "-s", "-i", f"http://127.0.0.1:{PORT}{path}"]).stdout
        answer = get("/metrics")
        self.assertIn("Content-Type: text/plain; version=0.0.4; charset=utf-8", answer)
        Metrics(answer.replace("\r\n", "\n").split("\n\n", 1)[1])
        self.assertIn("HTTP/1.1 200", get("/health").splitlines()[0])
        for path in ("/info", "/nodes", "/v1.41/containers/json", "/"):
            self.assertIn("HTTP/1.1 404", get(path).splitlines()[0])
        outside = self.manager.host.run(["curl", "-s", "--max-time", "3", f"http://{self.manager.host.ip}:{PORT}/metrics"], check=False)
        self.assertEqual(outside.returncode, 7, "nobody listens elsewhere")

    def test_7_promtool(self):
        said = promtool_says(metrics(self.manager).text)
        if said is None:
            self.skipTest("promtool is not installed")
        self.assertEqual(said, [])


class ThreeManagers(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(managers=3, kind=Skepd)
        for manager in cls.managers:
            manager.wait_node(manager.name)
        cls.worker = cls.make_node("skep-a", images=False)

    def test_1_the_leader_tells_of_the_cluster(self):
        leader = self.leader()
        for daemon in (*self.managers, self.worker):
            wait_until(lambda daemon=daemon: health(daemon)[0] == 200 or self.fail(health(daemon)), 30, f"{daemon.name} is well")
        for manager in self.managers:
            told = metrics(manager)
            self.assertEqual(told("swarm_manager_leader"), int(manager is leader))
            self.assertEqual(told("skep_raft_members"), 3)
            self.assertEqual(told.has("swarm_manager_nodes"), manager is leader)
        told = metrics(leader)
        self.assertEqual(told("swarm_manager_nodes", state="ready"), 4)
        self.assertEqual(len(told.found["skep_raft_peer_lag_entries"]), 2)
        self.assertIn(promtool_says(told.text), ([], None))
        self.assertFalse(metrics(self.worker).has("skep_raft_term"))

    def test_2_a_lost_quorum_is_said(self):
        """Two of three are killed: the third says 503 and why, and so does the worker; once they are back all is well."""
        last, *others = self.managers
        for manager in others:
            manager.kill()

        def says_why():
            status, said = health(last)
            return status == 503 and not said["quorum"] and not said["ready"] and said or self.fail((status, said))
        said = wait_until(says_why, 20, "the last manager says that there is no quorum")
        self.assertEqual(said["live"], True)
        wait_until(lambda: "no manager leads: 1 of 3 managers can be reached from here, and 2 are needed" in health(last)[1]["reasons"]
                   or self.fail(health(last)), 20, "it says why")
        self.assertEqual(health(last, "/health/quorum")[0], 503)
        self.assertEqual(health(last, "/health/live")[0], 200)
        told = metrics(last)
        self.assertEqual((told("skep_quorum"), told("skep_raft_members_reachable"), told("swarm_manager_leader")), (0, 1, 0))
        self.assertFalse(told.has("swarm_manager_nodes"))
        wait_until(lambda: health(self.worker)[0] == 503 or self.fail(health(self.worker)), 60, "the worker has no session")
        for manager in others:
            manager.start()
        for daemon in (*self.managers, self.worker):
            wait_until(lambda daemon=daemon: health(daemon)[0] == 200 or self.fail(health(daemon)), 60, f"{daemon.name} is well again")


if __name__ == "__main__":
    unittest.main()
