"""Windows servers of four releases, a Windows client and Linux in one swarm: images of each release with each wish for isolation, and where
Windows' published rules let them run. The manager is real; its nodes are real agents whose hosts are emulated (skepd --emulated-host)."""
import itertools
import json
import re
import time
import unittest

from lib.hosts import run, wait_until
from lib.images import Image, layer, push_index
from lib.registry import Registry
from lib.scenario import Scenario
from lib.skepd import SKEPD, SANITIZERS, Skepd

# name: (os, build, revision, product, isolations that it offers)
HOSTS = {
    "win2016": ("windows", 14393, 7070, "server", "process+hyperv"),
    "win2019": ("windows", 17763, 6054, "server", "process+hyperv"),
    "core2019": ("windows", 17763, 1, "server", "process"),  # without the Hyper-V role
    "win2022": ("windows", 20348, 2402, "server", "process+hyperv"),
    "win2025": ("windows", 26100, 1742, "server", "process+hyperv"),
    "win11": ("windows", 22631, 3593, "client", "process+hyperv"),
    "penguin": ("linux", None, None, None, "process"),
}

# name: what it is for, an entry for each image under the name
WINDOWS = {14393: 7070, 17763: 1039, 20348: 169, 26100: 1}
IMAGES = {f"b{build}": [("windows", build, revision)] for build, revision in WINDOWS.items()}
IMAGES["b14393old"] = [("windows", 14393, 206)]  # the same build of another month
IMAGES["many"] = [("windows", build, revision) for build, revision in WINDOWS.items()] + [("linux", None, None)]
IMAGES["lin"] = [("linux", None, None)]

WISHES = ("default", "process", "hyperv")

# Windows' rules as Microsoft and Docker publish them, written down once more, from the tables and not from our C.
LONG_TERM = (14393, 17763, 20348, 26100)


def process_runs(host, image):
    (_, build, revision, _, _), (_, image_build, image_revision) = host, image
    if build == 14393:
        return (image_build, image_revision) == (build, revision)
    if build < 20348:
        return image_build == build
    released = [one for one in LONG_TERM if one <= build]
    floor = max(20348, released[-2])  # the release before the newest one that the host has reached
    return floor <= image_build <= build


def hyperv_runs(host, image):
    return 14393 <= image[1] <= host[1]


def isolations(host, image):
    """With which isolations one image runs on a host, in the order in which the host prefers them."""
    if host[0] != image[0]:
        return []
    offered = host[4].split("+")
    if host[0] == "windows":
        offered = [one for one in offered if (process_runs if one == "process" else hyperv_runs)(host, image)]
    return sorted(offered, key=("hyperv" if host[3] == "client" else "process").__ne__)


def chosen(host, images):
    """What a host takes of an index: the newest that is not above it."""
    fitting = [image for image in images if image[0] == host[0] and (image[1] is None or image[1] <= host[1])]
    return max(fitting, key=lambda image: (image[1] or 0, image[2] or 0)) if fitting else images[0]


def expected(host, images, wish):
    """The isolation that a container gets there, or None: it is refused."""
    able = isolations(host, chosen(host, images))
    return (able[0] if able else None) if wish == "default" else wish if wish in able else None


def version(one):
    return f"10.0.{one[1]}.{one[2]}"


