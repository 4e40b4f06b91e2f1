"""Makes small images for the tests, without docker: busybox-static, some files, a config.

    image = Image("skep/hello:1", cmd=["echo", "hello"])
    image.docker_archive("/tmp/hello.tar")             # as `docker save` wrote it up to version 24
    image.docker_archive("/tmp/hello.tar", oci=True)   # as it writes it from 25 on: an OCI layout with a manifest.json
    image.oci_archive("/tmp/hello.tar")                # as `skopeo copy … oci-archive:` writes it
    image.push("http://127.0.0.1:5000", user="u", password="p")

The same arguments give the same bytes (all times are fixed), so digests can be compared between runs.
"""

import base64
import gzip
import hashlib
import io
import json
import lzma
import platform
import subprocess
import tarfile
import urllib.error
import urllib.parse
import urllib.request

BUSYBOX = "/bin/busybox"
CREATED = "2024-01-02T03:04:05Z"
MTIME = 1704164645

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"


def host_architecture():
    return {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}.get(platform.machine(), platform.machine())


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def full_name(name):
    """docker.io/library/busybox:1 for busybox:1, as containerd writes names."""
    first = name.split("/")[0]
    if "/" in name and ("." in first or ":" in first or first == "localhost"):
        return name
    return "docker.io/" + ("" if "/" in name else "library/") + name


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def tar_entry(archive, name, data=None, kind=tarfile.REGTYPE, mode=0o644, link="", uid=0, gid=0, pax=None, device=(0, 0)):
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.uid, info.gid, info.mtime = kind, mode, link, uid, gid, MTIME
    info.devmajor, info.devminor = device
    info.pax_headers = pax or {}
    info.size = len(data) if data is not None else 0
    archive.addfile(info, io.BytesIO(data) if data is not None else None)


