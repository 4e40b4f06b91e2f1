"""skep-image.exe under Wine: pulls images for Windows from a real registry on loopback, and what it leaves of their layers is compared to the
byte. Wine keeps no extended attributes and no links and has no BackupWrite(): what is written straight into a base layer is seen here but for
those; what is left for import has all of it."""

import contextlib
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests"))
from interop.test_registry import Registry  # noqa: E402
from lib.images import (MTIME, SECURITY_DESCRIPTOR, Image, WindowsFile, tar_entry, windows_base_layer, windows_image,  # noqa: E402
                        windows_layer)

BUILD = os.path.join(ROOT, os.environ.get("SKEP_WINDOWS_BUILD", "build/windows-release"))
TOOL = os.path.join(BUILD, "skep-image.exe")
VMCOMPUTE = os.path.join(BUILD, "tests/layers/vmcompute.dll")
HIDDEN, DIRECTORY, ARCHIVE, REPARSE_POINT = 0x2, 0x10, 0x20, 0x400
JUNCTION, SYMBOLIC_LINK = 0xA0000003, 0xA000000C


def backup_stream(data):
    """The parts of a backup stream: [(id, name, content)]."""
    parts = []
    while data:
        kind, _, size, name_size = struct.unpack_from("<IIQI", data)
        name, data = data[20:20 + name_size].decode("utf-16le"), data[20 + name_size:]
        assert len(data) >= size, "the stream is cut short"
        parts.append((kind, name, data[:size]))
        data = data[size:]
    return parts


def transport(path):
    """A file of a transport tree: (attributes, parts)."""
    with open(path, "rb") as file:
        data = file.read()
    return struct.unpack_from("<I", data)[0], backup_stream(data[4:])


def tree(root):
    """Every file and directory below: {path: content or None}."""
    found = {}
    for directory, names, files in os.walk(root):
        for name in names:
            found[os.path.relpath(os.path.join(directory, name), root)] = None
        for name in files:
            with open(os.path.join(directory, name), "rb") as file:
                found[os.path.relpath(os.path.join(directory, name), root)] = file.read()
    return found


def tar_of(*entries):
    """A layer of entries as they are: (name, arguments of tar_entry)."""
    import io
    import tarfile
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, arguments in entries:
            tar_entry(archive, name, **arguments)
    return out.getvalue()


