"""A Windows host in a swarm of dockerd's, and in one of our own: skepd.exe under Wine, its containers on emulated HCS."""
import unittest

from lib.dockerd import Dockerd
from lib.hosts import Network, wait_until
from lib.wine import WineSkepd, need_wine


class JoinDockerd(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_wine()
        cls.net = Network()
        cls.addClassCleanup(cls.net.close)
        cls.manager = Dockerd(cls.net.host("manager")).start().init()
        cls.node = WineSkepd(cls.net.host("win"), "--label", "site=north").start()

    def test_1_joins_and_is_ready(self):
        said = self.node.join(self.manager)
        self.assertIn("This node joined a swarm as a worker.", said.stdout)
        node = self.manager.wait_node("win")
        self.assertEqual(node["Description"]["Platform"], {"Architecture": "x86_64", "OS": "windows"})
        labels = node["Description"]["Engine"]["Labels"]
        self.assertEqual(labels["site"], "north")
        self.assertEqual(labels["skep.os.build"], "20348.2322")

    def test_2_info_on_both_sides(self):
        self.assertIn("windows", self.node.skep("info").stdout)
        listed = self.manager.docker("node", "inspect", "--pretty", "win").stdout
        self.assertRegex(listed, r"Operating System:\s+windows")

    def test_3_stopped_and_started_it_comes_back(self):
        self.assertEqual(self.node.stop(), 0)
        self.manager.wait_node("win", "down", timeout_s=60)
        self.node.start()
        self.manager.wait_node("win", timeout_s=60)

    def test_9_leaves(self):
        self.node.skep("leave")
        self.manager.wait_node("win", "down", timeout_s=60)
        wait_until(lambda: "inactive" in self.node.skep("info").stdout, 10, "the node is in no swarm")
