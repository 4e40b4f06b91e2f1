"""docker service logs on the manager shows what the containers wrote, byte for byte."""
import hashlib
import os
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.daemon import DOCKER
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper

LINES = 105_000  # of 100 bytes each: a little over 10 MB


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class ServiceLogs(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()
        cls.flood = "".join(f"{number:099d}\n" for number in range(1, LINES + 1)).encode()

    def follow(self, service, *options):
        """docker service logs -f in the background; the name of the file its output goes to."""
        out = open(os.path.join(self.net.dir, f"{service}.out"), "wb")
        self.addCleanup(out.close)
        command = [DOCKER, "-H", f"unix://{self.manager.socket}", "service", "logs", "-f", "--raw", *options, service]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return out.name

    def logs(self, *args, **more):
        return self.manager.docker("service", "logs", "--raw", *args, **more)

    def test_1_ten_megabytes_followed(self):
        self.assertGreater(len(self.flood), 10 * 2**20)
        self.manager.create_service("flood", "hive:1", *sleeper(first=f"sleep 3; awk 'BEGIN {{ for (i = 1; i <= {LINES}; i++) printf \"%099d\\n\", i }}'"), on="skep-a")
        self.manager.wait_running("flood", 1)
        begun = time.monotonic()
        out = self.follow("flood")
        wait_until(lambda: os.path.getsize(out) >= len(self.flood), 90, f"{len(self.flood)} bytes have come")
        print(f"{len(self.flood)} bytes followed in {time.monotonic() - begun:.1f} s, three of them before the first byte")
        time.sleep(1)
        with open(out, "rb") as file:
            got = file.read()
        self.assertEqual(len(got), len(self.flood))
        self.assertEqual(sha256(got), sha256(self.flood))

    def test_2_read_again_from_the_start(self):
        self.assertEqual(sha256(self.logs("flood", text=False, timeout=90).stdout), sha256(self.flood))
        self.manager.remove_service("flood")

    def test_3_both_streams_and_tail(self):
        script = "for n in 1 2 3 4 5; do echo out $n; echo err $n >&2; done"
        self.manager.create_service("both", "hive:1", *sleeper(first=script), on="skep-a")
        self.manager.wait_running("both", 1)
        wait_until(lambda: self.logs("both").stdout.count("\n") == 5, 10, "five lines of output")
        shown = self.logs("both")
        self.assertEqual(shown.stdout, "".join(f"out {n}\n" for n in range(1, 6)))
        self.assertEqual(shown.stderr, "".join(f"err {n}\n" for n in range(1, 6)))
        last = self.logs("--tail", "2", "both")
        self.assertEqual(len((last.stdout + last.stderr).splitlines()), 2)
        self.assertIn("5", last.stdout + last.stderr)

    def test_4_since(self):
        self.manager.create_service("slow", "hive:1", *sleeper(first="echo before; sleep 4; echo after"), on="skep-a")
        self.manager.wait_running("slow", 1)
        wait_until(lambda: "after" in self.logs("slow").stdout, 15, "both lines")
        shown = self.logs("--timestamps", "slow").stdout.splitlines()
        self.assertEqual(len(shown), 2)
        self.assertEqual(self.logs("--since", shown[1].split()[0], "slow").stdout, "after\n")
        task = self.manager.running("slow")[0]
        self.assertEqual(self.logs(task["ID"]).stdout, "before\nafter\n")

    def test_5_long_lines_any_bytes_and_no_newline_at_the_end(self):
        script = ("head -c 200000 /dev/zero | tr '\\0' x; echo; "
                  "for i in 1 2 3 4 5 6 7; do for j in 0 1 2 3 4 5 6 7; do [ $i$j = 12 ] || printf \"\\\\3$i$j\\\\0$i$j\"; done; done; echo; printf end")
        self.manager.create_service("odd", "hive:1", "sh", "-c", script, on="skep-a", options=["--restart-condition", "none"])
        self.manager.wait_task("odd", lambda task: task["Status"]["State"] == "complete", 20, "is complete")
        got = self.logs("odd", text=False).stdout
        self.assertEqual(got[:200001], b"x" * 200000 + b"\n")
        self.assertGreater(len(got), 200100)
        self.assertTrue(got.endswith((b"\nend", b"\nend\n")), got[-20:])

    def test_6_none_lost_and_none_twice_over_a_kill_of_skepd(self):
        beat = "n=0; while :; do n=$((n+1)); echo $SLOT $n; sleep 0.5; done"
        self.manager.create_service("beat", "hive:1", "sh", "-c", beat, on="skep-a", replicas=3, options=["--env", "SLOT={{.Task.Slot}}"])
        self.manager.wait_running("beat", 3)
        wait_until(lambda: self.logs("beat").stdout.count("\n") > 6, 10, "some lines")
        self.node.restart()
        self.manager.wait_node("skep-a")
        time.sleep(2)
        lines = wait_until(lambda: self.logs("beat", check=False).stdout.splitlines(), 10, "output again")
        for slot in "123":
            numbers = [int(line.split()[1]) for line in lines if line.split()[0] == slot]
            self.assertEqual(numbers, list(range(1, len(numbers) + 1)), f"replica {slot}: none lost, none twice")
            self.assertGreater(len(numbers), 5)
        self.manager.remove_service("beat", "both", "slow", "odd")
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
