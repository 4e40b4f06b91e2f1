"""The same requests at a dockerd 20.10 that is a manager and at our API: both answer with the same status, and errors with the same words,
unless it stands below why not.

Ours is a real control on a store in memory (tests/helpers/swarm_api_fixture.c)."""
import http.client
import json
import os
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import DOCKERD, Dockerd
from lib.hosts import Network

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURE = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"), "tests", "swarm_api_fixture")


def service(name, **task):
    return {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": "hive:1"}, **task}, "Mode": {"Replicated": {"Replicas": 0}}}


def on(network):
    return service(f"on-{network}", Networks=[{"Target": network}])


WEB = service("web")
INIT = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "127.0.0.1"}
# What differs, and why: the status ("status") or only the words ("words").
BETTER = "words", "ours say what is wanted"
CLIENT = "status", "the client's mistake: dockerd's later versions say 400 or 404, too"
NOT_YET = "status", "not there yet"

BEFORE = [
    ("GET", "/nodes"), ("GET", "/swarm"), ("POST", "/services/create", WEB), ("GET", "/swarm/unlockkey"), ("POST", "/swarm/unlock", {"UnlockKey": "x"}),
    ("POST", "/swarm/leave"), ("POST", "/swarm/update?version=1", {}), ("POST", "/swarm/init", b""),
]
AFTER = [
    ("POST", "/swarm/init", INIT), ("POST", "/swarm/unlock", {"UnlockKey": "x"}), ("GET", "/swarm/unlockkey"), ("GET", "/swarm"),
    ("POST", "/swarm/join", {"ListenAddr": "0.0.0.0:2377", "RemoteAddrs": ["127.0.0.1:1"], "JoinToken": "SWMTKN-1-fixture"}),
    ("POST", "/swarm/update?version=x", {}, *BETTER), ("POST", "/swarm/update?version=1", {"Name": "other"}, *BETTER),
    ("POST", "/swarm/update?version=1", b""), ("POST", "/swarm/update?version=1", {"Name": "default"}),
    ("POST", "/swarm/update?version=1&rotateWorkerToken=x", {}), ("POST", "/swarm/leave"),
    ("GET", "/nodes"), ("GET", "/nodes/none"), ("POST", "/nodes/none/update?version=1", {"Role": "worker", "Availability": "active"}),
    ("POST", "/nodes/none/update?version=1", {}, "status", "the node is looked for first"), ("DELETE", "/nodes/none"), ("GET", "/nodes/x/y"),
    ("PUT", "/nodes"), ("GET", "/nodes?filters=x", None, *CLIENT),
    ("GET", "/networks"), ("GET", "/networks/host"), ("GET", "/networks/host?scope=swarm"), ("GET", "/networks/none?scope=swarm"),
    ("GET", "/networks/none"), ("GET", "/networks/ghost"), ("GET", "/networks/host?scope=local"), ("DELETE", "/networks/host"),
    ("DELETE", "/networks/ghost"), ("POST", "/networks/create", {"Name": "n", "Driver": "overlay"}, *NOT_YET),
    ("GET", "/services"), ("POST", "/services/create", WEB), ("POST", "/services/create", WEB), ("POST", "/services/create", b""),
    ("POST", "/services/create", b"{", *BETTER), ("POST", "/services/create", {}, *BETTER),
    ("POST", "/services/create", {"Name": "x", "TaskTemplate": {"ContainerSpec": {}}}), ("POST", "/services/create", on("host")),
    ("POST", "/services/create", on("bridge")), ("POST", "/services/create", on("none"), *BETTER), ("POST", "/services/create", on("ghost"), *CLIENT),
    ("GET", "/services/web"), ("GET", "/services/web?insertDefaults=1"), ("GET", "/services/web?insertDefaults=x", None, *BETTER),
    ("GET", "/services?status=1"), ("GET", "/services/none"),
    ("POST", "/services/none/update?version=1", WEB), ("POST", "/services/web/update?version=1", WEB, *BETTER),
    ("POST", "/services/web/update", WEB, *BETTER), ("POST", "/services/web/update?version=1&rollback=x", WEB, *CLIENT),
    ("POST", "/services/web/update?version=1&registryAuthFrom=previous-spec", WEB, *CLIENT),
    ("POST", "/services/web/update?version=@", {**WEB, "Labels": {"a": "b"}}), ("POST", "/services/web/update?version=@", service("other")),
    ("POST", "/services/web/update?version=@&rollback=previous", WEB),
    ("DELETE", "/services/web"), ("DELETE", "/services/web"),
    ("GET", "/tasks"), ("GET", "/tasks/none"), ("GET", "/tasks?filters=%7B%22service%22%3A%5B%22none%22%5D%7D"),
    ("POST", "/secrets/create", {"Name": "s", "Data": "YQ=="}), ("POST", "/secrets/create", {"Name": "s", "Data": "YQ=="}),
    ("POST", "/secrets/create", {"Name": "-", "Data": "YQ=="}), ("POST", "/secrets/create", {"Name": "e"}), ("GET", "/secrets"),
    ("GET", "/secrets/s"), ("POST", "/secrets/s/update?version=@", {"Name": "s", "Labels": {"a": "b"}}), ("DELETE", "/secrets/s"),
    ("DELETE", "/secrets/s"),
    ("POST", "/configs/create", {"Name": "s", "Data": "YQ=="}), ("POST", "/configs/create", {"Name": "e"}), ("GET", "/configs/s"),
    ("POST", "/configs/s/update?version=@", {"Name": "s", "Labels": {"a": "b"}}), ("DELETE", "/configs/s"), ("DELETE", "/configs/s"),
    ("POST", "/swarm/leave?force=1"), ("GET", "/nodes"),
]


