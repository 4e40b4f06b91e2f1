"""The base of the scenario tests: a network that is taken away whatever happens, and the daemons' logs when a test failed."""
import os
import shutil
import time
import unittest

from lib.dockerd import Dockerd, swarm
from lib.hosts import Network, wait_until
from lib.images import Image
from lib.skepd import ROOT, Skepd, need_skepd

FAILED = os.path.join(ROOT, "build/log/failed")
LOG_LINES = int(os.environ.get("SKEP_LOG_LINES", "40"))


def sleeper(code=0, first=""):
    """A command that runs @first, waits for SIGTERM and then exits with @code, at once."""
    return ["sh", "-c", f'trap "exit {code}" TERM; {first or ":"}; while :; do sleep 1000 & wait $!; done']


class Scenario(unittest.TestCase):
    """One network for all tests of a class: setUpClass of a subclass calls super() and then builds what it needs on `cls.net`."""

    needs_skepd = True

    @classmethod
    def setUpClass(cls):
        if cls.needs_skepd:
            need_skepd()
        cls.net = Network()
        cls.addClassCleanup(cls.net.close)

    # Parts that most scenarios want

    @classmethod
    def make_swarm(cls, managers=1, kind=Dockerd):
        cls.managers = swarm(cls.net, managers, kind=kind)
        cls.manager = cls.managers[0]

    @classmethod
    def make_node(cls, name="skep-a", *options, join=True, images=True):
        """A skepd that has joined, is Ready, and holds the usual image."""
        node = Skepd(cls.net.host(name), *options).start()
        if images:
            node.load_image(cls.image())
        if join:
            node.join(cls.manager)
            cls.manager.wait_node(name)
        return node

    @classmethod
    def image(cls, reference="hive:1", **more):
        """The archive of a busybox image called @reference; @more as for images.Image."""
        path = os.path.join(cls.net.dir, reference.replace("/", "_").replace(":", "_") + ".tar")
        if not os.path.exists(path):
            Image(reference, **more).docker_archive(path)
        return path

    def leader(self):
        """The manager that leads now."""
        def find():
            for manager in self.managers:
                if manager.process.poll() is None:
                    try:
                        if manager.is_leader():
                            return manager
                    except (AssertionError, OSError):
                        continue  # this one has no quorum, or is on its way
            return None
        return wait_until(find, 60, "a manager leads")

    # Failures

    def run(self, result=None):
        self._bad_before = self._bad(result)
        self._result = result
        return super().run(result)

    @staticmethod
    def _bad(result):
        return len(result.failures) + len(result.errors) if result is not None else 0

    def tearDown(self):
        for daemon in self.net.daemons:
            if isinstance(daemon, Skepd):
                self.assertEqual(daemon.findings(), [], f"sanitizers in {daemon.log}")

    def doCleanups(self):
        # Before anything is taken away, and whichever part of the test failed.
        if self._bad(self._result) > self._bad_before:
            self.dump()
        return super().doCleanups()

    def dump(self):
        kept = os.path.join(FAILED, self.id())
        shutil.rmtree(kept, ignore_errors=True)
        os.makedirs(kept)
        print(f"----- {self.id()} failed; whole logs in {os.path.relpath(kept, ROOT)}")
        for daemon in self.net.daemons:
            daemon.keep_log(kept)
            print(f"----- {daemon.kind} on {daemon.name}, last {LOG_LINES} lines:\n{daemon.tail(LOG_LINES)}")
        for daemon in self.net.daemons:
            if isinstance(daemon, Dockerd) and daemon.process and daemon.process.poll() is None:
                try:
                    print(f"----- as {daemon.name} sees it:\n{daemon.picture()}")
                    break
                except Exception as err:  # the picture is a help, never the failure
                    print(f"----- {daemon.name} shows nothing: {err}")
        print("-----", flush=True)

    # Words

    def eventually(self, claim, timeout_s, what):
        return wait_until(claim, timeout_s, what)

    def always(self, claim, for_s, what, every_s=0.5):
        """The claim holds at every look for @for_s seconds."""
        end = time.monotonic() + for_s
        while time.monotonic() < end:
            self.assertTrue(claim(), f"not any more: {what}")
            time.sleep(every_s)
