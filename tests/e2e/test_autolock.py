"""Three managers of ours that lock themselves, and a worker: what is on disk, what a locked one says, and that its containers never notice."""
import base64
import json
import os
import re
import unittest

from lib.hosts import run, wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd

LOCKED = 'Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.'
IN_CLEAR = re.compile(rb"BEGIN (EC |RSA )?PRIVATE KEY")


def key_in(text):
    found = re.search(r"SWMKEY-1-[A-Za-z0-9+/]{43}", text)
    assert found, text
    return found.group()


def read(*path):
    with open(os.path.join(*path), "rb") as file:
        return file.read()


def files_of(daemon):
    """{path: content} of what a daemon keeps of itself: all but images and containers."""
    kept = {}
    for folder, folders, names in os.walk(daemon.state):
        folders[:] = [name for name in folders if folder != daemon.state or name not in ("images", "containers")]
        for name in names:
            try:
                kept[os.path.join(folder, name)] = read(folder, name)
            except FileNotFoundError:  # a temporary one
                pass
    return kept


def secrets_in_clear(daemon):
    """What lies open on the disk of a manager that does not lock itself, in each form in which it may show up."""
    keys = [entry["key"] for entry in json.loads(read(daemon.state, "manager/member.json"))["keys"]]
    node_key = read(daemon.state, "node/node.key")
    assert IN_CLEAR.search(node_key), node_key
    return [key.encode() for key in keys] + [base64.b64decode(key) for key in keys]


