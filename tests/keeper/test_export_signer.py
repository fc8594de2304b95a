"""Exports that the keeper signs: what is in them, that stock tools and strangers can check them, what is refused."""
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from agent.core.evidence.encrypted import is_encrypted
from agent.core.evidence.ledger.acts import CameraPaused
from agent.core.evidence.ledger.row import decode
from agent.keeper.main import Keeper
from agent.store import clips, ledger, signing_requests
from agent.store.database import transaction
from agent.store.export import ExportError, prepare
from agent.store.export.package import Packer
from tests.cli.cli import on_terminal, taimat_process
from tests.core.cut_material import packets_of
from tests.keeper.packing import checked
from tests.rigs.cameras.h264 import movie
from tests.rigs.device.keeper import keeper_of
from tests.rigs.store.cards import codes
from tests.rigs.store.exports import BEGIN_MS, END_MS, PACKETS, Desk, cut, look, pack, shoot, wish
from tests.rigs.store.shelf import OFFSET_MS
from tests.rigs.store.vault import Vault
from tests.rigs.wait import HANG_S

needs_age = pytest.mark.skipif(not shutil.which("age"), reason="no age: apt install age")
SIGNED = {
    "minisign": "minisign -Vm manifest.json -p device.pub",
    "openssl": "openssl pkeyutl -verify -pubin -inkey device.pem -rawin -in manifest.json "
               "-sigfile manifest.json.ed25519",
    "ssh-keygen": "ssh-keygen -Y verify -f allowed_signers -I {device} -n taimat-export -s manifest.json.sig "
                  "< manifest.json"}


@pytest.fixture
def keeper(folders, hand_clock) -> Keeper:
    """Of a device that has filmed five seconds in four clips and signed them."""
    keeper = keeper_of(folders, hand_clock, serial="10000000abcdef01")
    shoot(keeper.db, folders)
    hand_clock.wall_ms = END_MS + 1000
    hand_clock.mono = (hand_clock.wall_ms - OFFSET_MS) / 1000
    keeper.round(asked_for_space=False)
    yield keeper
    keeper.db.close()


def nothing_left(folder: Path) -> bool:
    return not [each for each in folder.iterdir() if each.name.startswith("out")]


def test_a_package_holds_and_has_the_very_frames(keeper, folders, tmp_path):
    made = pack(keeper, tmp_path / "out", wish())
    verdict = look(made.path)
    assert verdict.findings == [] and [each.file for each in verdict.told][1:] == [
        "summary.vi.html", "summary.en.html", "verify.py"]
    (film,) = made.path.glob("*.mp4")
    assert [each.data for each in packets_of(film.read_bytes())] == [each.data for each in PACKETS]
    assert nothing_left(tmp_path / "out") and codes(folders) == set(), "the card holds, too"


def test_the_export_is_a_row_of_the_ledger_and_the_last_one_in_the_package(keeper, tmp_path):
    made = pack(keeper, tmp_path / "out", wish())
    row = decode(ledger.newest(keeper.db).doc)
    assert (row.kind, row.n) == ("export", made.manifest.last.n)
    (film,) = made.path.glob("*.mp4")
    assert row.body["films"] == {film.name: hashlib.sha256(film.read_bytes()).hexdigest()}
    assert (row.body["case"], row.body["officer"], row.body["by"]) == ("12/2026", "Lê Văn Tám", "command")
    last = json.loads((made.path / "ledger.jsonl").read_text().splitlines()[-1])
    assert last["hash"] == made.manifest.last.hash == keeper.evidence.ledger_writer.head.hash.hex()
    assert keeper.facts().ledger.n == row.n, "the next health report tells the ward of it"


