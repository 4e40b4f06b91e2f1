"""Images that nobody needs any more go by themselves or with `image prune`; what a container stands on stays, whoever asks."""
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.daemon import DOCKERS
from lib.hosts import run, wait_until
from lib.registry import Registry
from lib.scenario import Scenario, sleeper

EVERY_S = 1


class ImageCollection(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node("skep-a", "--image-gc-interval", f"{EVERY_S}s", images=False)
        cls.registry = Registry(cls.node.host).start()

    def ids(self):
        return {image["Id"] for image in self.node.api("GET", "/images/json")}

    def layers(self):
        return {name for name in os.listdir(f"{self.node.state}/images/layers") if not name.endswith(".json")}

    def push(self, word):
        return self.registry.push("apiary/hive", "1", files={"word": word})

    def pull(self, reference):
        self.node.skep("pull", "--quiet", reference)
        return next(image["Id"] for image in self.node.api("GET", "/images/json") if reference in (image["RepoTags"] or []))

    def test_1_a_superseded_image_stays_while_its_container_lives_and_then_goes(self):
        reference = self.push("first")
        first = self.pull(reference)
        self.manager.create_service("old", reference, *sleeper(), on="skep-a")
        self.manager.wait_running("old", 1)
        container = self.node.containers()[0]["Id"]
        before = self.layers()
        self.push("second")
        second = self.pull(reference)
        self.assertNotEqual(first, second)
        self.always(lambda: {first, second} <= self.ids() and before <= self.layers(), 3 * EVERY_S, "both images are here")
        self.node.restart()  # it does not know any more what it had pinned, and may not collect before it has looked
        self.always(lambda: {first, second} <= self.ids() and before <= self.layers(), 2 * EVERY_S, "both images are here")
        pid = self.node.container_pids()[container]
        self.assertEqual(run(["cat", f"/proc/{pid}/root/word"]).stdout, "first")
        self.manager.remove_service("old")
        self.node.assert_clean()
        wait_until(lambda: first not in self.ids(), 20, "the superseded image is gone")
        self.assertIn(second, self.ids(), "the one that has the name is not")
        wait_until(lambda: before - self.layers(), 10, "and so is its layer")
        wait_until(lambda: "collected: 1 superseded images" in self.node.tail(50), 10, "the log says so")

    def test_2_what_was_loaded_without_a_name_to_come_back_to_stays_until_it_is_pruned(self):
        self.node.load_image(self.image("drone:1", files={"word": "x"}))
        self.node.load_image(self.image("drone:2", files={"word": "y"}))
        nameless = next(image["Id"] for image in self.node.api("GET", "/images/json") if image["RepoTags"] == ["drone:1"])
        run([DOCKERS[0], "-H", f"unix://{self.node.socket}", "tag", "drone:2", "drone:1"])  # drone:1 moves, its old image has no name now
        self.always(lambda: nameless in self.ids(), 3 * EVERY_S, "a loaded image is not collected")
        said = self.node.skep("image", "prune").stdout
        self.assertIn(f"Deleted: {nameless}", said)
        self.assertRegex(said, r"Total reclaimed space: [\d.]+ ?[kM]?B")
        self.assertNotIn(nameless, self.ids())

    def test_3_docker_prunes_and_removes_too(self):
        for docker in DOCKERS:
            self.node.load_image(self.image("drone:1", files={"word": "x"}))
            said = run([docker, "-H", f"unix://{self.node.socket}", "image", "prune", "--all", "--force"]).stdout
            self.assertRegex(said, r"(?i)deleted: sha256:[0-9a-f]{64}")
            self.assertIn("Total reclaimed space", said)
            self.assertEqual(self.ids(), set())

    def test_4_rmi_says_what_went_and_what_is_in_use(self):
        reference = self.push("third")
        self.pull(reference)
        self.manager.create_service("user", reference, *sleeper(), on="skep-a")
        self.manager.wait_running("user", 1)
        refused = self.node.skep("rmi", reference, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("a container uses its image", refused.stderr)
        self.assertIn("Untagged", self.node.skep("rmi", "--force", reference).stdout)
        self.node.skep("image", "prune", "--all")
        self.assertEqual(run(["cat", f"/proc/{list(self.node.container_pids().values())[0]}/root/word"]).stdout, "third")
        self.manager.remove_service("user")
        self.node.assert_clean()
        missing = self.node.skep("rmi", "nothing:1", check=False)
        self.assertEqual(missing.returncode, 66)
        self.assertIn("No such image: nothing:1", missing.stderr)


if __name__ == "__main__":
    unittest.main()