class Autolock(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.managers = [Skepd(cls.net.host(f"manager-{name}")).start() for name in "abc"]
        cls.manager = cls.managers[0]
        for manager in cls.managers:
            manager.load_image(cls.image())
        said = cls.manager.docker("swarm", "init", "--advertise-addr", cls.manager.host.ip, "--autolock").stdout
        cls.key = key_in(said)
        assert "To unlock a swarm manager after it restarts, run the `docker swarm unlock`\ncommand" in said, said
        for manager in cls.managers[1:]:
            manager.join(cls.manager, role="manager")
        cls.worker = cls.make_node("skep-a")
        cls.nodes = [*cls.managers, cls.worker]
        # A locked node is down as far as the others can tell: as in Swarm its tasks would be replaced, were they not awaited.
        cls.manager.create_service("web", "hive:1", *sleeper(), replicas=None, options=("--mode", "global", "--label", "skep.lost-after=1h"))
        cls.manager.wait_running("web", 4)
        cls.before = [node.start_times() for node in cls.nodes]

    # Words

    def wait_sealed(self, *managers):
        def sealed():
            for manager in managers or self.managers:
                for path, content in files_of(manager).items():
                    self.assertIsNone(IN_CLEAR.search(content), f"a private key in {path}")
                member = json.loads(read(manager.state, "manager/member.json"))
                self.assertTrue(all("sealed" in key and "key" not in key for key in member["keys"]), member)
                self.assertIn(b"ENCRYPTED PRIVATE KEY", read(manager.state, "node/node.key"))
            return True
        wait_until(sealed, 20, "nothing lies in clear")

    def wait_open(self):
        def opened():
            for manager in self.managers:
                self.assertNotIn("key", json.loads(read(manager.state, "lock.json")))
                secrets_in_clear(manager)
            return True
        wait_until(opened, 20, "managers are not locked any more")

    def assert_untouched(self):
        self.assertEqual(self.before, [node.start_times() for node in self.nodes], "no container was disturbed")

    def assert_well(self):
        leader = self.leader()

        def reachable():
            there = [node for node in leader.nodes() if node.get("ManagerStatus", {}).get("Reachability") == "reachable"]
            return len(there) == 3 or self.fail(there)
        wait_until(reachable, 30, "the managers are reachable")
        for node in self.nodes:
            wait_until(lambda name=node.name: leader.node_state(name) == "ready", 60, f"{node.name} is Ready")
        leader.wait_running("web", 4)
        self.assert_untouched()
        return leader

    def follower(self):
        leader = self.leader()
        return next(manager for manager in self.managers if manager is not leader)

    def restart(self, manager):
        manager.kill()
        manager.start()
        self.assert_locked(manager)

    def assert_locked(self, manager):
        self.assertIn("Swarm: locked", manager.docker("info").stdout)
        for command in (("node", "ls"), ("service", "ls"), ("swarm", "join-token", "worker"), ("swarm", "unlock-key"), ("swarm", "ca"),
                        ("swarm", "update", "--autolock=false"), ("secret", "ls")):
            done = manager.docker(*command, check=False)
            self.assertNotEqual(done.returncode, 0, command)
            self.assertIn(LOCKED, done.stderr, command)
        info = manager.api("GET", "/info")["Swarm"]
        self.assertEqual({key: info[key] for key in ("NodeID", "LocalNodeState", "ControlAvailable", "Error", "RemoteManagers")},
                         {"NodeID": "", "LocalNodeState": "locked", "ControlAvailable": False, "Error": LOCKED, "RemoteManagers": None})

    def unlock(self, manager, key, by="docker"):
        if by == "skep":
            return manager.skep("unlock", input=f"{key}\n", check=False)
        return manager.docker("swarm", "unlock", input=f"{key}\n", check=False)

    def assert_unlocks(self, manager, key, by="docker"):
        done = self.unlock(manager, key, by)
        self.assertEqual((done.returncode, done.stderr.replace("Please enter unlock key: ", "").strip()), (0, ""))
        self.assertNotIn("Swarm: locked", manager.docker("info").stdout)

    def assert_refused(self, manager, key, words, by="docker"):
        done = self.unlock(manager, key, by)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(words, done.stderr)
        self.assertIn("Swarm: locked", manager.docker("info").stdout)

    # Tests

    def test_1_nothing_lies_in_clear(self):
        self.wait_sealed()
        leader = self.assert_well()
        self.assertEqual(leader.docker("swarm", "unlock-key", "-q").stdout.strip(), self.key)
        self.assertEqual(self.follower().skep("unlock-key", "-q").stdout.strip(), self.key)
        self.assertIn("swarm is not locked", self.unlock(leader, self.key).stderr)
        self.assertFalse(os.path.exists(os.path.join(self.worker.state, "lock.json")))
        log = b"".join(read(node.log) for node in self.nodes)
        self.assertNotIn(b"SWMKEY", log)
        self.assertNotIn(self.key[len("SWMKEY-1-"):].encode(), log)

    def test_2_a_follower_restarted(self):
        manager = self.follower()
        self.restart(manager)
        self.assert_untouched()
        self.wait_sealed(manager)
        self.assert_refused(manager, "garbage", "invalid unlock key")
        wrong = self.key[:-4] + ("AAAA" if not self.key.endswith("AAAA") else "QQQQ")
        self.assert_refused(manager, wrong, "swarm could not be unlocked: invalid key provided")
        self.assert_refused(manager, wrong, "swarm could not be unlocked: invalid key provided", by="skep")
        self.assertIn("already part of a swarm", manager.docker("swarm", "init", check=False).stderr)
        self.assertIn("already part of a swarm", manager.skep("join", "--token", self.manager.token() if manager is not self.manager else "x",
                                                              "1.2.3.4:2377", check=False).stderr)
        self.assertIn("Please unlock it first or use `--force`", manager.docker("swarm", "leave", check=False).stderr)
        self.assert_unlocks(manager, self.key, by="skep")
        self.assert_well()
        manager.docker("node", "ls")

    def test_3_the_leader_restarted(self):
        manager = self.leader()
        self.restart(manager)
        self.leader()
        self.assert_untouched()
        self.assert_unlocks(manager, self.key)
        self.assert_well()

    def test_4_another_key_while_one_is_down(self):
        """It opens with the key that it knows, and has the new one from then on."""
        manager, old = self.follower(), self.key
        manager.kill()
        said = self.leader().docker("swarm", "unlock-key", "--rotate").stdout
        self.assertIn("Successfully rotated manager unlock key.", said)
        type(self).key = key_in(said)
        self.assertNotEqual(self.key, old)
        manager.start()
        self.assert_locked(manager)
        self.assert_refused(manager, self.key, "invalid key provided")
        before = read(manager.state, "lock.json")
        self.assert_unlocks(manager, old)
        self.assert_well()
        self.assertEqual(manager.docker("swarm", "unlock-key", "-q").stdout.strip(), self.key)
        wait_until(lambda: read(manager.state, "lock.json") != before, 20, "it has the new key")
        self.restart(manager)
        self.assert_refused(manager, old, "invalid key provided")
        self.assert_unlocks(manager, self.key)
        self.assert_well()

    def test_5_all_restarted(self):
        for manager in self.managers:
            manager.kill()
        for manager in self.managers:
            manager.start()
            self.assert_locked(manager)
        self.assert_untouched()
        for manager in self.managers:
            self.assert_unlocks(manager, self.key)
        self.assert_well()

    def test_6_locks_no_more(self):
        self.leader().skep("swarm", "update", "--autolock=false")
        self.wait_open()
        manager = self.leader()
        done = manager.docker("swarm", "unlock-key", check=False)
        self.assertEqual((done.returncode, done.stderr.strip()), (1, "no unlock key is set"))
        self.assertIn("no unlock key is set", manager.skep("unlock-key", check=False).stderr)
        self.assertIn("cannot rotate because autolock is not turned on", manager.docker("swarm", "unlock-key", "--rotate", check=False).stderr)
        for manager in (self.follower(), self.leader()):
            manager.kill()
            manager.start()
            self.assertNotIn("Swarm: locked", manager.docker("info").stdout)
            self.assert_well()
        self.wait_open()

    def test_7_locks_again(self):
        """What lay open meanwhile is neither to be found any more, nor does it open what is written from now on."""
        open_ones = {manager.name: secrets_in_clear(manager) for manager in self.managers}
        node_keys = {manager.name: read(manager.state, "node/node.key") for manager in self.managers}
        type(self).key = key_in(self.leader().docker("swarm", "update", "--autolock=true").stdout)
        self.wait_sealed()
        for manager in self.managers:
            body = [line for line in node_keys[manager.name].splitlines() if len(line) == 64]
            self.assertTrue(body)
            for path, content in files_of(manager).items():
                for secret in open_ones[manager.name] + body:
                    self.assertNotIn(secret, content, path)
            ids = [key["id"] for key in json.loads(read(manager.state, "manager/member.json"))["keys"]]
            self.assertGreater(max(ids), 1, "the log is written with another key")
        for manager in self.managers:
            self.restart(manager)
            self.assert_unlocks(manager, self.key)
            self.assert_well()

    def test_8_demoted_and_promoted(self):
        """Only managers are locked."""
        leader = self.leader()
        other = self.follower()
        wait_until(lambda: leader.docker("node", "demote", other.name, check=False).returncode == 0, 20, "it is demoted")
        certificate = os.path.join(other.state, "node/node.crt")
        wait_until(lambda: "swarm-worker" in run(["openssl", "x509", "-noout", "-subject", "-in", certificate]).stdout, 40, "it is a worker")
        wait_until(lambda: not os.path.exists(os.path.join(other.state, "lock.json")), 20, "it has nothing locked")
        self.assertRegex(read(other.state, "node/node.key"), IN_CLEAR)
        self.assertFalse(os.path.exists(os.path.join(other.state, "manager")))
        other.kill()
        other.start()
        self.assertNotIn("Swarm: locked", other.docker("info").stdout)
        leader.wait_node(other.name)
        leader.docker("node", "promote", other.name)
        wait_until(lambda: "Is Manager: true" in other.docker("info").stdout, 40, "it is a manager again")
        wait_until(lambda: os.path.exists(os.path.join(other.state, "manager/member.json")), 20, "it is a member again")
        self.wait_sealed()
        self.restart(other)
        self.assert_unlocks(other, self.key)
        self.assert_well()

    def test_90_left_while_locked(self):
        other = self.follower()
        self.restart(other)
        other.docker("swarm", "leave", "--force", timeout=60)
        self.assertIn("Swarm: inactive", other.docker("info").stdout)
        other.assert_clean(30)
        self.assertFalse(os.path.exists(os.path.join(other.state, "lock.json")))
        self.assertFalse(os.path.exists(os.path.join(other.state, "manager")))
        self.assertFalse(os.path.exists(os.path.join(other.state, "node/node.key")))
        leader = self.leader()
        leader.wait_node(other.name, "down", 60)
        leader.docker("node", "demote", other.name)
        wait_until(lambda: leader.docker("node", "rm", "--force", other.name, check=False).returncode == 0, 30, "the old node is removed")
        other.join(leader, role="manager")
        leader.wait_node(other.name)
        self.wait_sealed()
        self.restart(other)
        self.assert_unlocks(other, self.key)

    def test_91_skep_begins_a_locked_swarm(self):
        one = Skepd(self.net.host("skep-z")).start()
        key = key_in(one.skep("init", "--advertise-addr", one.host.ip, "--autolock").stdout)
        self.wait_sealed(one)
        self.assertEqual(one.docker("swarm", "unlock-key", "-q").stdout.strip(), key)
        self.restart(one)
        self.assert_unlocks(one, key)
        one.docker("node", "ls")
        one.stop(30)
        one.start()
        self.assert_locked(one)
        one.skep("leave", "--force")
        self.assertIn("Swarm: inactive", one.docker("info").stdout)


if __name__ == "__main__":
    unittest.main()