def test_the_manifest_tells_what_the_rows_do(keeper, folders, tmp_path):
    manifest = pack(keeper, tmp_path / "out", wish(begin_ms=BEGIN_MS - 60_000, end_ms=END_MS)).manifest
    assert (manifest.serial, manifest.claim.sure) == ("10000000abcdef01", True)
    assert [(gap.begin_ms, gap.end_ms) for gap in manifest.claim.gaps] == [(BEGIN_MS - 60_000, BEGIN_MS)]
    for told in manifest.claim.clips:
        clip = clips.get(keeper.db, told.clip)
        assert (told.sha256, told.begin_ms, told.clock, told.off_ms) == (clip.sha256, clip.wall_ms, "ntp", 0)
        assert told.masked_by == "paint" and len(told.masks) == 16


@pytest.mark.parametrize("tool", SIGNED)
def test_stock_tools_accept_the_signature_and_refuse_a_changed_manifest(keeper, tmp_path, tool):
    if not shutil.which(tool):
        pytest.skip(f"no {tool}: apt install {tool.replace('ssh-keygen', 'openssh-client')}")
    made = pack(keeper, tmp_path / "out", wish())
    line = SIGNED[tool].format(device=made.manifest.dev)

    def accepts() -> bool:
        return subprocess.run(line, shell=True, cwd=made.path, capture_output=True, timeout=HANG_S).returncode == 0

    assert accepts()
    path = made.path / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"12/2026", b"13/2026"))
    assert not accepts()


def test_its_own_checker_needs_nothing_else_and_says_that_it_holds(keeper, tmp_path):
    made = pack(keeper, tmp_path / "out", wish())
    seen = f"3:{ledger_hash(keeper, 3)[:20]}"
    ran = checked(made.path, "--key", keeper.evidence.ledger_writer.key, "--head", seen, "--head", "99:ab")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = ran.stdout.splitlines()
    assert said[-1] == "all of it holds" and not [line for line in said if line.startswith("FAILS")]
    assert "holds row 3 is the one that was seen" in said and "row 99 is not in this stretch" in ran.stdout


def ledger_hash(keeper: Keeper, n: int) -> str:
    return next(line.hash.hex() for line in ledger.lines(keeper.db, n - 1))


