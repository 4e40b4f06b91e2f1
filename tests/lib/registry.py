"""Debian's docker-registry on a host's loopback or its network, open or with basic authentication; and one of our own that goes away in mid-blob."""
import http.server
import os
import re
import signal
import subprocess
import threading

from lib.hosts import run, wait_until
from lib.images import DOCKER_MANIFEST, OCI_MANIFEST, Image, digest

REGISTRY = "/usr/bin/docker-registry"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Registry:
    def __init__(self, host, port=5000, user=None, password=None, ip="127.0.0.1"):
        self.host, self.port, self.user, self.password = host, port, user, password
        self.dir = os.path.join(host.dir, f"registry-{port}")
        os.makedirs(self.dir)
        self.address = f"{ip}:{port}"
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
        wait_until(lambda: self.host.run(["curl", "-s", "--noproxy", "*", f"http://{self.address}/v2/"]), 10, "the registry answers")
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


class FickleRegistry:
    """In this process, from memory, on a host's loopback. With `ends_after`, it is gone for good once it has sent that many bytes of a
    blob larger than that; start() brings it back. `asked`: (path, Range) of each blob asked for."""

    def __init__(self, host, port=5001):
        self.host, self.port = host, port
        self.address = f"127.0.0.1:{port}"
        self.manifests, self.blobs = {}, {}
        self.ends_after = None
        self.asked = []
        self.server = None

    def add(self, repository, manifest, blobs, tag="1"):
        """Serve an image; the reference that tasks name it by."""
        self.manifests[f"/v2/{repository}/manifests/{tag}"] = manifest
        self.blobs.update(blobs)
        return f"{self.address}/{repository}:{tag}"

    def start(self):
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self, status, body=b"", headers=None, size=None):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if size is None else size))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/v2/":
                    self.answer(200, b"{}")
                elif self.path in registry.manifests:
                    manifest = registry.manifests[self.path]
                    kind = OCI_MANIFEST if OCI_MANIFEST.encode() in manifest else DOCKER_MANIFEST
                    self.answer(200, manifest, {"Content-Type": kind, "Docker-Content-Digest": digest(manifest)})
                elif self.path.rpartition("/")[2] in registry.blobs:
                    self.blob(registry.blobs[self.path.rpartition("/")[2]])
                else:
                    self.answer(404, b'{"errors":[{"code":"NOT_FOUND"}]}')

            def blob(self, data):
                wanted = self.headers.get("Range")
                registry.asked.append((self.path, wanted))
                first = int(re.match(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
                headers = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if wanted else {}
                end = registry.ends_after
                ends = end is not None and end < len(data)
                self.answer(206 if wanted else 200, data[first:end] if ends else data[first:], headers, len(data) - first)
                if ends:
                    self.close_connection = True
                    registry.stop()

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, block_on_close = True, False

            def handle_error(self, request, client_address):
                pass

        self.server = Server((self.address, 0), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = self.host.listen("127.0.0.1", self.port)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.server_close()
