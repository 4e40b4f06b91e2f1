"""Each thing a person can get wrong has one clear answer, and leaves the node as it was."""
import contextlib
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.hosts import read, run, wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import SKEPD, Skepd


@contextlib.contextmanager
def listener(host, port, serve):
    """Accept connections at host:port, inside its namespace, and hand each to serve(connection)."""
    sock = host.listen(host.ip, port)

    def loop():
        while True:
            try:
                connection, _ = sock.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                connection.settimeout(5)
                serve(connection)

    threading.Thread(target=loop, daemon=True).start()
    try:
        yield f"{host.ip}:{port}"
    finally:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


class BadJoin(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.other = Dockerd(cls.net.host("other-swarm")).start().init()
        cls.bystander = cls.net.host("bystander")
        cls.node = Skepd(cls.net.host("skep-a")).start()

    def refuse(self, words, token=None, address=None, timeout_s=40, node=None):
        """The join fails within its time, says @words, and the node is in no swarm afterwards."""
        node = node or self.node
        begun = time.monotonic()
        address = self.manager.address if address is None else address
        done = node.skep("join", "--token", token or self.manager.token(), address, check=False, timeout=timeout_s)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stderr, words)
        self.assertEqual(node.api("GET", "/info")["Swarm"]["LocalNodeState"], "inactive")
        print(f"{time.monotonic() - begun:.1f} s, exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
        return done

    def test_malformed_tokens(self):
        good = self.manager.token()
        for token in ("", "x", "SWMTKN", "SWMTKN-1-abc-def", good[:-1], good + "0", good.replace("SWMTKN-1", "SWMTKN-3"), "a" * 5000):
            with self.subTest(token=token[:40]):
                self.refuse(r"(?i)token", token or "-")

    def test_token_of_another_cluster(self):
        self.refuse(r"another cluster|other cluster|not the one in the token", self.other.token())

    def test_address_of_another_cluster(self):
        """To this node that is a manager that presents another CA than the token's."""
        self.refuse(r"another cluster|other cluster|not the one in the token", self.manager.token(), self.other.address)

    def test_token_with_a_wrong_secret(self):
        token = self.manager.token()
        head, _, secret = token.rpartition("-")
        wrong = secret[:-1] + ("1" if secret[-1] != "1" else "2")
        self.refuse(r"join-token", f"{head}-{wrong}")

    def test_token_rotated_away(self):
        old = self.manager.token()
        self.manager.docker("swarm", "join-token", "--rotate", "--quiet", "worker")
        self.refuse(r"join-token", old)

    def test_manager_unreachable(self):
        """dockerd answers a join after 20 s and goes on trying; so do we, and say so, and in the end the node is outside again."""
        nobody = "100.64.0.250:2377"
        done = self.node.skep("join", "--token", self.manager.token(), nobody, check=False, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)unreachable|cannot be reached|no route|Timeout was reached")
        wait_until(lambda: self.node.api("GET", "/info")["Swarm"]["LocalNodeState"] == "inactive", 60, "the node is outside again")
        self.assertRegex(self.node.tail(20), rf"{nobody}.*(?i:unreachable|no route|timed out|cannot be reached|no answer)")

    def test_connection_refused(self):
        done = self.refuse(r"(?i)refused", address=f"{self.bystander.ip}:2377")
        self.assertIn(f"{self.bystander.ip}:2377", done.stderr)

    def test_not_an_address(self):
        for address in ("", ":", "host:port", "300.1.1.1:x", "10.0.0.1:99999"):
            with self.subTest(address=address):
                self.refuse(r"(?i)address|port|host|argument|resolve", address=address)

    def test_peer_does_not_speak_tls(self):
        with listener(self.bystander, 2378, lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address:
            self.refuse(r"(?i)tls|ssl", address=address)

    def test_peer_says_nothing(self):
        with listener(self.bystander, 2379, lambda connection: time.sleep(4)) as address:
            self.refuse(r"(?i)tls|time|answer|closed", address=address, timeout_s=90)

    def tls_context(self):
        """A server's, with a certificate that nobody vouches for."""
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=swarm-ca",
             "-keyout", f"{self.net.dir}/key.pem", "-out", f"{self.net.dir}/cert.pem"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.net.dir}/cert.pem", f"{self.net.dir}/key.pem")
        return context

    def test_peer_speaks_tls_and_then_nothing(self):
        """docker, which sees no phases, has its answer after 20 s with the phase in it; the join itself ends a little later."""
        context = self.tls_context()

        def serve(connection):
            connection.settimeout(60)  # it is skepd that gives up
            with context.wrap_socket(connection, server_side=True) as speaking:
                while speaking.recv(1000):
                    pass
        with listener(self.bystander, 2381, serve) as address:
            done = self.node.docker("swarm", "join", "--token", self.manager.token(), address, check=False, timeout=40)
            self.assertNotEqual(done.returncode, 0)
            self.assertRegex(done.stderr, r"Timeout was reached.*The join is at: .*(?i:manager|root CA)")
            print(done.stderr.strip().splitlines()[-1])
            wait_until(lambda: self.node.api("GET", "/info")["Swarm"]["LocalNodeState"] == "inactive", 60, "the node is outside again")

    def test_peer_speaks_tls_but_is_no_manager(self):
        context = self.tls_context()

        def serve(connection):
            with context.wrap_socket(connection, server_side=True) as speaking:
                speaking.recv(1000)
                speaking.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        with listener(self.bystander, 2380, serve) as address:
            self.refuse(r"(?i)http/2|h2|grpc|protocol|certificate|closed", address=address)

    def test_one_good_manager_among_bad_ones_is_enough(self):
        node = Skepd(self.net.host("skep-b")).start()
        node.skep("join", "--token", self.manager.token(), f"{self.bystander.ip}:2377", self.manager.address)
        self.manager.wait_node("skep-b")
        node.stop()

    def test_clock_an_hour_ahead_works(self):
        node = Skepd(self.net.host("skep-c")).start("--clock-offset", "1h")
        node.join(self.manager)
        self.manager.wait_node("skep-c")
        node.stop()

    def test_clock_an_hour_behind(self):
        """As far back as a manager dates a node's certificate, but not the root of a swarm that was made just now: that is named."""
        node = Skepd(self.net.host("skep-h")).start("--clock-offset=-1h")
        self.refuse(r"root CA is not valid yet: it is valid from .* and our clock says .*; set this host's clock", node=node, timeout_s=60)
        node.stop()

    def test_clock_behind_is_named(self):
        """The certificate it is given is not valid yet for a node that lives two hours in the past."""
        node = Skepd(self.net.host("skep-d")).start("--clock-offset=-2h")
        self.refuse(r"(?i)clock|not yet valid", node=node, timeout_s=60)
        node.stop()

    def test_killed_in_the_midst_of_joining(self):
        """At whatever moment: started again, it can be joined, or has joined."""
        for delay_ms in (1, 20, 50, 90, 150):
            with self.subTest(delay_ms=delay_ms):
                node = Skepd(self.net.host(f"skep-k{delay_ms}")).start()
                joining = subprocess.Popen([SKEPD.removesuffix("d"), "-H", f"unix://{node.socket}", "join", "--token", self.manager.token(),
                                            self.manager.address], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay_ms / 1000)
                node.kill()
                joining.wait(10)
                node.start()
                time.sleep(1)
                if node.api("GET", "/info")["Swarm"]["LocalNodeState"] == "inactive":
                    node.join(self.manager)
                self.manager.wait_node(node.name)
                node.stop()


class BadState(Scenario):
    """State directories that cannot be used; each start must fail with a reason, at once."""

    def start_and_fail(self, words, *options, env=None, seconds=15):
        """skepd in the foreground; it must give up by itself."""
        host = self.net.hosts[0] if self.net.hosts else self.net.host("skep-a")
        done = host.run([SKEPD, "--run-dir", f"{host.dir}/run", "--host", f"unix://{host.dir}/sock", *options], check=False, timeout=seconds,
                        env={**os.environ, **(env or {})})
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, words)
        print(f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
        return done

    def place(self, name):
        path = os.path.join(self.net.dir, name)
        os.makedirs(path)
        return path

    def without_docker_group(self, name, *options):
        """skepd where /etc/group has no group docker, ended after three seconds if it runs that long."""
        host = self.net.hosts[0] if self.net.hosts else self.net.host("skep-a")
        place = self.place(name)
        with open("/etc/group") as file, open(f"{place}/group", "w") as out:
            out.writelines(line for line in file if not line.startswith("docker:"))
        script = f"mount --bind {place}/group /etc/group && exec timeout 3 {SKEPD} --state-dir {place}/state --run-dir {place}/run " \
                 f"--host unix://{place}/sock --runtime emulated {' '.join(options)}"
        return host.run(["unshare", "-m", "sh", "-c", script], check=False, timeout=30)

    def test_no_group_docker(self):
        done = self.without_docker_group("no-group")
        self.assertRegex(done.stderr, "there is no group docker: only root may use the API")
        self.assertRegex(done.stderr, "the API listens at")

    def test_no_such_group(self):
        done = self.without_docker_group("no-such-group", "--group", "docker")
        self.assertRegex(done.stderr, "there is no group docker")
        self.assertNotRegex(done.stderr, "the API listens at")

    def test_not_writable(self):
        place = self.place("read-only")
        run(["mount", "-t", "tmpfs", "-o", "ro", "none", place])
        self.addCleanup(run, ["umount", place])
        self.start_and_fail(rf"{place}.*(?i:read-only)", "--state-dir", f"{place}/state")

    def test_full(self):
        place = self.place("full")
        run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", place])
        self.addCleanup(run, ["umount", place])
        with contextlib.suppress(OSError), open(f"{place}/ballast", "wb") as file:
            file.write(b"x" * 16384)
        self.start_and_fail(r"(?i)no space", "--state-dir", f"{place}/state")

    def test_a_file_in_its_place(self):
        path = os.path.join(self.net.dir, "file")
        with open(path, "w") as file:
            file.write("x")
        self.start_and_fail(r"(?i)not a directory|exists|file", "--state-dir", f"{path}/state")

    def test_held_by_another_skepd(self):
        node = Skepd(self.net.host("skep-b")).start()
        self.start_and_fail(rf"{node.pid}", "--state-dir", node.state)
        node.stop()

    def test_options_that_cannot_be(self):
        for options, words in (([], None), (["--no-such"], "no-such"), (["--log-level", "loud"], "loud"), (["--runtime", "magic"], "magic"),
                               (["--host", "tcp://0.0.0.0:2375"], "tcp"), (["--label", "novalue"], "label"), (["--bridge-subnet", "10.0.0.0/99"], "subnet"),
                               (["--config", "/no/such/file"], "/no/such/file")):
            if words:
                with self.subTest(options=options):
                    self.start_and_fail(words, "--state-dir", f"{self.net.dir}/unused", *options)


class BadTasks(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.node = cls.make_node()

    def ends(self, name, words, *command, options=(), image="hive:1", on="skep-a"):
        self.manager.create_service(name, image, *(command or sleeper()), on=on, options=["--restart-condition", "none", *options])
        task = self.manager.wait_task(name, lambda task: task["Status"]["State"] in ("failed", "rejected"), 30, "is refused")
        self.assertRegex(task["Status"]["Err"], words)
        print(f"{task['Status']['State']}: {task['Status']['Err']}")
        self.manager.remove_service(name)

    def test_1_image_missing(self):
        self.ends("no-image", r"(?i)no such image|hive:99", image="hive:99")

    def test_2_registry_down(self):
        self.ends("no-registry", r"(?i)127\.0\.0\.1:9|no such image|refused", image="127.0.0.1:9/hive:1")

    def test_3_impossible_mounts(self):
        self.ends("no-source", r"/no/such/place", options=["--mount", "type=bind,source=/no/such/place,destination=/in"])
        self.ends("on-a-file", r"(?i)not a directory|/etc/passwd", options=["--mount", "type=tmpfs,destination=/etc/passwd"])

    def test_4_commands_that_do_not_exist(self):
        self.ends("no-command", r"(?i)no such file|not found", "/no/such/command")
        self.ends("not-executable", r"(?i)denied|not executable", "/etc/passwd")

    def test_5_no_such_user_and_directory(self):
        self.ends("no-user", r"(?i)user", options=["--user", "drone"])

    def test_6_the_node_is_none_the_worse(self):
        self.node.assert_clean()
        self.manager.create_service("fine", "hive:1", *sleeper(), on="skep-a")
        self.manager.wait_running("fine", 1)
        self.manager.remove_service("fine")
        self.node.assert_clean()

    def test_7_state_of_another_version_or_damaged(self):
        """Says so rather than run on as if it had no tasks; with the old file back it goes on."""
        path = f"{self.node.state}/worker.db"
        self.node.stop()
        with open(path, "rb") as file:
            good = file.read()
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 9999")
            database.commit()
        self.assertRegex(self.complaint(), r"worker\.db.*version")
        with open(path, "wb") as file:
            file.write(os.urandom(8192))
        self.assertRegex(self.complaint(), r"(?i)worker\.db.*(not a database|damaged|malformed|corrupt)")
        with open(path, "wb") as file:
            file.write(good)
        self.node.start()
        self.manager.wait_node("skep-a", timeout_s=40)

    def test_8_crun_and_conmon_missing(self):
        """skepd says so when it starts, and each task is refused; both name what is missing and what to do."""
        for missing in ("crun", "conmon"):
            with self.subTest(missing=missing):
                place = os.path.join(self.net.dir, f"without-{missing}")
                os.makedirs(place)
                for directory in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"):
                    for program in os.listdir(directory):
                        link = os.path.join(place, program)
                        if program != missing and not os.path.lexists(link):
                            os.symlink(os.path.join(directory, program), link)
                node = Skepd(self.net.host(f"skep-{missing}"))
                node.env = {**node.env, "PATH": place}
                node.start()
                advice = rf"\b{missing} is not installed on this host, or not in PATH: install Debian's packages crun and conmon, then start skepd again"
                self.assertRegex(read(node.log), advice, "said when it starts")
                node.load_image(self.image())
                node.join(self.manager)
                self.manager.wait_node(node.name)
                self.ends(f"without-{missing}", advice, on=node.name)
                self.assertEqual(self.manager.node_state(node.name), "ready")
                node.assert_clean()
                node.stop()

    def complaint(self):
        with open(self.node.log, "w"):
            pass
        with self.assertRaises((AssertionError, SystemError)):
            self.node.start(timeout_s=8)
        self.node.destroy()
        self.node.reap()
        return read(self.node.log)


if __name__ == "__main__":
    unittest.main()
