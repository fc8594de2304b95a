"""Which units are started, stopped and told: what follows from settings, from what was applied, and from what runs."""
import msgspec
import pytest

from agent.config.load import parse
from agent.config.settings import Settings
from agent.config.unit_wishes import PAGE_SOCKETS, unit_wishes
from agent.core.unit_plan import UnitSteps, plan

pytestmark = pytest.mark.core
KEEPER, LINK, WEB = "taimat-keeper.service", "taimat-link.service", "taimat-web.service"
SOCKETS = set(PAGE_SOCKETS)
NETWORK = "taimat-capture-network.service"
GATE = "taimat-capture@gate.service"
CARD = "rescue-taimat-card.service"
HOUSE = """
[[camera]]
name = "gate"
source = "picamera:0"
[[camera]]
name = "yard"
source = "rtsp://192.168.1.20/1"
"""


def house(text: str = HOUSE, **sections: object) -> Settings:
    return msgspec.structs.replace(parse(text, "f"), **sections)


def steps(old: Settings, new: Settings, up: set[str] | None = None) -> UnitSteps:
    """From a device that runs what the old settings want, or just these units."""
    before = unit_wishes(old)
    running = {unit for unit, wish in before.items() if wish.wanted} if up is None else up
    return plan(unit_wishes(new), before, running)


def test_a_device_that_starts_starts_what_it_needs_and_no_link():
    wishes = unit_wishes(house())
    assert plan(wishes, {}, {KEEPER, CARD, WEB} | SOCKETS) == UnitSteps(start=[GATE, NETWORK])
    assert set(wishes) - {LINK} == {KEEPER, CARD, WEB, GATE, NETWORK} | SOCKETS and not wishes[LINK].wanted
    joined = parse(HOUSE + '[home]\nenabled = true\nhost = "192.168.1.2"', "f")
    assert LINK in plan(unit_wishes(joined), {}, {KEEPER, WEB} | SOCKETS).start


def test_nothing_is_done_twice():
    assert steps(house(), house()) == UnitSteps()


def test_a_new_camera_starts_and_a_removed_one_stops_and_recording_goes_on():
    more = house(HOUSE + '[[camera]]\nname = "bep"\nsource = "v4l2:/dev/video0"\n')
    done = steps(house(), more)
    assert done.start == ["taimat-capture@bep.service"] and (done.stop, done.reload) == ([], [])
    assert set(done.restart) == {KEEPER, WEB}
    done = steps(more, house())
    assert done.stop == ["taimat-capture@bep.service"] and not done.reload and not done.start


def test_a_network_camera_is_told_to_the_process_that_has_them_all():
    done = steps(house(), house(HOUSE + '[[camera]]\nname = "bep"\nsource = "rtsp://192.168.1.21/1"\n'))
    assert done.reload == [NETWORK] and GATE not in done.restart + done.reload


def test_a_camera_that_moves_to_the_network_changes_its_process():
    done = steps(house(), house(HOUSE.replace("picamera:0", "rtsp://192.168.1.22/1")))
    assert (done.stop, done.reload) == ([GATE], [NETWORK])


def test_a_title_does_not_stop_the_keeper_and_no_camera():
    done = steps(house(), house(HOUSE.replace('name = "gate"', 'name = "gate"\ntitle = "Cổng"')))
    assert done.restart == [WEB] and done.reload == [GATE]


def test_what_a_recorder_takes_up_at_its_start_only_has_it_started_anew():
    done = steps(house(), house(store=replaced(house().store, sync_every_s=3)))
    assert {GATE, NETWORK, KEEPER, WEB} <= set(done.restart)


def replaced(section: msgspec.Struct, **keys: object) -> msgspec.Struct:
    return msgspec.structs.replace(section, **keys)


def test_a_page_that_is_switched_off_is_stopped_with_its_socket():
    off = house(web=replaced(house().web, enabled=False))
    assert steps(house(), off).stop == sorted({WEB} | SOCKETS)
    assert set(steps(off, house()).start) == {WEB} | SOCKETS


def test_the_link_takes_away_what_it_showed_before_it_is_stopped():
    joined = parse(HOUSE + '[home]\nenabled = true\nhost = "192.168.1.2"', "f")
    assert LINK in steps(joined, house()).restart
    assert plan(unit_wishes(house()), unit_wishes(house()), {KEEPER, WEB, GATE, NETWORK, LINK} | SOCKETS).stop == [LINK]


def test_a_unit_that_failed_is_started_again():
    assert steps(house(), house(), up={KEEPER, CARD, WEB, NETWORK} | SOCKETS).start == [GATE]


def test_where_the_machine_must_not_restart_nobody_watches_the_card():
    quiet = house(recovery=replaced(house().recovery, reboot=False))
    assert steps(house(), quiet).stop == [CARD] and steps(quiet, house()).start == [CARD]


def test_a_wish_covers_every_section_of_the_settings():
    """A section that no unit is told of would be taken up by chance."""
    told = house(HOUSE + '[[notify]]\nname = "Mai"\nurl_file = "/etc/taimat/notify.mai"\n')
    for section in Settings.__struct_fields__:
        value = getattr(told, section)
        other = value[1:] if isinstance(value, list) else replaced(value, **_another(value))
        was, now = unit_wishes(told), unit_wishes(replaced(told, **{section: other}))
        assert any(now.get(unit) != wish for unit, wish in was.items()), section


def test_how_long_footage_is_kept_stops_no_recording():
    old = house()
    new = house(store=msgspec.structs.replace(old.store, keep_days=3, keep_continuous_days=1))
    made = steps(old, new)
    assert set(made.restart) == {KEEPER, WEB, LINK} & {unit for unit, wish in unit_wishes(old).items() if wish.wanted}
    assert made.reload == made.stop == []


def _another(section: msgspec.Struct) -> dict[str, object]:
    """One key with another value."""
    for key in section.__struct_fields__:
        value = getattr(section, key)
        if isinstance(value, bool):
            return {key: not value}
        if isinstance(value, int):
            return {key: value + 1}
        if isinstance(value, str):
            return {key: value + "x"}
    raise AssertionError(section)
