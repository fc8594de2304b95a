"""`taimat ward doctor` on a real broker and proxy: all well, then each part out of order, named with its remedy."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from agent.ward.authority import probe
from agent.ward.authority.accounts import renew
from tests.rigs.pki import Authority
from tests.rigs.wait import Stopwatch, until
from tests.rigs.ward.authority import now
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.machine import ROOT
from tests.rigs.ward.proxy import MISSING

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


def examined(ward) -> dict[str, list[dict]]:
    """The findings by part."""
    done = ward.run("doctor", "--json")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == int(any(not each["ok"] for each in found)), done.stderr
    parts = {}
    for each in found:
        parts.setdefault(each["part"], []).append(each)
    return parts


def bad(ward) -> dict[str, str]:
    """What is wrong, with its remedy; a test's machine has nobody behind the proxy, and maybe no NTP."""
    parts = examined(ward)
    assert all(each["remedy"] or each["ok"] for found in parts.values() for each in found)
    found = {part: "\n".join(f"{each['text']}; {each['remedy']}" for each in found if not each["ok"])
             for part, found in parts.items() if part not in ("intake", "enrolment", "clock")}
    return {part: text for part, text in found.items() if text}


def test_a_ward_that_is_well_and_each_part_that_is_not(ward, tmp_path):
    ward.edit("free_gb = 5", "free_gb = 0")
    assert {*bad(ward)} == {"ingest", "backup"}
    assert ward.run("backup", tmp_path / "one.tar").returncode == 0
    with WardIngest(tmp_path / "ingest", ward.broker.port, ward=ward.own_account("ingest")):
        until(lambda: bad(ward) == {})
        with Stopwatch() as watch:
            said = ward.run("doctor")
        assert watch.fair_s < 10
        assert "ok   rights        a device publishes and reads only its own messages" in said.stdout
        old = time.time() - 3 * 86400
        os.utime(ward.places.authority / "newest-backup", (old, old))
        (ward.places.keys / "ops.key").chmod(0o644)
        (ward.places.keys / "reader.pem").unlink()
        ward.edit("free_gb = 0", "free_gb = 1_000_000")
        found = bad(ward)
    assert {*found} == {"backup", "keys", "certificate", "disk"}
    assert "ops.key" in found["keys"] and "reader.pem is missing; taimat ward init makes it" in found["certificate"]
    renew(ward.own, ward.places, now() - timedelta(days=60), "true")
    assert "taimat ward renew" in bad(ward)["revoked"]


def test_a_broker_that_does_not_enforce_its_rights_is_found(ward):
    acl = ward.places.etc / "mosquitto.acl"
    acl.write_text(acl.read_text() + "\npattern write cam/v1/w07/+/rsp/#\npattern readwrite cam/v1/w07/+/cmd/#\n"
                   "topic write cam/v1/w07/#\n")
    ward.broker.reload()
    until(lambda: "may publish as another one" in bad(ward).get("rights", ""))
    assert "a device may give orders" in bad(ward)["rights"]
    acl.write_text(acl.read_text() + "pattern read cam/v1/w07/+/rsp/#\n")
    ward.broker.reload()
    until(lambda: "a device may read another one" in bad(ward)["rights"])


def test_a_broker_and_a_proxy_that_do_not_heed_the_list_are_found(ward):
    (ward.places.authority / probe.CANARY).unlink()
    renew(ward.own, ward.places, now(), "true")         # nobody is told of the new one
    found = bad(ward)
    assert "accepts revoked certificates" in found["broker"] and "accepts revoked certificates" in found["door"]
    subprocess.run(ward.reload.partition("=")[2].split(), check=True)
    until(lambda: not {"broker", "door"} & {*bad(ward)})


def test_who_is_away_or_frozen_is_named_within_ten_seconds(ward):
    children = Path(f"/proc/{ward.proxy.pid}/task/{ward.proxy.pid}/children")
    workers = until(lambda: children.read_text().split(), "the proxy listens before it has workers")
    ward.broker.freeze()
    for worker in workers:
        os.kill(int(worker), signal.SIGSTOP)
    with Stopwatch() as watch:
        found = bad(ward)
    for worker in workers:
        os.kill(int(worker), signal.SIGCONT)
    assert {"broker", "door"} <= {*found} and watch.fair_s < 10, found
    ward.broker.stop()
    assert "systemctl status mosquitto" in bad(ward)["broker"]
    ward.broker.start()


def test_a_broker_of_another_authority_is_named(ward, tmp_path):
    cert, key = Authority(tmp_path / "pki", "other").issue("broker")
    shutil.copy(cert, ward.places.keys / "broker.pem")
    shutil.copy(key, ward.places.keys / "broker.key")
    ward.broker.reload()
    until(lambda: "wrong certificate" in bad(ward).get("broker", ""))
    done = subprocess.run([sys.executable, "-m", "agent", "ward", "doctor", "--config", tmp_path / "none.toml"],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 78 and "taimat ward init" in done.stderr
