"""The Linux back end on hosts that mount their cgroups otherwise than this one: version 2 alone, and both versions at odds.

Each test runs in a mount namespace of its own. Needs root. Run: python3 -m unittest tests/e2e/test_runtime_cgroup.py"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hcs_driver import Driver, Failed, document, make_layer  # noqa: E402

HERE = os.path.abspath(__file__)
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

    def begin(self, id="a"):
        self.driver.call("create", id=id, document=document(self.base + "/layer", ["sleep", "100"]))
        self.driver.call("start", id=id)

    def sh(self, id, script):
        return self.driver.call("exec", id=id, process={"CommandArgs": ["sh", "-c", script]})["output"]


def version_2_alone():
    sh("umount -R /sys/fs/cgroup", "mount -t cgroup2 none /sys/fs/cgroup")
    with Host("exec env LD_PRELOAD={base}/shim.so {crun} \"$@\"\n") as host:
        with open(host.base + "/shim.c", "w") as f:
            f.write(SHIM)
        sh(f"cc -D_GNU_SOURCE -shared -fPIC -o {host.base}/shim.so {host.base}/shim.c")
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
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stderr

    def test_version_2_alone(self):
        self.alone("version_2_alone")

    @unittest.skipIf(not os.path.exists("/sys/fs/cgroup/unified/cgroup.controllers"), "needs a host with both versions")
    def test_controllers_move_to_version_1_only_when_crun_refuses(self):
        said = self.alone("controllers_in_version_2")
        self.assertEqual(said.count("mounted as version 1"), 1, said)
        self.assertIn("crun refused", said)

    def test_a_refusal_that_cannot_be_helped_is_told(self):
        self.alone("a_refusal_that_cannot_be_helped")


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in globals():
        globals()[sys.argv[1]]()
    else:
        unittest.main()
