"""The package of this checkout: what is in it, what is not, and that two builds are the same to the bit."""
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from fnmatch import fnmatch
from pathlib import Path

import msgspec
import pytest

from agent.capture.labeller import PROGRAM
from agent.core.contract.helper_messages import LabelQuestion, ShownLook, label_answer, label_message
from agent.core.media.model import Box
from agent.core.release import SIGNATURE, TOLD, Release, message, tree_digest
from agent.host.command_key import load, verifies
from scripts.packaging import archive, recorder, repository, wheels
from scripts.packaging.deb import deb
from tests.rigs.cameras.h264 import movie
from tests.rigs.machine.packaged import MACHINE, MOMENT_S, REPO, Packaged, packaged
from tests.rigs.wait import HANG_S

HOME = "usr/lib/taimat"
DEBIAN = "/usr/bin/python3"
LINTIAN_S = 500.0           # it unpacks and reads 250 MB


@pytest.fixture(scope="module")
def made() -> Packaged:
    try:
        return packaged()
    except wheels.NoWheel as none:
        pytest.skip(str(none))


def members(path: Path) -> dict[str, bytes]:
    return dict(repository.members(path.read_bytes()))


def data(path: Path) -> tarfile.TarFile:
    """The files in a package or a light release."""
    return tarfile.open(fileobj=io.BytesIO(gzip.decompress(members(path)["data.tar.gz"])))


@pytest.fixture(scope="module")
def laid(made: Packaged, tmp_path_factory) -> Path:
    """The package's files, unpacked as dpkg would."""
    folder = tmp_path_factory.mktemp("laid")
    with data(made.deb) as files:
        files.extractall(folder, filter="tar")
    return folder


def test_every_entry_is_roots_with_a_plain_mode_and_one_time(made: Packaged):
    with data(made.deb) as files:
        for entry in files:
            assert (entry.uid, entry.gid, entry.uname, entry.gname, entry.mtime) == (0, 0, "root", "root", MOMENT_S)
            assert entry.mode == {tarfile.DIRTYPE: 0o755, tarfile.SYMTYPE: 0o777, tarfile.REGTYPE: 0o644}[entry.type]
            assert entry.name == "." or entry.name.split("/")[1] == "usr"


def test_the_code_is_the_checkouts_without_the_wards_end_and_without_byte_code(laid: Path):
    ours = {str(path.relative_to(REPO)) for path in (REPO / "agent").rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.relative_to(REPO).parts[1] != "ward"}
    assert {str(path.relative_to(laid / HOME)) for path in (laid / HOME / "agent").rglob("*") if path.is_file()} == ours
    assert not [*laid.rglob("*.pyc")]


def test_a_release_is_signed_and_its_trees_are_what_dpkg_lays(made: Packaged, laid: Path):
    key, following = load(str(made.public))
    for file in (made.deb, made.update):
        found = members(file)
        assert [*found][:3] == ["debian-binary", TOLD, SIGNATURE]
        assert verifies(key, found[SIGNATURE], message(found[TOLD]))
    release = msgspec.json.decode(found[TOLD], type=Release)
    assert (release.version, release.architecture) == (made.version, MACHINE)
    assert (release.keys.current, release.keys.next) == (key.hex(), following.hex()), "what signs from now on"
    assert (laid / HOME / "release.json").read_bytes() == found[TOLD]
    assert load(str(laid / HOME / "release.pem")) == [key, following], "by which a device takes later releases"
    for tree in ("agent", "libraries"):
        by_tools = subprocess.run("find -type f -printf '%P\\n' | LC_ALL=C sort | xargs sha256sum | sha256sum",
                                  cwd=laid / HOME / tree, shell=True, capture_output=True, text=True, check=True)
        assert by_tools.stdout.split()[0] == getattr(release.trees, tree)


def test_the_light_release_has_the_same_code_and_nothing_else(made: Packaged, laid: Path):
    with data(made.update) as files:
        contents = {entry.name: files.extractfile(entry).read() for entry in files if entry.isfile()}
    found = {name.removeprefix(f"./{HOME}/agent/"): hashlib.sha256(one).hexdigest() for name, one in contents.items()}
    code = laid / HOME / "agent"
    assert found.keys() == {str(path.relative_to(code)) for path in code.rglob("*") if path.is_file()}
    assert tree_digest(found) == json.loads(members(made.update)[TOLD])["trees"]["agent"]
    assert made.update.stat().st_size < 2_000_000


