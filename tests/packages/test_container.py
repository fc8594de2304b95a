"""The container image: what is in it, that it is the same each time, and that it records."""
import gzip
import hashlib
import io
import json
import re
import shutil
import tarfile
from pathlib import Path

import pytest

from scripts.packaging import debian_packages, maker, oci, recorder, wheels
from scripts.packaging.archive import Entry, ar, write_image_tar, xz
from scripts.packaging.deb import Package
from tests.rigs.cameras import footage
from tests.rigs.machine import engine
from tests.rigs.machine.packaged import MACHINE, MOMENT_S, REPO
from tests.rigs.wait import until

LONG = "usr/lib/python3/dist-packages/" + "a" * 120 + ".py"
# As Debian's: a script that would have linked this, a program with root's rights, a reader's papers, a licence.
FILES = {LONG: Entry(b"1"), "usr/bin/su": Entry(b"#!", 0o4755), "usr/share/doc/one/copyright": Entry(b"free"),
         "usr/share/doc/one/changelog.gz": Entry(b"old"), "usr/share/man/man1/su.1.gz": Entry(b"how"),
         "usr/lib/x86_64-linux-gnu/blas/libblas.so.3": Entry(link="libblas.so.3.12.1"),
         "usr/share/ca-certificates/mozilla/A.crt": Entry(b"one\n"),
         "usr/share/ca-certificates/mozilla/B.crt": Entry(b"two\n"), "lib": Entry(link="usr/lib")}
CAMERA = '\n[[camera]]\nname = "gate"\nsource = "file:/films/film.mp4"\nloop = true\nrecord = "motion"\n'


@pytest.fixture(scope="module")
def package() -> Package:
    """The recorder's, without the libraries of others."""
    return recorder.build(REPO, "arm64", (), REPO / "firmware_cfg/card", "0.3.0", MOMENT_S)


@pytest.fixture
def debs(tmp_path: Path) -> list[Path]:
    write_image_tar(packed := io.BytesIO(), FILES, MOMENT_S)
    (path := tmp_path / "one_1_arm64.deb").write_bytes(ar([("data.tar.xz", xz(packed.getvalue()))], MOMENT_S))
    return [path]


@pytest.fixture
def made(package: Package, debs: list[Path], tmp_path: Path) -> Path:
    archive = tmp_path / "taimat.oci.tar"
    archive.write_bytes(oci.archive(package, debs, "0.3.0", MOMENT_S, is_fast=True))
    return archive


def entries(archive: Path) -> dict[str, tarfile.TarInfo]:
    """All files of all layers."""
    found = {}
    with tarfile.open(archive) as files:
        for layer in engine.image(archive)[1]:
            name = f"blobs/{layer['digest'].replace(':', '/')}"
            with tarfile.open(fileobj=files.extractfile(name), mode="r:gz") as content:
                found |= {info.name: info for info in content}
    return found


