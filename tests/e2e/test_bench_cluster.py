"""tests/bench/bench_cluster.py, very small: that it works, not what it measures."""
import os
import re
import subprocess
import sys
import unittest

from lib.skepd import BUILD, ROOT, need_skepd

BENCH = os.path.join(ROOT, "tests/bench/bench_cluster.py")


class BenchCluster(unittest.TestCase):
    def bench(self, *options):
        need_skepd()
        done = subprocess.run([sys.executable, BENCH, "--smoke", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240,
                              env={**os.environ, "SKEP_BUILD": os.path.relpath(BUILD, ROOT)}, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def cell(self, text, row):
        found = re.search(rf"^\| {re.escape(row)} +\| +(.*?) +\|", text, re.M)
        self.assertTrue(found, f"no row '{row}' in\n{text}")
        return found[1]

    def test_1_tasks(self):
        text = self.bench("--only", "tasks")
        self.assertGreater(float(self.cell(text, "– tasks a second").replace(",", "")), 0)
        self.assertEqual(self.cell(text, "sessions lost, nodes taken to be down"), "0, 0")

    def test_2_sessions(self):
        text = self.bench("--only", "sessions")
        self.assertEqual(self.cell(text, "sessions at the end"), "21 of 20 and its own")
        self.assertEqual(self.cell(text, "nodes taken to be down wrongly"), "0 now, 0 ever")

    def test_3_failover(self):
        text = self.bench("--only", "failover")
        self.assertIn("nodes taken to be down: 0; tasks running in the end: 5 of 5", text)


if __name__ == "__main__":
    unittest.main()
