"""skepd.exe under Wine, on a host of its own: what is Windows' own door is real up to the DLLs of HCS, which are ours ("emulated HCS",
tests/emulated_hcs): they lie beside skepd.exe.

A prefix (Wine's disk and registry, and its server, whose sockets are those of the host it was started on) is made once for each network and
laid under each host's own changes by overlayfs: it is 700 MB."""
import contextlib
import os
import shutil
import signal
import subprocess
import unittest

from lib.daemon import Daemon
from lib.hosts import run, wait_until
from lib.images import windows_base_layer
from lib.registry import Registry
from lib.scenario import Scenario

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SKEP_WINDOWS_BUILD", "build/windows-release"))
# Built to look for HCS beside itself, as what is shipped never does.
SKEPD = os.path.join(BUILD, "tests", "skepd.exe")
SKEP = os.path.join(BUILD, "skep.exe")
BESIDE = [os.path.join(BUILD, name) for name in ("skep-image.exe", "skep-log.exe")] + [
    os.path.join(BUILD, "tests", name) for name in ("computecore.dll", "computenetwork.dll", "computestorage.dll", "vmcompute.dll", "hcs_emulator.exe")]
ENV = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
VERSION_KEY = r"HKLM\Software\Microsoft\Windows NT\CurrentVersion"


def need_wine():
    """Skip while there is nothing to test, or nothing to test it with."""
    if not shutil.which("wine"):
        raise unittest.SkipTest("Wine is not installed (deploy/install-deps.sh windows)")
    for program in (SKEPD, SKEP, *BESIDE):
        if not os.path.exists(program):
            raise unittest.SkipTest(f"{os.path.relpath(program, ROOT)} is not built yet")


def wine_env(prefix):
    env = {**os.environ, **ENV, "WINEPREFIX": prefix}
    env.pop("DISPLAY", None)
    return env


