"""The Linux back end with real crun and conmon: what the documents ask for, deaths at any moment, and that nothing is left behind.

Needs root. Run: python3 -m unittest tests/e2e/test_runtime.py"""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from hcs_driver import Driver, Failed, document, make_layer, wait_until  # noqa: E402

MISSING = os.geteuid() != 0 or not shutil.which("crun") or not shutil.which("conmon")


@unittest.skipIf(MISSING, "needs root, crun and conmon")
class Runtime(unittest.TestCase):
    def setUp(self):
        self.base = tempfile.mkdtemp(prefix="skep-runtime-")
        self.layer = self.base + "/layer"
        make_layer(self.layer)
        self.driver = Driver(self.base).start()
        self.ids = 0

    def tearDown(self):
        d = self.driver
        if d.process.poll() is not None:
            d.start()
        for system in d.call("enumerate")["systems"]:
            d.call("remove", id=system["id"], force=True)
        code = d.stop()
        left = self.leftovers()
        shutil.rmtree(self.base, ignore_errors=True)
        self.assertEqual(left, [])
        self.assertEqual(code, 0)

    def leftovers(self):
        d = self.driver
        with open("/proc/mounts") as f:
            left = [line for line in f if self.base in line]
        left += [f"interface {n}" for n in os.listdir("/sys/class/net") if n == d.bridge]
        left += [f"{r}: {e}" for r, n, _ in os.walk("/sys/fs/cgroup") for e in n if e == d.cgroup[1:] and r.count("/") < 5]
        left += os.listdir(d.state + "/containers") + os.listdir(d.run + "/containers") + os.listdir(d.run + "/crun")
        if shutil.which("nft"):
            tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout
            left += [t for t in tables.splitlines() if d.bridge in t]
        return left

    def create(self, args, files=None, **skep):
        self.ids += 1
        id = f"c{self.ids}"
        self.driver.call("create", id=id, document=document(self.layer, args, **skep), files=files or {})
        return id

    def begin(self, args, **members):
        id = self.create(args, **members)
        self.driver.call("start", id=id)
        return id

    def output(self, id, **options):
        number = self.driver.send("log", id=id, **options)
        self.driver.wait(number)
        return "".join(e["text"] for e in self.driver.entries.get(number, []))

    def run_to_end(self, script, **members):
        id = self.begin(["sh", "-c", script], **members)
        p = self.driver.exited(id)
        return p["exit_code"], self.output(id), p

    def sh(self, id, script):
        answer = self.driver.call("exec", id=id, process={"CommandArgs": ["sh", "-c", script]})
        return answer["exit_code"], answer["output"]

    # --- what a process sees ---

    def test_command_environment_directory_and_hostname(self):
        code, out, _ = self.run_to_end(
            "echo $A; pwd; hostname; echo $HOME; cat /etc/hostname; exit 7",
            HostName="web1", Process={"Environment": {"A": "b c"}, "WorkingDirectory": "/made/for/it"},
        )
        self.assertEqual((code, out), (7, "b c\n/made/for/it\nweb1\n/root\nweb1\n"))

    def test_users_by_name_and_number(self):
        for user, want in (("web", "1000 1001 1001 1002"), ("1000:extra", "1000 1002 1002"), ("4242:4343", "4242 4343 4343")):
            code, out, _ = self.run_to_end("echo $(id -u) $(id -g) $(id -G)", Process={"User": user})
            self.assertEqual(out.strip(), want, user)
        id = self.create(["true"], Process={"User": "nobodyhere"})
        with self.assertRaisesRegex(Failed, "unable to find user nobodyhere"):
            self.driver.call("start", id=id)

    def test_passwd_that_leads_out_of_the_image_is_not_followed(self):
        os.remove(self.layer + "/etc/passwd")
        os.symlink("/../../../../../../etc/passwd", self.layer + "/etc/passwd")
        id = self.create(["true"], Process={"User": "daemon"})
        with self.assertRaisesRegex(Failed, "unable to find user daemon"):
            self.driver.call("start", id=id)

    def test_a_daemon_of_type_notify_starts_containers(self):
        """systemd's NOTIFY_SOCKET is the daemon's: crun would look for the container's own."""
        self.driver.stop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
            supervisor.bind(self.base + "/notify")
            self.driver.environment = {"NOTIFY_SOCKET": self.base + "/notify"}
            self.driver.start()
            code, out, _ = self.run_to_end("echo ${NOTIFY_SOCKET-none}; sleep 0.2")
            self.assertEqual((code, out), (0, "none\n"))
            id = self.begin(["sleep", "100"])
            self.assertEqual(self.sh(id, "echo ${NOTIFY_SOCKET-none}"), (0, "none\n"))

    def test_a_command_that_does_not_exist(self):
        id = self.create(["no-such-command"])
        with self.assertRaisesRegex(Failed, r'exec: "no-such-command": executable file not found in \$PATH'):
            self.driver.call("start", id=id)
        p = self.driver.properties(id)
        self.assertEqual((p["state"], p["exit_code"]), ("Stopped", 127))

    def test_a_command_that_may_not_be_executed(self):
        with open(self.layer + "/bin/plain", "w") as f:
            f.write("x")
        id = self.create(["/bin/plain"])
        with self.assertRaisesRegex(Failed, "ermission denied"):
            self.driver.call("start", id=id)
        self.assertEqual(self.driver.properties(id)["exit_code"], 126)

    def test_read_only_root_limits_and_sysctls(self):
        code, out, _ = self.run_to_end(
            "touch /x 2>&1; cat /proc/self/oom_score_adj; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; df -k /dev/shm | awk 'NR==2{print $2}'",
            Linux={"ReadOnlyRoot": True, "OomScoreAdj": 321, "Ulimits": [{"Name": "nofile", "Soft": 77, "Hard": 99}],
                   "Sysctls": {"net.ipv4.ip_forward": "1"}, "ShmSizeBytes": 1 << 20},
        )
        self.assertEqual(out, "touch: /x: Read-only file system\n321\n77\n1\n1024\n")

    def test_capabilities_and_seccomp(self):
        bits = "grep CapBnd /proc/self/status | awk '{print $2}'; grep Seccomp: /proc/self/status | awk '{print $2}'"
        _, out, _ = self.run_to_end(bits)
        self.assertEqual(out, "00000000a80425fb\n2\n")
        _, out, _ = self.run_to_end(bits, Linux={"CapabilitiesDrop": ["ALL"], "CapabilitiesAdd": ["CAP_CHOWN"], "Seccomp": "unconfined"})
        self.assertEqual(out, "0000000000000001\n0\n")
        code, out, _ = self.run_to_end("mount -t tmpfs x /tmp 2>&1; date -s 2000-01-01 2>&1 >/dev/null; chroot / true 2>&1 && echo chroot")
        self.assertIn("Operation not permitted", out)
        self.assertTrue("denied" in out or out.count("not permitted") == 2, out)

    def test_the_second_container_takes_the_filter_that_was_compiled_for_the_first(self):
        script = "grep Seccomp: /proc/self/status | awk '{print $2}'; unshare -m true 2>&1; sleep 60"
        first, second = (self.begin(["sh", "-c", script]) for _ in range(2))
        other = self.begin(["sh", "-c", script], Linux={"CapabilitiesAdd": ["CAP_SYS_ADMIN"]})
        annotated, filters = [], []
        for id in (first, second, other):
            with open(f"{self.driver.run}/containers/{id}/bundle/config.json") as file:
                annotated.append("run.oci.seccomp_bpf_data" in json.load(file).get("annotations", {}))
            with open(f"{self.driver.run}/crun/{id}/seccomp.bpf", "rb") as file:
                filters.append(file.read())
        self.assertEqual(annotated, [False, True, False])
        self.assertEqual(filters[0], filters[1])
        self.assertNotEqual(filters[0], filters[2])
        for id in (first, second):
            wait_until(lambda id=id: self.output(id).count("\n") == 2, 5)
            self.assertRegex(self.output(id), r"^2\n.*Operation not permitted")
            self.assertEqual(self.sh(id, "grep Seccomp: /proc/self/status")[1].split(), ["Seccomp:", "2"])

    def test_masked_paths(self):
        code, out, _ = self.run_to_end("for f in kcore keys timer_list interrupts; do test -e /proc/$f && cat /proc/$f; done; ls /sys/firmware")
        self.assertEqual(out, "")
        code, out, _ = self.run_to_end("echo 1 2>&1 >/proc/sys/kernel/printk; echo b 2>&1 >/proc/sysrq-trigger")
        self.assertEqual(out.count("Read-only file system") + out.count("nonexistent"), 2, out)

    def test_init_process(self):
        _, out, _ = self.run_to_end("cat /proc/1/cmdline | tr '\\0' ' '", Linux={"Init": True})
        self.assertTrue(out.startswith("/sbin/docker-init -- sh -c"), out)

    def test_terminal(self):
        code, out, _ = self.run_to_end("test -t 1 && echo tty $TERM", Process={"EmulateConsole": True})
        self.assertEqual((code, out), (0, "tty xterm\r\n"))

    # --- mounts ---

    def test_binds_volumes_and_tmpfs(self):
        os.makedirs(self.base + "/host")
        with open(self.base + "/host/f", "w") as f:
            f.write("from host\n")
        mounts = [
            {"Type": "bind", "Source": self.base + "/host", "Target": "/mnt/b", "ReadOnly": True},
            {"Type": "volume", "Source": "named", "Target": "/data"},
            {"Type": "volume", "Target": "/anonymous"},
            {"Type": "tmpfs", "Target": "/t", "SizeBytes": 1 << 20, "Mode": 0o750},
        ]
        script = ("cat /mnt/b/f; touch /mnt/b/g 2>&1; cat /data/from-image; stat -c '%u:%g' /data; echo kept >/data/new; touch /anonymous/x;"
                  "stat -c %a /t; df -k /t | awk 'NR==2{print $2}'")
        _, out, _ = self.run_to_end(script, Mounts=mounts)
        self.assertEqual(out, "from host\ntouch: /mnt/b/g: Read-only file system\nimage\n1000:1001\n750\n1024\n")
        self.driver.call("remove", id=f"c{self.ids}")
        _, out, _ = self.run_to_end("cat /data/new", Mounts=mounts[1:2])
        self.assertEqual(out, "kept\n")

    def test_a_bind_source_that_is_not_there(self):
        id = self.create(["true"], Mounts=[{"Type": "bind", "Source": "/no/such/place", "Target": "/x"}])
        with self.assertRaisesRegex(Failed, "invalid bind mount source, source path not found: /no/such/place"):
            self.driver.call("start", id=id)

    def test_secrets_are_in_memory_with_owner_and_mode(self):
        files = [{"Kind": "secret", "Target": "/run/secrets/key", "Uid": 1000, "Gid": 1001, "Mode": 0o440},
                 {"Kind": "config", "Target": "/etc/app.conf"}]
        code, out, _ = self.run_to_end(
            "cat /run/secrets/key /etc/app.conf; stat -c '%u:%g %a' /run/secrets/key; echo x 2>/dev/null >/run/secrets/key || echo ro; grep -c 'secrets/key tmpfs' /proc/mounts; sleep 0.3",
            files={"/run/secrets/key": "hush-hush-1\n", "/etc/app.conf": "conf\n"}, Files=files,
        )
        self.assertEqual(out, "hush-hush-1\nconf\n1000:1001 440\nro\n1\n")
        shutil.rmtree(f"{self.driver.state}/containers/c{self.ids}/log")
        found = subprocess.run(["grep", "-rlF", "hush-hush-1", self.base], capture_output=True, text=True).stdout
        self.assertEqual(found, "")

    # --- limits ---

    def test_memory_limit_and_oom(self):
        code, _, p = self.run_to_end("x=a; while true; do x=$x$x$x; done", Linux={"MemoryBytes": 16 << 20, "MemorySwapBytes": 16 << 20})
        self.assertEqual((code, p["oom"]), (137, True))

    def test_pids_and_cpu_limits_and_statistics(self):
        id = self.begin(["sleep", "100"], Linux={"PidsLimit": 5, "CpuNano": 500000000, "MemoryBytes": 32 << 20})
        self.assertIn("fork", self.sh(id, "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait")[1])
        s = self.driver.properties(id, statistics=True)["statistics"]
        self.assertGreater(s["memory"], 0)
        self.assertEqual(s["memory_limit"], 32 << 20)
        self.assertGreater(s["counters"], 5)
        self.driver.call("modify", id=id, request={"ResourcePath": "Container/Memory/SizeInMB", "Settings": 24})
        self.assertEqual(self.driver.properties(id, statistics=True)["statistics"]["memory_limit"], 24 << 20)

    # --- life ---

    def test_stop_signal_grace_and_kill(self):
        trap = "trap 'echo bye; exit 5' USR1; while true; do sleep 0.05; done"
        id = self.begin(["sh", "-c", trap], StopSignal="SIGUSR1")
        time.sleep(0.3)
        self.driver.call("shutdown", id=id)
        p = self.driver.properties(id)
        self.assertEqual((p["exit_code"], self.output(id)), (5, "bye\n"))
        id = self.begin(["sleep", "100"])
        begun = time.monotonic()
        self.driver.call("shutdown", id=id, grace_ms=300)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)
        self.assertEqual(self.driver.properties(id)["exit_code"], 137)

    def test_terminate_does_not_wait_for_a_grace_period(self):
        id = self.begin(["sleep", "100"])
        slow = self.driver.send("shutdown", id=id, grace_ms=60000)
        self.driver.call("terminate", id=id)
        self.driver.wait(slow)

    def test_pause_resume_and_terminate_while_paused(self):
        id = self.begin(["sleep", "100"])
        self.driver.call("pause", id=id)
        self.assertEqual(self.driver.properties(id)["state"], "Paused")
        self.driver.call("resume", id=id)
        self.driver.call("pause", id=id)
        self.driver.call("terminate", id=id)
        self.assertEqual(self.driver.properties(id)["exit_code"], 137)

    def test_what_is_not_possible_is_said(self):
        id = self.begin(["sleep", "100"])
        for op in ("start", "resume", "remove"):
            with self.assertRaises(Failed) as raised:
                self.driver.call(op, id=id)
            self.assertEqual(raised.exception.code, "ERR_PRECONDITION")
        with self.assertRaises(Failed) as raised:
            self.driver.call("start", id="nothere")
        self.assertEqual(raised.exception.code, "ERR_NOT_FOUND")
        self.driver.call("remove", id="nothere")

    def test_exec_has_its_own_exit_output_and_bound(self):
        id = self.begin(["sleep", "100"], Process={"Environment": {"A": "1"}})
        answer = self.driver.call("exec", id=id, output_bytes=10,
                                  process={"CommandArgs": ["sh", "-c", "echo $A$B; yes | head -c 10000; exit 4"], "Environment": {"B": "2"}})
        self.assertEqual((answer["exit_code"], answer["output"], answer["cut"]), (4, "12\ny\ny\ny\ny"[:10], True))
        self.assertEqual(self.driver.call("exec", id=id, process={"CommandArgs": ["nope"]})["exit_code"], 127)
        with self.assertRaises(Failed) as raised:
            self.driver.call("exec", id=id, process={"CommandArgs": ["sleep", "100"]}, timeout_ms=300)
        self.assertEqual(raised.exception.code, "ERR_DEADLINE")

    # --- network ---

    def test_bridge_published_ports_and_neighbours(self):
        network = {"Mode": "bridge", "Ports": [{"Protocol": "tcp", "TargetPort": 80, "PublishedPort": 0}]}
        id = self.begin(["sh", "-c", "while true; do echo hello | nc -l -p 80; done"], Network=network)
        p = self.driver.properties(id)
        port = p["ports"][0]["published"]

        def ask(host, number):
            try:
                with socket.create_connection((host, number), 2) as s:
                    return s.recv(100) == b"hello\n"
            except OSError:
                return False

        self.assertTrue(wait_until(lambda: ask(p["ip"], 80)))
        self.assertTrue(wait_until(lambda: ask("127.0.0.1", port)))
        other = self.begin(["sleep", "100"], Network={"Mode": "bridge", "Hosts": ["first:" + p["ip"]]})
        self.assertTrue(wait_until(lambda: self.sh(other, "nc -w 2 first 80")[1] == "hello\n"))
        taken = self.create(["true"], Network={"Mode": "bridge", "Ports": [{"TargetPort": 80, "PublishedPort": port}]})
        with self.assertRaises(Failed) as raised:
            self.driver.call("start", id=taken)
        self.assertEqual(raised.exception.code, "ERR_EXISTS")
        self.assertIn(str(port), raised.exception.message)

    def test_host_and_no_network(self):
        _, out, _ = self.run_to_end("ls /sys/class/net | wc -l", Network={"Mode": "none"})
        self.assertEqual(out, "1\n")
        _, out, _ = self.run_to_end("cat /proc/self/net/dev | wc -l", Network={"Mode": "host"})
        with open("/proc/self/net/dev") as f:
            self.assertEqual(int(out), len(f.readlines()))

    # --- logs ---

    def test_ten_megabytes_byte_for_byte_across_rotations(self):
        made = self.base + "/host"
        os.makedirs(made)
        with open(made + "/data", "wb") as f:
            f.write(os.urandom(5_000_000).replace(b"\0", b"x") + b"".join(b"line %d\n" % i for i in range(450_000)))
        copy = self.base + "/copy"
        id = self.create(["sh", "-c", "sleep 0.5; dd if=/h/data bs=65536 count=60 2>/dev/null; sleep 1.5; dd if=/h/data bs=65536 skip=60 2>/dev/null; sleep 1.5; printf end"],
                         Mounts=[{"Type": "bind", "Source": made, "Target": "/h"}], Log={"MaxSizeBytes": 1 << 20, "MaxFiles": 20})
        follow = self.driver.send("log", id=id, follow=True, copy=copy)
        self.driver.call("start", id=id)
        self.driver.exited(id, 60)
        self.driver.wait(follow)
        with open(made + "/data", "rb") as f, open(copy, "rb") as g:
            want, got = f.read() + b"end", g.read()
        self.assertEqual((len(got), hashlib.sha256(got).hexdigest()), (len(want), hashlib.sha256(want).hexdigest()))
        self.assertGreater(len(os.listdir(f"{self.driver.state}/containers/{id}/log")), 1)

    def test_tail_streams_and_no_log(self):
        id = self.begin(["sh", "-c", "for i in 1 2 3 4 5; do echo out$i; echo err$i >&2; sleep 0.05; done"])
        self.driver.exited(id)
        self.assertEqual(self.output(id, tail=2, stderr=False), "out4\nout5\n")
        self.assertEqual(self.output(id, tail=1, stdout=False), "err5\n")
        self.assertEqual(self.output(id, tail=0), "")
        id = self.begin(["echo", "x"], Log={"Driver": "none"})
        with self.assertRaises(Failed) as raised:
            self.driver.call("log", id=id)
        self.assertEqual(raised.exception.code, "ERR_UNSUPPORTED")

    # --- deaths ---

    def pid_of(self, id, name):
        with open(f"{self.driver.run}/containers/{id}/{name}") as f:
            return int(f.read())

    def test_killing_the_container_from_outside(self):
        id = self.begin(["sleep", "100"])
        os.kill(self.driver.properties(id)["pid"], signal.SIGKILL)
        self.assertEqual(self.driver.exited(id)["exit_code"], 137)

    def test_killing_conmon_ends_the_container(self):
        id = self.begin(["sleep", "100"])
        pid = self.driver.properties(id)["pid"]
        os.kill(self.pid_of(id, "conmon.pid"), signal.SIGKILL)
        p = self.driver.exited(id)
        self.assertEqual(p["exit_code"], 137)
        self.assertIn("conmon", p["error_text"])
        self.assertTrue(wait_until(lambda: not os.path.exists(f"/proc/{pid}")))

    def test_killing_the_daemon_disturbs_nothing(self):
        network = {"Mode": "bridge", "Ports": [{"TargetPort": 80}]}
        ids = [self.begin(["sleep", "100"], Network=network) for _ in range(3)]
        before = {i: self.driver.properties(i) for i in ids}
        quick = self.begin(["sh", "-c", "echo last words; sleep 1; exit 9"])
        self.driver.kill()
        time.sleep(1.5)
        os.kill(before[ids[2]]["pid"], signal.SIGKILL)
        self.driver.start()
        for i in ids[:2]:
            self.assertEqual(self.driver.properties(i), before[i])
        self.assertTrue(wait_until(lambda: self.driver.properties(ids[2])["exit_code"] == 137))
        self.assertTrue(wait_until(lambda: self.driver.properties(quick)["state"] == "Stopped"))
        self.assertEqual((self.driver.properties(quick)["exit_code"], self.output(quick)), (9, "last words\n"))
        self.driver.call("shutdown", id=ids[0], grace_ms=100)
        self.assertEqual(self.driver.exited(ids[0])["exit_code"], 137)

    def record(self, id, **changes):
        path = f"{self.driver.state}/containers/{id}/state.json"
        with open(path) as f:
            record = {**json.load(f), **changes}
        with open(path, "w") as f:
            json.dump(record, f)
        return record

    def test_a_reboot_before_the_start_takes_secrets_away(self):
        secret = {"files": {"/s": "hush"}, "Files": [{"Kind": "secret", "Target": "/s"}]}
        with_secret, starting, without = self.create(["cat", "/s"], **secret), self.create(["cat", "/s"], **secret), self.create(["echo"])
        self.driver.kill()
        for id, phase in ((with_secret, "created"), (starting, "starting"), (without, "created")):
            self.record(id, BootId="another", Phase=phase)
            subprocess.run(["umount", f"{self.driver.run}/containers/{id}/files"], stderr=subprocess.DEVNULL)
            shutil.rmtree(f"{self.driver.run}/containers/{id}")
        for _ in range(2):
            self.driver.start()
            for id in (with_secret, starting):
                p = self.driver.properties(id)
                self.assertEqual((p["state"], p["exit_code"]), ("Stopped", 255))
                self.assertIn("its secrets and configs are gone", p["error_text"])
            self.assertEqual(self.driver.properties(without)["state"], "Created")
            self.driver.kill()
        self.driver.start()
        self.driver.call("start", id=without)
        self.assertEqual(self.driver.exited(without)["exit_code"], 0)

    def test_a_daemon_killed_after_the_record_leaves_no_secrets(self):
        id = self.begin(["sleep", "100"], files={"/s": "hush"}, Files=[{"Kind": "secret", "Target": "/s"}])
        self.driver.call("terminate", id=id)
        self.driver.kill()
        files = f"{self.driver.run}/containers/{id}/files"
        os.makedirs(files)
        subprocess.run(["mount", "-t", "tmpfs", "skep", files], check=True)
        self.driver.start()
        self.assertEqual(self.driver.properties(id)["exit_code"], 137)
        self.assertFalse(os.path.exists(files))

    def test_a_record_that_cannot_be_read_now_ends_no_container(self):
        id = self.begin(["sleep", "100"])
        pid = self.driver.properties(id)["pid"]
        path = f"{self.driver.state}/containers/{id}/state.json"
        self.driver.kill()
        os.rename(path, path + ".kept")
        os.mkdir(path)  # a read of it fails, as on a disk that fails
        self.driver.start()
        self.assertNotEqual(self.driver.process.wait(20), 0)
        self.driver.process.stdin.close()
        os.rmdir(path)
        os.rename(path + ".kept", path)
        self.driver.start()
        self.assertEqual((self.driver.properties(id)["state"], self.driver.properties(id)["pid"]), ("Running", pid))

    def test_a_number_that_is_anothers_by_now_is_not_killed(self):
        """A start was cut off, its conmon ended, and its number was given to a process that has nothing to do with us."""
        id = self.create(["true"])
        self.driver.kill()
        self.record(id, Phase="starting")
        with subprocess.Popen(["sleep", "100"]) as stranger:
            with open(f"{self.driver.run}/containers/{id}/conmon.pid", "w") as f:
                f.write(str(stranger.pid))
            self.driver.start()
            self.assertEqual(self.driver.properties(id)["state"], "Created")
            self.assertIsNone(stranger.poll())
            stranger.kill()

    def test_killing_the_daemon_in_the_middle_of_starts(self):
        for delay in (0.0, 0.02, 0.05, 0.1, 0.2, 0.3):
            ids = [self.create(["sleep", "100"], Network={"Mode": "bridge"}) for _ in range(4)]
            for i in ids:
                self.driver.send("start", id=i)
            time.sleep(delay)
            self.driver.kill()
            self.driver.start()
            for i in ids:
                p = self.driver.properties(i)
                self.assertIn(p["state"], ("Created", "Running"), p)
                if p["state"] == "Created":
                    self.driver.call("start", id=i)
                self.assertEqual(self.sh(i, "echo fine")[1], "fine\n")
                self.driver.call("remove", id=i, force=True)

    def test_a_process_that_began_is_never_undone(self):
        """The daemon dies while `crun start` runs, before it or after the process began: no second beginning, no way back."""
        host = self.base + "/host"
        os.makedirs(host)
        self.replace_crun("start", "kill -9 $(cat %s/tool.pid); sleep 0.2; exec $CRUN \"$@\"" % self.base)
        for script, want in (("echo began >>/h/$0; exec sleep 100", "Running"), ("echo began >>/h/$0; exit 6", "Stopped")):
            for late in (False, True):
                id = self.create(["sh", "-c", script, f"{want}{late}"], Mounts=[{"Type": "bind", "Source": host, "Target": "/h"}],
                                 Network={"Mode": "bridge"})
                with open(self.base + "/tool.pid", "w") as f:
                    f.write(str(self.driver.process.pid))
                self.driver.send("start", id=id)
                self.driver.process.wait(20)
                self.driver.kill()
                if late:
                    self.assertTrue(wait_until(lambda: os.path.exists(f"{host}/{want}{late}")))
                self.driver.start()
                self.assertTrue(wait_until(lambda: self.driver.properties(id)["state"] == want), self.driver.properties(id))
                self.assertTrue(wait_until(lambda: os.path.exists(f"{host}/{want}{late}")))
                with open(f"{host}/{want}{late}") as f:
                    self.assertEqual(f.read(), "began\n")
                if want == "Stopped":
                    self.assertEqual(self.driver.properties(id)["exit_code"], 6)
                else:
                    self.assertEqual(self.sh(id, "echo fine")[1], "fine\n")

    def test_a_graceful_stop_leaves_everything_as_it_was(self):
        network = {"Mode": "bridge", "Ports": [{"TargetPort": 80}]}
        running = self.begin(["sh", "-c", "while true; do echo tick; sleep 0.1; done"], Network=network)
        paused = self.begin(["sleep", "100"])
        self.driver.call("pause", id=paused)
        ended = self.begin(["sh", "-c", "echo out; exit 3"])
        self.driver.exited(ended)
        created = self.create(["echo", "later"], files={"/s": "hush"}, Files=[{"Kind": "secret", "Target": "/s"}])
        ids = (running, paused, ended, created)
        before = {i: self.driver.properties(i) for i in ids}
        for _ in range(2):
            self.assertEqual(self.driver.stop(), 0)
            self.driver.start()
            self.assertEqual({i: self.driver.properties(i) for i in ids}, before)
        ticks = self.output(running).count("tick")
        self.assertTrue(wait_until(lambda: self.output(running).count("tick") > ticks))
        self.assertEqual(self.output(ended), "out\n")
        self.driver.call("resume", id=paused)
        self.assertEqual(self.sh(paused, "echo fine")[1], "fine\n")
        self.driver.call("start", id=created)
        self.assertEqual(self.driver.exited(created)["exit_code"], 0)

    def test_nothing_of_a_container_lies_outside_its_directories(self):
        def files(*roots):
            return {r + "/" + f for root in roots for r, _, fs in os.walk(root) for f in fs}

        before = files("/run/conmon", "/var/lib/conmon", "/run/crun", "/var/run/crio", "/run/containers") | set(os.listdir("."))
        self.run_to_end("x=a; while true; do x=$x$x$x; done", Linux={"MemoryBytes": 16 << 20, "MemorySwapBytes": 16 << 20})
        after = files("/run/conmon", "/var/lib/conmon", "/run/crun", "/var/run/crio", "/run/containers") | set(os.listdir("."))
        self.assertEqual(after - before, set())

    # --- ends that cannot wait ---

    def replace_crun(self, verb, script):
        """A crun that runs @script instead for one verb, in PATH before the real one."""
        os.makedirs(self.base + "/bin", exist_ok=True)
        with open(self.base + "/bin/crun", "w") as f:
            f.write(f"#!/bin/sh\nCRUN={shutil.which('crun')}\ncase \" $* \" in *\" {verb} \"*) {script} ;; esac\nexec $CRUN \"$@\"\n")
        os.chmod(self.base + "/bin/crun", 0o755)
        self.driver.stop()
        self.driver.path = self.base + "/bin:" + os.environ["PATH"]
        self.driver.start()

    def test_terminate_does_not_wait_for_a_start_that_hangs(self):
        for verb in ("create", "start"):
            self.replace_crun(verb, "exec sleep 30")
            ids = [self.create(["sleep", "100"], Network={"Mode": "bridge"}) for _ in range(10)]  # more than may start at once
            starts = [self.driver.send("start", id=i) for i in ids]
            time.sleep(1)
            begun = time.monotonic()
            ends = [self.driver.send("terminate" if n % 2 else "remove", id=i, force=True) for n, i in enumerate(ids)]
            for number in ends:
                self.driver.wait(number)
            self.assertLess(time.monotonic() - begun, 8)
            for number in starts:
                with self.assertRaises(Failed) as raised:
                    self.driver.wait(number)
                self.assertEqual(raised.exception.code, "ERR_CANCELED")
            self.assertEqual({self.driver.properties(i)["state"] for i in ids[1::2]}, {"Stopped"})

    def test_terminate_does_not_wait_for_a_pause_that_hangs(self):
        self.replace_crun("pause", "exec sleep 5")
        id = self.begin(["sleep", "100"])
        pause = self.driver.send("pause", id=id)
        time.sleep(0.2)
        self.driver.send("terminate", id=id)
        pid = self.driver.properties(id)["pid"]
        self.assertTrue(wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 2))
        with self.assertRaises(Failed):
            self.driver.wait(pause)
        self.assertEqual(self.driver.exited(id)["exit_code"], 137)

    def test_many_removed_at_once_leave_no_bridge(self):
        ids = [self.begin(["sleep", "100"], Network={"Mode": "bridge"}) for _ in range(6)]
        for number in [self.driver.send("remove", id=i, force=True) for i in ids]:
            self.driver.wait(number)
        self.assertEqual(self.leftovers(), [])
        id = self.begin(["sleep", "100"], Network={"Mode": "bridge"})
        again = self.create(["sleep", "100"], Network={"Mode": "bridge"})
        numbers = [self.driver.send("remove", id=id, force=True), self.driver.send("start", id=again)]
        for number in numbers:
            self.driver.wait(number)
        self.assertEqual(self.sh(again, "ip -o -4 addr show eth0 | wc -l")[1], "1\n")

    def test_a_bridge_of_an_earlier_life_without_containers_goes(self):
        id = self.begin(["sleep", "100"], Network={"Mode": "bridge"})
        self.driver.call("terminate", id=id)
        self.driver.kill()
        shutil.rmtree(f"{self.driver.state}/containers/{id}")
        self.driver.start()
        self.assertEqual(self.driver.call("enumerate")["systems"], [])
        self.assertEqual(self.leftovers(), [])

    def test_processes_of_one_container_are_bounded(self):
        id = self.begin(["sleep", "100"])
        numbers = [self.driver.send("exec", id=id, process={"CommandArgs": ["sleep", "100"]}, timeout_ms=8000) for _ in range(64)]
        with self.assertRaises(Failed) as raised:
            self.driver.call("exec", id=id, process={"CommandArgs": ["true"]})
        self.assertEqual(raised.exception.code, "ERR_LIMIT")
        self.assertIn("64", raised.exception.message)
        other = self.begin(["sleep", "100"])
        self.assertEqual(self.sh(other, "echo fine")[1], "fine\n")
        self.driver.call("terminate", id=id)
        for number in numbers:
            try:
                self.driver.wait(number)
            except Failed:
                pass

    # --- hosts that lack something ---

    def test_missing_programs_are_named(self):
        for missing in ("crun", "conmon", "nft"):
            path = f"{self.base}/without-{missing}"
            os.makedirs(path)
            for program in ("crun", "conmon", "nft", "sh", "cp"):
                if program != missing and shutil.which(program):
                    os.symlink(shutil.which(program), f"{path}/{program}")
            self.driver.stop()
            self.driver.path = path
            self.driver.start()
            probe = self.driver.call("probe")
            if missing != "nft":
                self.assertIn(missing, probe["missing"])
            id = self.create(["true"], Network={"Mode": "bridge"})
            with self.assertRaises(Failed) as raised:
                self.driver.call("start", id=id)
            self.assertEqual(raised.exception.code, "ERR_NOT_FOUND")
            self.assertIn(missing, raised.exception.message)
            self.driver.stop()
            self.driver.path = None
            self.driver.start()
            self.driver.call("remove", id=id)


if __name__ == "__main__":
    unittest.main()
