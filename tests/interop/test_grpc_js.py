"""Our gRPC against a stack that someone else wrote (@grpc/grpc-js), in both directions, over mutual TLS on loopback."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import run
from lib.skepd import ROOT

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "grpc_js")
BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
MODULES = os.path.join(ROOT, "build", "grpc_js")
ROLE = "swarm-manager"


def install():
    """The packages of grpc_js/package.json, once per build tree."""
    if not shutil.which("npm"):
        raise unittest.SkipTest("there is no npm here")
    os.makedirs(MODULES, exist_ok=True)
    for name in os.listdir(HERE):
        if name != "node_modules":
            shutil.copy(os.path.join(HERE, name), MODULES)
    if os.path.isdir(os.path.join(MODULES, "node_modules", "@grpc", "grpc-js")):
        return
    done = run(["npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=MODULES, timeout=120, check=False)
    if done.returncode != 0:
        raise unittest.SkipTest(f"npm cannot install @grpc/grpc-js: {done.stderr.strip().splitlines()[-1:]}")


def openssl(*args):
    run(["openssl", *args])


class GrpcJs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        install()
        cls.dir = tempfile.mkdtemp(prefix="skep-grpc-js-")
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.make_authority("ca")
        cls.make_authority("other")
        cls.issue("node", "ca")
        cls.issue("stranger", "other")

    @classmethod
    def path(cls, name):
        return os.path.join(cls.dir, name)

    @classmethod
    def make_authority(cls, name):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=swarm-ca",
                "-keyout", cls.path(f"{name}.key"), "-out", cls.path(f"{name}.crt"))

    @classmethod
    def issue(cls, name, authority):
        extensions = cls.path("extensions")
        with open(extensions, "w") as file:
            file.write(f"subjectAltName=DNS:{ROLE},DNS:node1\nextendedKeyUsage=serverAuth,clientAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/O=cluster1/OU=swarm-worker/CN=node1",
                "-keyout", cls.path(f"{name}.key"), "-out", cls.path(f"{name}.csr"))
        openssl("x509", "-req", "-in", cls.path(f"{name}.csr"), "-CA", cls.path(f"{authority}.crt"), "-CAkey", cls.path(f"{authority}.key"),
                "-CAcreateserial", "-days", "1", "-extfile", extensions, "-out", cls.path(f"{name}.crt"))

    def files(self, name="node", authority="ca"):
        return [self.path(f"{name}.crt"), self.path(f"{name}.key"), self.path(f"{authority}.crt")]

    def serve(self, *argv):
        """Start a server; returns it and its port. It runs until its standard input ends."""
        server = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def stop():
            if server.stdin.closed:
                return
            server.stdin.close()
            server.wait(timeout=10)
            server.stdout.close()
        self.addCleanup(stop)
        word, port = server.stdout.readline().split()
        self.assertEqual(word, "listening")
        return server, int(port)

    def our_server(self):
        return self.serve(f"{BUILD}/tests/grpc_echo_server", "127.0.0.1:0", *self.files())

    def their_server(self):
        return self.serve("node", f"{MODULES}/server.js", *self.files())

    def call(self, *argv):
        """Run a client and return what it says of each scenario."""
        done = run(argv, check=False, timeout=90)
        said = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        self.assertTrue(said, done.stderr)
        for scenario, verdict in said.items():
            with self.subTest(scenario):
                self.assertEqual(verdict, "ok")
        self.assertEqual(done.returncode, 0, done.stderr)
        return said

    def finish(self, server):
        server.stdin.close()
        lines = server.stdout.read().splitlines()
        server.stdout.close()
        self.assertEqual(server.wait(timeout=10), 0)
        return lines

    def test_their_client_calls_our_server(self):
        server, port = self.our_server()
        said = self.call("node", f"{MODULES}/client.js", f"127.0.0.1:{port}", *self.files(), ROLE)
        self.assertEqual(len(said), 14)
        ended = self.finish(server)
        self.assertIn("Hang 1", ended, "the server saw the cancellation")

    def test_our_client_calls_their_server(self):
        server, port = self.their_server()
        said = self.call(f"{BUILD}/tests/grpc_echo_client", f"127.0.0.1:{port}", *self.files(), ROLE)
        self.assertEqual(len(said), 12)
        self.assertEqual(self.finish(server), ["Hang cancelled"] * 2, "by the deadline, and by hand")

    def test_our_client_refuses_a_server_of_another_cluster(self):
        _, port = self.their_server()
        done = run([f"{BUILD}/tests/grpc_echo_client", f"127.0.0.1:{port}", *self.files(authority="other"), ROLE, "unary"], check=False)
        self.assertIn("unary FAIL: 14", done.stdout)
        self.assertIn("authority", done.stdout)

    def test_our_client_says_that_the_server_refused_its_certificate(self):
        _, port = self.their_server()
        done = run([f"{BUILD}/tests/grpc_echo_client", f"127.0.0.1:{port}", *self.files("stranger"), ROLE, "unary"], check=False)
        self.assertIn("unary FAIL: 14", done.stdout)
        self.assertIn("certificate", done.stdout)

    def test_our_client_refuses_a_server_in_another_role(self):
        _, port = self.their_server()
        done = run([f"{BUILD}/tests/grpc_echo_client", f"127.0.0.1:{port}", *self.files(), "swarm-ca", "unary"], check=False)
        self.assertIn("not one of a swarm-ca", done.stdout)


if __name__ == "__main__":
    unittest.main()
