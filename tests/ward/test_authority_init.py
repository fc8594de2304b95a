"""A ward's authority is made: in one go, again, after a cut, with a token, and with wishes that can't be."""
import contextlib
import os
import pty
import subprocess
import sys
import tomllib
from datetime import timedelta

import pytest

from agent.ward.authority import accounts, init, issuer
from agent.ward.authority.accounts import renew
from agent.ward.authority.findings import CertificateEnds
from agent.ward.authority.places import Places
from agent.ward.settings import TEMPLATE
from tests.rigs.forked import TAIMAT, forked
from tests.rigs.ward.authority import WARD_NAME, now
from tests.rigs.ward.machine import PASSPHRASE, ROOT, WardMachine, serial

COMMAND = [sys.executable, "-m", "agent", "ward", "init"]


@pytest.fixture
def ward(tmp_path):
    return WardMachine(tmp_path / "ward")


@pytest.mark.parametrize(("machine", "wards"), [
    ("/usr/share/zoneinfo/Asia/Bangkok", "Asia/Bangkok"), ("/usr/share/zoneinfo/Etc/UTC", "Asia/Ho_Chi_Minh"),
    ("/usr/share/zoneinfo/UTC", "Asia/Ho_Chi_Minh"), ("/nowhere", "Asia/Ho_Chi_Minh")])
def test_the_zone_is_the_machines_unless_nobody_has_set_it(tmp_path, monkeypatch, machine, wards, capsys):
    (tmp_path / "localtime").symlink_to(machine)
    monkeypatch.setattr(init, "LOCAL_TIME", tmp_path / "localtime")
    wishes = init.InitWishes(name=WARD_NAME, ward="w07", host="localhost", token="", passphrase_file=tmp_path / "p")
    (tmp_path / "p").write_text(PASSPHRASE)
    assert init.make(Places.below(tmp_path / "ward"), wishes, now()).ward.zone == wards
    assert f"times  are those of {wards}, UTC+7" in capsys.readouterr().out


def contents(ward) -> dict:
    return {path: path.read_bytes() for path in ward.folder.rglob("*") if path.is_file()}


def openssl(ward, name: str, *words: str) -> str:
    """What `openssl verify` says of one of the ward's own certificates; its chain counts, the root alone is trusted."""
    path = ward.places.keys / f"{name}.pem"
    (root,) = ward.places.authority.glob("root-*.pem")
    ran = subprocess.run(["openssl", "verify", "-x509_strict", "-crl_check_all", "-CRLfile", ward.places.crl, "-CAfile",
                          root, "-untrusted", path, *words, path], capture_output=True, text=True, check=False)
    return "OK" if ran.returncode == 0 else ran.stderr


def test_everything_is_there_and_fits_together(ward):
    for name in accounts.CLIENTS:
        assert openssl(ward, name, "-purpose", "sslclient") == "OK"
    for name in accounts.SERVERS:
        for check in (("-verify_hostname", "localhost"), ("-verify_ip", "127.0.0.1")):
            assert openssl(ward, name, "-purpose", "sslserver", *check) == "OK"
    own = ward.own
    assert (own.ward.ward, own.authority.name, own.authority.host) == ("w07", WARD_NAME, "localhost")
    assert own.intake.url == "https://localhost:8443/exports"
    assert "cam/v1/w07/%u/status" in (ward.places.etc / "mosquitto.acl").read_text()
    others = [ward.places.etc / name for name in ("command.pem", "command.pem.next", "receipt.pem")]
    for secret in (*ward.places.keys.glob("*.key"), *ward.places.authority.glob("*.key"), *others):
        assert secret.stat().st_mode & 0o007 == 0, secret
    (root_key,) = ward.places.authority.glob("root-*.key")
    assert b"ENCRYPTED PRIVATE KEY" in root_key.read_bytes()


def test_again_changes_nothing_and_makes_what_is_missing(ward):
    before = contents(ward)
    again = ward.init()
    assert again.returncode == 0 and "made" not in again.stdout.replace("was made", ""), again.stdout
    after = contents(ward)
    assert {path for path in before if before[path] != after[path]} <= {ward.places.etc / "command.pem.pub"}
    for name in ("keys/broker.key", "keys/reader.pem", "public/ca.pem", "mosquitto.acl", "receipt.pem.pub"):
        (ward.places.etc / name).unlink()
    assert ward.init().returncode == 0
    assert openssl(ward, "broker", "-purpose", "sslserver") == openssl(ward, "reader", "-purpose", "sslclient") == "OK"
    assert {*before} == {*contents(ward)}