@unittest.skipUnless(shutil.which("wine"), "Wine is not installed (deploy/install-deps.sh windows)")
@unittest.skipUnless(shutil.which("docker-registry"), "docker-registry is not installed (deploy/install-deps.sh interop)")
@unittest.skipUnless(os.path.exists(TOOL), f"{os.path.relpath(TOOL, ROOT)} is not built yet")
class ImageToolTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="skep-image-tool-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.env = {**os.environ, "WINEPREFIX": cls.directory + "/wine", "WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml="}
        cls.env.pop("DISPLAY", None)
        # Wine's own services live on with what they are started with: not with a pipe of ours, of which we would wait for the end.
        nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        for arguments in (["wine", "wineboot", "-i"], ["wine", "winecfg", "-v", "win10"], ["wineserver", "-w"], ["wineserver", "-p"],
                          ["wine", "cmd", "/c", "rem"]):
            subprocess.run(arguments, env=cls.env, check=True, timeout=180, **nothing)
        cls.addClassCleanup(subprocess.run, ["wineserver", "-w"], env=cls.env, timeout=30)
        cls.addClassCleanup(subprocess.run, ["wineserver", "-k"], env=cls.env)
        os.mkdir(cls.directory + "/registry")
        cls.registry = Registry(cls.directory + "/registry")
        cls.addClassCleanup(cls.registry.stop)

    def setUp(self):
        self.store = tempfile.mkdtemp(prefix="store-", dir=self.directory)

    def job(self, operation, **more):
        """One job as skepd gives it: (lines, result or None, error line or None)."""
        document = {"op": operation, "store": "Z:" + self.store.replace("/", "\\"),
                    "platform": {"os": "windows", "architecture": "amd64", "osVersion": "10.0.20348.2113"}, **more}
        done = subprocess.run(["wine", TOOL, "job"], input=json.dumps(document).encode(), env=self.env, capture_output=True, timeout=120)
        self.assertNotIn(b"\r", done.stdout)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertTrue(lines, done.stderr)
        return lines, lines[-1].get("result"), lines[-1] if "error" in lines[-1] else None

    def pull(self, image, repository="app"):
        """Push it and pull it; the directories of its layers, the lowest first."""
        image.push(self.registry.url, repository, "1")
        lines, result, error = self.job("pull", reference=f"{self.registry.address}/{repository}:1")
        self.assertIsNone(error)
        self.assertEqual(result["id"], image.id)
        self.lines = lines
        return self.layers(image)

    @contextlib.contextmanager
    def containers(self):
        """The host has the feature "Containers": emulated HCS, its calls for layers."""
        place = self.directory + "/wine/drive_c/windows/system32/vmcompute.dll"
        shutil.copy(VMCOMPUTE, place)
        try:
            yield
        finally:
            os.unlink(place)

    def chained(self, image):
        """The directories that containers run on, the lowest first."""
        places, chain, found = self.places(), "", []
        for diff_id in json.loads(image.config)["rootfs"]["diff_ids"]:
            chain = "sha256:" + hashlib.sha256(f"{chain} {diff_id}".encode()).hexdigest() if chain else diff_id
            found.append(places[chain])
        return found

    def layers(self, image):
        places = self.places()
        return [places[diff_id] for diff_id in json.loads(image.config)["rootfs"]["diff_ids"]]

    def places(self):
        places = {}
        for name in os.listdir(self.store + "/layers"):
            if name.endswith(".json"):
                with open(f"{self.store}/layers/{name}") as file:
                    places[json.load(file)["diffID"]] = f"{self.store}/layers/{name[:-5]}"
        return places

    def refused(self, layers, code, text):
        image = windows_image("refused:1", layers=layers)
        image.push(self.registry.url, "refused", "1")
        _, _, error = self.job("pull", reference=f"{self.registry.address}/refused:1")
        self.assertIsNotNone(error, text)
        self.assertIn(text, error["error"])
        self.assertEqual(error["code"], code, error)
        self.assertEqual(os.listdir(self.store + "/tmp"), [])

    def kind(self, layer):
        with open(layer + "/layer.json") as file:
            return json.load(file)

    # --- what is left of good layers

    def test_base_layer_is_written_straight(self):
        base = windows_base_layer({
            "a.txt": WindowsFile("hello", streams={"zone": b"from afar", "other": b""}),
            "again.txt": WindowsFile(hard="Files/a.txt"),
            "dir/empty": WindowsFile(b""),
            "dir/été.txt": WindowsFile("été"),
            "dir/e\u0301te\u0301.txt": WindowsFile("another, decomposed"),
            "dir/" + "蜂" * 80: WindowsFile("long"),
            "large": WindowsFile(bytes(range(256)) * 3000),
            "old.txt": WindowsFile("as older writers do", descriptor=None),
        })
        layer, = self.pull(windows_image("app:1", layers=[base]))
        self.assertEqual(self.kind(layer), {"version": 1, "kind": "base", "utilityVM": True})
        found = tree(layer)
        found.pop("layer.json")
        self.assertEqual(found.pop("Files/a.txt:zone"), b"from afar")  # as Wine keeps streams
        self.assertEqual(found.pop("Files/a.txt:other"), b"")
        large = found.pop("Files/large")
        self.assertTrue(large == bytes(range(256)) * 3000, f"a large file arrived with {len(large)} bytes")
        files = {name: content for name, content in found.items() if content is not None}
        self.assertEqual(files, {
            "Files/Windows/System32/config/SYSTEM": b"regf", "Files/Windows/System32/config/SOFTWARE": b"regf",
            "Files/Windows/System32/cmd.exe": b"MZ", "Files/a.txt": b"hello", "Files/again.txt": b"hello", "Files/dir/empty": b"",
            "Files/dir/été.txt": "été".encode(), "Files/dir/e\u0301te\u0301.txt": b"another, decomposed",
            "Files/dir/" + "蜂" * 80: b"long", "Files/old.txt": b"as older writers do",
            "UtilityVM/Files/EFI/Microsoft/Boot/BCD": b"regf"})
        self.assertIn("Files/Users", found)
        self.assertEqual(os.stat(layer + "/Files/a.txt").st_ino, os.stat(layer + "/Files/again.txt").st_ino)
        for name in ("Files/a.txt", "Files/dir", "Files", "UtilityVM/Files/EFI"):
            self.assertEqual(os.stat(f"{layer}/{name}").st_mtime, MTIME + 0.5, name)

    def test_layer_above_is_left_for_import(self):
        child = windows_layer({
            "app": WindowsFile(None, attributes=DIRECTORY | HIDDEN, eas={"DIR": b"ea"}),
            "app/run.cmd": WindowsFile("echo hi", attributes=ARCHIVE | HIDDEN, streams={"s": b"stream", "t": b""}, eas={"A": b"1", "BB": b"22"}),
            "app/bare": WindowsFile("x", descriptor=None),
            "app/link.cmd": WindowsFile(link="run.cmd"),
            "junction": WindowsFile(link="C:\\Users", is_junction=True, attributes=DIRECTORY | REPARSE_POINT),
            "hard.exe": WindowsFile(hard="Files/Windows/System32/cmd.exe"),
            ".wh.old.txt": None, "app/.wh.gone": None,
            "again.txt": "made anew", ".wh.again.txt": None,
        }, hives={"System_Delta": b"regf and more"}, utility_vm={"boot": "b", ".wh.grub": None})
        _, layer = self.pull(windows_image("app:1", layers=[windows_base_layer(), child]))
        self.assertEqual(self.kind(layer), {"version": 1, "kind": "child", "utilityVM": True})
        found = tree(layer)
        self.assertEqual(found.pop("transport/Hives/System_Delta"), b"regf and more")
        self.assertEqual(found.pop("tombstones.txt"), b"Files\\old.txt\nFiles\\app\\gone\nUtilityVM\\Files\\grub\n")
        self.assertEqual(found.pop("links.txt"), b"Files\\hard.exe\tFiles\\Windows\\System32\\cmd.exe\n")
        self.assertEqual(set(found), {
            "layer.json", "transport", "transport/Files", "transport/Files.$wcidirs$", "transport/Hives", "transport/Files/app",
            "transport/Files/app.$wcidirs$", "transport/Files/app/run.cmd", "transport/Files/app/bare", "transport/Files/app/link.cmd",
            "transport/Files/junction", "transport/Files/junction.$wcidirs$", "transport/Files/again.txt", "utility-vm", "utility-vm/Files",
            "utility-vm/Files.$wcidirs$", "utility-vm/Files/boot"})
        self.assertIsNone(found["transport/Files/junction"])
        security = (3, "", SECURITY_DESCRIPTOR)
        self.assertEqual(transport(layer + "/transport/Files/app/run.cmd"), (ARCHIVE | HIDDEN, [
            security, (2, "", bytes.fromhex("0c000000000101004100 31 00" "000000000002020042420032 32")), (1, "", b"echo hi"),
            (4, ":s:$DATA", b"stream"), (4, ":t:$DATA", b"")]))
        self.assertEqual(transport(layer + "/transport/Files/app/bare"), (ARCHIVE, [(1, "", b"x")]))
        self.assertEqual(transport(layer + "/transport/Files/app.$wcidirs$"), (DIRECTORY | HIDDEN, [
            security, (2, "", bytes.fromhex("000000000003020044495200") + b"ea")]))
        self.assertEqual(transport(layer + "/utility-vm/Files/boot"), (ARCHIVE, [security, (1, "", b"b")]))
        attributes, parts = transport(layer + "/transport/Files/app/link.cmd")
        self.assertEqual((attributes, parts[0], parts[1][0], struct.unpack_from("<I", parts[1][2])[0]),
                         (ARCHIVE | REPARSE_POINT, security, 8, SYMBOLIC_LINK))
        attributes, parts = transport(layer + "/transport/Files/junction.$wcidirs$")
        self.assertEqual((attributes, struct.unpack_from("<I", parts[1][2])[0]), (DIRECTORY | REPARSE_POINT, JUNCTION))
        self.assertIn("\\??\\C:\\Users".encode("utf-16le"), parts[1][2])

    def test_layer_without_what_windows_keeps_is_taken(self):
        """As builders on Linux make them: no pax headers, no attributes, directories twice or not at all."""
        child = tar_of(("Files/app/", {"kind": b"5"}), ("Files/app/x", {"data": b"1"}), ("Files/app/", {"kind": b"5"}), ("Files/lone/y", {"data": b"2"}),
                       ("Files/text", {"data": b"3", "pax": {"MSWINDOWS.sd": "O:SYG:SYD:(A;;FA;;;WD)"}}))
        _, layer = self.pull(windows_image("app:1", layers=[windows_base_layer(), child]))
        self.assertEqual(transport(layer + "/transport/Files/app/x"), (0, [(1, "", b"1")]))
        self.assertEqual(transport(layer + "/transport/Files/app.$wcidirs$"), (DIRECTORY, []))
        attributes, parts = transport(layer + "/transport/Files/text")
        self.assertEqual((attributes, [part[0] for part in parts]), (0, [3, 1]))
        self.assertIn(SECURITY_DESCRIPTOR[20:32], parts[0][2])  # SYSTEM
        self.assertEqual(transport(layer + "/transport/Files/lone/y"), (0, [(1, "", b"2")]))
        self.assertEqual(self.kind(layer), {"version": 1, "kind": "child", "utilityVM": False})

    def test_second_pull_finds_all_there_and_the_image_goes_with_its_layers(self):
        image = windows_image("app:1", layers=[windows_base_layer(), windows_layer({"x": "1"})])
        before = [os.stat(layer).st_ino for layer in self.pull(image)]
        self.assertEqual([os.stat(layer).st_ino for layer in self.pull(image)], before)
        self.assertEqual(sum(line.get("status") == "Already exists" for line in self.lines), 2)
        for operation, more in (("verify", {}), ("remove", {"reference": image.id})):
            _, _, error = self.job(operation, **more)
            self.assertIsNone(error)
        _, _, error = self.job("gc", all=True)
        self.assertIsNone(error)
        self.assertEqual(os.listdir(self.store + "/layers"), [])
        self.assertEqual(os.listdir(self.store + "/blobs/sha256"), [])

    def test_archive_is_loaded(self):
        image = windows_image("app:1")
        archive = image.docker_archive(self.store + ".tar")
        lines, _, error = self.job("load", path="Z:" + archive)
        self.assertIsNone(error, lines)
        layer, = self.layers(image)
        self.assertEqual(self.kind(layer)["kind"], "base")

    def test_image_for_linux_is_kept_packed(self):
        image = Image("linux:1", layers=[tar_of(("bin/sh", {"data": b"x"}))], architecture="amd64")
        image.push(self.registry.url, "linux", "1")
        _, _, error = self.job("pull", reference=f"{self.registry.address}/linux:1",
                               platform={"os": "linux", "architecture": "amd64", "variant": "", "osVersion": ""})
        self.assertIsNone(error)
        self.assertEqual(os.listdir(self.store + "/layers"), [])

    # --- import, by emulated HCS

    def test_layers_are_set_up_and_imported(self):
        base = windows_base_layer({"old/gone.txt": "1", "tool.exe": "MZ tool"}, utility_vm=True)
        middle = windows_layer({"tool.exe": "MZ newer", "app/x": "1"}, hives={"System_Delta": b"regf"},
                               utility_vm={"EFI/Microsoft/Boot/bootmgr": "new boot", "EFI/Microsoft/Boot/.wh.old": None})
        top = windows_layer({"old/.wh.gone.txt": None, "app/tool.exe": WindowsFile(hard="Files/tool.exe"), "app/cmd.exe":
                             WindowsFile(hard="Files/Windows/System32/cmd.exe"), "app/self": "2", "app/again": WindowsFile(hard="Files/app/self")})
        image = windows_image("app:1", layers=[base, middle, top])
        with self.containers():
            self.pull(image)
        base, middle, top = self.chained(image)
        names = [os.path.basename(layer) for layer in (base, middle, top)]
        self.assertTrue(os.path.exists(base + "/blank-base.vhdx"))
        self.assertTrue(os.path.exists(base + "/UtilityVM/SystemTemplateBase.vhdx"))
        with open(middle + "/imported.txt") as file:
            self.assertEqual(file.read().split(), [names[0]])
        with open(top + "/imported.txt") as file:
            self.assertEqual(file.read().split(), [names[1], names[0]])
        found = tree(middle)
        self.assertEqual({name: content for name, content in found.items() if content is not None}, {
            "imported.txt": names[0].encode() + b"\n", "Files/tool.exe": b"MZ newer", "Files/app/x": b"1", "Hives/System_Delta": b"regf",
            "UtilityVM/Files/EFI/Microsoft/Boot/BCD": b"regf", "UtilityVM/Files/EFI/Microsoft/Boot/bootmgr": b"new boot",
            "UtilityVM/SystemTemplateBase.vhdx": b"disk"})
        self.assertNotEqual(os.stat(middle + "/UtilityVM/Files/EFI/Microsoft/Boot/BCD").st_ino,
                            os.stat(base + "/UtilityVM/Files/EFI/Microsoft/Boot/BCD").st_ino)  # set-up changes it
        same = [(top + "/Files/app/tool.exe", middle + "/Files/tool.exe"), (top + "/Files/app/again", top + "/Files/app/self"),
                (top + "/Files/app/cmd.exe", base + "/Files/Windows/System32/cmd.exe")]
        for one, other in same:
            self.assertEqual(os.stat(one).st_ino, os.stat(other).st_ino, one)
        # Once more: everything is there. Over another base, the same layers are imported anew.
        before = {name: os.stat(f"{self.store}/layers/{name}").st_ino for name in os.listdir(self.store + "/layers")}
        other = windows_image("app:1", layers=[windows_base_layer({"tool.exe": "MZ other"})] + image.layers[1:])
        with self.containers():
            self.pull(image)
            self.assertEqual({name: os.stat(f"{self.store}/layers/{name}").st_ino for name in os.listdir(self.store + "/layers")}, before)
            self.pull(other, "other")
        self.assertEqual(len(os.listdir(self.store + "/layers")), len(before) + 6)
        self.assertNotEqual(self.chained(other)[1], middle)
        # What goes with an image is what no other needs.
        _, _, error = self.job("remove", reference=image.id, force=True)
        self.assertIsNone(error)
        self.assertEqual(set(self.places().values()), {*self.chained(other), *self.layers(other)})

    def test_failed_import_is_told_and_nothing_stays(self):
        image = windows_image("app:1", layers=[windows_base_layer(), windows_layer({"app/x": WindowsFile(hard="Files/nowhere")})])
        image.push(self.registry.url, "app", "1")
        with self.containers():
            _, _, error = self.job("pull", reference=f"{self.registry.address}/app:1")
        self.assertIn("open Files\\nowhere, to which Files\\app\\x is a hard link", error["error"])
        self.assertEqual(len(self.places()), 2)
        self.assertEqual(len(os.listdir(self.store + "/layers")), 4)

    def test_host_without_containers_says_so(self):
        self.pull(windows_image("app:1"))
        self.assertTrue([line for line in self.lines if "has no vmcompute.dll" in line.get("status", "")])

    # --- what is refused

    def test_image_from_scratch_is_refused(self):
        for layers in ([windows_layer({"app.exe": "MZ"})], [tar_of()], []):
            image = Image("scratch:1", layers=layers, os="windows", os_version="10.0.20348.1", architecture="amd64")
            image.push(self.registry.url, "scratch", "1")
            _, _, error = self.job("pull", reference=f"{self.registry.address}/scratch:1")
            self.assertIn("cannot be built FROM scratch", error["error"])
            self.assertEqual(os.listdir(self.store + "/layers"), [])

    def test_names_that_windows_cannot_hold_are_refused(self):
        file, base = {"data": b"x"}, windows_base_layer()
        for name, text in (("Files/nul.txt", "the name of a device"), ("Files/dir./x", "cannot end with a dot"), ("Files/x ", "cannot end with a dot"),
                           ("Files/a*b", "a character that Windows"), ("Files/a\\b", "a character that Windows"), ("etc/passwd", "not below Files"),
                           ("Files/../x", '".."'), ("UtilityVM/x", "there is only Files"),
                           ("Files/x.$wcidirs$", "keeps for itself"), ("Files/lone:stream", "right behind its file"), ("Hives", "only the directories"), ("file", "only the directories")):
            with self.subTest(name=name):
                self.refused([base, tar_of((name, file))], "ERR_INVALID", text)

    def test_entries_that_contradict_each_other_are_refused(self):
        file, base, directory = {"data": b"x"}, windows_base_layer(), {"kind": b"5"}
        link = {"kind": b"2", "link": "C:/", "pax": {"MSWINDOWS.mountpoint": "1", "MSWINDOWS.fileattr": "1040"}}
        for entries, text in (((("Files/a", file), ("Files/A", file)), "one name on Windows"),
                              ((("Files/Dir/a", file), ("Files/dir/b", file)), "one name on Windows"),
                              ((("Files/a", file), ("Files/a", file)), "has it twice"),
                              ((("Files/a", file), ("Files/a/b", file)), "a directory in one place"),
                              ((("Files/j", link), ("Files/j/evil", file)), "a directory in one place"),
                              ((("Files/j", link), ("Files/j", directory)), "a directory in one place"),
                              ((("Files/a", file), ("Files/b", file), ("Files/a:s", file)), "right behind its file"),
                              ((("Hives/h", file), ("Hives/h:s", file)), "a hive with a stream"),
                              ((("Files/d", directory), ("Files/.wh.d", {"data": b""})), "both made and removed"),
                              ((("Files/j", link), ("Files/j/.wh.x", {"data": b""})), "a whiteout below a file or link"),
                              ((("Files/j", link), ("Files/j/a/b/.wh.x", {"data": b""})), "a whiteout below a file or link"),
                              ((("Files/a", file), ("Files/l", {"kind": b"1", "link": "Files/a/b"})), "no file of this layer"),
                              ((("Files/.wh..wh..opq", {"data": b""}),), "a whole directory's content"),
                              ((("Files/.wh.nul", {"data": b""}),), "the name of a device"),
                              ((("Hives/.wh.x", {"data": b""}),), "not below Files or UtilityVM/Files"),
                              ((("Files/l", {"kind": b"1", "link": "Hives/x"}),), "not below Files or UtilityVM/Files"),
                              ((("Files/p", {"kind": b"6"}),), "an entry of type '6'"),
                              ((("Files/j", {"kind": b"2", "link": "a/b", "pax": {"MSWINDOWS.mountpoint": "1"}}),), "absolute path"),
                              ((("Files/s", {"data": b"", "pax": {"MSWINDOWS.rawsd": "AAAA"}}),), "security descriptor is none"),
                              ((("Files/s", {"data": b"", "pax": {"MSWINDOWS.sd": "no"}}),), "security descriptor is none")):
            with self.subTest(text=text, entries=entries):
                self.refused([base, tar_of(*entries)], "ERR_INVALID", text)

    def test_base_layers_with_what_only_others_have_are_refused(self):
        for files, text in (({".wh.x": None}, "a whiteout in a base layer"), ({"l": WindowsFile(hard="Files/nothing")}, "no file of this layer")):
            with self.subTest(text=text):
                self.refused([windows_base_layer(files)], "ERR_INVALID", text)


if __name__ == "__main__":
    unittest.main()
