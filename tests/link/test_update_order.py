"""`update` from the ward's order to its answer: the household's rule, a bundle over mTLS, root, a restart between."""
import hashlib
import itertools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from agent import __version__
from agent.cli.update.__main__ import approve, refuse
from agent.core.evidence.ledger.row import fingerprint
from agent.core.trial import TrialPace
from agent.host import command_key
from agent.host.clock import SystemClock
from agent.host.updates import UpdateFolders
from agent.privileged.update import root
from agent.privileged.update.adoption import adopt
from agent.privileged.update.root import Root
from agent.privileged.update.versions import Versions
from agent.privileged.update.work import RESTART
from agent.store import updates
from tests.cli.cli import taimat_process
from tests.link.depot import Depot
from tests.rigs.device.bundles import Maker
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.ops import KEY, Ops, st
from tests.rigs.ward.receiver import Ingest

DEV, NEW = "c-7f3a9c21b04d", "9.0.0"
QUICK = TrialPace(listen_s=0.5, started_s=0.0, settle_s=0.5, deadline_s=40.0, silent_s=5.0)


class Site:
    """A device at its ward, whose depot has a release; `root` installs, with systemd played."""

    def __init__(self, folder: Path, port: int, ward: Ingest, rig: LinkRig, depot: Depot, maker: Maker) -> None:
        self.rig, self.depot, self.maker, self.ward, self.config = rig, depot, maker, ward, rig.config
        self.doors = UpdateFolders(rig.runtime / "update", folder / "link/store/told")
        self.bundle = depot.files["taimat_9.0.0.update"] = maker.bundle(NEW, light=True)
        self.prefix, self.package = folder / "opt", folder / "package"
        maker.lay(self.package, __version__)
        adopt(self.root())
        self.doors.asked.mkdir()
        self.port = port
        self.ops = Ops(ward, rig)
        self.ops.dev = DEV

    def run(self, command: list[str], within_s: float) -> None:
        if command == RESTART:
            self.rig.stop()
            self.rig.start()
        else:
            subprocess.run(command, check=True, timeout=within_s)

    def order(self, **other: object) -> dict[str, object]:
        """Order the release, not waiting for an answer."""
        args = {"version": NEW, "url": self.depot.url("taimat_9.0.0.update"), "bytes": len(self.bundle),
                "sha256": hashlib.sha256(self.bundle).hexdigest()} | other
        order = self.ops.payload(args, KEY, dev=DEV, name="update")
        self.ops.send("update", order)
        return order

    def said(self, order: dict[str, object]) -> list[tuple[str, str | None]]:
        """What was answered, each thing once."""
        return [each for each, _ in itertools.groupby(map(st, self.ops.answers(order)))]

    def root(self) -> Root:
        return Root(self.config, SystemClock(), Versions(self.run, self.prefix), self.doors, self.package,
                    self.prefix / "booted", QUICK)

    def installed(self) -> str | None:
        """What systemd does when the request is there; returns what was told of it."""
        until(lambda: (self.doors.asked / "install").exists())
        return root.work(self.root()).code


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Depot, Maker, str]]:
    """What is there for all: a depot, a maker, and the device's files for the ward."""
    folder = tmp_path_factory.mktemp("around")
    authority, maker = Authority(folder / "pki", "ward"), Maker(folder / "maker")
    cert, key = authority.issue(DEV)
    public = folder / "command.pem"
    public.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo))
    ward = f'ca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"\ncommand_key = "{public}"'
    with Depot(authority) as depot:
        yield depot, maker, ward


@pytest.fixture
def site(around, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    depot, maker, ward = around
    depot.asked.clear()
    update = f'[update]\nrule = "{request.param}"\nrelease_key = "{maker.public}"\n'
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path) as ingest, \
            LinkRig(tmp_path / "link", broker.port, ward, update) as rig:
        yield Site(tmp_path, broker.port, ingest, rig, depot, maker)


@pytest.mark.parametrize("site", ["allow"], indirect=True)
def test_an_order_is_fetched_in_spite_of_a_cut_installed_and_answered_after_the_restart(site: Site):
    site.depot.cut_after_b = len(site.bundle) // 2
    order = site.order()
    assert site.installed() is None
    assert until(lambda: site.said(order)[1:]) == [("done", None)] and site.said(order)[0] == ("running", None)
    assert site.ops.answers(order)[-1]["data"] == {"version": NEW}
    assert [wanted for _, wanted in site.depot.asked] == [None, f"bytes={len(site.bundle) // 2}-"]
    stops = [json.loads(each.payload) for each in site.ward.all("/status")]
    assert "update" in [status.get("why") for status in stops]
    until(lambda: not list((site.rig.folder / "store/updates").iterdir()), "what was fetched is gone")


@pytest.mark.parametrize("site", ["allow"], indirect=True)
def test_killed_while_it_fetches_and_while_root_is_at_it_the_order_is_told_of_once(site: Site):
    site.depot.cut_after_b = len(site.bundle) // 3
    order = site.order()
    until(lambda: site.depot.asked)
    site.rig.kill()
    site.rig.start()
    until(lambda: (site.doors.asked / "install").exists())
    site.rig.kill()
    assert root.work(site.root()).code is None          # it starts the link, as systemd does
    assert until(lambda: [each for each in site.said(order) if each[0] != "running"]) == [("done", None)]
    told = until(lambda: [event["data"]["st"] for event in site.ward.events() if event["data"]["kind"] == "command"])
    assert told == ["done"]