def test_nobody_needs_to_enable_a_unit(laid: Path):
    folder = laid / "usr/lib/systemd/system"
    links = {path.relative_to(folder): path for path in folder.glob("*.wants/*")}
    assert all(path.is_symlink() and path.resolve().is_file() for path in links.values())
    started = {name.name for name in links}
    assert {"taimat.target", "taimat-keeper.service", "taimat-web.service", "rescue-taimat-driver.path",
            "rescue-taimat-reboot.path", "update-taimat-install.path", "update-taimat-boot.service"} <= started
    assert not {"taimat-link.service", "taimat-capture-network.service", "taimat-capture@.service"} & started


@pytest.mark.skipif(not os.access(DEBIAN, os.X_OK), reason="no /usr/bin/python3")
def test_the_libraries_work_without_what_was_left_out(laid: Path, tmp_path: Path):
    """Under Debian's own Python and numpy: a film is encoded and decoded, its picture is resized and written."""
    code = """
import sys, fractions, av, cv2, numpy
assert all("usr/lib/taimat" in each.__file__ for each in (av, cv2))
with av.open(sys.argv[1], "w") as film:
    stream = film.add_stream("libx264", rate=10)
    stream.width, stream.height = 320, 240
    for shade in range(20):
        frame = av.VideoFrame.from_ndarray(numpy.full((240, 320, 3), shade * 9, numpy.uint8), format="bgr24")
        film.mux(stream.encode(frame))
    film.mux(stream.encode())
with av.open(sys.argv[1]) as film:
    pictures = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
assert len(pictures) == 20
small = cv2.GaussianBlur(cv2.resize(pictures[9], (160, 120)), (5, 5), 0)
assert cv2.imencode(".jpg", small)[0]
"""
    ready = subprocess.run([DEBIAN, "-c", "import numpy"], capture_output=True)
    if ready.returncode:
        pytest.skip("no python3-numpy of Debian")
    done = subprocess.run([DEBIAN, "-P", "-B", "-c", code, tmp_path / "film.mp4"], capture_output=True, text=True,
                          env={"PYTHONPATH": str(laid / HOME / "libraries")}, timeout=HANG_S)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not os.access(DEBIAN, os.X_OK), reason="no /usr/bin/python3")
def test_an_event_is_named_by_what_the_package_brings(laid: Path):
    """Under Debian's own Python, numpy and msgspec, as its unit does it."""
    ready = subprocess.run([DEBIAN, "-c", "import numpy, msgspec"], capture_output=True)
    if ready.returncode:
        pytest.skip("no python3-numpy and python3-msgspec of Debian")
    info, packets = movie()
    look = ShownLook(info=info, packets=list(packets[:3]), box=Box(0.3, 0.3, 0.2, 0.4))
    done = subprocess.run([DEBIAN, "-P", "-B", "-m", PROGRAM], input=label_message(LabelQuestion(looks=[look])),
                          capture_output=True, env={"PYTHONPATH": f"{laid / HOME}:{laid / HOME / 'libraries'}"},
                          timeout=HANG_S)
    assert done.returncode == 0, done.stderr.decode()
    assert label_answer(done.stdout).label.word == "nothing"


def test_every_library_has_its_licence_told_and_no_licence_is_told_of_none(laid: Path):
    told = (laid / "usr/share/doc/taimat/copyright").read_text()
    patterns = [pattern for stanza in re.findall(r"^Files:(.*?)^Copyright:", told, re.M | re.S)
                for pattern in stanza.split() if pattern.startswith(f"{HOME}/libraries/")]
    found = [str(path.relative_to(laid)) for path in (laid / HOME / "libraries").rglob("*") if path.is_file()]
    assert not [name for name in found if not any(fnmatch(name, pattern) for pattern in patterns)]
    only_amd64 = {f"{HOME}/libraries/opencv_python_headless.libs/libquadmath-*"}
    assert not [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in found)
                and (MACHINE == "amd64" or pattern not in only_amd64)]
    licences = set(re.findall(r"^License: (.+)$", told, re.M))
    assert licences == set(re.findall(r"^License: (.+)\n ", told, re.M)), "each has its text, once"


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="no dpkg")
def test_dpkg_reads_it_and_its_sums_hold(made: Packaged, laid: Path, tmp_path: Path):
    subprocess.run(["dpkg-deb", "--control", made.deb, tmp_path / "about"], check=True)
    sums = subprocess.run(["md5sum", "--check", "--quiet", tmp_path / "about/md5sums"], cwd=laid, capture_output=True)
    assert sums.returncode == 0, sums.stdout
    asked = subprocess.run(["dpkg-deb", "--field", made.deb, "Package", "Version", "Architecture"], capture_output=True,
                           text=True, check=True).stdout.split()
    assert asked == ["Package:", "taimat", "Version:", made.version, "Architecture:", MACHINE]
    for name in ("postinst", "prerm", "postrm"):
        assert subprocess.run(["sh", "-n", tmp_path / "about" / name]).returncode == 0