def layer(files):
    """A layer's tar from {path: bytes | "-> target" | None for a directory | (bytes, mode)}, in the order given."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            if content is None:
                tar_entry(archive, name, kind=tarfile.DIRTYPE, mode=0o1777 if name.rstrip("/").endswith("tmp") else 0o755)
            elif isinstance(content, str) and content.startswith("-> "):
                tar_entry(archive, name, kind=tarfile.SYMTYPE, mode=0o777, link=content[3:])
            else:
                data, mode = content if isinstance(content, tuple) else (content, 0o644)
                tar_entry(archive, name, data.encode() if isinstance(data, str) else data, mode=mode)
    return out.getvalue()


def busybox_layer():
    """/bin/busybox with a link for each of its commands, and the few files and directories that programs expect."""
    with open(BUSYBOX, "rb") as file:
        busybox = file.read()
    files = {name: None for name in ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr", "usr/bin", "var", "var/tmp")}
    files["bin/busybox"] = (busybox, 0o755)
    for applet in subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split():
        if applet != "busybox":
            files["bin/" + applet] = "-> busybox"
    files["etc/passwd"] = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
    files["etc/group"] = "root:x:0:\nnogroup:x:65534:\n"
    return layer(files)


FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_ARCHIVE, FILE_ATTRIBUTE_REPARSE_POINT = 0x2, 0x10, 0x20, 0x400

# Owner and group SYSTEM, everybody may all: O:SYG:SYD:(A;;FA;;;WD), self-relative.
SECURITY_DESCRIPTOR = bytes.fromhex(
    "01000480" "14000000" "20000000" "00000000" "2c000000"
    "010100000000000512000000" "010100000000000512000000"
    "02001c0001000000" "00001400ff011f00" "010100000000000100000000")


def _base64(data):
    return base64.b64encode(data).decode()


class WindowsFile:
    """An entry of a Windows layer: a file with content, a directory (content None), a link (link, or hard for a hard link). Streams are
    {name: bytes}, eas {name: bytes}. Attributes are FILE_ATTRIBUTE_…; the descriptor is a binary one, None for none."""

    def __init__(self, content=b"", attributes=None, descriptor=SECURITY_DESCRIPTOR, streams=None, eas=None, link=None, hard=None,
                 is_junction=False):
        self.content = content.encode() if isinstance(content, str) else content
        self.attributes, self.descriptor, self.streams, self.eas = attributes, descriptor, streams or {}, eas or {}
        self.link, self.hard, self.is_junction = link, hard, is_junction

    def pax(self):
        attributes = self.attributes
        if attributes is None:
            attributes = FILE_ATTRIBUTE_DIRECTORY if self.content is None else FILE_ATTRIBUTE_ARCHIVE
            attributes |= FILE_ATTRIBUTE_REPARSE_POINT if self.link else 0
        headers = {"MSWINDOWS.fileattr": str(attributes), "LIBARCHIVE.creationtime": f"{MTIME - 60}.25", "mtime": f"{MTIME}.5"}
        if self.descriptor:
            headers["MSWINDOWS.rawsd"] = _base64(self.descriptor)
        if self.is_junction:
            headers["MSWINDOWS.mountpoint"] = "1"
        headers.update({f"MSWINDOWS.xattr.{name}": _base64(value) for name, value in self.eas.items()})
        return headers


def windows_layer(files, hives=None, utility_vm=None):
    """A Windows layer's tar. `files` are below Files/ (C:\\ of the container), given with "/" between: {path: WindowsFile | str | bytes |
    None for a directory}; a path whose last part starts with ".wh." is a whiteout. `hives` and `utility_vm` likewise, below Hives/ and
    UtilityVM/Files/. Missing directories are added."""
    out, done = io.BytesIO(), set()
    parts = [("Files", files), ("Hives", hives), ("UtilityVM/Files", utility_vm)]
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for root, entries in parts:
            for name, entry in ({} if entries is None else {"": None, **entries}).items():
                _windows_entry(archive, done, f"{root}/{name}".rstrip("/"), entry)
    return out.getvalue()


def _windows_entry(archive, done, path, entry):
    if not isinstance(entry, WindowsFile):
        entry = WindowsFile(entry)
    parent = path.rpartition("/")[0]
    if parent and parent not in done:
        _windows_entry(archive, done, parent, None)
    done.add(path)
    if path.rpartition("/")[2].startswith(".wh."):
        tar_entry(archive, path, b"")
    elif entry.hard:
        tar_entry(archive, path, kind=tarfile.LNKTYPE, link=entry.hard, pax=entry.pax())
    elif entry.link:
        tar_entry(archive, path, kind=tarfile.SYMTYPE, link=entry.link.replace("\\", "/"), pax=entry.pax())
    elif entry.content is None:
        tar_entry(archive, path, kind=tarfile.DIRTYPE, mode=0o755, pax=entry.pax())
    else:
        tar_entry(archive, path, entry.content, pax=entry.pax())
    for stream, data in entry.streams.items():
        tar_entry(archive, f"{path}:{stream}", data)


def windows_base_layer(files=None, utility_vm=True):
    """A base layer in small: what makes one, and nothing that could run."""
    content = {"Windows/System32/config/SYSTEM": b"regf", "Windows/System32/config/SOFTWARE": b"regf", "Windows/System32/cmd.exe": b"MZ",
               "Users": None, **(files or {})}
    return windows_layer(content, utility_vm={"EFI/Microsoft/Boot/BCD": b"regf"} if utility_vm else None)


def windows_image(name, layers=None, os_version="10.0.20348.2113", architecture="amd64", **arguments):
    """An Image for Windows: a base layer in small where no layers are given."""
    return Image(name, layers=layers or [windows_base_layer()], os="windows", os_version=os_version, architecture=architecture,
                 **{"cmd": ["cmd", "/c", "ver"], "env": ["SKEP=1"], **arguments})


class Image:
    """One image: layers (uncompressed tars, lowest first) and the config document made from the arguments.

    `files` becomes a layer of its own on top of busybox; `layers` replaces busybox altogether. `config` is merged into the config's
    "config" object, so that every field of OCI's can be set.
    """

    def __init__(self, name, cmd=None, entrypoint=None, env=None, files=None, layers=None, config=None, os="linux", architecture=None,
                 os_version=None, variant=None):
        self.name = name
        self.layers = list(layers) if layers is not None else [busybox_layer()]
        if files:
            self.layers.append(layer(files))
        inner = {"Env": env or ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"], "Cmd": cmd or ["sh"]}
        if entrypoint:
            inner["Entrypoint"] = entrypoint
            inner["Cmd"] = cmd
        inner.update(config or {})
        self.platform = {"architecture": architecture or host_architecture(), "os": os}
        if os_version:
            self.platform["os.version"] = os_version
        if variant:
            self.platform["variant"] = variant
        document = dict(self.platform)
        document.update({
            "created": CREATED,
            "config": inner,
            "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in self.layers]},
            "history": [{"created": CREATED, "created_by": "tests/lib/images.py"} for _ in self.layers],
        })
        self.config = compact(document)

    @property
    def id(self):
        return digest(self.config)

    def blobs(self, pack="gzip"):
        """Manifest and blobs as a registry holds them: (manifest bytes, {digest: bytes})."""
        return self._manifest(OCI_MANIFEST, "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar", pack)

    def docker_blobs(self):
        return self._manifest(DOCKER_MANIFEST, "application/vnd.docker.container.image.v1+json",
                              "application/vnd.docker.image.rootfs.diff.tar", "gzip", ".gzip")

    def _manifest(self, kind, config_kind, layer_kind, pack, suffix=None):
        packers = {"gzip": ("+gzip", lambda data: gzip.compress(data, 6, mtime=0)), "none": ("", lambda data: data)}
        packers["zstd"] = ("+zstd", lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, check=True, capture_output=True).stdout)
        packed = [packers[pack][1](tar) for tar in self.layers]
        blobs = {digest(data): data for data in packed}
        blobs[self.id] = self.config
        manifest = compact({
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": config_kind, "digest": self.id, "size": len(self.config)},
            "layers": [{"mediaType": layer_kind + (suffix or packers[pack][0]), "digest": digest(data), "size": len(data)}
                       for data in packed],
        })
        return manifest, blobs

    def docker_archive(self, path, oci=False, pack=None):
        return docker_archive(path, [self], oci, pack)

    def oci_archive(self, path, pack=None, layer_pack="gzip"):
        manifest, blobs = self.blobs(layer_pack)
        blobs = dict(blobs)
        blobs[digest(manifest)] = manifest
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{
            "mediaType": OCI_MANIFEST, "digest": digest(manifest), "size": len(manifest), "platform": self.platform,
            "annotations": {"org.opencontainers.image.ref.name": self.name}}]}
        members = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": compact(index)}
        members.update({"blobs/sha256/" + name[7:]: data for name, data in blobs.items()})
        return write_archive(path, members, pack)

    def push(self, registry, repository=None, tag=None, user=None, password=None, pack="gzip", docker=False):
        """To a registry by its API. Returns the manifest's digest."""
        manifest, blobs = self.docker_blobs() if docker else self.blobs(pack)
        repository = repository or self.name.rsplit(":", 1)[0]
        tag = tag or (self.name.rsplit(":", 1)[1] if ":" in self.name else "latest")
        for data in blobs.values():
            push_blob(registry, repository, data, user, password)
        push_manifest(registry, repository, tag, manifest, DOCKER_MANIFEST if docker else OCI_MANIFEST, user, password)
        return digest(manifest)