@pytest.mark.parametrize("site", ["ask"], indirect=True)
def test_the_household_is_asked_and_its_word_counts(site: Site):
    order = site.order()
    until(lambda: site.said(order) == [("waiting_consent", None)])
    site.rig.kill()
    site.rig.start()
    assert not site.depot.asked
    approve(site.config)
    assert site.installed() is None
    assert until(lambda: site.said(order)[2:]) == [("done", None)]


@pytest.mark.parametrize("site", ["ask"], indirect=True)
def test_a_newer_order_takes_the_place_of_one_that_waits_and_a_refused_one_comes_to_nothing(site: Site):
    first = site.order()
    until(lambda: site.said(first))
    second = site.order()
    assert until(lambda: site.said(first)[1:]) == [("refused", "superseded")]
    until(lambda: site.said(second))
    refuse(site.config)
    assert until(lambda: site.said(second)[1:]) == [("refused", "declined")]
    assert not site.depot.asked


@pytest.mark.parametrize("site", ["never"], indirect=True)
def test_a_household_may_want_none(site: Site):
    order = site.order()
    assert until(lambda: site.said(order)) == [("refused", "forbidden")]


@pytest.mark.parametrize(("site", "other", "answer"), [
    ("allow", {"version": "0.0.1"}, ("refused", "not_newer")),
    ("allow", {"url": "http://example.invalid/9.tar"}, ("refused", "bad_args")),
    ("allow", {"sha256": "0" * 64}, ("failed", "download")),
    ("allow", {"bytes": 77}, ("failed", "download"))], indirect=["site"])
def test_what_is_not_as_ordered_is_not_installed(site: Site, other: dict[str, object], answer: tuple[str, str]):
    order = site.order(**other)
    assert until(lambda: [each for each in site.said(order) if each[0] != "running"]) == [answer]
    assert not (site.doors.asked / "install").exists()


@pytest.mark.parametrize("site", ["allow"], indirect=True)
def test_where_nobody_installs_the_ward_is_told_so(site: Site):
    site.doors.asked.rmdir()
    order = site.order()
    assert until(lambda: site.said(order)[1:]) == [("failed", "not_enabled")]


def desk(site: Site, folder: Path) -> None:
    """The files of a ward's desk."""
    (folder / "command.key").write_bytes(KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "ward.toml").write_text(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {site.port}\ntls = false\n'
                                      f'[ops]\ncommand_key = "{folder}/command.key"\n')


@pytest.mark.parametrize("site", ["ask"], indirect=True)
def test_the_ward_s_own_command_orders_it_and_shows_what_devices_say(site: Site, tmp_path: Path):
    (tmp_path / "9.update").write_bytes(site.bundle)
    desk(site, tmp_path)
    said = taimat_process(tmp_path, "ward", "update", "--config", "ward.toml", "--wait", "4", "9.update",
                          site.depot.url("taimat_9.0.0.update"), DEV, "c-000000000000")
    assert said.returncode == 1 and f"{DEV}\twaiting_consent" in said.stdout, said.stderr
    assert "c-000000000000\tsilent" in said.stdout
    assert updates.read(site.rig.db).version == NEW
    wrong = taimat_process(tmp_path, "ward", "update", "--config", "ward.toml", "ward.toml", "https://x", DEV)
    assert wrong.returncode == 78 and "it takes a release of scripts/package" in wrong.stderr


@pytest.mark.parametrize("site", ["allow"], indirect=True)
def test_the_ward_has_a_device_obey_the_maker_s_next_key(site: Site, tmp_path: Path):
    former, following, later = site.maker, Maker(tmp_path / "safe"), Maker(tmp_path / "later")
    current, after = (each.key.public_key().public_bytes_raw().hex() for each in (following, later))
    former.public.write_bytes(former.public.read_bytes() + following.public.read_bytes())
    desk(site, tmp_path)

    def rotate(bundle: bytes):
        site.bundle = site.depot.files["taimat_9.0.0.update"] = bundle
        (tmp_path / "9.update").write_bytes(bundle)
        return taimat_process(tmp_path, "ward", "rotate", "release", "--config", "ward.toml", "--wait", "4", "9.update",
                              site.depot.url("taimat_9.0.0.update"), DEV)

    keys = {"ver": 1, "current": current, "next": after}
    assert "it names no keys" in rotate(following.bundle(NEW, light=True)).stderr
    assert "by which it is not signed" in rotate(former.bundle(NEW, light=True, keys=keys)).stderr
    assert not (site.doors.asked / "install").exists()
    said = rotate(following.bundle(NEW, light=True, keys=keys))
    assert f"obeys release key {fingerprint(bytes.fromhex(current))} from then on" in said.stdout
    assert f"{DEV}\trunning" in said.stdout and site.installed() is None
    slots = command_key.in_force(str(former.public), site.doors.release_keys)
    assert (slots.current, slots.next) == (current, after)
