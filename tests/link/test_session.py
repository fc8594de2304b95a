"""The session with a real broker: who we say we are, what is said when we die, what is wrong when there is none."""
import contextlib
import time

import msgspec

from agent.core.contract import wire
from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.receiver import Ingest


def test_a_link_makes_up_no_name_and_waits_for_the_keeper_s(tmp_path, broker):
    with Ingest(broker.port, tmp_path) as ward:
        rig = LinkRig(tmp_path / "link", broker.port)
        file = tmp_path / "link/store/household/device"
        name = file.read_text()
        file.unlink()
        with rig:
            until(lambda: "has not named" in rig.facts().get("store_fault", ""), "it waits, and its heart beats")
            assert not file.exists() and not ward.all("/birth")
            file.write_text(name)
            until(lambda: ward.all("/birth"))
            assert ward.all("/birth")[0].topic == f"cam/v1/w07/{name}/birth"


def test_presence_from_birth_to_a_planned_stop(tmp_path, broker):
    with Ingest(broker.port, tmp_path) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/health"))
        status, birth, health = ward.all("/status")[0], ward.all("/birth")[0], ward.all("/health")[0]
        said = msgspec.json.decode(status.payload, type=wire.Status)
        assert (said.online, said.conn, said.mode) == (True, 1, "active")
        assert (status.retain, status.qos, status.properties.MessageExpiryInterval) == (True, 1, 1200)
        born = msgspec.json.decode(birth.payload, type=wire.Birth)
        assert (born.site, born.conn, born.seq_next, born.outbox_n) == ("HH-07-0412", 1, 1, 0)
        assert birth.retain and not hasattr(birth.properties, "MessageExpiryInterval")
        assert status.topic == f"cam/v1/w07/{rig.dev()}/status"
        report = msgspec.json.decode(health.payload, type=wire.Health)
        assert (report.int_s, report.mqtt_rc_n, report.outbox_n) == (5, 0, 0)
        assert (health.retain, health.qos, health.properties.MessageExpiryInterval) == (True, 0, 15)
        assert ("no_camera", "warn") in [(each.code, each.sev) for each in report.cond], "this device records nothing"
        assert health.properties.ContentType == "application/json" and len(health.payload) < 800
        assert rig.stop() < 3
        until(lambda: ward.last("/status")["online"] is False)
        assert ward.last("/status")["why"] == "shutdown"


def test_a_killed_link_is_lost_and_its_next_life_counts_on(tmp_path, broker):
    with Ingest(broker.port, tmp_path) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/status"))
        rig.kill()
        until(lambda: ward.last("/status")["online"] is False, "the will")
        assert (ward.last("/status")["why"], ward.last("/status")["conn"]) == ("lost", 1)
        rig.start()
        until(lambda: ward.last("/status")["online"])
        assert ward.last("/status")["conn"] == 2


def test_a_broker_that_falls_silent_is_noticed_and_left(tmp_path, broker):
    with Ingest(broker.port, tmp_path) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/status"))
        broker.freeze()
        seq = rig.append()
        fault = until(lambda: rig.facts().get("mqtt_fault"), "the silence is noticed")
        assert fault == "silent"
        broker.thaw()
        until(lambda: any(event["seq"] == seq for event in ward.events()))
        until(lambda: rig.facts().get("broker") == "connected")


