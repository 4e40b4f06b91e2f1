"""Images that do harm and registries that go away, as a service meets them: the task says why, the disk is as before, the node stays Ready."""
import hashlib
import os
import random
import re
import sys
import time
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import run
from lib.images import DOCKER_MANIFEST, Image, busybox_layer, compact, digest, layer
from lib.registry import FickleRegistry
from lib.scenario import Scenario, sleeper

MIB, GIB = 1 << 20, 1 << 30


def bomb(unpacked):
    """A gzip of a tar with one file of @unpacked zeros, without packing each of them: after a full flush the same zeros give the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    size = b"\0" if unpacked >= 8**11 else None  # beyond 8 GiB the size is written in base 256
    head = bytearray(512)
    head[0:5], head[100:108], head[156:157], head[257:265] = b"zeros", b"0000644\0", b"0", b"ustar\00000"
    head[124:136] = b"\x80" + unpacked.to_bytes(11, "big") if size else f"{unpacked:011o}\0".encode()
    head[148:156] = b" " * 8
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    begin = packer.compress(bytes(head)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(64 * MIB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begin + block * (unpacked // (64 * MIB)) + packer.compress(bytes(1024)) + packer.flush()


class ImageFaults(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()
        cls.registry = FickleRegistry(cls.node.host).start()
        cls.addClassCleanup(lambda: cls.registry.stop())

    def used_mib(self):
        return int(run(["du", "-sxm", self.node.state]).stdout.split()[0])

    def test_1_a_bomb_is_refused(self):
        """10 MB that unpack to 10 GB."""
        packed = bomb(10 * GIB)
        self.assertLess(len(packed), 11 * MIB)
        image = Image("bomb:1")
        config = image.config.replace(digest(image.layers[0]).encode(), b"sha256:" + hashlib.sha256(b"whatever it is").hexdigest().encode())
        manifest = compact({
            "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "digest": digest(packed), "size": len(packed)}]})
        reference = self.registry.add("bomb", manifest, {digest(config): config, digest(packed): packed})
        before = self.used_mib()
        self.manager.create_service("bomb", reference, on="skep-a", options=["--restart-condition", "none"])
        begun, most = time.monotonic(), 0

        def refused():
            nonlocal most
            most = max(most, self.used_mib())
            self.assertEqual(self.manager.node_state("skep-a"), "ready")
            return self.manager.tasks("bomb")[0]["Status"]["State"] in ("rejected", "failed")

        self.eventually(refused, 60, "the bomb is refused")
        status = self.manager.tasks("bomb")[0]["Status"]
        print(f"{time.monotonic() - begun:.1f} s, at most {most - before} MiB more, {status['State']}: {status['Err']}")
        self.assertEqual(status["State"], "rejected")
        self.assertRegex(status["Err"], rf"layer.*unpacks to more than 200 times its size of {len(packed)} bytes")
        self.assertLess(most - before, 2600, "200 times its size, and what was under way")
        self.eventually(lambda: self.used_mib() - before <= 11, 10, "at most the packed layer is kept")
        self.manager.remove_service("bomb")

    def test_2_a_registry_gone_in_mid_blob(self):
        """One clear error when it stays away; when it is back, the next task goes on where the last one stopped."""
        data = random.Random(2).randbytes(6 * MIB)
        manifest, blobs = Image("", layers=[busybox_layer(), layer({"honey": data})]).blobs()
        big = max(blobs, key=lambda name: len(blobs[name]))
        reference = self.registry.add("honey", manifest, blobs)
        self.registry.ends_after = 4 * MIB
        self.manager.create_service("honey", reference, *sleeper(), on="skep-a", options=["--restart-delay", "2s"])
        task = self.manager.wait_task("honey", lambda task: task["Status"]["State"] in ("rejected", "failed"), 60, "says so")
        print(f"{task['Status']['State']}: {task['Status']['Err']}")
        self.assertEqual(task["Status"]["State"], "rejected")
        self.assertIn(self.registry.address, task["Status"]["Err"], "the registry")
        self.assertIn(big, task["Status"]["Err"], "the blob")
        self.assertRegex(task["Status"]["Err"], r"(?i)refused|cannot be reached")
        self.assertEqual(self.manager.node_state("skep-a"), "ready")
        self.registry.ends_after = None
        self.registry.asked.clear()
        self.registry.start()
        self.manager.wait_running("honey", 1, 40)
        asked = [wanted for path, wanted in self.registry.asked if path.endswith(big)]
        self.assertEqual(len(asked), 1)
        self.assertGreaterEqual(int(re.match(r"bytes=(\d+)-", asked[0] or "bytes=0-")[1]), 4 * MIB, "it is not fetched from the start again")
        self.manager.remove_service("honey")
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