def write_archive(path, members, pack=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            tar_entry(archive, name, data)
    packers = {None: lambda data: data, "gzip": lambda data: gzip.compress(data, 6, mtime=0), "xz": lzma.compress,
               "zstd": lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, check=True, capture_output=True).stdout}
    with open(path, "wb") as file:
        file.write(packers[pack](out.getvalue()))
    return path


def docker_archive(path, images, oci=False, pack=None):
    """`docker save` of one or several images."""
    members, listing = {}, []
    for image in images:
        if oci:
            names = ["blobs/sha256/" + digest(tar)[7:] for tar in image.layers]
            config = "blobs/sha256/" + image.id[7:]
        else:
            names = [hashlib.sha256(image.id.encode() + tar).hexdigest() + "/layer.tar" for tar in image.layers]
            config = image.id[7:] + ".json"
        members.update(zip(names, image.layers))
        members[config] = image.config
        listing.append({"Config": config, "RepoTags": [image.name] if image.name else None, "Layers": names})
    if oci:
        members["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        manifests = []
        for image in images:
            manifest, _ = image.blobs("none")
            members["blobs/sha256/" + digest(manifest)[7:]] = manifest
            manifests.append({"mediaType": OCI_MANIFEST, "digest": digest(manifest), "size": len(manifest),
                              "annotations": {"io.containerd.image.name": full_name(image.name or "")}})
        members["index.json"] = compact({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests})
    members["manifest.json"] = compact(listing)
    return write_archive(path, members, pack)


def index_of(images, docker=False):
    """An index (or Docker's manifest list) over images: (bytes, [(manifest bytes, blobs)])."""
    parts = [image.docker_blobs() if docker else image.blobs() for image in images]
    kind, member = (DOCKER_LIST, DOCKER_MANIFEST) if docker else (OCI_INDEX, OCI_MANIFEST)
    return compact({"schemaVersion": 2, "mediaType": kind, "manifests": [
        {"mediaType": member, "digest": digest(manifest), "size": len(manifest), "platform": image.platform}
        for image, (manifest, _) in zip(images, parts)]}), parts


def _request(method, url, data=None, headers=None, user=None, password=None):
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if user is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=30)


def push_blob(registry, repository, data, user=None, password=None):
    with _request("POST", f"{registry}/v2/{repository}/blobs/uploads/", b"", user=user, password=password) as answer:
        place = urllib.parse.urljoin(registry, answer.headers["Location"])
    place += ("&" if "?" in place else "?") + urllib.parse.urlencode({"digest": digest(data)})
    _request("PUT", place, data, {"Content-Type": "application/octet-stream"}, user, password).close()
    return digest(data)


def push_manifest(registry, repository, tag, manifest, kind=OCI_MANIFEST, user=None, password=None):
    _request("PUT", f"{registry}/v2/{repository}/manifests/{tag}", manifest, {"Content-Type": kind}, user, password).close()
    return digest(manifest)


def push_index(registry, repository, tag, images, user=None, password=None, docker=False):
    """Pushes every image by digest and the index over them under the tag. Returns the index's digest."""
    index, parts = index_of(images, docker)
    for manifest, blobs in parts:
        for data in blobs.values():
            push_blob(registry, repository, data, user, password)
        push_manifest(registry, repository, digest(manifest), manifest, DOCKER_MANIFEST if docker else OCI_MANIFEST, user, password)
    return push_manifest(registry, repository, tag, index, DOCKER_LIST if docker else OCI_INDEX, user, password)