def lintian(*packages: Path) -> str:
    """What it finds; "" for nothing of weight."""
    if not shutil.which("lintian"):
        pytest.skip("no lintian: apt install lintian")
    said = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", *packages], capture_output=True,
                          text=True, timeout=LINTIAN_S)
    return said.stdout if said.returncode else ""


@pytest.mark.thorough
def test_lintian_finds_nothing(made: Packaged):
    assert lintian(made.deb, made.board, made.ward) == ""


def test_lintian_finds_nothing_in_all_but_the_libraries(made: Packaged, tmp_path: Path):
    """They are as their makers built them, and nine tenths of the work."""
    (nothing := tmp_path / "weights").mkdir()
    package = recorder.build(REPO, MACHINE, (), nothing, made.version, MOMENT_S)
    without = tmp_path / package.file
    without.write_bytes(deb(package, MOMENT_S, is_fast=True))
    assert lintian(without, made.board, made.ward) == ""


# What scripts/package does, without the libraries: they are nine tenths of the work.
LIGHT_BUILD = """
import sys
from pathlib import Path
from scripts.packaging import maker, recorder
from scripts.packaging.deb import deb
source, nothing, out, moment_s, architecture = *map(Path, sys.argv[1:4]), int(sys.argv[4]), sys.argv[5]
recipe = maker.Recipe(source, maker.version(source), moment_s, is_fast=True)
package = recorder.build(source, architecture, (), nothing, recipe.version, moment_s)
for name, data in ({package.file: deb(package, moment_s, True)} | recipe.board() | recipe.ward()).items():
    (out / name).write_bytes(data)
"""


def two_builds(folder: Path, *command: str) -> None:
    """In other folders and zones, with other rights of files, by other Pythons, which have no library of anybody's."""
    built = []
    other = DEBIAN if os.access(DEBIAN, os.X_OK) else sys.executable
    for name, zone, umask, python in (("one", "UTC", 0o022, sys.executable), ("two", "Asia/Ho_Chi_Minh", 0o077, other)):
        source, out, nothing = (folder / name / each for each in ("source", "out", "nothing"))
        for part in ("agent", "systemd", "firmware_cfg", "scripts"):
            shutil.copytree(REPO / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
        for each in (out, nothing):
            each.mkdir()
        for file in ("requirements.lock", "CHANGELOG.md"):
            shutil.copy(REPO / file, source)
        (source / "agent/__init__.py").chmod(0o640 if umask == 0o077 else 0o644)
        words = [each.format(source=source, nothing=nothing, out=out) for each in command]
        subprocess.run([python, "-B", "-S", *words], check=True, capture_output=True, umask=umask, cwd=folder / name,
                       env=os.environ | {"SOURCE_DATE_EPOCH": str(MOMENT_S), "TZ": zone, "LC_ALL": "C",
                                         "PYTHONPATH": str(source)}, timeout=600)
        built.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()})
    assert built[0] == built[1] and len(built[0]) == 3
    assert not any(TOLD in members(path) for path in (folder / "one/out").iterdir()), "no key, no release"


def test_two_builds_are_the_same_to_the_bit_but_for_libraries(tmp_path: Path):
    (tmp_path / "build.py").write_text(LIGHT_BUILD)
    two_builds(tmp_path, str(tmp_path / "build.py"), "{source}", "{nothing}", "{out}", str(MOMENT_S), MACHINE)


@pytest.mark.thorough
def test_two_builds_are_the_same_to_the_bit(tmp_path: Path):
    two_builds(tmp_path, "{source}/scripts/package", "--fast", "--architecture", MACHINE, "-o", "{out}")


def test_a_path_that_needs_an_extension_of_tar_is_refused():
    with pytest.raises(ValueError, match="longer than"):
        archive.tar({"a" * 120: archive.Entry()}, 0)
