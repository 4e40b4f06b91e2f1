"""The Linux back end on hosts that mount their cgroups otherwise than this one: version 2 alone, and both versions at odds.

Each test runs in a mount namespace of its own. Needs root. Run: python3 -m unittest tests/e2e/test_runtime_cgroup.py"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hcs_driver import Driver, Failed, document, make_layer  # noqa: E402

HERE = os.path.abspath(__file__)
SKIPPED = 77  # a scene's exit code
MISSING = os.geteuid() != 0 or not shutil.which("crun") or not shutil.which("conmon")

# What a sandbox may not, and crun wants before it loads the filter of devices: a higher bound for locked memory.
SHIM = """#include <sys/resource.h>
int setrlimit(__rlimit_resource_t which, const struct rlimit *limit) { (void)which; (void)limit; return 0; }
int setrlimit64(__rlimit_resource_t which, const struct rlimit64 *limit) { (void)which; (void)limit; return 0; }
"""


def sh(*lines):
    subprocess.run(["sh", "-ec", "\n".join(lines)], check=True)


class Host:
    """A back end in its directory, with a program in front of crun; all is taken away at the end."""

    def __init__(self, crun=None):
        self.base = tempfile.mkdtemp(prefix="skep-cgroup-")
        make_layer(self.base + "/layer")
        self.driver = Driver(self.base)
        if crun:
            os.makedirs(self.base + "/bin")
            with open(self.base + "/bin/crun", "w") as f:
                f.write("#!/bin/sh\n" + crun.format(crun=shutil.which("crun"), base=self.base))
            os.chmod(self.base + "/bin/crun", 0o755)
            self.driver.path = self.base + "/bin:" + os.environ["PATH"]

    def __enter__(self):
        self.driver.start()
        return self

    def __exit__(self, *_):
        for id in ("a", "b"):
            self.driver.call("remove", id=id, force=True)
        assert self.driver.stop() == 0
        shutil.rmtree(self.base)

    def begin(self, id="a", args=("sleep", "100"), **skep):
        self.driver.call("create", id=id, document=document(self.base + "/layer", list(args), **skep))
        self.driver.call("start", id=id)

    def sh(self, id, script):
        return self.driver.call("exec", id=id, process={"CommandArgs": ["sh", "-c", script]})["output"]


@contextlib.contextmanager
def version_2_host():
    sh("umount -R /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup")
    with Host("exec env LD_PRELOAD={base}/shim.so {crun} \"$@\"\n") as host:
        with open(host.base + "/shim.c", "w") as f:
            f.write(SHIM)
        sh(f"cc -D_GNU_SOURCE -shared -fPIC -o {host.base}/shim.so {host.base}/shim.c")
        yield host


def version_2_alone():
    with version_2_host() as host:
        d = host.driver
        assert "cgroup v2" in d.call("probe")["versions"]
        host.begin()
        assert "cgroup.procs" in host.sh("a", "ls /sys/fs/cgroup")
        assert d.properties("a", statistics=True)["statistics"]["cpu"] > 0
        d.call("pause", id="a")
        assert d.properties("a")["state"] == "Paused"
        d.call("terminate", id="a")  # it is thawed for that
        assert d.properties("a")["exit_code"] == 137
        host.begin("b")
        d.call("remove", id="b", force=True)
        d.call("remove", id="a", force=True)
        assert not os.path.exists("/sys/fs/cgroup" + d.cgroup)


def hold_limits(host):
    """Processes, processor time and memory: each limit is set, is told, and bites."""
    d = host.driver
    host.begin("a", ["sh", "-c", "sleep 1; while :; do :; done"], Linux={"PidsLimit": 6, "CpuNano": 250_000_000, "MemoryBytes": 32 << 20})
    s = d.properties("a", statistics=True)["statistics"]
    assert (s["memory_limit"], s["pids_limit"]) == (32 << 20, 6), s
    try:
        said = host.sh("a", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait; echo all of them")
    except Failed as failed:
        said = failed.message
    assert "all of them" not in said, said
    time.sleep(1)
    before = d.properties("a", statistics=True)["statistics"]["cpu"]
    time.sleep(2)
    used_s = (d.properties("a", statistics=True)["statistics"]["cpu"] - before) / 1e9
    assert 0 < used_s < 1, f"{used_s} s of processor time in 2 s, a quarter of one was allowed"
    d.call("modify", id="a", request={"ResourcePath": "Container/Memory/SizeInMB", "Settings": 24})
    assert d.properties("a", statistics=True)["statistics"]["memory_limit"] == 24 << 20
    host.begin("b", ["sh", "-c", "x=a; while :; do x=$x$x$x; done"], Linux={"MemoryBytes": 16 << 20, "MemorySwapBytes": 16 << 20})
    ended = d.exited("b")
    assert (ended["exit_code"], ended["oom"]) == (137, True), ended


def limits_of_version_2():
    with version_2_host() as host:
        with open("/sys/fs/cgroup/cgroup.controllers") as f:
            lacks = {"memory", "cpu", "pids"} - set(f.read().split())
        if lacks:
            print(f"this host's version 2 has no controller {', '.join(sorted(lacks))}: version 1 holds them", file=sys.stderr)
            return SKIPPED
        hold_limits(host)


def limits_of_this_host():
    with Host() as host:
        hold_limits(host)


# Refuses as crun does as long as version 2 seems to hold a controller; then steps aside.
REFUSING = """case " $* " in *" create "*)
    echo tried >>{base}/tries
    if [ -e {base}/hybrid ] && ! mountpoint -q /sys/fs/cgroup/hugetlb; then
        echo '{{"msg":"cgroups in hybrid mode not supported, drop all controllers from cgroupv2","level":"error"}}' >&2
        echo 'cgroups in hybrid mode not supported, drop all controllers from cgroupv2' >&2
        exit 1
    fi
    umount /sys/fs/cgroup/unified/cgroup.controllers 2>/dev/null ;;
