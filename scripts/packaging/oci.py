"""The recorder as an OCI image: Debian's packages and ours as two layers, without an engine and without root.

The archive is read by Podman, and by Docker from 25 on; `manifest.json` is for older ones.
"""
import hashlib
import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

from scripts.packaging import debian_packages
from scripts.packaging.archive import Entry, Files, gzip, write_image_tar
from scripts.packaging.deb import Package
from scripts.packaging.debian_packages import ABSENT
from scripts.packaging.recorder import HOME

HERE = Path(__file__).with_name("container")
USER = 990
STORE, CONFIG, RUNTIME = "var/lib/taimat", "etc/taimat", "run/taimat"
PORT = "8088/tcp"
BESIDE = ("apprise", "base-files", "ca-certificates", "netbase", "tzdata")
PLACES = f"/{HOME}:/{HOME}/libraries"
CERTIFICATES = "etc/ssl/certs/ca-certificates.crt"
ENVIRONMENT = {"PATH": "/usr/bin", "LANG": "C.UTF-8", "SSL_CERT_FILE": f"/{CERTIFICATES}", "PYTHONPATH": PLACES,
               "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1",
               "TAIMAT_PAGE": "https://THIS-COMPUTER:8088",     # agent.host.address: nobody in there knows it
               # The image is read-only; in memory, each module is compiled once in a container's life.
               "PYTHONPYCACHEPREFIX": "/tmp/pycache"}
PYTHON = ["/usr/bin/python3", "-P"]
SECOND_NS = 1_000_000_000
ALTERNATIVES = ("libblas.so.3", "liblapack.so.3")       # Debian's scripts would link them


def wishes(package: Package) -> list[str]:
    """Debian's names of what the recorder needs without systemd."""
    needed = [re.split(r"[ (]", one)[0] for one in package.relations["Depends"].split(", ")]
    return sorted({*needed, *BESIDE} - {*ABSENT})


def archive(package: Package, debs: list[Path], version: str, moment_s: int, is_fast: bool) -> bytes:
    """The image of the recorder's package on these packages of Debian's, as one file."""
    files: Files = {}
    layers = [_blob(files, *_layer(each, moment_s, is_fast))
              for each in (_system(debian_packages.unpacked(debs)), _own(package))]
    created = datetime.fromtimestamp(moment_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {"created": created, "architecture": package.architecture, "os": "linux",
              "config": {"User": f"{USER}:{USER}", "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
                         "Entrypoint": [*PYTHON, f"/{HOME}/container/start.py"], "WorkingDir": f"/{STORE}",
                         "ExposedPorts": {PORT: {}}, "Volumes": {f"/{STORE}": {}, f"/{CONFIG}": {}},
                         "StopSignal": "SIGTERM",
                         "Healthcheck": {"Test": ["CMD", *PYTHON, f"/{HOME}/container/health.py"],
                                         "Interval": 60 * SECOND_NS, "Timeout": 20 * SECOND_NS,
                                         "StartPeriod": 90 * SECOND_NS},
                         "Labels": {"org.opencontainers.image.title": "Taimat",
                                    "org.opencontainers.image.description": package.summary,
                                    "org.opencontainers.image.version": version,
                                    "org.opencontainers.image.licenses": "Apache-2.0 AND GPL-2.0-or-later"}},
              "rootfs": {"type": "layers", "diff_ids": [layer.pop("diff_id") for layer in layers]},
              "history": [{"created": created, "created_by": what} for what in ("Debian's packages", package.file)]}
    told = _json(files, config, "application/vnd.oci.image.config.v1+json")
    manifest = _json(files, {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                             "config": told, "layers": layers}, "application/vnd.oci.image.manifest.v1+json")
    name = f"docker.io/library/taimat:{version}"
    manifest |= {"platform": {"architecture": package.architecture, "os": "linux"},
                 "annotations": {"org.opencontainers.image.ref.name": version, "io.containerd.image.name": name}}
    files["oci-layout"] = Entry(b'{"imageLayoutVersion":"1.0.0"}')
    files["index.json"] = Entry(_text({"schemaVersion": 2, "manifests": [manifest],
                                       "mediaType": "application/vnd.oci.image.index.v1+json"}))
    files["manifest.json"] = Entry(_text([{"Config": _path(told["digest"]), "RepoTags": [f"taimat:{version}"],
                                           "Layers": [_path(layer["digest"]) for layer in layers]}]))
    out = io.BytesIO()
    write_image_tar(out, files, moment_s)
    return out.getvalue()


def _system(files: Files) -> Files:
    """Debian's files, with what the packages' scripts would have made of them."""
    libraries = {path.rpartition("/")[2]: path for path in files if path.rpartition("/")[2] in ALTERNATIVES}
    linked = {re.sub(r"/(blas|lapack)/", "/", path): Entry(link=f"/{path}") for path in libraries.values()}
    trusted = b"".join(files[path].data for path in sorted(files)
                       if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt"))
    return {**files, **linked, CERTIFICATES: Entry(trusted),
            "etc/passwd": Entry(f"root:x:0:0:root:/root:/usr/sbin/nologin\ntaimat:x:{USER}:{USER}:Taimat:/{STORE}:"
                                "/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n".encode()),
            "etc/group": Entry(f"root:x:0:\ntaimat:x:{USER}:\nnogroup:x:65534:\n".encode()),
            "tmp": Entry(mode=0o1777, is_folder=True), "proc": Entry(mode=0o555, is_folder=True),
            "sys": Entry(mode=0o555, is_folder=True), "dev": Entry(mode=0o755, is_folder=True)}


def _own(package: Package) -> Files:
    """The recorder's code and papers; its user's folders."""
    kept = {path: entry for path, entry in package.files.items()
            if path.startswith((f"{HOME}/", "usr/share/doc/taimat/"))}
    launcher = package.files[f"{HOME}/agent/cli/update/launcher.py"].data
    return {**kept, **{f"{HOME}/container/{path.name}": Entry(path.read_bytes()) for path in HERE.glob("*.py")},
            f"{HOME}/bin/taimat": Entry(launcher, 0o755), "usr/bin/taimat": Entry(link=f"/{HOME}/bin/taimat"),
            **{path: Entry(mode=0o750, owner=USER, is_folder=True) for path in (STORE, CONFIG, RUNTIME)}}


def _layer(files: Files, moment_s: int, is_fast: bool) -> tuple[bytes, str]:
    """The layer, packed, and the digest of what is in it."""
    out = io.BytesIO()
    write_image_tar(out, files, moment_s)
    return gzip(out.getvalue(), 1 if is_fast else 6), f"sha256:{hashlib.sha256(out.getvalue()).hexdigest()}"


def _blob(files: Files, data: bytes, diff_id: str) -> dict[str, object]:
    return {**_kept(files, data, "application/vnd.oci.image.layer.v1.tar+gzip"), "diff_id": diff_id}


def _json(files: Files, value: object, kind: str) -> dict[str, object]:
    return _kept(files, _text(value), kind)


def _kept(files: Files, data: bytes, kind: str) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    files[_path(digest)] = Entry(data)
    return {"mediaType": kind, "digest": digest, "size": len(data)}


def _path(digest: object) -> str:
    return f"blobs/{str(digest).replace(':', '/')}"


def _text(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
