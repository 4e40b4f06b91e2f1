"""Raft members as processes (tests/helpers/raft_member.c) on hosts made of network namespaces, over mutual TLS."""
import json
import os
import queue
import subprocess
import threading
import time

from lib.hosts import run, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
CLUSTER = "raftcluster"
PORT = 4242


class Authority:
    """A root and managers' certificates, made by openssl."""

    def __init__(self, directory):
        self.dir = directory
        os.makedirs(directory, exist_ok=True)
        self.ca = os.path.join(directory, "ca.crt")
        self.ca_key = os.path.join(directory, "ca.key")
        run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.ca_key, "-out",
             self.ca, "-days", "30", "-subj", "/CN=swarm-ca"])

    def issue(self, name):
        base = os.path.join(self.dir, name)
        run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", base + ".key", "-out", base + ".csr",
             "-subj", f"/O={CLUSTER}/OU=swarm-manager/CN={name}"])
        with open(base + ".ext", "w") as file:
            file.write(f"subjectAltName=DNS:swarm-manager,DNS:{name}\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n")
        run(["openssl", "x509", "-req", "-in", base + ".csr", "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", "30", "-out",
             base + ".crt", "-extfile", base + ".ext"])
        return base + ".crt", base + ".key"


class Member:
    """One process. Commands get a tag; answers are matched by it, and every answer is kept with the time it came."""

    def __init__(self, host, number, authority):
        self.host = host
        self.id = f"{number:x}"
        self.name = f"node{number}"
        self.address = f"{host.ip}:{PORT}"
        self.cert, self.key = authority.issue(self.name)
        self.ca = authority.ca
        self.dir = os.path.join(host.dir, "raft")
        self.process = None
        self.counter = 0
        self.answers = {}
        self.lock = threading.Condition()
        self.listener = None  # told of each answer: f(tag, words)
        self.roles = []

    def start(self, members, bootstrap=True, snapshots=None, tick_ms=None):
        argv = [os.path.join(BUILD, "tests/raft_member"), "--dir", self.dir, "--id", self.id, "--node", self.name, "--listen",
                f"0.0.0.0:{PORT}", "--address", self.address, "--cert", self.cert, "--key", self.key, "--ca", self.ca, "--cluster", CLUSTER]
        for member in members:
            argv += ["--member", f"{member.id},{member.name},{member.address}"]
        if bootstrap:
            argv.append("--bootstrap")
        if snapshots:
            argv += ["--snapshots", str(snapshots)]
        if tick_ms:
            argv += ["--tick", str(tick_ms)]
        self.argv = argv
        self.again()

    def again(self):
        with open(os.path.join(self.host.dir, "member.log"), "ab") as log:
            self.process = subprocess.Popen(self.host.inside(self.argv), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                            bufsize=1, start_new_session=True)
        ready = queue.Queue()
        threading.Thread(target=self._listen, args=(self.process, ready), daemon=True).start()
        ready.get(timeout=30)

    def _listen(self, process, ready):
        for line in process.stdout:
            words = line.rstrip("\n").split(" ", 2)
            if words[0] == "ready":
                ready.put(True)
            elif words[0] == "role":
                self.roles.append((time.monotonic(), " ".join(line.split()[1:3])))
            elif words[0] in ("ok", "error"):
                if self.listener and self.listener(self, words):
                    continue
                with self.lock:
                    self.answers[words[1]] = (time.monotonic(), words)
                    self.lock.notify_all()
        ready.put(False)

    def send(self, verb, *words):
        self.counter += 1
        tag = f"t{self.counter}"
        self.write(f"{verb} {tag} {' '.join(words)}".rstrip())
        return tag

    def write(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, verb, *words, timeout_s=10):
        tag = self.send(verb, *words)
        with self.lock:
            if not self.lock.wait_for(lambda: tag in self.answers, timeout_s):
                raise AssertionError(f"{self.name}: no answer to {verb} in {timeout_s} s")
            _, answer = self.answers.pop(tag)
        if answer[0] == "error":
            raise AssertionError(f"{self.name}: {verb}: {answer[2]}")
        return answer[2] if len(answer) > 2 else ""

    def status(self):
        return json.loads(self.ask("status"))

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def quit(self):
        self.write("quit")
        return self.process.wait(timeout=20)


def leader_of(members, timeout_s=15):
    """The member that the others follow."""
    def find():
        for member in members:
            if member.is_running() and member.status()["role"] == "LEADER":
                return member
        return None
    return wait_until(find, timeout_s, "there is a leader", every_s=0.02)


def settled(members, timeout_s=30):
    """All have applied the same, and every connection stands."""
    def agree():
        seen = [member.status() for member in members]
        leaders = {one["leader"] for one in seen}
        return (len({(one["applied"], one["crc"], one["count"]) for one in seen}) == 1 and len(leaders) == 1 and "0" not in leaders
                and all(peer["connected"] for one in seen for peer in one["peers"])) or (_ for _ in ()).throw(AssertionError(str(seen)))
    wait_until(agree, timeout_s, "members agree", every_s=0.05)