class Socket(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("d")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def ask(path, method, where, body=None):
    """(status, the error's words or None, JSON). "@" in @where is the version of the object that is updated."""
    if "@" in where:
        seen = ask(path, "GET", where.split("/update")[0])[2]
        where = where.replace("@", str(seen["Version"]["Index"]))
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection = Socket(path)
    try:
        connection.request(method, f"/v1.41{where}", data, {"Content-Type": "application/json"} if data is not None else {})
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    told = json.loads(text) if text else None
    return answer.status, told["message"].strip() if answer.status >= 400 else None, told


class Alike(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(DOCKERD) or not os.path.exists(FIXTURE) or os.geteuid() != 0:
            raise unittest.SkipTest("dockerd, the fixture and root are needed")
        cls.network = Network().__enter__()
        cls.addClassCleanup(cls.network.__exit__, None, None, None)
        cls.dockerd = Dockerd(cls.network.host("manager-a"))
        cls.dockerd.start()
        cls.socket = os.path.join(cls.dockerd.dir, "ours")
        cls.ours = subprocess.Popen([FIXTURE, f"unix://{cls.socket}"], stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.stop)
        assert cls.ours.stdout.readline() == b"ready\n"

    @classmethod
    def stop(cls):
        cls.ours.terminate()
        code = cls.ours.wait(10)
        cls.ours.stdout.close()
        assert code == 0, "a leak or an overrun"

    def compare(self, method, where, body=None, differs=None, why=None):
        theirs, ours = ask(self.dockerd.socket, method, where, body), ask(self.socket, method, where, body)
        if differs == "status":
            self.assertNotEqual(theirs[0], ours[0], f"no longer an exception: {why}")
        else:
            self.assertEqual(theirs[0], ours[0], f"dockerd {theirs}\nours {ours}")
        if differs == "words":
            self.assertNotEqual(theirs[1], ours[1], f"no longer an exception: {why}")
        elif differs is None:
            self.assertEqual(theirs[1], ours[1])

    def test_same_requests(self):
        for request in BEFORE:
            with self.subTest("before", request=request):
                self.compare(*request)
        for path in (self.dockerd.socket, self.socket):
            self.assertEqual(ask(path, "POST", "/swarm/init", INIT)[0], 200)
        for request in AFTER:
            with self.subTest("after", request=request):
                self.compare(*request)


if __name__ == "__main__":
    unittest.main(verbosity=2)
