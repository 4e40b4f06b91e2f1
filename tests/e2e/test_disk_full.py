"""The disk fills up while the node works: each thing that needs space says so, what runs runs on, and all goes on once there is room."""
import contextlib
import os
import random
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import read, run
from lib.images import Image, busybox_layer, layer
from lib.registry import FickleRegistry
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd

KIB, MIB = 1 << 10, 1 << 20
BIG = [f"--env=PART{i}={'x' * 100000}" for i in range(5)]
NO_SPACE = r"(?i)no space left on device|disk is full"


class DiskFull(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = Skepd(cls.net.host("skep-a"))
        disk = os.path.join(cls.node.host.dir, "disk")
        os.makedirs(disk)
        run(["mount", "-t", "tmpfs", "-o", "size=48m", "none", disk])  # it goes with the network's directory
        cls.node.state = os.path.join(disk, "state")
        cls.node.start()
        cls.node.load_image(cls.image())
        cls.node.join(cls.manager)
        cls.manager.wait_node("skep-a")
        cls.ballast = os.path.join(disk, "ballast")
        cls.registry = FickleRegistry(cls.node.host).start()
        cls.addClassCleanup(lambda: cls.registry.stop())
        data = random.Random(4).randbytes(6 * MIB)
        image = Image("", layers=[busybox_layer(), layer({"honey": data})]).blobs()
        cls.references = [cls.registry.add("honey", *image, tag) for tag in ("1", "2")]
        cls.manager.create_service("calm", "hive:1", *sleeper(), on="skep-a")
        cls.manager.wait_running("calm", 1)

    def setUp(self):
        self.addCleanup(self.make_room)
        self.eventually(lambda: len(self.node.containers(everything=True)) == 1, 20, "all of the last test is gone")
        self.before = self.calm()

    def free(self):
        about = os.statvfs(self.node.state)
        return about.f_bavail * about.f_frsize

    def fill(self, leave=0):
        """Let no more than @leave bytes be free."""
        with contextlib.suppress(OSError), open(self.ballast, "ab", buffering=0) as file:
            while self.free() > leave:
                file.write(bytes(min(self.free() - leave, MIB)))

    def make_room(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.ballast)

    def calm(self):
        """The container that runs from the first test to the last, and when it began."""
        container = self.manager.wait_running("calm", 1)[0]["Status"]["ContainerStatus"]["ContainerID"]
        return container, self.node.start_times()[container]

    def assert_calm(self):
        self.assertEqual(self.calm(), self.before, "what ran runs on")
        self.assertEqual(self.manager.node_state("skep-a"), "ready")

    def refused(self, name):
        task = self.manager.wait_task(name, lambda task: task["Status"]["State"] in ("rejected", "failed"), 30, "is refused")
        print(f"{task['Status']['State']}: {task['Status']['Err']}")
        self.assertRegex(task["Status"]["Err"], NO_SPACE)
        return task

    def test_1_a_pull(self):
        self.fill(4 * MIB)
        self.manager.create_service("honey", self.references[0], *sleeper(), on="skep-a", options=["--restart-condition", "none"])
        self.assertEqual(self.refused("honey")["Status"]["State"], "rejected")
        self.assertGreater(self.free(), 2 * MIB, "a download that found no room does not keep what there was")
        self.assert_calm()
        self.manager.remove_service("honey")
        self.make_room()
        self.manager.create_service("honey", self.references[1], *sleeper(), on="skep-a")
        self.manager.wait_running("honey", 1, 40)
        self.manager.remove_service("honey")

    def test_2_the_record_of_a_task(self):
        """One that worker.db cannot take is not accepted, and not lost: it runs once it can be kept."""
        self.fill(64 * KIB)
        with open(self.node.log, "a") as log:
            mark = log.tell()
        self.manager.create_service("big", "hive:1", *sleeper(), on="skep-a", options=BIG)
        self.eventually(lambda: "records not kept" in read(self.node.log)[mark:], 15, "the log says so")
        self.assertRegex(read(self.node.log)[mark:], r"worker\.db.*database or disk is full \(make room on that file system\)")
        task = self.manager.tasks("big")[0]
        self.assertEqual(task["Status"]["State"], "assigned")
        self.assert_calm()
        self.make_room()
        self.assertEqual(self.manager.wait_running("big", 1, 40)[0]["ID"], task["ID"], "the very same task")
        self.manager.docker("service", "scale", "--detach", "big=3")  # worker.db's log is now as long as it gets
        self.manager.wait_running("big", 3, 40)
        self.manager.remove_service("big")

    def test_3_a_container(self):
        """worker.db's log has its full length since the last test and takes small records without room; a container does not."""
        self.fill()
        self.manager.create_service("late", "hive:1", *sleeper(), on="skep-a", options=["--restart-delay", "1s"])
        self.assertEqual(self.refused("late")["Status"]["State"], "rejected")
        self.assert_calm()
        self.make_room()
        self.manager.wait_running("late", 1, 40)
        self.manager.remove_service("late")

    def test_4_an_exit_and_a_restart(self):
        """With no room at all a container ends and skepd is killed: what happened is told all the same."""
        task = self.manager.wait_running("calm", 1)[0]
        self.fill()
        self.node.restart()
        self.manager.wait_node("skep-a", timeout_s=40)
        self.assert_calm()
        os.kill(self.node.inspect(task["Status"]["ContainerStatus"]["ContainerID"])["State"]["Pid"], signal.SIGKILL)
        failed = self.manager.wait_task("calm", lambda seen: seen["ID"] == task["ID"] and seen["Status"]["State"] == "failed", 20, "has failed")
        self.assertEqual(self.manager.exit_code(failed), 137)
        self.make_room()
        self.manager.wait_running("calm", 1, 60)
        self.manager.remove_service("calm")
        self.node.assert_clean()
        self.assertEqual(os.listdir(os.path.join(self.node.state, "images/tmp")), [])


if __name__ == "__main__":
    unittest.main()