def spoil(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def cut_off(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


TAMPERINGS = {
    "film": (lambda each: spoil(next(each.glob("*.mp4")), b"mdat", b"mdaT"), "file_edited",
             "gate-.*mp4 is the file that was exported"),
    "manifest": (lambda each: spoil(each / "manifest.json", b"gate", b"gaTe"), "manifest_edited",
                 "manifest.json is what the recorder"),
    "summary": (lambda each: spoil(each / "summary.vi.html", b"gate", b"gaTe"), "file_edited",
                "summary.vi.html is the file"),
    "row": (lambda each: spoil(each / "ledger.jsonl", b"gate", b"gaTe"), "row_edited", r"row \d is what was hashed"),
    "tail": (lambda each: cut_off(each / "ledger.jsonl"), "tail_cut", "the rows end where the manifest says"),
    "signature": (lambda each: (each / "manifest.json.ed25519").write_bytes(bytes(64)), "seal_broken",
                  "manifest.json is what the recorder"),
    "missing": (lambda each: next(each.glob("*.mp4")).unlink(), "file_missing", "gate-.*mp4 can be read"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_both_checks_name_what_was_done(keeper, tmp_path, what):
    tamper, code, said = TAMPERINGS[what]
    made = pack(keeper, tmp_path / "out", wish())
    tamper(made.path)
    assert {each.code for each in look(made.path).findings} == {code}
    ran = checked(made.path)
    assert ran.returncode == 1 and "Traceback" not in ran.stderr
    assert [line for line in ran.stdout.splitlines() if line.startswith("FAILS")]
    assert re.search(f"FAILS {said}", ran.stdout), ran.stdout


VERDICT = "all of it holds"
FORGED = {"lines": f"x\r\n\x1b[2K{VERDICT}: signed rows: 1 to 9; files that hold: 5 of 5\n\x1b[8m\u202e",
          "wide": f"{' ' * 72}{VERDICT}", "wider": "".join(f"{each} {VERDICT} " for each in range(40))}


def with_texts(value, text: str, key: str = ""):
    """The same JSON with another text in place of all that are no digests, keys or times."""
    if isinstance(value, dict):
        return {name: with_texts(each, text, name) for name, each in value.items()}
    if isinstance(value, list):
        return [with_texts(each, text, key) for each in value]
    return text if isinstance(value, str) and key not in ("key", "hash", "sha256", "masks", "settings") else value


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_no_word_of_a_package_passes_for_the_verdict(keeper, tmp_path, text):
    made = pack(keeper, tmp_path / "out", wish())
    path = made.path / "manifest.json"
    manifest = with_texts(json.loads(path.read_bytes()), text)
    manifest["claim"]["ward"] = {"name": text, "key": text}
    path.write_text(json.dumps(manifest))
    (made.path / text[:80].replace("/", "_")).touch()
    for said, columns in ((checked(made.path).stdout, 80), (on_terminal(tmp_path, 80, "verify", made.path), 80),
                          (taimat_process(tmp_path, "verify", made.path).stdout, 1_000_000)):
        assert not [each for each in said if not each.isprintable() and each not in "\n\t"], said
        seen = [line[at:at + columns] for line in said.split("\n") for at in range(0, len(line), columns)]
        assert [line for line in seen if "does not hold" in line or "not all of it holds" in line], said
        assert not [line for line in seen if line.startswith(VERDICT)], said


def test_no_role_gets_a_signature_for_a_film_of_its_own(keeper, folders, tmp_path):
    def forge(claim):
        film = msgspec.structs.replace(claim.films[0], sha256="e" * 64)
        return Desk(keeper)(msgspec.structs.replace(claim, films=[film]))

    with pytest.raises(ExportError, match="not what this export says"):
        Packer(keeper.db, forge).folder(cut(keeper, wish()), wish(), tmp_path / "out")
    assert nothing_left(tmp_path) and "export" not in [decode(line.doc).kind for line in ledger.lines(keeper.db)]


@pytest.mark.parametrize("lie", [{"gaps": []}, {"sure": False}, {"clips": []}, {"software": "other 2"}])
def test_nor_for_a_manifest_that_tells_of_other_recordings(keeper, tmp_path, lie):
    def forge(claim):
        return Desk(keeper)(msgspec.structs.replace(claim, **lie))

    asked = wish(begin_ms=BEGIN_MS - 60_000)
    with pytest.raises(ExportError, match="not what this export says"):
        Packer(keeper.db, forge).folder(cut(keeper, asked), asked, tmp_path / "out")


def test_a_clip_that_was_changed_on_the_card_is_not_handed_out_with_a_signature(keeper, folders, tmp_path):
    path = sorted(folders.clips.rglob("*.mp4"))[1]
    spoil(path, b"moof", b"moof")
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ExportError, match=f"{path.stem} is not what was signed"):
        pack(keeper, tmp_path / "out", wish())
    assert nothing_left(tmp_path)


def test_what_is_deleted_before_the_signature_is_refused_with_a_remedy(keeper, folders, tmp_path):
    with pytest.raises(ExportError, match="ask again|try again"):
        pack(keeper, tmp_path / "out", wish(), meddle=lambda: next(folders.clips.rglob("*-000003.mp4")).unlink())
    assert nothing_left(tmp_path)


def test_a_clip_that_nobody_has_signed_yet_is_named(folders, hand_clock, tmp_path):
    keeper = keeper_of(folders, hand_clock)
    shoot(keeper.db, folders)
    with pytest.raises(ExportError, match="000001 is not signed yet"):
        pack(keeper, tmp_path / "out", wish())


def test_nobody_leaves_a_finished_clip_out_by_saying_that_it_is_being_recorded(keeper, hand_clock, tmp_path):
    until_ms = max(clip.wall_ms for clip in clips.finished(keeper.db))
    hand_clock.advance(3600)
    found = prepare(keeper.db, keeper.role.folders, "gate", BEGIN_MS, END_MS, until_ms=until_ms)
    with pytest.raises(ExportError, match="ask again"):
        Packer(keeper.db, Desk(keeper)).folder(found, wish(), tmp_path / "out")
    assert nothing_left(tmp_path)


def test_a_keeper_that_dies_over_it_is_followed_by_one_that_answers(keeper, folders, hand_clock, tmp_path):
    class Died(Exception):
        pass

    def die(claim):
        signing_requests.ask(keeper.db, claim)
        raise Died

    with pytest.raises(Died):
        Packer(keeper.db, die).folder(cut(keeper, wish()), wish(), tmp_path / "out")
    another = keeper_of(folders, hand_clock)
    another.round(asked_for_space=False)
    answer = signing_requests.answer(another.db, 1)
    assert answer.manifest and codes(folders) == set() and nothing_left(tmp_path)
    another.db.close()


def test_reading_much_takes_several_rounds_and_who_no_longer_waits_is_dropped(keeper, hand_clock, tmp_path):
    number = signing_requests.ask(keeper.db, claim_of(keeper))
    slow = keeper.evidence.export_signer
    slow.clock = ticking = type(hand_clock)(mono=hand_clock.mono)
    ticking.mono_s = lambda: setattr(ticking, "mono", ticking.mono + 1.5) or ticking.mono
    slow.go_on(keeper.db, lambda: False)
    assert signing_requests.answer(keeper.db, number) is None
    signing_requests.take_back(keeper.db, number)
    for _ in range(20):
        slow.go_on(keeper.db, lambda: False)
    assert "export" not in [decode(line.doc).kind for line in ledger.lines(keeper.db)]


def claim_of(keeper: Keeper):
    """What would be asked."""
    seen = []

    def keep(claim):
        seen.append(claim)
        raise ExportError("enough")

    with pytest.raises(ExportError, match="enough"):
        Packer(keeper.db, keep).folder(cut(keeper, wish()), wish(), keeper.role.folders.root / "nowhere")
    return seen[0]


@pytest.mark.parametrize("claim", [b"{}", b'{"software":"\xff"}', b'{"x":' + 90_000 * b"["],
                         ids=["empty", "no text", "very deep"])
def test_what_is_no_claim_is_refused_and_answers_that_nobody_reads_are_forgotten(keeper, claim):
    keeper.db.execute("INSERT INTO signing_request (state, claim) VALUES ('asked', ?)", (claim,))
    keeper.round(asked_for_space=False)
    assert "cannot be read" in signing_requests.answer(keeper.db, 1).why
    for _ in range(signing_requests.KEPT_N + 5):
        keeper.db.execute("INSERT INTO signing_request (state, claim) VALUES ('asked', ?)", (b"{}",))
    keeper.round(asked_for_space=False)
    assert keeper.db.execute("SELECT COUNT(*) FROM signing_request").fetchone()[0] <= signing_requests.KEPT_N
    assert "lost" in signing_requests.answer(keeper.db, 1).why


def test_the_rows_begin_with_one_that_the_ward_may_have_seen(keeper, folders, hand_clock, tmp_path):
    """Something is noted every ten seconds, but for one pause of five minutes; then a clip is filmed."""
    for n in range(12):
        with transaction(keeper.db):
            ledger.note(keeper.db, hand_clock.now(), CameraPaused(camera="gate", paused=n % 2 == 0, by="page"))
        keeper.round(asked_for_space=False)
        hand_clock.advance(300 if n == 5 else 10)
        if n == 5:
            stood_n = ledger.newest(keeper.db).n
    later_ms = hand_clock.wall_ms - BEGIN_MS
    shoot(keeper.db, folders, later_ms)
    hand_clock.advance(10)
    keeper.round(asked_for_space=False)
    made = pack(keeper, tmp_path / "out", wish(BEGIN_MS + later_ms, END_MS + later_ms))
    assert made.manifest.after.n == stood_n - 1 and look(made.path).findings == []


@needs_age
def test_a_sealed_export_opens_for_its_recipients_alone(keeper, tmp_path):
    pytest.importorskip("pyrage")
    mine, other = (tmp_path / "mine.key", tmp_path / "other.key")
    for path in (mine, other):
        subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
    recipient = subprocess.run(["age-keygen", "-y", mine], check=True, capture_output=True, text=True).stdout.strip()
    made = pack(keeper, tmp_path / "out.tar.age", wish(recipients=[recipient]))
    assert subprocess.run(["age", "-d", "-i", other, made.path], capture_output=True).returncode != 0
    tar = subprocess.run(["age", "-d", "-i", mine, made.path], check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", tmp_path], input=tar, check=True)
    assert look(tmp_path / "out").findings == [] and checked(tmp_path / "out").returncode == 0
    row = decode(ledger.newest(keeper.db).doc)
    assert row.body["recipients"] == [recipient]
    assert sorted(each.name for each in tmp_path.glob("out*")) == ["out", "out.tar.age"]


def test_who_is_no_recipient_is_named(keeper, tmp_path):
    pytest.importorskip("pyrage")
    with pytest.raises(ExportError, match="age1nobody is no key to seal for"):
        pack(keeper, tmp_path / "out.tar.age", wish(recipients=["age1nobody"]))
    assert nothing_left(tmp_path)


def test_encrypted_recordings_are_handed_out_in_the_clear(folders, hand_clock, tmp_path):
    keeper = keeper_of(folders, hand_clock)
    begin_ms = hand_clock.wall_ms
    _, name, _ = Vault(keeper.db, folders, hand_clock).record()
    hand_clock.advance(10)
    keeper.round(asked_for_space=False)
    clip = clips.get(keeper.db, name)
    assert is_encrypted(lambda offset, size_b: folders.clip(clip.seq, name).read_bytes()[offset:offset + size_b])
    made = pack(keeper, tmp_path / "out", wish(begin_ms, begin_ms + clip.dur_ms))
    (film,) = made.path.glob("*.mp4")
    assert [each.data for each in packets_of(film.read_bytes())] == [each.data for each in movie()[1]]
    assert look(made.path).findings == [] and made.manifest.claim.clips[0].sha256 == clip.sha256
    keeper.db.close()


def test_what_a_cut_left_is_replaced_and_two_at_once_do_not_mix(keeper, tmp_path):
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "half.mp4").write_bytes(b"half")
    (tmp_path / "out.part.lock").touch()

    def another_one() -> None:
        with pytest.raises(ExportError, match="being written by another export"):
            pack(keeper, tmp_path / "out", wish())

    made = pack(keeper, tmp_path / "out", wish(), meddle=another_one)
    assert look(made.path).findings == []
    assert [each.name for each in tmp_path.glob("out*")] == ["out"]
    with pytest.raises(ExportError, match="already there"):
        pack(keeper, tmp_path / "out", wish())


@pytest.mark.parametrize("sealed", [False, True])
def test_a_clip_that_goes_while_it_is_read_ends_the_export_and_nothing_is_left(keeper, folders, tmp_path, sealed):
    pytest.importorskip("pyrage")
    asked = wish(recipients=["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"] if sealed else [])
    found = cut(keeper, asked)

    def sign(claim):
        answer = Desk(keeper)(claim)
        shutil.rmtree(folders.clips)
        return answer

    packer = Packer(keeper.db, sign)
    if not sealed:
        shutil.rmtree(folders.clips)
    with pytest.raises(ExportError, match="nothing was written.*try again"):
        (packer.sealed if sealed else packer.folder)(found, asked, tmp_path / "out")
    assert nothing_left(tmp_path)