def end_server(prefix):
    """Wine's server of this prefix, and with it all that runs there."""
    run(["wineserver", "-k"], env=wine_env(prefix), check=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        run(["wineserver", "-w"], env=wine_env(prefix), check=False, timeout=20)


def windows_path(path):
    """The path within Wine, where Z: is this machine's root."""
    return "Z:" + path.replace("/", "\\")


def _template(net):
    """The network's bare prefix."""
    prefix = os.path.join(net.dir, "wine")
    if not os.path.isdir(prefix):
        os.makedirs(prefix)
        for argv in (["wineboot", "-i"], ["winecfg", "-v", "win10"]):
            run(["wine", *argv], env=wine_env(prefix), timeout=180)
        end_server(prefix)
    return prefix


class WineSkepd(Daemon):
    """skepd.exe; Windows' build and product as told: "20348.2322", "server" or "client". What is shipped looks for HCS in System32 only; this
    one, tests/skepd.exe, finds the emulated HCS beside it, whose state and faults lie in `hcs`."""

    kind = "skepd.exe"

    def __init__(self, host, *options, build="20348.2322", product="server", has_hyperv=False):
        super().__init__(host)
        self.options = options
        self.pipe = f"npipe:////./pipe/{host.ns}"
        self.state = os.path.join(self.dir, "state")
        self.run_dir = os.path.join(self.dir, "run")
        self.prefix = os.path.join(self.dir, "prefix")
        self.hcs = os.path.join(self.dir, "hcs")
        self.programs = os.path.join(self.dir, "programs")
        self.metrics = f"{host.ip}:9323"
        self.env = {**wine_env(self.prefix), "SKEP_EMULATED_HCS": windows_path(self.hcs), "SKEP_EMULATED_HYPERVISOR": str(int(has_hyperv))}
        for path in (self.hcs, self.programs):
            os.makedirs(path)
        for program in (SKEPD, *BESIDE):
            shutil.copy(program, self.programs)
        self._mount()
        # skep-image.exe is the shipped one, which has a base layer set up by System32's.
        shutil.copy(os.path.join(BUILD, "tests", "vmcompute.dll"), os.path.join(self.prefix, "drive_c", "windows", "system32"))
        self.keeper = self._keep()
        self._be(build, product)

    def _mount(self):
        upper, work = os.path.join(self.dir, "upper"), os.path.join(self.dir, "work")
        for path in (upper, work, self.prefix):
            os.makedirs(path)
        run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={_template(self.host.net)},upperdir={upper},workdir={work}", self.prefix])

    def _keep(self):
        """A program that only waits: without one, Wine and its services end, and begin anew with the next."""
        keeper = subprocess.Popen(self.host.inside(["wine", "cmd", "/c", "echo here & pause"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, env=self.env, start_new_session=True)
        keeper.stdout.readline()  # two programs that begin at once may wait for each other
        return keeper

    def _be(self, build, product):
        number, _, revision = build.partition(".")
        kind = "Client" if product == "client" else "Server"
        for name, form, value in (("CurrentBuildNumber", "REG_SZ", number), ("CurrentBuild", "REG_SZ", number), ("UBR", "REG_DWORD", revision or "0"),
                                  ("InstallationType", "REG_SZ", kind), ("EditionID", "REG_SZ", "Professional" if product == "client" else "ServerDatacenter"),
                                  ("ProductName", "REG_SZ", "Windows 10 Pro" if product == "client" else "Windows Server Datacenter")):
            self.wine("reg", "add", VERSION_KEY, "/v", name, "/t", form, "/d", value, "/f")

    def wine(self, *argv, check=True, timeout=60, **more):
        """A program of Windows on this host."""
        return self.host.run(["wine", *argv], env=self.env, check=check, timeout=timeout, **more)

    def argv(self, extra):
        return ["wine", self.program, "--state-dir", windows_path(self.state), "--run-dir", windows_path(self.run_dir), "--host", self.pipe, "--hostname",
                self.name, "--metrics-addr", self.metrics, *self.options, *extra]

    @property
    def program(self):
        return os.path.join(self.programs, "skepd.exe")

    def faults(self, *lines):
        """What the emulated HCS does wrong from now on (tests/emulated_hcs/README.md)."""
        path = os.path.join(self.hcs, "script.txt")
        with open(path + ".new", "w") as file:
            file.writelines(line + "\n" for line in lines)
        os.replace(path + ".new", path)

    def answers(self):
        code = self.process.poll()
        if code is not None:
            raise SystemError(f"{self.kind} on {self.name} ended with code {code}:\n{self.tail(30)}")
        return self.skep("info").returncode == 0

    def skep(self, *args, check=True, timeout=60, **more):
        """Run skep.exe against this daemon."""
        return self.wine(SKEP, "-H", self.pipe, *args, check=check, timeout=timeout, **more)

    def join(self, manager, token=None, role="worker", timeout=60, check=True):
        return self.skep("join", "--token", token or manager.token(role), manager.address, timeout=timeout, check=check)

    def stop(self, timeout_s=30):
        """As Ctrl-C at its console: Wine makes it of SIGINT, and of SIGTERM an end at once."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout_s)

    def destroy(self):
        super().destroy()
        end_server(self.prefix)
        self.keeper.stdin.close()
        self.keeper.stdout.close()
        self.keeper.wait(10)
        wait_until(lambda: run(["umount", self.prefix], check=False).returncode == 0 or not os.path.ismount(self.prefix), 10, "the prefix is unmounted")


class WindowsScenario(Scenario):
    """A scenario with a skepd.exe; with the parts that most of them want."""

    needs_skepd = False  # the Linux build: a class that starts one says so

    @classmethod
    def setUpClass(cls):
        need_wine()
        super().setUpClass()

    @classmethod
    def make_registry(cls):
        """On a host of its own, with an image of Windows: cls.app."""
        host = cls.net.host("registry")
        cls.registry = Registry(host, ip=host.ip).start()
        cls.app = cls.push_windows("win/app")

    @classmethod
    def push_windows(cls, name, os_version="10.0.20348.2113"):
        return cls.registry.push(name, layers=[windows_base_layer()], os="windows", os_version=os_version, architecture="amd64")

    @classmethod
    def make_windows(cls, *options, **host):
        """A host "win" that pulls from the registry; @host as for WineSkepd. Not started."""
        return WineSkepd(cls.net.host("win"), *options, "--insecure-registry", cls.registry.address, **host)

    @classmethod
    def join_windows(cls):
        cls.node.join(cls.manager)
        cls.manager.wait_node("win")
