"""Drives build/*/tests/hcs_tool: a daemon's back end of its own, with directories, bridge and cgroups named after this process."""

import json
import os
import queue
import shutil
import subprocess
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.environ.get("HCS_TOOL", os.path.join(ROOT, "build", "debug", "tests", "hcs_tool"))
APPLETS = "sh sleep echo cat ls ip printf id hostname pwd touch mkdir ps kill head dd nc ping env stat mount df free ulimit test wc yes tr nproc httpd wget awk seq dmesg grep trap sysctl chroot date".split()


class Failed(Exception):
    def __init__(self, answer):
        super().__init__(answer.get("message"))
        self.code, self.message = answer["error"], answer["message"]


def make_layer(path):
    os.makedirs(path + "/bin")
    shutil.copy("/bin/busybox", path + "/bin/busybox")
    for applet in APPLETS:
        os.symlink("busybox", f"{path}/bin/{applet}")
    for directory in ("etc", "tmp", "root", "data", "home/web"):
        os.makedirs(f"{path}/{directory}")
    with open(path + "/etc/passwd", "w") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:web:/home/web:/bin/sh\n")
    with open(path + "/etc/group", "w") as f:
        f.write("root:x:0:\nweb:x:1001:\nextra:x:1002:web\n")
    with open(path + "/data/from-image", "w") as f:
        f.write("image\n")
    os.chown(path + "/data", 1000, 1001)


class Driver:
    def __init__(self, base, number=0):
        self.base, self.tag = base, f"{os.getpid() % 100000}x{number}"
        self.state, self.run = base + "/state", base + "/run"
        self.bridge, self.cgroup = f"skt{self.tag}", f"/skeptest{self.tag}"
        self.subnet = f"10.{200 + os.getpid() % 40}.{(os.getpid() // 40 + number) % 250}.0/24"
        self.number, self.process, self.path, self.environment = 0, None, None, {}

    def start(self):
        self.process = subprocess.Popen(
            [TOOL, self.state, self.run, self.bridge, self.subnet, self.cgroup],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env={**os.environ, "PATH": self.path or os.environ["PATH"], **self.environment},
        )
        self.answers, self.events, self.entries, self.changed = {}, [], {}, threading.Condition()
        self.ready = queue.Queue()
        threading.Thread(target=self._read, args=(self.process, self.answers, self.events, self.entries, self.changed), daemon=True).start()
        return self

    @staticmethod
    def _read(process, answers, events, entries, changed):
        """Until that process ends: its successor has lists of its own by then."""
        for line in process.stdout:
            message = json.loads(line)
            with changed:
                if "answer" in message:
                    answers[message["answer"]] = message
                elif "event" in message:
                    events.append((message["event"], message["properties"]))
                else:
                    entries.setdefault(message["log"], []).append(message)
                changed.notify_all()
        process.stdout.close()
        with changed:
            answers[None] = True
            changed.notify_all()

    def send(self, op, **members):
        self.number += 1
        self.process.stdin.write((json.dumps({"n": self.number, "op": op, **members}) + "\n").encode())
        return self.number

    def wait(self, number, timeout=60):
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers or None in self.answers, timeout):
                raise TimeoutError(f"no answer to request {number}")
            if number not in self.answers:
                raise RuntimeError(f"hcs_tool ended with {self.process.wait()}")
            answer = self.answers[number]
        if "error" in answer:
            raise Failed(answer)
        return answer

    def call(self, op, **members):
        return self.wait(self.send(op, **members))

    def exited(self, id, timeout=30):
        def find():
            return next((p for e, p in self.events if e == "exited" and p["id"] == id), None)

        with self.changed:
            if not self.changed.wait_for(find, timeout):
                raise TimeoutError(f"{id} has not exited")
            return find()

    def properties(self, id, **members):
        return self.call("properties", id=id, **members)["properties"]

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(30)
        return self.process.returncode


def document(layer, args, **skep):
    container = {"Storage": {"Layers": [{"Id": "l", "Path": layer}]}}
    hostname = skep.pop("HostName", None)
    if hostname:
        container["GuestOs"] = {"HostName": hostname}
    process = {"CommandArgs": args, **skep.pop("Process", {})}
    return {
        "Owner": "skep",
        "SchemaVersion": {"Major": 2, "Minor": 1},
        "Container": container,
        "Skep": {"Name": "test", "Process": process, "Network": {"Mode": "none"}, **skep},
    }


def wait_until(condition, timeout=20):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False
