"""The cluster's root CA is rotated under running tasks, and certificates renew in their window, seen with a clock that is set forward."""
import glob
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import read, wait_until
from lib.scenario import Scenario, sleeper

CERTIFICATE_HOURS = 90 * 24


class CertificateLife(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()
        cls.manager.create_service("web", "hive:1", *sleeper(), on="skep-a", replicas=5)
        cls.manager.wait_running("web", 5)

    def certificate(self):
        """The text of the node's certificate on disk."""
        return read(f"{self.node.state}/node/node.crt")

    def rotate(self):
        before = self.certificate()
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=60)
        root = self.manager.certificate_pem().strip()
        wait_until(lambda: self.manager.node("skep-a")["Description"]["TLSInfo"]["TrustRoot"].strip() == root, 20, "the node trusts the new root")
        self.assertNotEqual(before, self.certificate())
        self.assertEqual(self.manager.node_state("skep-a"), "ready")

    def test_1_rotated_twice_under_running_tasks(self):
        before = self.node.start_times()
        self.rotate()
        self.rotate()
        self.assertEqual(before, self.node.start_times())
        self.manager.wait_running("web", 5)

    def test_2_the_rotated_identity_outlives_a_restart(self):
        before = self.node.start_times()
        self.node.restart()
        self.manager.docker("service", "scale", "--detach", "web=6")
        self.manager.wait_running("web", 6, 30)
        after = self.node.start_times()
        for container, started in before.items():
            self.assertEqual(after.get(container), started)

    def test_3_an_old_token_is_of_no_use_any_more(self):
        token = self.manager.token()
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=60)
        other = self.make_node("skep-old", join=False, images=False)
        refused = other.join(self.manager, token, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, r"join-token")

    def test_4_files_of_the_identity_are_private(self):
        keys = glob.glob(f"{self.node.state}/node/**/*.key", recursive=True)
        self.assertTrue(keys)
        for path in keys:
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600, path)
        self.assertEqual(os.stat(self.node.state).st_mode & 0o777, 0o700)

    def test_5_renews_in_its_window(self):
        """Between half and four fifths of its life a certificate is renewed: at 45 % nothing happens yet, at 85 % it is overdue."""
        before, running = self.certificate(), self.node.start_times()
        early, late = (f"{int(CERTIFICATE_HOURS * share)}h" for share in (0.45, 0.85))
        self.node.stop()
        self.node.start("--clock-offset", early)
        self.manager.wait_node("skep-a")
        self.always(lambda: self.certificate() == before, 4, "too early to renew")
        self.node.stop()
        self.node.start("--clock-offset", late)
        wait_until(lambda: self.certificate() != before, 20, "the certificate is renewed")
        wait_until(lambda: self.manager.node_state("skep-a") == "ready", 20, "the node is Ready")
        self.assertEqual(running, self.node.start_times())
        self.node.stop()
        self.node.start("--clock-offset", "0s")
        self.manager.wait_node("skep-a")

    def test_6_switched_off_past_its_expiry_it_says_what_to_do(self):
        running = self.node.start_times()
        self.node.stop()
        self.node.start("--clock-offset", f"{CERTIFICATE_HOURS + 240}h")

        def said():
            swarm = self.node.api("GET", "/info")["Swarm"]
            return "expired" in swarm.get("Error", "") and "join" in swarm["Error"]
        wait_until(said, 30, "docker info says that the certificate has expired, and what to do about it")
        self.assertIn("expired", self.node.tail(400))
        self.assertEqual(running, self.node.start_times(), "its tasks run on all the same")
        self.node.stop()
        self.node.start("--clock-offset", "0s")
        self.manager.wait_node("skep-a")
        self.manager.remove_service("web")
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
