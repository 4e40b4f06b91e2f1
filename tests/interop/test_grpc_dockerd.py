"""Our gRPC and TLS against a real Swarm manager, as a host that has no certificate yet, also while its root CA rotates."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.scenario import Scenario
from lib.skepd import ROOT

BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
DENIED = "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = no client certificates in request"


class GrpcDockerd(Scenario):
    needs_skepd = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.visitor = cls.net.host("visitor")

    def probe(self, roots):
        done = self.visitor.run([f"{BUILD}/tests/grpc_probe", self.manager.address, roots], check=False)
        self.assertEqual(done.stderr, "")
        return {line.split()[0]: line.split(" ", 2)[1:] for line in done.stdout.splitlines()}

    def assertAnswers(self, said):
        self.assertEqual(said["Nothing"], ["12", "unknown method Nothing for service docker.swarmkit.v1.Dispatcher"])
        self.assertEqual(said["NodeCertificateStatus"][0], "3")
        self.assertEqual(said["Check"], ["7", DENIED])

    def test_1_root_is_downloaded_and_trusted(self):
        roots = os.path.join(self.net.dir, "first.crt")
        said = self.probe(roots)
        self.assertEqual(said["GetRootCACertificate"][0], "0")
        with open(roots) as file:
            self.assertEqual(file.read(), self.manager.certificate_pem())
        self.assertAnswers(said)

    def test_2_old_root_still_vouches_for_a_rotated_one(self):
        """The manager serves the cross-signed intermediate until its next renewal."""
        old = os.path.join(self.net.dir, "old.crt")
        new = os.path.join(self.net.dir, "new.crt")
        self.assertAnswers(self.probe(old))
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=60)
        self.assertAnswers(self.probe(old))
        self.assertAnswers(self.probe(new))
        with open(old) as first, open(new) as second:
            self.assertNotEqual(first.read(), second.read())

    def test_3_root_of_another_cluster_is_refused_in_words(self):
        other = os.path.join(self.net.dir, "other.crt")
        self.visitor.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                          "/CN=swarm-ca", "-keyout", os.path.join(self.net.dir, "other.key"), "-out", other])
        said = self.probe(other)
        self.assertEqual(said["Nothing"][0], "14")
        self.assertIn("authority that is not among the cluster's root CAs", said["Nothing"][1])

    def test_4_nobody_there(self):
        done = self.visitor.run([f"{BUILD}/tests/grpc_probe", f"{self.manager.host.ip}:2399", os.path.join(self.net.dir, "first.crt")],
                                check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("connection refused", done.stdout)


if __name__ == "__main__":
    unittest.main()
