"""The shape of our JSON beside dockerd 20.10's: the same image, container and events on both; every member that dockerd gives is in our answer
with the same type, or stands below with the reason why it is not."""
import json
import os
import sys
import time
import unittest
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.scenario import Scenario, sleeper

# Members whose keys are data (a network's name, a layer's parts): their values are compared with each other, whatever they are called.
MAPS = {"NetworkSettings.Networks", "networks", "Runtimes", "RegistryConfig.IndexConfigs"}
# Objects whose keys are the user's or the kernel's.
OPEN = {"Labels", "Config.Labels", "Actor.Attributes", "memory_stats.stats", "GraphDriver.Data", "HostConfig.LogConfig.Config", "Components.Details"}

# {answer: {member: why ours has none, or another type}}; "X.*" covers what is below X.
IN_BUNDLE = "a task may ask for it, and its container has it; it stands in the OCI bundle, not in the record that this answer is made from"
NO_BUILD = "tells how the image was built, not what it holds; docker 28's answer has it no more"
EXCEPTIONS = {
    "container": {f"HostConfig.{name}": IN_BUNDLE for name in (
        "CgroupParent", "CgroupnsMode", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "IpcMode", "MaskedPaths",
        "MemoryReservation", "OomKillDisable", "ReadonlyPaths", "Ulimits")},
    "image": {name: NO_BUILD for name in (
        "Config.AttachStderr", "Config.AttachStdin", "Config.AttachStdout", "Config.Domainname", "Config.Hostname", "Config.Image",
        "Config.OpenStdin", "Config.StdinOnce", "Config.Tty", "Container", "ContainerConfig")},
    "info": {
        "RegistryConfig.IndexConfigs.*": "dockerd lists docker.io by itself; we list what was configured, and nothing was",
        "Swarm.Cluster": "a manager's own; a worker of dockerd's has none either",
        "Swarm.Managers": "as above",
        "Swarm.Nodes": "as above",
    },
    "stats": {f"{name}.cpu_usage.percpu_usage": "cgroup v1's count by processor; cgroup v2 has none, and neither has dockerd there"
              for name in ("cpu_stats", "precpu_stats")},
}


def kind(value):
    """JSON's types; a number is a number."""
    if isinstance(value, bool):
        return "boolean"
    return {dict: "object", list: "array", str: "string", int: "number", float: "number", type(None): "null"}[type(value)]


def members(value, path=""):
    """{path: set of types}, of every member at any depth; the elements of a list count as one."""
    found = {}

    def add(path, value):
        found.setdefault(path, set()).add(kind(value))
        for below, types in members(value, path).items():
            found.setdefault(below, set()).update(types)

    if isinstance(value, dict) and path not in OPEN:
        for key, item in value.items():
            name = "*" if path in MAPS else key
            add(f"{path}.{name}" if path else name, item)
    elif isinstance(value, list):
        for item in value:
            for below, types in members(item, path).items():
                found.setdefault(below, set()).update(types)
    return found


class JsonShape(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.manager.load_image(cls.image())
        cls.node = cls.make_node()
        cls.theirs = cls.ours = None
        cls.daemons = (cls.manager, cls.node)
        cls.manager.create_service("shape", "hive:1", *sleeper(), replicas=2,
                                   options=["--replicas-max-per-node", "1", "--limit-memory", "64m", "--env", "A=1", "--label", "tier=1"])
        cls.manager.wait_running("shape", 2)
        cls.ids = [daemon.api("GET", "/containers/json")[0]["Id"] for daemon in cls.daemons]

    def compare(self, answer, theirs, ours):
        """Where either has nothing to show (null, an empty list) types are not compared."""
        excused, used, wrong = EXCEPTIONS.get(answer, {}), set(), []
        wanted, have = members(theirs), members(ours)
        self.assertGreater(len(wanted), 3, "dockerd gave too little to compare with")
        for path, types in sorted(wanted.items()):
            reason = next((name for name in excused if path == name or name.endswith(".*") and path.startswith(name[:-1])), None)
            if path in have and (types <= have[path] | {"null"} or have[path] <= {"null"}):
                continue
            if reason:
                used.add(reason)
            elif "." not in path or path.rpartition(".")[0] in have:  # what is below a missing one goes without saying
                wrong.append(f"{path}: {'/'.join(sorted(types))} in dockerd, {'/'.join(sorted(have.get(path, {'missing'})))} in skepd")
        self.assertEqual(wrong, [], f"{answer}:\n" + "\n".join(wrong))
        self.assertEqual(sorted(set(excused) - used), [], f"{answer}: exceptions that are not needed any more")

    def both(self, path):
        return [daemon.api("GET", "/v1.41" + path.replace("{id}", container)) for daemon, container in zip(self.daemons, self.ids)]

    def test_containers(self):
        self.compare("containers", *self.both("/containers/json"))

    def test_container(self):
        self.compare("container", *self.both("/containers/{id}/json"))

    def test_info(self):
        self.compare("info", *self.both("/info"))

    def test_version(self):
        self.compare("version", *self.both("/version"))

    def test_images(self):
        self.compare("images", *self.both("/images/json"))

    def test_image(self):
        self.compare("image", *self.both("/images/hive:1/json"))

    def test_stats(self):
        self.compare("stats", *self.both("/containers/{id}/stats?stream=false"))

    def test_z_events(self):
        """Last: it ends the containers, to see them die."""
        begun = int(time.time()) - 120
        self.manager.remove_service("shape")
        self.eventually(lambda: not any(daemon.api("GET", "/containers/json?all=1") for daemon in self.daemons), 30, "the containers are gone")
        told = []
        ask = quote(json.dumps({"type": ["container"]}))
        for daemon in self.daemons:
            text = daemon.api("GET", f"/v1.41/events?since={begun}&until={int(time.time()) + 1}&filters={ask}", raw=True).decode()
            told.append([json.loads(line) for line in text.splitlines() if line.strip()])
        theirs, ours = ({event["Action"]: event for event in events} for events in told)
        for action in ("create", "start", "die", "destroy"):
            with self.subTest(action):
                self.compare("events", theirs[action], ours[action])
                self.assertEqual(sorted(set(theirs[action]["Actor"]["Attributes"]) - set(ours[action]["Actor"]["Attributes"])), [])


if __name__ == "__main__":
    unittest.main()
