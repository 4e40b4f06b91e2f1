"""`docker events` of a swarm's objects: the same commands against a dockerd and against a skepd, each a swarm of one node, must be told of
alike: types, actions, names and what changed. How often a node or a service is written beside that is each one's own affair, so updates
that change nothing that events show are left out."""
import json
import time
import unittest

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd

TYPES = ("service", "secret", "config", "node")


def events(daemon, since, *filters, cli="docker"):
    told = daemon.docker("events", "--since", str(since), "--until", str(int(time.time())), "--format", "{{json .}}",
                         *[part for one in filters for part in ("--filter", one)], cli=cli).stdout
    return [json.loads(line) for line in told.splitlines()]


def line(event):
    attributes = event["Actor"]["Attributes"]
    shown = " ".join(f"{key}={attributes[key]}" for key in sorted(attributes) if key != "name")
    name = "" if event["Type"] == "node" else attributes.get("name", "?")
    return f"{event['Type']} {event['Action']} {name} {shown}".strip()


class SwarmEvents(Scenario):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemons = [Dockerd(cls.net.host("docker-a")).start(), Skepd(cls.net.host("skep-a")).start()]
        cls.since = int(time.time())
        for daemon in cls.daemons:
            for reference in ("hive:1", "hive:2"):
                daemon.load_image(cls.image(reference))
            daemon.init()
            daemon.wait_node(daemon.name)
            cls.live_through(daemon)

    @classmethod
    def live_through(cls, daemon):
        def settled():
            status = json.loads(daemon.docker("service", "inspect", "web").stdout)[0].get("UpdateStatus", {}).get("State")
            return status in ("completed", "rollback_completed")
        docker = daemon.docker
        docker("secret", "create", "honey", "-", input="sweet")
        docker("config", "create", "comb", "-", input="six")
        docker("service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", "web", "--replicas", "1", "--update-monitor", "500ms",
               "hive:1", *sleeper())
        wait_until(lambda: any(task["Status"]["State"] == "running" for task in daemon.api("GET", "/tasks")), 60, "web runs")
        docker("service", "update", "--detach", "--quiet", "--no-resolve-image", "--image", "hive:2", "web")
        wait_until(settled, 60, "web is updated")
        docker("service", "scale", "--detach", "web=2")
        docker("service", "update", "--detach", "--label-add", "a=b", "web")
        docker("node", "update", "--availability", "drain", daemon.name)
        docker("node", "update", "--availability", "active", "--label-add", "zone=a", daemon.name)
        docker("secret", "rm", "honey")
        docker("config", "rm", "comb")
        docker("service", "rm", "web")
        time.sleep(1.5)  # events are asked for by whole seconds

    def told(self, daemon, *filters):
        return [line(event) for event in events(daemon, self.since, *filters)]

    def test_objects_that_come_and_go(self):
        theirs, ours = [[one for one in self.told(daemon, *[f"type={kind}" for kind in TYPES]) if " update " not in one] for daemon in self.daemons]
        self.assertEqual([one for one in theirs if not one.startswith("node")], [one for one in ours if not one.startswith("node")])
        self.assertIn("service create web", ours)

    def test_what_changed_is_told(self):
        theirs, ours = [[one for one in self.told(daemon, "type=service", "event=update") if "=" in one] for daemon in self.daemons]
        self.assertEqual(theirs, ours)
        self.assertTrue(any("image.new=hive:2 image.old=hive:1" in one for one in ours), ours)

    def test_a_nodes_availability(self):
        theirs, ours = [[one for one in self.told(daemon, "type=node", "event=update") if "availability" in one] for daemon in self.daemons]
        self.assertEqual(theirs, ours)
        self.assertEqual(len(ours), 2)

    def test_filters_by_object_and_scope(self):
        for daemon in self.daemons:
            with self.subTest(daemon=daemon.name):
                # dockerd takes a service's name for the beginning of any name: of web's containers', too
                self.assertEqual(self.told(daemon, "service=web", "event=create", "type=service"), ["service create web"])
                self.assertEqual(self.told(daemon, "service=none"), [])
                self.assertEqual(self.told(daemon, "secret=honey"), ["secret create honey", "secret remove honey"])
                self.assertEqual(self.told(daemon, "config=comb", "scope=swarm"), ["config create comb", "config remove comb"])
                self.assertEqual(self.told(daemon, "config=comb", "scope=local"), [])
                self.assertTrue(self.told(daemon, f"node={daemon.name}"))

    def test_their_form(self):
        for daemon in self.daemons:
            with self.subTest(daemon=daemon.name):
                event = events(daemon, self.since, "secret=honey")[0]
                self.assertEqual((event["scope"], "status" in event, "id" in event), ("swarm", False, False))
                self.assertEqual(event["timeNano"] // 10 ** 9, event["time"])
                self.assertEqual(len(event["Actor"]["ID"]), 25)


if __name__ == "__main__":
    unittest.main()
