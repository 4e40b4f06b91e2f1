"""deploy/quickstart.sh as a person runs it: start to finish, broken off, kept and removed; and that nothing is left of it afterwards."""
import contextlib
import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.hosts import NETNS, _remove, cgroups_named, mounts_below, processes, wait_until
from lib.skepd import ROOT

SCRIPT = os.path.join(ROOT, "deploy/quickstart.sh")
BOUND_S = 240  # a run takes some 15 s where the release build is up to date


class Quickstart(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(os.path.join(ROOT, "build/release/skepd")):
            raise unittest.SkipTest("build/release is not there: the script would build it from nothing")

    def setUp(self):
        self.addCleanup(self.remove_by_force)
        self.tmp = os.path.realpath(subprocess.run(["mktemp", "-d", "-t", "skqs.XXXXXX"], capture_output=True, text=True, check=True).stdout.strip())

    def remove_by_force(self):
        """Whatever a failed run has left; a run that went well has left an empty directory."""
        for name in os.listdir(self.tmp):
            _remove(name, os.path.join(self.tmp, name))
        os.rmdir(self.tmp)

    def start(self, *args):
        process = subprocess.Popen([SCRIPT, *args], cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   bufsize=1, start_new_session=True, env={**os.environ, "TMPDIR": self.tmp})
        self.addCleanup(process.stdout.close)
        self.addCleanup(self.end, process)
        old = signal.signal(signal.SIGALRM, lambda *_: self.end(process))  # ends a reading that would last for ever
        signal.alarm(BOUND_S)
        self.addCleanup(signal.signal, signal.SIGALRM, old)
        self.addCleanup(signal.alarm, 0)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def run_through(self, *args):
        process = self.start(*args)
        said = process.stdout.read()
        return process.wait(30), said

    def run_name(self):
        """The last name of the run's directory, which its namespace and cgroups carry too."""
        names = [name for name in os.listdir(self.tmp) if name.startswith("skep-quickstart.")]
        self.assertEqual(len(names), 1, names)
        return names[0]

    def assert_nothing_left(self):
        def clean():
            left = os.listdir(self.tmp) + mounts_below(self.tmp) + cgroups_named("skep-quickstart.")
            left += [name for name in os.listdir(NETNS) if name.startswith("skep-quickstart.")]
            left += [f"{pid} {line}" for pid, line in processes() if self.tmp + "/" in line]
            self.assertEqual(left, [])
            return True
        wait_until(clean, 10, "nothing is left of the run")

    def test_1_from_start_to_end(self):
        code, said = self.run_through()
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"(?m)^\S+ \*? *skep-node +Ready +Active +Leader ")
        self.assertEqual({number for number in re.findall(r"(?m)^\S+ +bees\.(\d) +skep/bees:1 +skep-node +Running +Running ", said)}, {"1", "2", "3"})
        self.assertEqual(set(re.findall(r"bee (\d) is back from trip \d+", said)), {"1", "2", "3"})
        self.assertIn("http://127.0.0.1:9323/health", said)
        self.assertRegex(said, r'"ready":true,"quorum":true')
        self.assertRegex(said, r"(?m)^skep_service_tasks_running\{.*service_name=\"bees\".*\} 3$")
        self.assertRegex(said, r"(?m)^done in \d+ s$|done in \d+ s")
        self.assert_nothing_left()

    def test_2_broken_off_in_the_middle(self):
        process = self.start()
        for line in process.stdout:
            if "a service of three replicas" in line:
                break
        self.assertIsNone(process.poll())
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does for Ctrl-C
        said = process.stdout.read()
        self.assertEqual(process.wait(30), 130, said)
        self.assertIn("taking it all away", said)
        self.assert_nothing_left()

    def test_3_kept_and_removed(self):
        code, said = self.run_through("--keep")
        self.assertEqual(code, 0, said)
        directory = os.path.join(self.tmp, self.run_name())
        self.assertIn(f"--remove {directory}", said)
        skep = [os.path.join(ROOT, "build/release/skep"), "-H", f"unix://{directory}/skep.sock", "ps", "-q"]
        self.assertEqual(len(subprocess.run(skep, capture_output=True, text=True, check=True, timeout=30).stdout.split()), 3)
        self.assertEqual(self.run_through("--remove", directory)[0], 0)
        self.assert_nothing_left()

    def test_4_wrong_words(self):
        for args in (("--colour",), ("--remove",), ("--remove", self.tmp)):
            code, said = self.run_through(*args)
            self.assertEqual(code, 64, said)
        self.assertEqual(self.run_through("--help")[0], 0)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
