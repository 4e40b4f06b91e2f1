"""Joining a real dockerd's swarm, renewing in it and following its root CA: the identity's rooms alone, through skep_join_probe."""
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.hosts import read, wait_until
from lib.scenario import Scenario
from lib.skepd import BUILD, SANITIZERS

PROBE = os.path.join(BUILD, "tests/skep_join_probe")
IMPOSTOR = os.path.join(BUILD, "tests/skep_impostor")
DAY = 86400


class Probe:
    """skep_join_probe on a host, with a state directory of its own."""

    def __init__(self, host, name):
        self.host = host
        self.dir = os.path.join(host.dir, name)
        self.log = os.path.join(host.dir, f"{name}.log")
        self.process = None

    def argv(self, *args):
        return self.host.inside([PROBE, "--state-dir", self.dir, *map(str, args)])

    def run(self, *args, timeout=90):
        """Run to the end. Sets code, lines (what it printed) and log; returns the last line."""
        done = subprocess.run(self.argv(*args), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                              env={**os.environ, **SANITIZERS})
        if done.returncode == 99 or "runtime error" in done.stderr:
            raise AssertionError(f"sanitizers: {done.stderr}")
        self.code = done.returncode
        self.errors = done.stderr
        self.lines = [json.loads(line) for line in done.stdout.splitlines()]
        return self.lines[-1] if self.lines else {"event": "nothing", "message": done.stderr}

    def join(self, token, *remotes, options=(), timeout=90):
        return self.run("--token", token, *options, "join", *remotes, timeout=timeout)

    def phases(self):
        return [line["phase"] for line in self.lines if line["event"] == "phase"]

    def start(self, *args):
        """Run beside the test; events() gives what it printed so far."""
        with open(self.log, "wb") as log, open(self.log + ".err", "ab") as errors:
            self.process = subprocess.Popen(self.argv(*args), stdin=subprocess.DEVNULL, stdout=log, stderr=errors,
                                            env={**os.environ, **SANITIZERS})
        return self

    def events(self, name=None):
        with open(self.log) as file:
            lines = [json.loads(line) for line in file.read().splitlines() if line.endswith("}")]
        return [line for line in lines if name in (None, line["event"])]

    def wait(self, name, timeout_s=20, count=1, **members):
        def found():
            lines = [line for line in self.events(name) if all(line.get(key) == value for key, value in members.items())]
            if len(lines) < count:
                raise AssertionError(f"{self.events()[-5:]}")
            return lines[count - 1]
        return wait_until(found, timeout_s, f"{count} × {name} {members} of the probe")

    def stop(self):
        """End it, and see that it leaves nothing behind."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        if self.process:
            code = self.process.wait(20)
            self.process = None
            if code != 0:
                with open(self.log + ".err") as file:
                    raise AssertionError(f"the probe ended with {code}: {file.read()[-4000:]}")

    def file(self, name):
        return os.path.join(self.dir, "node", name)


class JoinDockerd(Scenario):
    needs_skepd = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not os.path.exists(PROBE):
            raise unittest.SkipTest("skep_join_probe is not built yet")
        cls.make_swarm()
        cls.host = cls.net.host("skep")
        cls.count = 0

    def setUp(self):
        self.addr = self.manager.address
        self.cluster = self.manager.api("GET", "/swarm")["ID"]

    def probe(self):
        JoinDockerd.count += 1
        probe = Probe(self.host, f"probe{self.count}")
        self.addCleanup(probe.stop)
        return probe

    def node_ids(self):
        return {node["ID"] for node in self.manager.nodes()}

    def joined(self, *options):
        probe = self.probe()
        last = probe.join(self.manager.token(), self.addr, options=options)
        self.assertEqual(last["event"], "joined", last)
        return probe, last["node_id"]

    def assert_failed(self, probe, last, code, exit_code, *words):
        self.assertEqual((last["event"], last.get("code")), ("failed", code), last)
        self.assertEqual(probe.code, exit_code)
        for word in words:
            self.assertIn(word, last["message"])
        self.assertFalse(os.path.exists(probe.file("node.key")))

    # ---- it works ----

    def test_01_joins(self):
        probe = self.probe()
        last = probe.join(self.manager.token(), self.addr, options=["--availability", "2"])
        self.assertEqual(last["event"], "joined", last)
        self.assertEqual(probe.phases(), ["DIAL", "FETCH_CA", "MAKE_KEY", "REQUEST", "AWAIT", "STORE", "JOINED"])
        node = self.manager.api("GET", f"/nodes/{last['node_id']}")
        self.assertEqual(node["Spec"]["Role"], "worker")
        self.assertEqual(node["Spec"]["Availability"], "drain")
        self.assertIn(node["Status"]["State"], ("down", "unknown"))
        self.assertIn(last["node_id"], self.manager.docker("node", "ls").stdout)
        self.assertEqual(last["cluster_id"], self.cluster)
        self.assertEqual(last["role"], "worker")
        self.assertEqual(os.stat(probe.file("node.key")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(os.path.dirname(probe.file("x"))).st_mode & 0o777, 0o700)
        self.assertFalse(os.path.exists(probe.file("join.key")))
        with open(probe.file("state.json")) as file:
            self.assertEqual([manager["addr"] for manager in json.load(file)["managers"]], [self.addr])
        self.assertLess(last["ms"], 5000)
        print(f"joined in {last['ms']} ms", flush=True)

    def test_02_a_node_that_is_in_a_swarm_is_told_so(self):
        probe, node_id = self.joined()
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual((last["code"], probe.code), ("ERR_EXISTS", 73))
        self.assertIn(f"already in a swarm, as {node_id}", last["message"])

    def test_03_a_docker_worker_takes_nothing_amiss(self):
        """The certificate that we were given opens the manager's door: our bare session makes the node Ready."""
        probe, node_id = self.joined()
        probe.start("watch")
        wait_until(lambda: self.manager.api("GET", f"/nodes/{node_id}")["Status"]["State"] == "ready", 15, "the node is ready")
        probe.stop()

    # ---- tokens ----

    def test_10_malformed_token(self):
        probe = self.probe()
        self.assert_failed(probe, probe.join(self.manager.token()[:-1], self.addr), "ERR_TOKEN", 65, "24 characters instead of 25")

    def test_11_token_of_another_cluster(self):
        other = Dockerd(self.net.host("other")).start().init()
        probe = self.probe()
        before = self.node_ids()
        last = probe.join(other.token(), self.addr)
        self.assert_failed(probe, last, "ERR_TRUST", 77, self.addr, "another cluster", "docker swarm join-token worker")
        self.assertEqual(self.node_ids(), before)
        other.stop()

    def test_12_rotated_token(self):
        old = self.manager.token()
        self.manager.docker("swarm", "join-token", "--rotate", "-q", "worker")
        probe = self.probe()
        last = probe.join(old, self.addr)
        self.assert_failed(probe, last, "ERR_TOKEN", 65, "requesting a certificate", "does not accept the token",
                           "docker swarm join-token worker")
        self.assertNotIn(old, json.dumps(probe.lines) + probe.errors)
        # The same directory, the right token: it goes on.
        self.assertEqual(probe.join(self.manager.token(), self.addr)["event"], "joined")

    def test_13_managers_token(self):
        probe = self.probe()
        last = probe.join(self.manager.token("manager"), self.addr)
        self.assert_failed(probe, last, "ERR_UNSUPPORTED", 69, "docker swarm join-token worker")
        command = re.search(r"`docker (node rm --force \w+)`", last["message"])[1]
        self.manager.docker(*command.split())  # the message's advice is good
        self.assertEqual(probe.join(self.manager.token(), self.addr)["event"], "joined")

    # ---- managers that are not there, or are not managers ----

    def test_20_refused_connection(self):
        probe = self.probe()
        last = probe.join(self.manager.token(), f"{self.manager.host.ip}:2399")
        self.assert_failed(probe, last, "ERR_UNAVAILABLE", 69, "connecting to a manager", f"{self.manager.host.ip}:2399", "refused")
        self.assertGreater(last["ms"], 7900)  # it was tried five times, two seconds apart

    def test_21_the_next_manager_is_tried(self):
        probe = self.probe()
        last = probe.join(self.manager.token(), f"{self.manager.host.ip}:2399", self.addr)
        self.assertEqual(last["event"], "joined", last)
        self.assertLess(last["ms"], 5000)

    def test_22_stopped_manager_that_comes_back(self):
        probe = self.probe()
        self.manager.pause()
        self.addCleanup(self.manager.resume)
        token = self._token_before_pause
        probe.start("--token", token, "join", self.addr)
        notice = wait_until(lambda: [line for line in probe.events("phase") if line["notice"]], 15, "a try was given up")[0]["notice"]
        self.assertIn(self.addr, notice)
        self.manager.resume()
        probe.wait("joined", 30)
        self.assertEqual(probe.process.wait(10), 0)

    @property
    def _token_before_pause(self):
        self.manager.resume()
        token = self.manager.token()
        self.manager.pause()
        return token

    def serve(self, code):
        """Run a small Python server on a host of its own; returns its address."""
        JoinDockerd.count += 1
        host = self.net.host(f"server{self.count}")
        server = subprocess.Popen(host.inside([sys.executable, "-c", code, host.ip]), stdin=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        wait_until(lambda: f"{host.ip}:2377" in host.run(["ss", "-ltn"]).stdout, 10, "the server listens")
        return f"{host.ip}:2377"

    def test_23_server_that_does_not_speak_tls(self):
        addr = self.serve("import socket, sys\n"
                          "s = socket.create_server((sys.argv[1], 2377))\n"
                          "while True:\n"
                          "    c, _ = s.accept()\n"
                          "    c.recv(1)\n"
                          "    c.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')\n"
                          "    c.close()\n")
        probe = self.probe()
        last = probe.join(self.manager.token(), addr)
        self.assertEqual(last["event"], "failed", last)
        self.assertNotEqual(probe.code, 0)
        self.assertIn(addr, last["message"])
        self.assertIn("TLS", last["message"])
        self.assertIn("2377", last["message"])

    def make_ca(self, directory, name):
        run = self.host.run
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "7300", "-subj", "/CN=swarm-ca",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout",
             f"{directory}/{name}.key", "-out", f"{directory}/{name}.crt"])

    def test_24_impostor_with_another_ca_is_not_told_the_token(self):
        """It knows what everybody can download, the root CA, but has no certificate of it."""
        directory = os.path.join(self.host.dir, "impostor")
        os.makedirs(directory)
        self.make_ca(directory, "ca")
        with open(f"{directory}/root.crt", "w") as file:
            file.write(self.manager.certificate_pem().rstrip("\n") + "\n")
        with open(f"{directory}/ext", "w") as file:
            file.write("subjectAltName=DNS:swarm-ca,DNS:swarm-manager\nextendedKeyUsage=serverAuth,clientAuth\n")
        self.host.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                       "/O=x/OU=swarm-manager/CN=y", "-keyout", f"{directory}/node.key", "-out", f"{directory}/node.csr"])
        self.host.run(["openssl", "x509", "-req", "-in", f"{directory}/node.csr", "-CA", f"{directory}/ca.crt", "-CAkey",
                       f"{directory}/ca.key", "-CAcreateserial", "-days", "90", "-extfile", f"{directory}/ext", "-out", f"{directory}/node.crt"])
        host = self.net.host("impostor")
        log = os.path.join(host.dir, "log")
        with open(log, "w") as output:
            impostor = subprocess.Popen(host.inside([IMPOSTOR, f"{directory}/node.crt", f"{directory}/node.key", f"{directory}/root.crt",
                                                     f"{host.ip}:2377"]), stdin=subprocess.DEVNULL, stdout=output)
        self.addCleanup(impostor.wait)
        self.addCleanup(impostor.kill)
        wait_until(lambda: "listening" in read(log), 10, "the impostor listens")
        probe = self.probe()
        last = probe.join(self.manager.token(), f"{host.ip}:2377")
        self.assert_failed(probe, last, "ERR_TRUST", 77, "requesting a certificate", f"{host.ip}:2377", "authority")
        self.assertNotIn("deceived", read(log))

    # ---- clocks ----

    def test_30_clock_behind(self):
        probe = self.probe()
        last = probe.join(self.manager.token(), self.addr, options=["--clock-offset", -2 * 3600])
        self.assert_failed(probe, last, "ERR_TRUST", 77, "is not valid yet", "our clock says", "set this host's clock")

    def test_31_clock_far_ahead(self):
        probe = self.probe()
        last = probe.join(self.manager.token(), self.addr, options=["--clock-offset", 100 * DAY])
        self.assert_failed(probe, last, "ERR_TRUST", 77, "has expired", "our clock says")

    def test_32_clock_half_an_hour_off_is_no_matter(self):
        for offset in (-60, 1800, 3600):
            self.joined("--clock-offset", offset)

    # ---- broken off ----

    def test_40_killed_at_any_phase_it_goes_on_as_the_same_node(self):
        for phase in ("DIAL", "FETCH_CA", "MAKE_KEY", "REQUEST", "AWAIT", "STORE", "JOINED"):
            with self.subTest(phase):
                probe = self.probe()
                before = self.node_ids()
                probe.join(self.manager.token(), self.addr, options=["--die-at-phase", phase])
                self.assertEqual(probe.code, 9)
                last = probe.join(self.manager.token(), self.addr)
                if phase == "JOINED":
                    self.assertEqual(last["code"], "ERR_EXISTS")
                    self.assertEqual(len(self.node_ids() - before), 1)
                    continue
                self.assertEqual(last["event"], "joined", last)
                self.assertEqual(self.node_ids() - before, {last["node_id"]})

    def test_41_killed_at_any_change_of_the_disk_it_goes_on(self):
        # A write of the node id that never was leaves an entry without an owner: the one gap, see agent/join.h.
        for change in range(1, 30):
            with self.subTest(change):
                probe = self.probe()
                before = self.node_ids()
                last = probe.join(self.manager.token(), self.addr, options=["--die-at-change", change])
                if probe.code != 9:
                    self.assertEqual(last["event"], "joined")
                    self.assertGreater(change, 6)
                    return
                last = probe.join(self.manager.token(), self.addr)
                self.assertIn(last.get("code", last["event"]), ("joined", "ERR_EXISTS"), last)
                self.assertLessEqual(len(self.node_ids() - before), 2)
        self.fail("it never ended")

    def test_42_goes_on_without_a_token(self):
        probe = self.probe()
        probe.join(self.manager.token(), self.addr, options=["--die-at-phase", "AWAIT"])
        last = probe.run("join")
        self.assertEqual(last["event"], "joined", last)

    def test_43_removed_while_broken_off(self):
        probe = self.probe()
        before = self.node_ids()
        probe.join(self.manager.token(), self.addr, options=["--die-at-phase", "AWAIT"])
        (orphan,) = self.node_ids() - before
        self.manager.docker("node", "rm", "--force", orphan)
        last = probe.run("join")
        self.assertEqual((last["event"], last.get("code")), ("failed", "ERR_NOT_FOUND"), last)
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual(last["event"], "joined", last)

    # ---- the state directory ----

    def test_50_state_directory_that_cannot_be_written(self):
        probe = self.probe()
        os.makedirs(probe.dir)
        self.host.run(["mount", "-t", "tmpfs", "-o", "ro", "none", probe.dir])
        self.addCleanup(self.host.run, ["umount", probe.dir])
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual(last["event"], "failed")
        self.assertIn(probe.dir, last["message"])
        self.assertIn("read-only", last["message"])

    def test_51_state_directory_that_is_full(self):
        probe = self.probe()
        os.makedirs(probe.dir)
        self.host.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=700", "none", probe.dir])
        self.addCleanup(self.host.run, ["umount", probe.dir])
        before = self.node_ids()
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual((last["event"], last["code"], probe.code), ("failed", "ERR_NO_SPACE", 74), last)
        self.assertIn(probe.dir, last["message"])
        self.host.run(["mount", "-o", "remount,size=1m", probe.dir])
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual(last["event"], "joined", last)
        self.assertLessEqual(len(self.node_ids() - before), 2)

    def test_52_state_directory_of_another_version(self):
        probe, _ = self.joined()
        with open(probe.file("version"), "w") as file:
            file.write("9\n")
        last = probe.join(self.manager.token(), self.addr)
        self.assertEqual((last["code"], probe.code), ("ERR_VERSION", 78))
        self.assertIn("format 9", last["message"])

    # ---- renewal ----

    def test_60_renews_when_the_clock_comes_to_it(self):
        probe, node_id = self.joined()
        probe.start("--clock-offset", 80 * DAY, "watch")
        first = probe.wait("watching")
        after = probe.wait("replaced", 20)
        self.assertEqual(after["node_id"], node_id)
        self.assertEqual(after["role"], "worker")
        self.assertGreaterEqual(after["expires"], first["expires"])
        time.sleep(3)
        self.assertEqual(len(probe.events("replaced")), 1)
        probe.stop()
        # Without a session it finds a manager by itself.
        probe.start("--clock-offset", 80 * DAY, "--no-session", "watch")
        probe.wait("replaced", 20)
        probe.stop()

    def test_61_does_not_renew_before_its_time(self):
        probe, _ = self.joined()
        probe.start("--clock-offset", 40 * DAY, "--for", 4, "watch")
        probe.process.wait(20)
        self.assertEqual(probe.events("replaced"), [])

    def test_62_promotion_is_refused_and_the_node_stays(self):
        probe, node_id = self.joined()
        probe.start("watch")
        probe.wait("told")
        self.manager.docker("node", "promote", node_id)
        probe.wait("promotion", refused=True)
        time.sleep(2)
        self.assertEqual(probe.events("replaced"), [])
        self.assertEqual(self.manager.api("GET", f"/nodes/{node_id}")["Status"]["State"], "ready")
        probe.stop()
        with open(probe.log + ".err") as file:
            self.assertIn(f"docker node rm --force {node_id}", file.read())
        # Its renewal goes on, and so does the node.
        def names():
            return [event["event"] for event in probe.events()]
        probe.start("--clock-offset", 80 * DAY, "watch")
        self.assertEqual(probe.wait("replaced")["role"], "manager")
        # A session under the new certificate: the renewal may be quicker than the first session, or not.
        wait_until(lambda: names().index("told", names().index("replaced")) >= 0, 20, "told of the cluster under the new certificate")
        time.sleep(6)
        self.assertEqual(self.manager.api("GET", f"/nodes/{node_id}")["Status"]["State"], "ready")
        self.assertEqual(len(probe.events("replaced")), 1, probe.events())
        self.manager.docker("node", "rm", "--force", node_id)  # the message's advice is good
        probe.stop()

    def forget_silent_nodes(self):
        """A root rotation waits for every node that is known, and most of ours never came back."""
        for node in self.manager.nodes():
            if not node.get("ManagerStatus") and node["Status"]["State"] != "ready":
                self.manager.docker("node", "rm", "--force", node["ID"])

    def test_70_root_ca_is_followed_twice(self):
        probe, _ = self.joined()
        probe.start("watch")
        probe.wait("told")
        wait_until(lambda: not self.forget_silent_nodes() and len(self.manager.nodes()) == 2, 60, "only our two nodes are left")
        before = probe.events("watching")[0]
        for turn in (1, 2):
            old_token = self.manager.token()
            self.manager.docker("swarm", "ca", "--rotate", "--quiet", timeout=90)
            renewed = probe.wait("replaced", 20, count=2 * turn - 1)
            self.assertNotEqual(renewed["issuer"], before["issuer"])
            self.assertEqual(renewed["root"], before["root"])
            adopted = probe.wait("replaced", 20, count=2 * turn)
            self.assertEqual(adopted["issuer"], renewed["issuer"])
            self.assertNotEqual(adopted["root"], renewed["root"])
            before = adopted
            late = self.probe()
            self.assert_failed(late, late.join(old_token, self.addr), "ERR_TRUST", 77, "rotated since")
        probe.stop()
        # What is on disk now is good for a new start.
        probe.start("watch")
        probe.wait("told")
        probe.stop()

    def test_71_expired_certificate_is_one_clear_message(self):
        """With a CA whose key we hold, the node gets a certificate that has expired, as one that was off for months would."""
        directory = os.path.join(self.host.dir, "own-ca")
        os.makedirs(directory)
        self.forget_silent_nodes()
        wait_until(lambda: not self.forget_silent_nodes() and len(self.manager.nodes()) == 1, 60, "only the manager is left")
        self.make_ca(directory, "ca")
        self.manager.docker("swarm", "ca", "--rotate", "--quiet", "--ca-cert", f"{directory}/ca.crt", "--ca-key", f"{directory}/ca.key",
                            timeout=90)
        probe, node_id = self.joined()
        with open(probe.file("node.key")) as file:
            key = re.sub(r"kek-version: 0\n\n", "", file.read())
        with open(f"{directory}/node.key", "w") as file:
            file.write(key)
        with open(f"{directory}/ca.conf", "w") as file:
            file.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={directory}/index\nserial={directory}/serial\nnew_certs_dir={directory}\n"
                       "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional\n"
                       "organizationalUnitName=optional\n[e]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n"
                       f"subjectAltName=DNS:swarm-worker,DNS:{node_id}\nauthorityKeyIdentifier=keyid\n")
        for name, text in (("index", ""), ("serial", "1000\n")):
            with open(f"{directory}/{name}", "w") as file:
                file.write(text)
        self.host.run(["openssl", "req", "-new", "-key", f"{directory}/node.key", "-subj", "/CN=x", "-out", f"{directory}/node.csr"])
        self.host.run(["openssl", "ca", "-batch", "-notext", "-config", f"{directory}/ca.conf", "-cert", f"{directory}/ca.crt", "-keyfile",
                       f"{directory}/ca.key", "-extensions", "e", "-subj", f"/O={self.cluster}/OU=swarm-worker/CN={node_id}", "-startdate",
                       "20200101000000Z", "-enddate", "20200401000000Z", "-in", f"{directory}/node.csr", "-out", probe.file("node.crt")])
        probe.start("watch")
        health = probe.wait("health", 30, health="refused")
        self.assertIn("expired on 2020-04-01T00:00:00Z", health["message"])
        self.assertIn("skep leave --force", health["message"])
        self.assertEqual(probe.events("replaced"), [])
        probe.stop()


if __name__ == "__main__":
    unittest.main()