esac
exec {crun} "$@"
"""


def controllers_in_version_2():
    if os.path.ismount("/sys/fs/cgroup/hugetlb"):
        sh("umount /sys/fs/cgroup/hugetlb")
    with Host(REFUSING) as host:
        host.begin("a")  # nobody complains: nothing is mounted
        assert not os.path.ismount("/sys/fs/cgroup/hugetlb")
        sh(f"echo hugetlb >{host.base}/hybrid", f"mount --bind {host.base}/hybrid /sys/fs/cgroup/unified/cgroup.controllers")
        host.begin("b")  # refused once, then settled
        assert os.path.ismount("/sys/fs/cgroup/hugetlb")
        assert host.sh("b", "echo fine") == "fine\n"
        with open(host.base + "/tries") as f:
            assert f.read().count("tried") == 3


def a_refusal_that_cannot_be_helped():
    with Host("case \" $* \" in *\" create \"*) echo 'cgroups in hybrid mode not supported' >&2; exit 1 ;; esac\nexec {crun} \"$@\"\n") as host:
        try:
            host.begin()
        except Failed as failed:
            assert "hybrid mode" in failed.message, failed.message
        else:
            raise AssertionError("it started")


@unittest.skipIf(MISSING, "needs root, crun and conmon")
class Cgroups(unittest.TestCase):
    def alone(self, scene):
        """Run @scene in a mount namespace of its own, for this process' cgroups would be changed too."""
        done = subprocess.run(["unshare", "-m", "--propagation", "private", sys.executable, HERE, scene], capture_output=True, text=True, timeout=120)
        if done.returncode == SKIPPED:
            self.skipTest(done.stderr.strip().splitlines()[-1])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stderr

    def test_version_2_alone(self):
        self.alone("version_2_alone")

    def test_limits_of_version_2(self):
        self.alone("limits_of_version_2")

    def test_limits_of_this_host(self):
        """The same, with the controllers where this host has them."""
        self.alone("limits_of_this_host")

    @unittest.skipIf(not os.path.exists("/sys/fs/cgroup/unified/cgroup.controllers"), "needs a host with both versions")
    def test_controllers_move_to_version_1_only_when_crun_refuses(self):
        said = self.alone("controllers_in_version_2")
        self.assertEqual(said.count("mounted as version 1"), 1, said)
        self.assertIn("crun refused", said)

    def test_a_refusal_that_cannot_be_helped_is_told(self):
        self.alone("a_refusal_that_cannot_be_helped")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in globals():
        sys.exit(globals()[sys.argv[1]]())
    else:
        unittest.main()
