"""A swarm of ours whose root CA belongs to a CFSSL: the cluster moves to a root whose key only CFSSL has, nodes and new nodes get their
certificates from it, and what happens while it does not answer is said and comes right by itself."""
import concurrent.futures
import subprocess
import unittest

from lib.cfssl import ExternalCA
from lib.dockerd import Dockerd
from lib.hosts import read, wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd


def issuer(pem):
    return subprocess.run(["openssl", "x509", "-noout", "-issuer", "-subject"], input=pem, capture_output=True, text=True, check=True).stdout


class ExternalCaOfASwarm(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm(kind=Skepd)
        cls.worker = cls.make_node()
        cls.manager.create_service("web", "hive:1", *sleeper(), on="skep-a", replicas=2)
        cls.manager.wait_running("web", 2)
        cls.before = cls.worker.start_times()
        cls.ca = ExternalCA(cls.net.host("ca"))
        cls.addClassCleanup(cls.ca.stop)
        cls.first_root = cls.manager.certificate_pem()

    def certificate(self, node):
        return read(f"{node.state}/node/node.crt")

    def trusts(self, name):
        return self.manager.node(name)["Description"]["TLSInfo"]["TrustRoot"].strip()

    def test_1_one_that_does_not_answer_is_named(self):
        said = self.manager.docker("swarm", "ca", "--rotate", "--detach", "--ca-cert", self.ca.root, "--external-ca",
                                   f"protocol=cfssl,url={self.ca.url},cacert={self.ca.root}", check=False, timeout=90)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("external CA", said.stderr)
        self.assertEqual(self.manager.certificate_pem(), self.first_root)

    def test_2_the_cluster_moves_to_a_root_whose_key_it_does_not_have(self):
        self.ca.start(self.first_root, read(self.ca.root))
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", "--ca-cert", self.ca.root, "--external-ca",
                            f"protocol=cfssl,url={self.ca.url},cacert={self.ca.root}", timeout=120)
        root = read(self.ca.root).strip()
        for node in (self.manager, self.worker):
            wait_until(lambda name=node.name: self.trusts(name) == root, 30, f"{node.name} trusts CFSSL's root")
            self.assertRegex(issuer(self.certificate(node)), r"issuer=CN = hive-ca")
        self.assertGreaterEqual(self.ca.signed, 2)
        self.assertEqual(self.before, self.worker.start_times(), "no container was disturbed")

    def test_3_new_nodes_of_both_kinds_get_their_certificates_from_it(self):
        before = self.ca.signed
        ours = self.make_node("skep-b")
        self.assertRegex(issuer(self.certificate(ours)), r"issuer=CN = hive-ca\nsubject=.*OU = swarm-worker, CN = \w{25}")
        theirs = Dockerd(self.net.host("docker-b")).start()
        theirs.join(self.manager)
        self.manager.wait_node("docker-b")
        self.assertEqual(self.trusts("docker-b"), read(self.ca.root).strip())
        self.assertGreaterEqual(self.ca.signed, before + 2)

    def test_4_while_it_is_away_who_joins_waits_and_is_told_for_what(self):
        self.ca.stop()
        node = self.make_node("skep-c", join=False, images=False)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            joining = pool.submit(node.join, self.manager, timeout=120)
            try:
                wait_until(lambda: f"no external CA signs: external CA {self.ca.url}: Failed to connect" in self.manager.tail(20), 30, "it is said")
                wait_until(lambda: "the manager cannot issue it yet: no external CA signs: external CA" in node.tail(20), 30, "who joins is told")
                self.assertFalse(joining.done())
            finally:
                self.ca.start(self.first_root, read(self.ca.root))
            joining.result()
        self.manager.wait_node("skep-c")

    def test_5_and_back_to_a_root_of_the_clusters_own(self):
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=120)
        root = self.manager.certificate_pem().strip()
        self.assertNotEqual(root, read(self.ca.root).strip())
        for name in ("skep-a", "skep-b", "docker-b"):
            wait_until(lambda name=name: self.trusts(name) == root, 30, f"{name} trusts the cluster's own root")
        self.assertEqual(self.before, self.worker.start_times(), "no container was disturbed")


if __name__ == "__main__":
    unittest.main()
