"""A service's image comes from Debian's docker-registry on loopback, with the credentials that come with the task."""
import base64
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.daemon import DOCKER, DOCKERS
from lib.hosts import run, wait_until
from lib.registry import Registry
from lib.scenario import Scenario, sleeper

USER, PASSWORD = "bee", "honey: 8 frames"


class RegistryService(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node(images=False)
        cls.registry = Registry(cls.node.host, 5000, USER, PASSWORD).start()
        cls.reference = cls.registry.push("apiary/hive", "1")

    def create(self, name, reference, password=PASSWORD, options=()):
        """docker service create --with-registry-auth, by a docker command that is logged in to the registry."""
        config = os.path.join(self.net.dir, "docker-config")
        os.makedirs(config, exist_ok=True)
        secret = base64.b64encode(f"{USER}:{password}".encode()).decode()
        with open(os.path.join(config, "config.json"), "w") as file:
            json.dump({"auths": {self.registry.address: {"auth": secret}}}, file)
        run([DOCKER, "--config", config, "-H", f"unix://{self.manager.socket}", "service", "create", "--quiet", "--detach", "--no-resolve-image",
             "--with-registry-auth", "--name", name, "--constraint", "node.hostname==skep-a", *options, reference, *sleeper()])

    def refused(self, name):
        return self.manager.wait_task(name, lambda task: task["Status"]["State"] in ("rejected", "failed"), 30, "is refused")["Status"]["Err"]

    def test_1_without_credentials_it_is_refused(self):
        self.manager.create_service("bare", self.reference, *sleeper(), on="skep-a", options=["--restart-condition", "none"])
        self.assertRegex(self.refused("bare"), r"(?i)unauthorized|authentication|credentials|No such image")
        self.manager.remove_service("bare")

    def test_2_with_a_wrong_password_too(self):
        self.create("wrong", self.reference, "sugar", ["--restart-condition", "none"])
        self.assertRegex(self.refused("wrong"), r"(?i)unauthorized|authentication|credentials|No such image")
        self.manager.remove_service("wrong")

    def test_3_with_credentials_it_runs(self):
        self.create("web", self.reference)
        self.manager.wait_running("web", 1, 30)
        tags = [tag for image in self.node.api("GET", "/images/json") for tag in image["RepoTags"] or []]
        self.assertIn(self.reference, tags)
        self.assertNotIn(PASSWORD, self.node.tail(10000), "no secret in the log")
        on_disk = run(["grep", "-rlF", PASSWORD, self.node.state, self.node.run_dir], check=False).stdout
        self.assertEqual(on_disk, "", "no secret on disk")

    def test_4_the_second_time_nothing_is_fetched(self):
        self.registry.stop()
        self.manager.docker("service", "scale", "--detach", "web=3")
        self.manager.wait_running("web", 3, 30)
        self.registry.start()

    def test_5_a_tag_that_is_not_there(self):
        self.create("absent", f"{self.registry.address}/apiary/hive:none", options=["--restart-condition", "none"])
        self.assertRegex(self.refused("absent"), r"(?i)manifest unknown|not found|No such image")
        self.manager.remove_service("absent")

    def test_6_pulled_by_both_commands_with_progress(self):
        config = os.path.join(self.net.dir, "docker-config")
        for tag, cli in enumerate(DOCKERS, 2):
            with self.subTest(cli=cli):
                reference = self.registry.push("apiary/other", tag, files={"etc/other": b"%d" % tag})
                lines = run([cli, "--config", config, "-H", f"unix://{self.node.socket}", "pull", reference]).stdout.splitlines()
                self.assertEqual(lines[0], f"{tag}: Pulling from apiary/other")
                layers = {line.split(":")[0] for line in lines if line.endswith(": Pulling fs layer")}
                done = {line.split(":")[0] for line in lines if line.endswith((": Pull complete", ": Already exists"))}
                self.assertEqual(len(layers), 2, lines)
                self.assertEqual(done, layers, lines)
                self.assertRegex(lines[-3], r"^Digest: sha256:[0-9a-f]{64}$")
                self.assertEqual(lines[-2:], [f"Status: Downloaded newer image for {reference}", reference])
                self.assertIn(reference, self.node.docker("images", "--format", "{{.Repository}}:{{.Tag}}", cli=cli).stdout)
        # skep has no credentials to give, and says what came of that.
        refused = self.node.skep("pull", f"{self.registry.address}/apiary/other:2", check=False)
        self.assertEqual(refused.returncode, 77, refused.stdout + refused.stderr)
        self.assertRegex(refused.stderr, "(?i)unauthorized|authentication|credentials")

    def test_7_nothing_is_left(self):
        self.manager.remove_service("web")
        self.node.assert_clean()
        self.registry.stop()
        wait_until(lambda: not self.node.containers(everything=True), 10, "no container is left")


if __name__ == "__main__":
    unittest.main()
