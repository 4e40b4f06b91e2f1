"""Pulls from a real registry (Debian's docker-registry) on loopback: basic and token authentication, indexes, interrupted and damaged
transfers. Needs root (layers keep their owners)."""

import base64
import http.client
import http.server
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from lib import images  # noqa: E402

BUILD = os.path.join(ROOT, os.environ.get("SKEP_BUILD", "build/debug"))
TOOL = os.path.join(BUILD, "skep-image")
USER, PASSWORD = "bee", "honey & co"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_until_open(port, process):
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError("the registry ended at once")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the registry does not answer")


class Registry:
    """docker-registry on a free port of loopback, with htpasswd when a user is given."""

    def __init__(self, directory, user=None, password=None):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = "http://" + self.address
        config = f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {directory}/data}}}}\nhttp: {{addr: {self.address}}}\n"
        if user:
            with open(f"{directory}/htpasswd", "w") as file:
                subprocess.run(["htpasswd", "-Bbn", user, password], stdout=file, check=True)
            config += f"auth: {{htpasswd: {{realm: bees, path: {directory}/htpasswd}}}}\n"
        with open(f"{directory}/config.yml", "w") as file:
            file.write(config)
        self.process = subprocess.Popen(["docker-registry", "serve", f"{directory}/config.yml"], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_until_open(self.port, self.process)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Proxy:
    """Stands before a registry and does to its answers what a test asks for.

    `cut_after`: the first blob answers end after that many bytes, `cuts` times. `spoil`: one byte of each blob is changed. `no_range`:
    Range is not passed on. `fail`: that many requests get 503 first. `realm`: blobs and manifests want a token of this service.
    """

    def __init__(self, upstream, cut_after=0, cuts=0, spoil=False, no_range=False, fail=0, realm=None, token="t0ken", expire_after=None,
                 redirect_to=None):
        self.cut_after, self.cuts, self.spoil, self.no_range, self.fail = cut_after, cuts, spoil, no_range, fail
        self.realm, self.token, self.expire_after, self.redirect_to = realm, token, expire_after, redirect_to
        self.requests, self.lock = [], threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def refuse(self, status, headers=None, body=b""):
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                with proxy.lock:
                    proxy.requests.append((self.path, dict(self.headers)))
                    failing, proxy.fail = proxy.fail > 0, proxy.fail - 1
                    authorized = sum("Authorization" in headers for _, headers in proxy.requests)
                if failing:
                    return self.refuse(503, {"Retry-After": "0"})
                is_blob = "/blobs/" in self.path
                if proxy.realm:
                    expired = proxy.expire_after is not None and authorized == proxy.expire_after
                    if self.headers.get("Authorization") != "Bearer " + proxy.token or expired:
                        challenge = f'Bearer realm="{proxy.realm}",service="skep test"'
                        if "/v2/" != self.path:
                            challenge += ',scope="repository:app:pull"'
                        return self.refuse(401, {"WWW-Authenticate": challenge, "Content-Type": "application/json"},
                                           b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
                if is_blob and proxy.redirect_to:
                    return self.refuse(307, {"Location": proxy.redirect_to + self.path})
                headers = {name: value for name, value in self.headers.items()
                           if name.lower() not in ("host", "connection") and not (name.lower() == "authorization" and proxy.realm)
                           and not (name.lower() == "range" and proxy.no_range)}
                upper = http.client.HTTPConnection(upstream, timeout=30)
                upper.request("GET", self.path, headers=headers)
                answer = upper.getresponse()
                body = answer.read()
                upper.close()
                if is_blob and proxy.spoil and len(body) > 10000:
                    body = body[:-1] + bytes([body[-1] ^ 1])
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.end_headers()
                with proxy.lock:
                    cutting = is_blob and proxy.cuts > 0 and len(body) > proxy.cut_after
                    proxy.cuts -= cutting
                if cutting:
                    self.wfile.write(body[:proxy.cut_after])
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True
                else:
                    self.wfile.write(body)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class TokenService(Proxy):
    """Gives the token to those who show the right user and password, or the right refresh token."""

    def __init__(self, token="t0ken"):
        self.asked = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                service.asked.append(self.path)
                wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
                if self.headers.get("Authorization") == wanted:
                    self.answer(200, {"token": token})
                else:
                    self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]})

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                service.asked.append(form)
                self.answer(200 if form["refresh_token"] == ["r3fresh"] else 401, {"access_token": token})

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def auth(**fields):
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()