@pytest.mark.parametrize("left", ["root-*.key", "root-*.crl", "root-*.pem", "issuing-*.key", "issuing-*.pem"])
def test_it_goes_on_after_a_cut(ward, left):
    """As if the power had gone right after that file: what is made later is not there."""
    made = ("root-*.key", "root-*.crl", "root-*.pem", "issuing-*.key", "issuing-*.crl", "issuing-*.pem", "issuing.key",
            "issuing.pem", "revoked.canary")
    for pattern in made[made.index(left) + 1:]:
        for path in ward.places.authority.glob(pattern):
            path.unlink()
    for path in (*ward.places.keys.iterdir(), *ward.places.public.iterdir(), ward.config):
        path.unlink()
    done = ward.init("--name", WARD_NAME, "--ward", "w07", "--host", "localhost")
    assert done.returncode == 0, done.stderr
    for name in ("broker", "ingest"):
        path = ward.places.keys / f"{name}.pem"
        roots = ward.folder / "roots.pem"
        roots.write_bytes(b"".join(each.read_bytes() for each in ward.places.authority.glob("root-*.pem")))
        ran = subprocess.run(["openssl", "verify", "-CAfile", roots, "-untrusted", path, path], check=False,
                             capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr


def test_wishes_that_can_not_be_are_told_with_the_remedy(tmp_path, ward):
    for words, said in (
            (("--ward", "w08"), "exists and says 'w07', not 'w08'; leave --ward out"),
            (("--host", "other.example"), "leave --host out")):
        done = ward.init(*words)
        assert done.returncode == 1 and said in done.stderr
    good = {"--name": "P", "--ward": "w07", "--host": "h", "--passphrase-file": ward.passphrase}
    short = tmp_path / "short"
    short.write_text("short\n")
    for option, wish, said in (
            ("--name", "", "a new ward needs all three"), ("--ward", "W 7", "takes a short name"),
            ("--host", "https://h", "without https://"), ("--name", 'a"b', "without quotes"),
            ("--passphrase-file", short, "take 12 or more"), ("--passphrase-file", tmp_path / "none", "No such file"),
            ("--token", "pkcs11:x?pin-value=1", "has no PIN"), ("--passphrase-file", "", "there is no terminal")):
        words = [f"{name}={value}" for name, value in (good | {option: wish}).items() if value]
        done = forked(TAIMAT, ["ward", "init", f"--prefix={tmp_path}/new", *words], ROOT, os.environ)
        assert done.returncode == 1 and said in done.stderr, done.stderr
        assert not list(tmp_path.glob("new/**/*.key"))


def test_the_template_is_filled_and_keeps_its_words():
    text = TEMPLATE.read_text()
    filled = init.filled(text, {("ward", "ward"): "w07", ("ops", "cert"): "/o.pem", ("authority", "name"): "Phường"})
    own = tomllib.loads(filled)
    assert own["ward"] == tomllib.loads(text)["ward"] | {"ward": "w07"}
    assert (own["ops"]["cert"], own["authority"]["name"]) == ("/o.pem", "Phường")
    assert [line.partition("#")[2] for line in text.splitlines()] == [
        line.partition("#")[2] for line in filled.splitlines()]


def test_own_certificates_are_renewed_at_two_thirds_of_their_life_for_the_same_keys(ward):
    own, made = ward.own, now()

    def serials():
        return {each.name: serial(each.path) for each in accounts.own_certificates(ward.places)}
    before = serials()
    assert renew(own, ward.places, made + timedelta(days=240), "true") == [] and serials() == before
    assert renew(own, ward.places, made + timedelta(days=245), "true") == [*accounts.SERVERS, *accounts.CLIENTS]
    assert not {*before.values()} & {*serials().values()}
    for each in accounts.own_certificates(ward.places):
        assert each.certificate.not_valid_after_utc > made + timedelta(days=600)
    assert ward.cas.first_end() > made + timedelta(days=330), "the list is as young"


def test_who_moves_the_ward_to_another_host_gets_certificates_for_it(ward):
    head, _, tail = ward.config.read_text().partition("[authority]")
    ward.config.write_text(f"{head}[authority]{tail.replace('localhost', '192.0.2.7', 1)}")
    assert ward.run("renew", "--reload=true").returncode == 0
    for address in ("192.0.2.7", "127.0.0.1"):
        assert openssl(ward, "broker", "-verify_ip", address) == "OK"


def test_the_passphrase_is_asked_for_twice(tmp_path):
    """At a terminal, where it is not shown."""
    words = [*COMMAND, f"--prefix={tmp_path}/new", "--name=P", "--ward=w07", "--host=h"]
    for second, code in (("another one that is long", 1), (PASSPHRASE, 0)):
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, words)
        said = b""
        for asked, typed in ((b"be replaced: ", PASSPHRASE), (b"once more: ", second)):
            while asked not in said:
                said += os.read(terminal, 1000)
            os.write(terminal, f"{typed}\n".encode())
        with contextlib.suppress(OSError):
            while more := os.read(terminal, 1000):
                said += more
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code, said.decode()
        assert PASSPHRASE.encode() not in said
    (key,) = tmp_path.glob("new/var/lib/*/root-*.key")
    assert issuer.unlocked(key, PASSPHRASE)


def test_prometheus_is_told_when_certificates_end(ward):
    figures = {(each.labels["name"], each.labels["kind"]): each.value
               for family in CertificateEnds(ward.own.ward.cert, ward.own.authority.ca).collect()
               for each in family.samples}
    assert {name for name, kind in figures if kind == "own"} == {*accounts.SERVERS, *accounts.CLIENTS}
    years = sorted(round((ends_s - now().timestamp()) / 86400 / 365) for (_, kind), ends_s in figures.items()
                   if kind == "ca")
    assert years == [10, 30]
    assert not [each for family in CertificateEnds("", str(ward.folder / "none")).collect() for each in family.samples]
