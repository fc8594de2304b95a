"""Officers come to the desk with what `taimat ward officer` has made, and are kept out once it is taken back."""
import json
import os
import re
import stat

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12

from agent.ward.authority import certificates
from agent.ward.authority.probe import OUT_STATUS, Pass, status_at_door
from agent.ward.desk.officers import person_of
from tests.cli.cli import REPO
from tests.rigs.forked import TAIMAT, forked
from tests.rigs.wait import HANG_S, until
from tests.rigs.ward.authority import private_pem
from tests.rigs.ward.ingest import WardPart
from tests.rigs.ward.machine import WardMachine
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
PERSON = "Trần Văn Bình"
PHRASE = re.compile(r"^ {4}(\S+)$", re.MULTILINE)


class Desk(WardPart):
    """On the machine's own settings."""

    started_as = (TAIMAT, "ward", "desk")

    def __init__(self, ward: WardMachine) -> None:
        self.config, self.log = ward.config, ward.folder / "desk.log"


def officer(ward, *words):
    return forked(TAIMAT, ["ward", "officer", words[0], f"--config={ward.config}", *words[1:]], REPO, os.environ)


def opened(p12, phrase):
    """Key, certificate and chain, as a browser takes them in."""
    return pkcs12.load_key_and_certificates(p12.read_bytes(), phrase.encode())


def status(ward, folder, key, certificate):
    """What the desk's door says to who shows this."""
    both = folder / "both.pem"
    both.write_text(certificates.pem(certificate) + private_pem(key).decode())
    return status_at_door("localhost", ward.desk_port, ward.places.ca, Pass("", both, 0), answer_s=HANG_S)


def test_an_officer_comes_in_until_the_certificate_is_taken_back(tmp_path):
    p12 = tmp_path / "binh.p12"
    ward = WardMachine(tmp_path / "ward")
    ward.edit('socket = "/run/ward-taimat-desk.sock"', f'socket = "{ward.folder}/proxy/desk.sock"')
    with ward, Desk(ward) as desk:
        made = officer(ward, "add", f"--person={PERSON}", f"--p12={p12}", "tran-van-binh")
        assert made.returncode == 0, made.stderr
        phrase = PHRASE.search(made.stdout)[1]
        assert len(phrase) == 23 and stat.S_IMODE(p12.stat().st_mode) == 0o600
        with pytest.raises(ValueError):
            opened(p12, "another")
        key, certificate, chain = opened(p12, phrase)
        assert person_of(certificate) == PERSON and len(chain) == 1
        until(lambda: "listens at" in desk.log.read_text())
        assert status(ward, tmp_path, key, certificate) == 200
        assert "tran-van-binh\t" + PERSON in officer(ward, "list").stdout
        told = json.loads(officer(ward, "list", "--json").stdout)
        assert told.keys() == {"name", "person", "until_ms"} and told["person"] == PERSON
        again = officer(ward, "add", "tran-van-binh")
        assert again.returncode == 1 and "taimat ward officer remove tran-van-binh" in again.stderr
        gone = officer(ward, "remove", ward.reload, "tran-van-binh")
        assert gone.returncode == 0, gone.stderr
        assert certificate.serial_number in ward.listed()
        assert status(ward, tmp_path, key, certificate) == OUT_STATUS
        assert officer(ward, "list").stdout == ""
    assert officer(ward, "remove", "tran-van-binh").returncode == 1


@pytest.mark.parametrize("name", ["Bình", "../x", "a" * 28, "-a", ""])
def test_a_name_is_one_that_a_certificate_can_bear(machine, name):
    made = officer(machine, "add", "--", name)
    assert made.returncode == 1 and "is made of a-z, 0-9 and '-'" in made.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    return WardMachine(tmp_path_factory.mktemp("machine") / "ward")


def test_the_desk_has_an_account_of_its_own(machine):
    own = machine.own
    assert own.desk.cert == str(machine.places.keys / "desk.pem") and own.desk.cert != own.ops.cert