class ForeignRegistry:
    """A registry on loopback that has an image's manifest and config, and not its layers: those lie at other addresses. Of `addresses`, each
    is what is found there: the layer ("good"), something else ("bad"), or nothing ("none")."""

    def __init__(self, image, addresses, scheme="http"):
        manifest, blobs = image.blobs()
        manifest = json.loads(manifest)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                outer.asked.append((self.path, self.headers.get("Authorization")))
                body = outer.found.get(self.path)
                self.send_response(404 if body is None else 200)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_port}"
        self.asked, self.found = [], {"/v2/": b"{}"}
        for layer in manifest["layers"]:
            data = blobs[layer["digest"]]
            layer["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            layer["urls"] = [f"{scheme}://{self.address}/{at}/{layer['digest']}" for at in range(len(addresses))]
            for at, kind in enumerate(addresses):
                if kind != "none":
                    self.found[f"/{at}/{layer['digest']}"] = data if kind == "good" else data[:-1] + bytes([data[-1] ^ 1])
        self.found["/v2/app/blobs/" + image.id] = image.config
        self.found["/v2/app/manifests/1"] = images.compact(manifest)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@unittest.skipUnless(os.geteuid() == 0, "layers keep their owners: needs root")
@unittest.skipUnless(os.path.exists(TOOL), "skep-image is not built")
class RegistryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="skep-registry-")
        os.mkdir(cls.directory + "/open")
        os.mkdir(cls.directory + "/closed")
        cls.open = Registry(cls.directory + "/open")
        cls.closed = Registry(cls.directory + "/closed", USER, PASSWORD)
        cls.image = images.Image("app:1", cmd=["echo", "hi"], files={"etc/which": "one"})
        cls.image.push(cls.open.url)
        cls.image.push(cls.closed.url, user=USER, password=PASSWORD, docker=True)

    @classmethod
    def tearDownClass(cls):
        cls.open.stop()
        cls.closed.stop()
        shutil.rmtree(cls.directory)

    def setUp(self):
        self.store = tempfile.mkdtemp(prefix="skep-images-")
        self.addCleanup(shutil.rmtree, self.store)

    def proxy(self, upstream, **options):
        proxy = Proxy(upstream.address, **options)
        self.addCleanup(proxy.stop)
        return proxy

    def job(self, reference, credentials=None, platform=("linux", images.host_architecture(), "", "")):
        """One job as skepd gives it. Returns (lines, result or None, error line or None)."""
        os_, architecture, variant, version = platform
        document = {"op": "pull", "store": self.store, "reference": reference, "registryAuth": credentials or "",
                    "platform": {"os": os_, "architecture": architecture, "variant": variant, "osVersion": version}}
        done = subprocess.run([TOOL, "job"], input=json.dumps(document), capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stderr, "")
        self.assertNotIn(PASSWORD, done.stdout)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        last = lines[-1]
        return lines, last.get("result"), last if "error" in last else None

    def pull(self, reference, credentials=None, **options):
        lines, result, error = self.job(reference, credentials, **options)
        self.assertIsNone(error)
        return lines, result

    def refused(self, reference, code, text, credentials=None, **options):
        _, _, error = self.job(reference, credentials, **options)
        self.assertIsNotNone(error)
        self.assertEqual(error["code"], code, error)
        self.assertIn(text, error["error"])

    def statuses(self, lines):
        return [line.get("status", "") for line in lines]

    def layer_file(self, path):
        for name in os.listdir(self.store + "/layers"):
            full = os.path.join(self.store, "layers", name, path)
            if os.path.exists(full):
                with open(full) as file:
                    return file.read()
        return None

    # --- plain pulls

    def test_pull_unpacks_and_lists(self):
        lines, result = self.pull(self.open.address + "/app:1")
        self.assertEqual(result["id"], self.image.id)
        self.assertEqual(self.layer_file("etc/which"), "one")
        self.assertIn("Pull complete", self.statuses(lines))
        self.assertTrue(any(status.startswith("Status: Downloaded newer image for") for status in self.statuses(lines)))
        lines, _ = self.pull(self.open.address + "/app:1")
        self.assertTrue(any(status.startswith("Status: Image is up to date for") for status in self.statuses(lines)))
        verified = subprocess.run([TOOL, "verify", "--store", self.store], capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stderr)

    def test_pull_by_digest(self):
        manifest, _ = self.image.blobs()
        _, result = self.pull(f"{self.open.address}/app@{images.digest(manifest)}")
        self.assertEqual(result["digest"], images.digest(manifest))

    def test_store_is_an_oci_layout_that_skopeo_reads(self):
        self.pull(self.open.address + "/app:1")
        shown = subprocess.run(["skopeo", "inspect", f"oci:{self.store}:{self.open.address}/app:1"], capture_output=True, text=True)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertEqual(json.loads(shown.stdout)["Architecture"], images.host_architecture())

    def test_image_pushed_by_skopeo(self):
        archive = self.image.docker_archive(self.store + "/a.tar")
        subprocess.run(["skopeo", "copy", "-q", "--dest-tls-verify=false", "docker-archive:" + archive,
                        f"docker://{self.open.address}/by-skopeo:1"], check=True, stdout=subprocess.DEVNULL)
        _, result = self.pull(self.open.address + "/by-skopeo:1")
        self.assertEqual(result["id"], self.image.id)

    def test_zstd_layers(self):
        image = images.Image("zst:1", files={"etc/which": "zstd"})
        image.push(self.open.url, pack="zstd")
        self.pull(self.open.address + "/zst:1")
        self.assertEqual(self.layer_file("etc/which"), "zstd")

    def test_layer_shared_by_two_images_is_unpacked_once(self):
        images.Image("other:1", cmd=["true"]).push(self.open.url)
        self.pull(self.open.address + "/app:1")
        before = set(os.listdir(self.store + "/layers"))
        lines, _ = self.pull(self.open.address + "/other:1")
        self.assertIn("Already exists", self.statuses(lines))
        self.assertEqual(set(os.listdir(self.store + "/layers")), before)

    def test_two_pulls_at_once_fetch_each_blob_once(self):
        proxy = self.proxy(self.open)
        threads = [threading.Thread(target=self.pull, args=(proxy.address + "/app:1",)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        blobs = [path for path, _ in proxy.requests if "/blobs/" in path]
        self.assertEqual(len(blobs), len(set(blobs)), blobs)

    # --- platforms

    def test_index_is_resolved_by_platform(self):
        mine = images.Image("x", files={"etc/which": "mine"})
        other = images.Image("x", files={"etc/which": "other"}, architecture="s390x")
        images.push_index(self.open.url, "multi", "1", [other, mine])
        _, result = self.pull(self.open.address + "/multi:1")
        self.assertEqual(result["id"], mine.id)
        self.refused(self.open.address + "/multi:1", "ERR_NOT_FOUND",
                     f"no image for windows/amd64 in this index: it has linux/s390x, linux/{images.host_architecture()}",
                     platform=("windows", "amd64", "", ""))

    def test_windows_version_is_chosen_and_kept_packed(self):
        versions = ["10.0.17763.1", "10.0.20348.5", "10.0.26100.1"]
        parts = [images.Image("w", layers=[images.layer({"Files/hello.txt": version})], os="windows", architecture="amd64",
                              os_version=version) for version in versions]
        images.push_index(self.open.url, "win", "1", parts, docker=True)
        _, result = self.pull(self.open.address + "/win:1", platform=("windows", "amd64", "", "10.0.20348.2000"))
        self.assertEqual(result["id"], parts[1].id)
        self.assertEqual(os.listdir(self.store + "/layers"), [])

    def test_single_image_of_another_platform_is_refused(self):
        self.refused(self.open.address + "/app:1", "ERR_NOT_FOUND", "it is for linux/", platform=("windows", "amd64", "", ""))

    # --- who may

    def test_basic_authentication(self):
        self.pull(self.closed.address + "/app:1", auth(username=USER, password=PASSWORD))
        self.assertEqual(self.layer_file("etc/which"), "one")

    def test_bad_and_missing_credentials_are_unauthorized(self):
        self.refused(self.closed.address + "/app:1", "ERR_UNAUTHENTICATED", "unauthorized", auth(username=USER, password="wrong"))
        self.refused(self.closed.address + "/app:1", "ERR_UNAUTHENTICATED", "unauthorized")

    def test_token_authentication(self):
        service = TokenService()
        self.addCleanup(service.stop)
        proxy = self.proxy(self.open, realm=f"http://{service.address}/token")
        self.pull(proxy.address + "/app:1", auth(username=USER, password=PASSWORD))
        self.assertIn("scope=repository%3Aapp%3Apull", service.asked[0])
        self.assertIn("service=skep%20test", service.asked[0])
        self.refused(proxy.address + "/app:1", "ERR_UNAUTHENTICATED", "unauthorized", auth(username=USER, password="wrong"))

    def test_identity_token_is_exchanged(self):
        service = TokenService()
        self.addCleanup(service.stop)
        proxy = self.proxy(self.open, realm=f"http://{service.address}/token")
        self.pull(proxy.address + "/app:1", auth(identitytoken="r3fresh"))
        self.assertEqual(service.asked[0]["grant_type"], ["refresh_token"])

    def test_token_that_expires_is_renewed(self):
        service = TokenService()
        self.addCleanup(service.stop)
        proxy = self.proxy(self.open, realm=f"http://{service.address}/token", expire_after=3)
        self.pull(proxy.address + "/app:1", auth(username=USER, password=PASSWORD))
        self.assertEqual(len(service.asked), 2)

    def test_credentials_do_not_go_to_a_token_service_without_tls(self):
        proxy = self.proxy(self.open, realm="http://tokens.example/token")
        self.refused(proxy.address + "/app:1", "ERR_PERMISSION", "does not use https", auth(username=USER, password=PASSWORD))

    def test_authorization_does_not_follow_a_redirect_to_another_host(self):
        service = TokenService()
        self.addCleanup(service.stop)
        storage = self.proxy(self.open)
        proxy = self.proxy(self.open, realm=f"http://{service.address}/token", redirect_to="http://" + storage.address)
        self.pull(proxy.address + "/app:1", auth(username=USER, password=PASSWORD))
        self.assertTrue(storage.requests)
        for _, headers in storage.requests:
            self.assertNotIn("Authorization", headers)

    # --- what goes wrong

    def test_missing_tag_and_repository(self):
        self.refused(self.open.address + "/app:nope", "ERR_NOT_FOUND", "/app:nope not found: manifest unknown")
        self.refused(self.open.address + "/nope:1", "ERR_NOT_FOUND", "not found: ")

    def test_registry_that_is_down_is_named(self):
        self.refused("127.0.0.1:1/app:1", "ERR_UNAVAILABLE", "127.0.0.1:1")

    def test_blob_cut_short_is_resumed(self):
        proxy = self.proxy(self.open, cut_after=100000, cuts=2)
        self.pull(proxy.address + "/app:1")
        self.assertEqual(self.layer_file("etc/which"), "one")
        ranges = [headers["Range"] for _, headers in proxy.requests if "Range" in headers]
        self.assertTrue(ranges and ranges[0].startswith("bytes=100000-"), ranges)

    def test_server_without_ranges_sends_all_again(self):
        proxy = self.proxy(self.open, cut_after=100000, cuts=1, no_range=True)
        self.pull(proxy.address + "/app:1")
        self.assertEqual(self.layer_file("etc/which"), "one")

    def test_killed_tool_leaves_nothing_half_and_its_download_is_resumed(self):
        big = images.Image("big:1", layers=[images.layer({"blob": os.urandom(8 << 20)})])
        big.push(self.open.url, pack="none")
        proxy = self.proxy(self.open, cut_after=3 << 20, cuts=1000)
        document = {"op": "pull", "store": self.store, "reference": proxy.address + "/big:1",
                    "platform": {"os": "linux", "architecture": images.host_architecture()}}
        tool = subprocess.Popen([TOOL, "job"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        tool.stdin.write(json.dumps(document).encode())
        tool.stdin.close()
        partial = f"{self.store}/partial/{images.digest(big.layers[0])[7:]}"
        for _ in range(200):
            if os.path.exists(partial) and os.path.getsize(partial) >= 3 << 20:
                break
            time.sleep(0.02)
        tool.kill()
        tool.wait()
        self.assertGreaterEqual(os.path.getsize(partial), 3 << 20)
        self.assertFalse(os.path.exists(self.store + "/index.json"))
        proxy.cuts, proxy.requests[:] = 0, []
        self.pull(proxy.address + "/big:1")
        ranges = [headers.get("Range") for path, headers in proxy.requests if path.endswith(images.digest(big.layers[0]))]
        self.assertTrue(ranges[0] and int(ranges[0][6:-1]) >= 3 << 20, ranges)
        self.assertEqual(os.listdir(self.store + "/tmp"), [])

    def test_damaged_blob_is_refused_and_not_kept(self):
        proxy = self.proxy(self.open, spoil=True)
        self.refused(proxy.address + "/app:1", "ERR_CORRUPT", "wrong digest")
        self.assertFalse(os.path.exists(self.store + "/index.json"))
        # The other layer may have been given up in the middle, and stays to be resumed.
        self.assertLess(len(os.listdir(self.store + "/partial")), len(self.image.layers))
        self.pull(self.open.address + "/app:1")

    def test_registry_that_fails_for_a_moment_is_asked_again(self):
        proxy = self.proxy(self.open, fail=2)
        self.pull(proxy.address + "/app:1")

    def foreign(self, *addresses, **options):
        registry = ForeignRegistry(self.image, addresses, **options)
        self.addCleanup(registry.stop)
        return registry

    def test_foreign_layers_come_from_the_first_of_their_addresses_that_has_them(self):
        registry = self.foreign("none", "good", "good")
        self.pull(registry.address + "/app:1")
        self.assertEqual(self.layer_file("etc/which"), "one")
        paths = [path for path, _ in registry.asked]
        self.assertEqual(len([path for path in paths if path.startswith("/v2/app/blobs/")]), 1 + len(self.image.layers))  # asked the registry first
        self.assertFalse([path for path in paths if path.startswith("/2/")])

    def test_foreign_layers_are_checked_wherever_they_come_from(self):
        registry = self.foreign("bad", "good")
        self.refused(registry.address + "/app:1", "ERR_CORRUPT", "wrong digest")
        self.assertEqual(os.listdir(self.store + "/layers"), [])

    def test_foreign_layers_that_nobody_has_are_not_found(self):
        self.refused(self.foreign("none", "none").address + "/app:1", "ERR_NOT_FOUND", "/1/sha256:")

    def test_foreign_layers_with_an_address_of_another_kind_are_refused(self):
        self.refused(self.foreign("good", scheme="ftp").address + "/app:1", "ERR_PEER", "its address is not https: ftp://")

    def test_hostile_layer_is_refused_by_name(self):
        image = images.Image("evil:1", layers=[images.layer({"../../evil": "x"})])
        image.push(self.open.url)
        self.refused(self.open.address + "/evil:1", "ERR_INVALID", '"../../evil": ".." would lead out of the layer')
        self.assertEqual(os.listdir(self.store + "/layers"), [])
        self.assertEqual(os.listdir(self.store + "/tmp"), [])


if __name__ == "__main__":
    unittest.main()