def test_a_wrong_password_is_one_clear_line_and_heals(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2-wrong\n")
    with Broker(tmp_path / "broker", user=("gate", "correct-horse")) as broker, \
            LinkRig(tmp_path / "link", broker.port, f'user = "gate"\npassword_file = "{secret}"') as rig:
        facts = until(lambda: rig.facts() if rig.facts().get("mqtt_fault") else None)
        assert (facts["mqtt_fault"], facts["broker"]) == ("not_authorised", "refused")
        assert "hunter2" not in rig.log.read_text() and "hunter2" not in str(facts)
        secret.write_text("correct-horse\n")
        until(lambda: rig.facts().get("broker") == "connected")
        secret.unlink()


LOGIN = 'user = "a"\npassword_file = "/etc/hostname"\n'
FAULTS = {
    "port = 1": ("no_broker", "is the broker running"),
    'host = "no-such-host.invalid"': ("dns", "[ward] host"),
    'password_file = "/nonexistent"\nuser = "a"': ("password_file", "/nonexistent: No such file"),
    f'{LOGIN}tls = true\nca = "/nonexistent.pem"': ("tls_files", "[ward] ca: No such file"),
    f"{LOGIN}tls = true": ("tls_none", "see [ward] port and tls"),
}


def test_each_fault_has_its_name_and_remedy(tmp_path, broker):
    with contextlib.ExitStack() as stack:
        rigs = [stack.enter_context(LinkRig(tmp_path / str(n), broker.port, ward)) for n, ward in enumerate(FAULTS)]
        for rig, (fault, words) in zip(rigs, FAULTS.values(), strict=True):
            facts = until(lambda rig=rig: rig.facts() if rig.facts().get("mqtt_fault") else None)
            assert facts["mqtt_fault"] == fault
            assert words in facts["broker_detail"] and words in rig.log.read_text()


def test_with_certificates_the_device_is_who_its_certificate_says(tmp_path):
    authority, stranger = Authority(tmp_path / "pki", "ward-ca"), Authority(tmp_path / "pki2", "other-ca")
    tls = Tls(authority.ca, *authority.issue("broker"), clients_ca=authority.ca)
    cert, key = authority.issue("c-7f3a9c21b04d")
    mine = f'tls = true\nhost = "localhost"\ncert = "{cert}"\nkey = "{key}"\nca = '
    with Broker(tmp_path / "broker", tls=tls) as broker:
        with LinkRig(tmp_path / "fooled", broker.port, mine + f'"{stranger.ca}"') as rig:
            assert until(lambda: rig.facts().get("mqtt_fault")) == "tls_unknown_ca"
        alien_cert, alien_key = stranger.issue("c-7f3a9c21b04d")
        alien = f'tls = true\nhost = "localhost"\ncert = "{alien_cert}"\nkey = "{alien_key}"\nca = "{authority.ca}"'
        with LinkRig(tmp_path / "alien", broker.port, alien) as rig:
            assert until(lambda: rig.facts().get("mqtt_fault")) == "tls_own_unknown"
        with LinkRig(tmp_path / "link", broker.port, mine + f'"{authority.ca}"\ndelivery = "puback"') as rig:
            until(lambda: rig.facts().get("broker") == "connected")
            until(lambda: "cam/v1/w07/c-7f3a9c21b04d/status" in broker.log.read_text())


def test_another_client_with_our_name_is_named_and_does_not_end_us(tmp_path, broker):
    with LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: rig.facts().get("broker") == "connected")
        with Ingest(broker.port, tmp_path, name=rig.dev()) as twin:
            told = "SELECT 1 FROM outbox WHERE kind = 'security' AND data LIKE '%taken_over%'"
            until(lambda: rig.db.execute(told).fetchone())
            twin.close()
        until(lambda: rig.facts().get("broker") == "connected")


def test_a_card_that_hangs_stops_neither_heartbeats_nor_health(tmp_path, broker):
    with Ingest(broker.port, tmp_path) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ward.last("/health"))
        rig.append()
        until(lambda: rig.waiting_n() == 0)
        rig.append()
        rig.db.execute("BEGIN IMMEDIATE")       # whoever writes now waits, as on a card that does not answer
        seen_n, began = len(ward.all("/health")), time.monotonic()
        until(lambda: len(ward.all("/health")) > seen_n)
        until(lambda: rig.beats_after(began) >= 2)
        rig.db.execute("ROLLBACK")
        until(lambda: rig.waiting_n() == 0)
