"""The report as Prometheus reads it: its own parser takes every line, and what `taimat status --json` has is there."""
from dataclasses import replace

import pytest

from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts, LedgerFacts, LinkFacts
from agent.core.health.conditions import Condition
from agent.core.health.facts import Facts, HostFacts, UnitFacts
from agent.core.health.metrics import exposition
from agent.core.health.report import Report, report

parser = pytest.importorskip("prometheus_client.parser")
HOST = HostFacts(up_s=100.5, cpu_pct=25.0, soc_temp_c=48.2, volt_low=False, card_errors_n=0, card_worn_pct=10,
                 disk_tot_b=64 * 10**9, disk_free_b=32 * 10**9, clock="ntp")
KEEPER = KeeperFacts(clips_n=3, clips_b=9, kept_days={"gate": 6.5, "yard": 7.0}, clock_err_ms=1500,
                     fault="the card of rtsp://me:s3cret@x is full", ledger=LedgerFacts(n=12, head="ab", key="cd"))
CAMERA = CameraFacts(camera="gate", state="ok", fps=14.9, kbps=2000.0, recording=True, events_n=4, source="rtsp",
                     fault="camera_auth", detail="no", tampered=("covered", "moved"))


def unit(role: str, age_s: float = 1.0, **more: object) -> UnitFacts:
    beat = Beat(role=role, unit=role, pid=1, mono_s=9, up_s=9, rss_b=10**7, cpu_s=0.5, starts_n=2, **more)
    return UnitFacts(role, role, age_s, beat=beat)


def seen(*conditions: Condition, **more: object) -> Report:
    units = (unit("capture", cameras=[CAMERA]), unit("keeper", facts=KEEPER),
             unit("link", facts=LinkFacts(broker="connected", outbox_n=3, outbox_oldest_s=1.5)))
    return replace(report(Facts(host=HOST, units=units, days_left=9.0), conditions, 10.0), **more)


def told(**known: object) -> dict[str, float]:
    """By name and labels. No line is there twice, and lines of one name stand together."""
    text = exposition(**known)
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            key = f"{sample.name} {' '.join(sample.labels.values())}".strip()
            assert key not in found
            found[key] = sample.value
    names = [line.partition("{")[0] for line in text.splitlines()]
    assert len(set(names)) == sum(name != before for name, before in zip(names, [None, *names], strict=False))
    return found


def test_numbers_are_in_base_units_and_words_are_labels():
    values = told(version="1.0", report=seen(), report_age_s=2.5, last_event_ms=1_764_000_000_500)
    for key, value in {
            "taimat_version 1.0": 1, "taimat_report_age_seconds": 2.5, "taimat_last_event_seconds": 1_764_000_000.5,
            "taimat_host_cpu_ratio": 0.25, "taimat_host_soc_temp_celsius": 48.2, "taimat_host_disk_free_bytes": 32e9,
            "taimat_host_volt_low": 0, "taimat_card_days_left": 9, "taimat_role_state keeper ok": 1,
            "taimat_unit_rss_bytes link link": 1e7, "taimat_unit_age_seconds link link": 1,
            "taimat_unit_clock_err_seconds keeper keeper": 1.5, "taimat_unit_kept_days keeper keeper yard": 7,
            "taimat_unit_ledger_n keeper keeper": 12, "taimat_unit_outbox_n link link": 3,
            "taimat_camera_state gate ok": 1, "taimat_camera_bytes_per_second gate": 250_000,
            "taimat_camera_tampered gate moved": 1, "taimat_camera_recording gate": 1}.items():
        assert values[key] == value, key


def test_a_condition_says_where_it_is_and_sentences_and_passwords_stay_at_home():
    down = Condition(code="role_down", severity="alarm", since_mono_s=1.0, unit="capture", detail="one_word")
    text = exposition(report=seen(down))
    assert 'taimat_condition_severity{unit="capture",code="role_down",severity="alarm"} 1\n' in text
    assert "s3cret" not in text and "one_word" not in text and "detail" not in text and "mono" not in text


def test_numbers_that_no_machine_has_are_left_out():
    cameras = (CameraFacts(camera="gate", state="ok", width=10**400, fps=float("nan"), kbps=float("inf"), height=5),)
    text = exposition(report=seen(cameras=cameras))
    assert 'taimat_camera_height{camera="gate"} 5\n' in text
    assert not [word for word in ("width", "fps", "bytes_per_second") if f"camera_{word}" in text]


def test_a_link_that_has_not_looked_yet_says_its_version_alone():
    assert told(version="1.0", report=None, report_age_s=None, last_event_ms=None) == {"taimat_version 1.0": 1}


@pytest.mark.parametrize("evil", ['a"} 1\ntaimat_state 0\n', "a\\", "a b", "", "x" * 41, "ä"])
def test_a_name_can_not_make_lines_or_labels_of_its_own(evil: str):
    text = exposition(report=seen(cameras=(CameraFacts(camera=evil, state=evil), CAMERA)))
    parts = [line for line in text.splitlines() if line.startswith("taimat_camera_")]
    assert parts and all('camera="gate"' in line or "{}" in line for line in parts)
    assert set(told(report=seen())) <= set(told(report=seen(cameras=(CAMERA,))))
