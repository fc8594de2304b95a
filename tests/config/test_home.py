"""`[home]`: what is refused before anything of the household's could go to the wrong place."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config import places
from agent.config.check import check_table, home_faults
from agent.config.settings import Home, Settings, Ward


def faults(home_host: str, home_port: int, ward_host: str, ward_port: int, *, ward_enabled: bool = True) -> str:
    settings = Settings(home=Home(enabled=True, host=home_host, port=home_port),
                        ward=Ward(enabled=ward_enabled, host=ward_host, port=ward_port))
    return "; ".join(f"{key}: {text}" for key, text in home_faults(settings))


@pytest.mark.parametrize(("one", "other"), [
    ("broker.ward.vn", "broker.ward.vn"), ("Broker.Ward.VN.", "broker.ward.vn"), ("127.0.0.1", "localhost"),
    ("::1", "LOCALHOST")])
def test_the_wards_broker_is_refused_however_it_is_written(one: str, other: str):
    for here, there in ((one, other), (other, one)):
        assert faults(here, 8883, there, 8883).startswith("host: is the ward's broker")
        assert not faults(here, 1883, there, 8883) and not faults(here, 8883, there, 8883, ward_enabled=False)


@given(st.text("ab.", min_size=1, max_size=4), st.text("ab.", min_size=1, max_size=4))
def test_no_other_broker_is_refused(one: str, other: str):
    assert bool(faults(one, 1883, other, 1883)) == (one.rstrip(".") == other.rstrip("."))


def test_what_is_missing_is_named_with_its_remedy():
    told = list(places.faults(Settings(home=Home(enabled=True))))
    assert [path for path, _ in told] == [("home", "host")] and told[0][1].startswith("is missing: it takes a name")
    assert [key for key, _ in home_faults(Settings(home=Home(user="taimat")))] == ["user"]
    assert not list(home_faults(Settings()))


@pytest.mark.parametrize("prefix", ["", "a/#", "+", "a//b", "/a", "a/", "a b", "a\n"])
def test_a_prefix_is_a_topic(prefix: str):
    problems = list(check_table({"home": {"prefix": prefix}}, Settings))
    assert len(problems) == 1 and "levels of a topic" in problems[0].text
