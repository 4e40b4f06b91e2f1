"""Debian's docker-registry on a host's loopback, open or with basic authentication."""
import os
import signal
import subprocess

from lib.hosts import run, wait_until
from lib.images import Image

REGISTRY = "/usr/bin/docker-registry"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Registry:
    def __init__(self, host, port=5000, user=None, password=None):
        self.host, self.port, self.user, self.password = host, port, user, password
        self.dir = os.path.join(host.dir, f"registry-{port}")
        os.makedirs(self.dir)
        self.address = f"127.0.0.1:{port}"
        auth = ""
        if user:
            run(["htpasswd", "-Bbc", f"{self.dir}/htpasswd", user, password])
            auth = f"auth:\n  htpasswd:\n    realm: the hive\n    path: {self.dir}/htpasswd\n"
        with open(f"{self.dir}/config.yml", "w") as file:
            file.write(f"version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {self.dir}/data\n"
                       f"http:\n  addr: {self.address}\n{auth}")
        self.process = None

    def start(self):
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(self.host.inside([REGISTRY, "serve", f"{self.dir}/config.yml"]), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: self.host.run(["curl", "-s", f"http://{self.address}/v2/"]), 10, "the registry answers")
        return self

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def push(self, repository, tag="1", **image):
        """Make a busybox image and push it; the reference that tasks name it by."""
        reference = f"{self.address}/{repository}:{tag}"
        archive = Image(reference, **image).docker_archive(f"{self.dir}/push.tar")
        creds = ["--dest-creds", f"{self.user}:{self.password}"] if self.user else []
        self.host.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false", *creds, f"docker-archive:{archive}",
                       f"docker://{reference}"], env={**os.environ, "HOME": self.dir, "XDG_RUNTIME_DIR": self.dir, "no_proxy": "127.0.0.1"})
        return reference
