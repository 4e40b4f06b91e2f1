"""Windows servers of four releases, a Windows client (skepd.exe under Wine, on emulated HCS) and Linux in one swarm of ours: images of each build
with each wish for isolation run where the published rules let them, as tests/e2e/test_mixed_hosts.py writes them down."""
import itertools
import json
import os

from e2e.test_mixed_hosts import HOSTS, IMAGES, WISHES, expected, version
from lib.hosts import wait_until
from lib.images import Image, windows_base_layer
from lib.registry import Registry
from lib.skepd import Skepd
from lib.wine import WindowsScenario, WineSkepd

NODES = {name: HOSTS[name] for name in ("win2016", "win2019", "core2019", "win2022", "win2025", "win11")}
BUILDS = {name: IMAGES[name] for name in ("b14393", "b17763", "b20348", "b26100")}


class Builds(WindowsScenario):
    needs_skepd = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        place = cls.net.host("manager")
        cls.registry = Registry(place, ip=place.ip).start()
        cls.manager = Skepd(place, "--insecure-registry", cls.registry.address)
        cls.manager.start().init("--availability", "drain")
        cls.nodes = {name: cls.make(name, *host) for name, host in NODES.items()}
        cls.linux = Skepd(cls.net.host("penguin"), "--insecure-registry", cls.registry.address).start()
        cls.linux.join(cls.manager)
        for name in (*NODES, "penguin"):
            cls.manager.wait_node(name)
        for name, (image,) in BUILDS.items():
            made = Image("x:1", layers=[windows_base_layer({"build.txt": name})], os="windows", architecture="amd64", os_version=version(image),
                         cmd=["cmd", "/c", "pause >nul"])
            place.call(made.push, f"http://{cls.registry.address}", name, "1")
        cls.shared = cls.registry.push("lin")

    @classmethod
    def make(cls, name, _os, build, revision, product, isolation):
        node = WineSkepd(cls.net.host(name), "--insecure-registry", cls.registry.address, build=f"{build}.{revision}", product=product,
                         has_hyperv="hyperv" in isolation).start()
        node.join(cls.manager)
        return node

    def isolations(self, name):
        """{service: isolation} of what runs on a node, from the documents that it keeps."""
        found, root = {}, os.path.join(self.nodes[name].state, "containers")
        for container in os.listdir(root) if os.path.isdir(root) else []:
            with open(os.path.join(root, container, "document.json")) as file:
                skep = json.load(file)["Skep"]
            found[skep["Labels"]["com.docker.swarm.service.name"]] = skep["Isolation"]
        return found

    def newest(self, service):
        """{node: (state, error)}; of each node the newest task."""
        names = {node["ID"]: node["Description"]["Hostname"] for node in self.manager.nodes()}
        found = {}
        for task in self.manager.tasks(service):
            found.setdefault(names.get(task.get("NodeID"), "?"), (task["Status"]["State"], task["Status"].get("Err", "")))
        return found

    def settled(self, service):
        def look():
            newest = self.newest(service)
            for name in (*NODES, "penguin"):
                self.assertIn(newest[name][0], ("running", "pending"), f"{service} on {name}: {newest[name]}")
            return newest
        return wait_until(look, 90, f"each node's task of {service} runs or is refused", every_s=0.5)

    def test_1_nodes_are_what_they_say(self):
        for name, (_, build, revision, product, isolation) in NODES.items():
            labels = self.manager.node(name)["Description"]["Engine"]["Labels"]
            self.assertEqual(labels["skep.os.build"], f"{build}.{revision}")
            self.assertEqual(labels["skep.isolation.hyperv"], str("hyperv" in isolation).lower())
            self.assertEqual(labels["skep.isolation.default"], "hyperv" if product == "client" else "process")

    def test_2_the_table(self):
        for image, wish in itertools.product(BUILDS, WISHES):
            self.manager.docker("service", "create", "--detach", "--quiet", "--name", f"{image}-{wish}", "--isolation", wish, "--mode", "global",
                                f"{self.registry.address}/{image}:1")
        wrong, settled = [], {}
        for image, wish in itertools.product(BUILDS, WISHES):
            settled[image, wish] = self.settled(f"{image}-{wish}")
        running = {name: self.isolations(name) for name in NODES}
        print(f"{'':16}" + "".join(f"{name:>10}" for name in NODES))
        for (image, wish), newest in settled.items():
            service, row = f"{image}-{wish}", []
            self.assertIn("linux", newest["penguin"][1])
            for name, host in NODES.items():
                got = running[name].get(service) if newest[name][0] == "running" else None
                row.append(got or "-")
                if got != expected(host, BUILDS[image], wish):
                    wrong.append(f"{service} on {name}: {got or newest[name]}, expected {expected(host, BUILDS[image], wish)}")
            print(f"{service:16}" + "".join(f"{one:>10}" for one in row))
        self.assertEqual(wrong, [])

    def test_3_one_service_for_each_system(self):
        self.manager.docker("service", "create", "--detach", "--quiet", "--name", "for-linux", "--replicas", "2", self.shared, "sleep", "600")
        self.manager.docker("service", "create", "--detach", "--quiet", "--name", "for-windows", "--replicas", "2", "--isolation", "process",
                            f"{self.registry.address}/b20348:1")
        for service, hosts in (("for-linux", {"penguin"}), ("for-windows", {"win2022", "win2025", "win11"})):
            wait_until(lambda: self.manager.states(service) == ["running", "running"], 60, f"{service} runs")
            self.assertLessEqual(set(self.newest(service)), hosts)
