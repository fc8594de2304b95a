"""`[[notify]]`: what is wrong with it is told with its place and the remedy, and what its address shows of itself."""
from pathlib import Path

import pytest

from agent.config.derived import units
from agent.config.load import ConfigError, parse
from agent.config.notifications import PLACES_MAX, rule_of, service_of
from agent.config.settings import Notify
from agent.config.unit_wishes import unit_wishes
from agent.core.household.pause import WeekStretch

CAMERA = '[[camera]]\nname = "gate"\nsource = "file:/a.mp4"\n'
MAI = '[[notify]]\nname = "Mai"\nurl_file = "/etc/taimat/notify.mai"\n'


@pytest.mark.parametrize(("text", "told"), [
    ('[[notify]]\nname = "Mai"\n', r"notify\[1\]\.url_file: is missing"),
    (MAI.replace("/etc/", "etc/"), r"t:6: notify\[1\]\.url_file: takes a whole path"),
    (MAI.replace("Mai", ""), r"name: takes text"), (MAI + MAI.replace("Mai", "MAI"), '"MAI" is taken'),
    (MAI + 'cameras = ["gaet"]\n', r't:7: notify\[1\]\.cameras: "gaet" is not a camera: gate'),
    (MAI + 'kinds = ["people"]\n', r'kinds: takes a list of "motion" or "tamper"'),
    (MAI + 'quiet = ["at night"]\n', r"notify\[1\]\.quiet: .*is not a day"),
    (MAI + "at_most_every_min = 0\n", r"takes a whole number from 1 to 1440"),
    ("".join(MAI.replace("Mai", str(n)) for n in range(PLACES_MAX + 1)), "one too many: there can be 4"),
    (MAI + 'url = "ntfys://h/t"\n', "unknown key; known here: name, url_file"),
])
def test_what_is_wrong_is_told_with_its_place(text: str, told: str):
    with pytest.raises(ConfigError, match=told):
        parse(CAMERA + text, "t")


def test_the_link_runs_for_a_phone_alone_and_starts_anew_with_it():
    alone, with_phone, changed = (parse(CAMERA + more, "t") for more in ("", MAI, MAI + "pictures = true\n"))
    assert "link" not in units(alone) and "link" in units(with_phone)
    for unit in ("taimat-link.service", "taimat-keeper.service", "taimat-web.service"):
        assert unit_wishes(with_phone)[unit] != unit_wishes(changed)[unit]


def test_the_rule_is_that_of_the_file():
    said = parse(CAMERA + MAI + 'kinds = ["motion"]\ncameras = ["gate"]\nhours = ["Sun"]\nat_most_every_min = 2\n', "t")
    rule = rule_of(said.notify[0])
    assert (rule.kinds, rule.cameras, rule.every_ms) == ({"motion"}, {"gate"}, 120_000)
    assert rule.hours == (WeekStretch(6 * 1440, 1440),) and not rule.pictures


@pytest.mark.parametrize(("text", "shown"), [
    ("ntfys://mai:geheim@ntfy.sh/topic\n", "ntfys"), ("geheim", "?"), ("no scheme://geheim", "?"),
    ("x" * 99 + "://", "?")])
def test_an_address_shows_its_service_alone(tmp_path: Path, text: str, shown: str):
    (tmp_path / "url").write_text(text)
    assert service_of(Notify(name="Mai", url_file=str(tmp_path / "url"))) == shown
    assert service_of(Notify(name="Mai", url_file=str(tmp_path / "none"))) == "?"