def test_each_part_of_the_archive_is_what_the_others_say_of_it(made: Path):
    about, layers = engine.image(made)
    with tarfile.open(made) as files:
        data = {info.name: files.extractfile(info).read() for info in files if info.isfile()}
    blobs = {name: body for name, body in data.items() if name.startswith("blobs/")}
    assert all(name == f"blobs/sha256/{hashlib.sha256(body).hexdigest()}" for name, body in blobs.items())
    index = json.loads(data["index.json"])
    assert index["manifests"][0]["platform"] == {"architecture": "arm64", "os": "linux"}
    for layer, diff_id in zip(layers, about["rootfs"]["diff_ids"], strict=True):
        body = blobs[f"blobs/{layer['digest'].replace(':', '/')}"]
        assert layer["size"] == len(body)
        assert diff_id == f"sha256:{hashlib.sha256(gzip.decompress(body)).hexdigest()}"
    assert json.loads(data["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (old,) = json.loads(data["manifest.json"])
    assert {old["Config"], *old["Layers"]} < blobs.keys() and old["RepoTags"] == ["taimat:0.3.0"]


def test_its_process_is_no_root_and_owns_its_volumes_alone(made: Path):
    about, found = engine.image(made)[0]["config"], entries(made)
    assert about["User"] == f"{oci.USER}:{oci.USER}"
    volumes = {path.lstrip("/") for path in about["Volumes"]}
    owned = {name for name, info in found.items() if info.uid or info.gid}
    assert owned == volumes | {"run/taimat"} and all(found[name].uid == oci.USER for name in owned)
    assert not [name for name, info in found.items() if info.mode & 0o6000], "nobody becomes root by a program"
    assert {info.mtime for info in found.values()} == {MOMENT_S}


def test_what_debians_scripts_would_have_made_is_there_and_what_only_readers_need_is_not(made: Path):
    found = entries(made)
    assert LONG in found and found["lib"].issym()
    assert found["usr/lib/x86_64-linux-gnu/libblas.so.3"].linkname.endswith("/blas/libblas.so.3")
    assert found["etc/ssl/certs/ca-certificates.crt"].size == len(b"one\ntwo\n")
    assert {name for name in found if name.startswith("usr/share/doc/one")} == {
        "usr/share/doc/one", "usr/share/doc/one/copyright"}
    assert not [name for name in found if "/man/" in name or "systemd" in name and name.startswith("etc/")]
    assert found["usr/lib/taimat/bin/taimat"].mode == 0o755


def test_the_same_packages_make_the_same_image(made: Path, package: Package, debs: list[Path]):
    assert oci.archive(package, debs, "0.3.0", MOMENT_S, is_fast=True) == made.read_bytes()


def test_what_it_asks_debian_for_is_what_the_package_needs_but_for_systemds_world(package: Package):
    needed = set(re.findall(r"(?:^|, )([a-z0-9.+-]+)", package.relations["Depends"]))
    asked = set(oci.wishes(package))
    assert needed - asked == {"systemd", "avahi-daemon", "sqlite3"} and {"ca-certificates", "tzdata"} <= asked


def test_an_empty_folder_of_packages_is_no_reason_to_go_online(tmp_path: Path):
    with pytest.raises(debian_packages.NoPackages, match="has no python3: remove the folder"):
        debian_packages.fetched(tmp_path, "arm64", ["python3"])


def test_compose_takes_from_the_container_what_it_does_not_need():
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load((oci.HERE / "compose.yaml").read_text())["services"]["taimat"]
    assert service["read_only"] and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["restart"] == "unless-stopped"
    assert f"/run/taimat:uid={oci.USER},gid={oci.USER},mode=0750" in service["tmpfs"]
    assert {volume.split(":")[1] for volume in service["volumes"]} == {f"/{oci.STORE}", f"/{oci.CONFIG}"}


@pytest.mark.thorough
def test_a_container_records_and_goes_on_with_the_same_volume(tmp_path: Path):
    """A film for a camera: event and clip, health, a clean end, and the same recorder after a restart."""
    if why := engine.missing():
        pytest.skip(why)
    recipe = maker.Recipe(REPO, "0.3.0", MOMENT_S, is_fast=True)
    try:
        package = recipe.package(MACHINE)
        debs = debian_packages.fetched(wheels.cache() / "debian" / MACHINE, MACHINE, oci.wishes(package))
    except wheels.NoWheel as why:
        pytest.skip(str(why))
    (tmp_path / "image").write_bytes(oci.archive(package, debs, "0.3.0", MOMENT_S, is_fast=True))
    (films := tmp_path / "films").mkdir()
    shutil.copy(footage.generated(), films / "film.mp4")
    for path in (films, films / "film.mp4", tmp_path):
        path.chmod(0o755)
    with engine.Container(tmp_path / "image", tmp_path / "box", films) as box:
        box.start()
        code = until(lambda: re.search(r"pairing code: (\S+)", box.log), "the code in the log")[1]
        until(box.healthy, "health without a camera")
        config = box.volume("/etc/taimat") / "taimat.toml"
        config.write_text(config.read_text() + CAMERA)
        assert box.stop() == 0, box.log
        box.start()
        until(box.healthy, "health with a camera")
        assert "https://THIS-COMPUTER:8088" in box.run("taimat", "pair").stdout
        assert box.run("/usr/bin/python3", "-c", "import apprise; print(apprise.__version__)").stdout
        until(lambda: "gate" in box.run("taimat", "events").stdout, "an event")
        clip = until(lambda: re.search(r"\S*gate-\S+", box.run("taimat", "clips").stdout), "a clip")[0]
        assert box.stop() == 0, box.log
        box.start()
        until(box.healthy, "health after the restart")
        assert clip in box.run("taimat", "clips").stdout
        assert box.log.count(f"pairing code: {code}") == 3, "the same recorder"
        assert box.stop() == 0