class MixedHosts(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.begun = time.monotonic()
        place = cls.net.host("manager")
        # Both registries are one; the manager may ask the first alone.
        cls.registry = Registry(place, 5000, ip=place.ip).start()
        cls.addClassCleanup(cls.registry.stop)
        cls.hidden = Registry(place, 5001, ip=place.ip).start()
        cls.addClassCleanup(cls.hidden.stop)
        cls.env = {**SANITIZERS, "no_proxy": "*"}
        cls.manager = Skepd(place, "--insecure-registry", cls.registry.address)
        cls.manager.env = cls.env
        cls.manager.start().init("--availability", "drain")
        cls.nodes = {name: cls.make_host(name, host) for name, host in HOSTS.items()}
        for name in HOSTS:
            cls.manager.wait_node(name)
        for registry in (cls.registry, cls.hidden):
            cls.push(registry)

    @classmethod
    def make_host(cls, name, host):
        os, build, revision, product, isolation = host
        described = f"os={os},isolation={isolation}" + (f",build={build}.{revision},product={product}" if build else "")
        node = Skepd(cls.net.host(name), "--runtime", "emulated", "--emulated-host", described, "--insecure-registry", cls.registry.address,
                     "--insecure-registry", cls.hidden.address)
        node.env = cls.env
        node.start()
        node.join(cls.manager)
        return node

    @classmethod
    def push(cls, registry):
        def make(image):
            content = [layer({"Files/build.txt" if image[0] == "windows" else "etc/linux": f"{image}"})]
            return Image("x:1", layers=content, os=image[0], architecture="amd64", os_version=version(image) if image[1] else None)
        for name, images in IMAGES.items():
            made = [make(image) for image in images]
            if len(made) > 1:
                registry.host.call(push_index, f"http://{registry.address}", name, "1", made)
            else:
                registry.host.call(made[0].push, f"http://{registry.address}", name, "1")

    # What happened

    def create(self, name, image, wish, *options):
        return self.manager.docker("service", "create", "--detach", "--quiet", "--name", name, "--isolation", wish, "--mode", "global", *options, image)

    def listed(self, service):
        """{node: (state, error)} as `docker service ps` tells them; of each node the newest task."""
        shown = self.manager.docker("service", "ps", "--no-trunc", "--format", "{{.Node}}|{{.CurrentState}}|{{.Error}}", service).stdout
        found = {}
        for line in shown.splitlines():
            node, state, error = line.split("|", 2)
            found.setdefault(node, (state.split()[0].lower(), error.strip('"')))
        return found

    def settled(self, service, states=("running", "pending")):
        def look():
            listed = self.listed(service)
            self.assertEqual(sorted(listed), sorted(HOSTS))
            for node, (state, error) in listed.items():
                self.assertTrue(state in states and (state == "running" or error), f"{service} on {node}: {state} {error}")
            return listed
        return wait_until(look, 30, f"every node's task of {service} runs or is refused", every_s=0.3)

    def containers(self, node):
        """{service: container} of a node."""
        return {entry["Labels"]["com.docker.swarm.service.name"]: entry["Id"] for entry in self.nodes[node].containers()}

    def isolation_of(self, service, node, containers=None):
        """As the node has it: its own decision."""
        container = (containers or self.containers(node))[service]
        return self.nodes[node].inspect(container)["HostConfig"]["Isolation"]

    # The tests

    def test_1_nodes_are_what_they_say(self):
        theirs, ours = (json.loads(ask("node", "inspect", *HOSTS).stdout) for ask in (self.manager.docker, self.manager.skep))
        self.assertEqual(theirs, ours)
        pretty = self.manager.docker("node", "inspect", "--pretty", *HOSTS).stdout
        self.assertEqual(re.findall(r"Operating System:\s+(\w+)", pretty), [host[0] for host in HOSTS.values()])
        for node, (name, (os, build, revision, product, isolation)) in zip(theirs, HOSTS.items()):
            described = node["Description"]
            self.assertEqual(described["Hostname"], name)
            self.assertEqual(described["Platform"], {"Architecture": "x86_64", "OS": os})
            labels = described["Engine"]["Labels"]
            self.assertEqual(labels.get("skep.os.build"), f"{build}.{revision}" if build else None)
            self.assertEqual(labels["skep.isolation.process"], str("process" in isolation).lower())
            self.assertEqual(labels["skep.isolation.hyperv"], str("hyperv" in isolation).lower())
            self.assertEqual(labels["skep.isolation.default"], "hyperv" if product == "client" else "process")
            networks = {plugin["Name"] for plugin in described["Engine"]["Plugins"] if plugin["Type"] == "Network"}
            self.assertEqual(networks, {"nat", "null"} if os == "windows" else {"bridge", "host", "null"})
            self.assertEqual(self.nodes[name].api("GET", "/info")["OSType"], os)
        for shown in (self.manager.docker("node", "ls").stdout, self.manager.skep("node", "ls").stdout):
            for name in HOSTS:
                self.assertRegex(shown, rf"\b{name}\s+Ready\s+Active")

    def test_2_the_table(self):
        """Every image with every wish on every host."""
        for image, wish in itertools.product(IMAGES, WISHES):
            self.create(f"{image}-{wish}", f"{self.registry.address}/{image}:1", wish)
        rows, wrong = [], []
        settled = {f"{image}-{wish}": self.settled(f"{image}-{wish}") for image, wish in itertools.product(IMAGES, WISHES)}
        containers = {name: self.containers(name) for name in HOSTS}
        for image, wish in itertools.product(IMAGES, WISHES):
            service = f"{image}-{wish}"
            row = {}
            for name, host in HOSTS.items():
                state, error = settled[service][name]
                got = self.isolation_of(service, name, containers[name]) if state == "running" else None
                row[name] = got or "-"
                if got != expected(host, IMAGES[image], wish):
                    wrong.append(f"{service} on {name}: {got or error}, expected {expected(host, IMAGES[image], wish)}")
                if state != "running":
                    wrong += self.misworded(name, IMAGES[image], wish, error)
            rows.append((service, row))
        print(f"{'':20}" + "".join(f"{name:>10}" for name in HOSTS))
        for service, row in rows:
            print(f"{service:20}" + "".join(f"{row[name]:>10}" for name in HOSTS))
        print(f"{time.monotonic() - self.begun:.0f} s since the beginning")
        self.assertEqual(wrong, [])

    def misworded(self, name, images, wish, error):
        """What a refusal should say and does not."""
        host, image = HOSTS[name], chosen(HOSTS[name], images)
        wanted = ["unsupported platform on 1 node", f": {name}: "]
        if all(one[0] != host[0] for one in images):
            wanted.append(f"operating system: the image is for {image[0]}, the host is {host[0]}")
        elif wish == "hyperv" and "hyperv" not in host[4]:
            wanted.append("hyperv isolation is not offered here")
        else:
            wanted += [f"isolation {wish}: ", f"the image is {version(image)}, the host {version(host)}"]
        missing = [f"{name}: \"{error}\" lacks \"{text}\"" for text in wanted if text not in error]
        helps = wish == "process" and "hyperv" in isolations(host, image)
        if helps != ("hyperv would work here" in error):
            missing.append(f"{name}: \"{error}\": hyperv would {'' if helps else 'not '}work")
        return missing

    def test_3_default_falls_back_to_hyperv(self):
        """Named: an older image on a server that has the role, and on one that has not."""
        listed = self.listed("b14393-default")
        self.assertEqual((listed["win2019"][0], self.isolation_of("b14393-default", "win2019")), ("running", "hyperv"))
        self.assertEqual(listed["core2019"][0], "pending")
        self.assertRegex(listed["core2019"][1], r"isolation default: process isolation needs .*; hyperv isolation is not offered here")
        self.assertEqual(self.isolation_of("b17763-default", "core2019"), "process")
        self.assertEqual(self.isolation_of("b20348-default", "win11"), "hyperv")  # a client's own default, though process would do
        self.assertEqual(self.isolation_of("b20348-process", "win11"), "process")

    def test_4_replicas_go_where_they_run(self):
        """Not global: of seven nodes the scheduler takes those that fit, and tells why none does."""
        address = self.registry.address
        self.manager.docker("service", "create", "--detach", "--quiet", "--name", "spread", "--replicas", "8", "--isolation", "process", f"{address}/b17763:1")
        wait_until(lambda: self.manager.states("spread") == ["running"] * 8, 20, "all replicas run")
        shown = self.manager.docker("service", "ps", "--format", "{{.Node}}", "spread").stdout.split()
        self.assertEqual({name: shown.count(name) for name in set(shown)}, {"win2019": 4, "core2019": 4})
        self.manager.docker("service", "create", "--detach", "--quiet", "--name", "nowhere", "--isolation", "process", "--constraint",
                            "node.hostname!=win2025", f"{address}/b26100:1")
        error = self.manager.wait_task("nowhere", lambda task: task["Status"].get("Err"), 20, "is told why")["Status"]["Err"]
        self.assertRegex(error, r"^no suitable node \(unsupported platform on 6 nodes; ")
        self.assertIn("the image is 10.0.26100.1, the host 10.0.20348.2402", error)

    def test_5_a_node_refuses_by_itself(self):
        """The manager cannot reach this registry: it places by the service's spec alone, and the node finds out."""
        name = f"{self.hidden.address}/b20348:1"
        made = self.create("blind", name, "process", "--restart-condition", "none", "--constraint", "node.platform.os==windows")
        self.assertIn("could not be accessed", made.stderr)

        def look():
            listed = self.listed("blind")
            self.assertEqual(sorted(listed), sorted(set(HOSTS) - {"penguin"}))
            for state, error in listed.values():
                self.assertTrue(state == "running" or (state == "rejected" and error), f"{state} {error}")
            return listed
        listed = wait_until(look, 30, "every node has decided")
        for node, (state, error) in listed.items():
            able = expected(HOSTS[node], IMAGES["b20348"], "process")
            self.assertEqual(state, "running" if able else "rejected", f"{node}: {error}")
            if not able:
                self.assertIn(f"node {node}: isolation process: process isolation needs", error)
                self.assertIn(f"the image is 10.0.20348.169, the host {version(HOSTS[node])}", error)
                self.assertEqual("hyperv would work here" in error, HOSTS[node][1] > 20348, error)
        told = [line for line in self.manager.tail(2000).splitlines() if name.split("@")[0] in line and "does not say" in line]
        self.assertEqual(len(told), 1, "said once")

    def test_6_facts_go_with_their_services(self):
        """Seen in what the scheduler does: with its services gone and the registry away, nothing is known of an image any more."""
        image = self.manager.api("GET", "/services/b26100-process")["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"]
        self.assertIn("@sha256:", image)
        self.manager.docker("service", "rm", *self.manager.docker("service", "ls", "-q").stdout.split())
        wait_until(lambda: not any(node.containers(everything=True) for node in self.nodes.values()), 30, "all containers are gone")
        self.registry.stop()
        try:
            self.create("blind-2", image, "process", "--no-resolve-image", "--restart-condition", "none", "--constraint", "node.hostname==win2016")
            # With facts it would be pending for ever: so the node was given it, and could not pull.
            wait_until(lambda: self.listed("blind-2")["win2016"][0] in ("preparing", "rejected"), 20, "the node was given it")
        finally:
            self.registry.start()

    def test_7_what_cannot_be_is_refused_at_the_start(self):
        for options, words in ((["--emulated-host", "os=linux"], "--emulated-host: only with --runtime emulated"),
                               (["--runtime", "emulated", "--emulated-host", "os=windows"], "needs its build"),
                               (["--runtime", "emulated", "--emulated-host", "os=windows,build=20348,isolation=vm"], "isolation=vm: must be")):
            done = run([SKEPD, "--check", *options], check=False, env=self.env)
            self.assertEqual(done.returncode, 64, done.stderr)
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()
