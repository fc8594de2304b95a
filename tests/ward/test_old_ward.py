"""A ward that an earlier version made goes on: it is restored from its backup, and nothing of it is made anew.

`old_wards` has a backup for each version, of a ward below /srv/old-ward with three events of one device. Add one before
a change of the database's, the book's, the keys' or the settings' format.
"""
import io
import lzma
import ssl
import tarfile
from pathlib import Path

import pytest
import sqlalchemy as sql

from agent.ward import database
from tests.rigs.wait import until
from tests.rigs.ward.ingest import WardPart
from tests.rigs.ward.machine import WardMachine
from tests.rigs.ward.proxy import MISSING
from tests.rigs.ward.reporting_device import Teller

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
OLD = sorted((Path(__file__).parent / "old_wards").glob("*.tar.xz"))
DEV = "c-7f3a9c21b04d"


@pytest.fixture(params=OLD, ids=lambda path: path.name.removesuffix(".tar.xz"))
def ward(request: pytest.FixtureRequest, tmp_path: Path) -> WardMachine:
    return WardMachine(tmp_path / "ward", backup=moved(request.param, tmp_path))


def moved(backup: Path, folder: Path) -> Path:
    """The backup with the ward's folder below `folder` instead of /srv."""
    target = folder / "ward.tar"
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress(backup.read_bytes()))) as old, \
            tarfile.open(target, "w") as new:
        for member in old:
            data = old.extractfile(member).read()
            if member.name.startswith("etc/"):
                data = data.replace(b"/srv/old-ward", bytes(folder / "ward"))
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target


def events(ward: WardMachine) -> list[int]:
    """The numbers of the device's events in the ward's database."""
    engine = database.open_engine(ward.own.database.url, read_only=True)
    with engine.connect() as db:
        found = [row.seq for row in db.execute(sql.select(database.event.c.seq).order_by(database.event.c.seq))]
    engine.dispose()
    return found


def test_its_authority_signs_and_its_ingest_goes_on(ward, tmp_path):
    kept = (ward.places.authority / "issuing.pem").read_bytes()
    assert ward.run("renew", "--reload=true").returncode == 0
    with ward:
        trust = ssl.create_default_context(cafile=str(ward.places.ca))
        trust.load_cert_chain(*ward.device(DEV))
        ingest = WardPart()
        ingest.config, ingest.log = ward.config, tmp_path / "log"
        with ingest, Teller(ward.broker.port, DEV, trust) as device:
            until(device.ward_online)
            device.say("evt", device.event(4))
            until(lambda: device.receipts()["taken"] == [4])
    assert events(ward) == [1, 2, 3, 4]
    assert (ward.places.authority / "issuing.pem").read_bytes() == kept, "it is the same authority"
    assert ward.run("backup", tmp_path / "new.tar").returncode == 0
