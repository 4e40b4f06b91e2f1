"""`/distribution/{name}/json` beside dockerd's: the same registry asked by both must give the same answers; and what `docker service create`
makes of ours."""
import base64
import json
import os
import sys
import unittest
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.images import Image, layer, push_index
from lib.registry import Registry
from lib.scenario import Scenario
from lib.skepd import Skepd

USER, PASSWORD = "bee", "honey"


def windows(build):
    return Image("win:1", layers=[layer({"Files/build.txt": str(build)})], os="windows", architecture="amd64", os_version=f"10.0.{build}.1")


def linux(architecture, variant=None):
    return Image("lin:1", layers=[layer({"etc/machine": architecture})], architecture=architecture, variant=variant)


class Distribution(Scenario):
    """One host, so that both daemons reach the same loopback."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.net.host("manager")
        cls.theirs, cls.ours = Dockerd(cls.host).start(), Skepd(cls.host).start()
        cls.ours.init()
        cls.registry, cls.closed = Registry(cls.host).start(), Registry(cls.host, 5001, USER, PASSWORD).start()
        cls.addClassCleanup(cls.registry.stop)
        cls.addClassCleanup(cls.closed.stop)
        cls.push()

    @classmethod
    def push(cls):
        def inside(registry, work):
            return cls.host.call(work, f"http://{registry.address}", *((USER, PASSWORD) if registry.user else (None, None)))
        many = [windows(17763), windows(20348), linux("amd64"), linux("arm", "v7")]
        inside(cls.registry, lambda url, user, password: push_index(url, "many", "1", many))
        inside(cls.registry, lambda url, user, password: push_index(url, "many", "docker", many, docker=True))
        inside(cls.registry, lambda url, user, password: windows(20348).push(url, "one", "oci"))
        inside(cls.registry, lambda url, user, password: windows(17763).push(url, "one", "1", docker=True))
        inside(cls.registry, lambda url, user, password: linux("arm64").push(url, "one", "docker", docker=True))
        inside(cls.closed, lambda url, user, password: linux("amd64").push(url, "mine", "1", user, password, docker=True))

    def ask(self, daemon, name, auth=None):
        header = {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(auth).encode()).decode()} if auth else {}
        return daemon.api("GET", f"/v1.41/distribution/{quote(name)}/json", headers=header)

    def both(self, name, auth=None):
        theirs, ours = self.ask(self.theirs, name, auth), self.ask(self.ours, name, auth)
        self.assertEqual(theirs, ours)
        return ours

    def test_1_the_same_answers(self):
        address = self.registry.address
        for tag in ("1", "docker"):
            many = self.both(f"{address}/many:{tag}")
            self.assertEqual([platform.get("os.version") for platform in many["Platforms"]], ["10.0.17763.1", "10.0.20348.1", None, None])
        self.assertEqual(self.both(f"{address}/one:1")["Platforms"], [{"architecture": "amd64", "os": "windows", "os.version": "10.0.17763.1"}])
        self.assertEqual(self.both(f"{address}/one:docker")["Platforms"], [{"architecture": "arm64", "os": "linux"}])
        theirs, ours = (self.ask(daemon, f"{address}/one:oci") for daemon in (self.theirs, self.ours))
        self.assertEqual(theirs["Descriptor"], ours["Descriptor"])
        self.assertIsNone(theirs["Platforms"])  # 20.10 does not read the config of OCI's single images
        self.assertEqual(ours["Platforms"], [{"architecture": "amd64", "os": "windows", "os.version": "10.0.20348.1"}])
        digest = self.ask(self.ours, f"{address}/many:1")["Descriptor"]["digest"]
        self.assertEqual(self.ask(self.ours, f"{address}/many@{digest}")["Descriptor"]["digest"], digest)

    def refused(self, daemon, name, auth=None):
        with self.assertRaises(AssertionError) as caught:
            self.ask(daemon, name, auth)
        text = str(caught.exception)
        return text.split(": ", 1)[1].split(" ", 1)

    def test_2_the_same_refusals(self):
        for name, status, words in ((f"{self.registry.address}/none:1", "404", "manifest unknown"), ("UPPER", "400", "invalid reference format"),
                                    ("0" * 64, "500", "no manifest found for full image ID")):
            for daemon in (self.theirs, self.ours):
                with self.subTest(name=name, daemon=daemon.kind):
                    got, message = self.refused(daemon, name)
                    self.assertEqual(got, status)
                    self.assertIn(words, message)
        # Where nobody says who asks, dockerd has no answer of the registry's to pass on.
        self.assertIn("no basic auth credentials", self.refused(self.theirs, f"{self.closed.address}/mine:1")[1])
        status, message = self.refused(self.ours, f"{self.closed.address}/mine:1")
        self.assertEqual(status, "401")
        self.assertIn("wants a user name and password", message)

    def test_3_credentials(self):
        auth = {"username": USER, "password": PASSWORD, "serveraddress": self.closed.address}
        self.assertEqual(self.both(f"{self.closed.address}/mine:1", auth)["Platforms"], [{"architecture": "amd64", "os": "linux"}])
        for daemon in (self.theirs, self.ours):
            self.assertEqual(self.refused(daemon, f"{self.closed.address}/mine:1", {**auth, "password": "wax"})[0], "401")

    def test_4_docker_service_create_pins_what_it_is_told(self):
        name = f"{self.registry.address}/many:1"
        made = self.ours.docker("service", "create", "--detach", "--name", "pinned", "--replicas", "0", name)
        self.assertNotIn("could not be accessed", made.stderr)
        spec = self.ours.api("GET", "/services/pinned")["Spec"]["TaskTemplate"]
        self.assertEqual(spec["ContainerSpec"]["Image"], f"{name}@{self.ask(self.ours, name)['Descriptor']['digest']}")
        self.assertEqual(spec["Placement"]["Platforms"][0], {"Architecture": "amd64", "OS": "windows"})
        self.ours.docker("service", "rm", "pinned")


if __name__ == "__main__":
    unittest.main()
