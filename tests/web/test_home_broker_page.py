"""/settings/home: a real broker is tried before it is saved, and its password goes to the keeper alone."""
from pathlib import Path
from urllib.parse import urlencode

import pytest

from agent.config.settings import Home
from agent.core.contract.setup import SetHome
from tests.rigs.house.household import Answer, Household, house_of
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import deaf_port

house = house_of(language="en", may_change=True)


def save(house: Household, **form: object) -> Answer:
    return house.post("/settings/home", urlencode(form))


def test_a_broker_that_lets_the_recorder_in_is_saved_with_its_password(house: Household, tmp_path: Path):
    with Broker(tmp_path / "broker", user=("taimat", "right-horse")) as broker:
        account = {"enabled": "on", "host": "127.0.0.1", "port": broker.port, "user": "taimat"}
        wrong = save(house, **account, password="wrong-horse")
        assert wrong.status == 409 and "refuses the recorder" in wrong.text and "horse" not in wrong.text
        assert "Save it untried" in wrong.text and house.carry_out() == []
        right = save(house, **account, password="right-horse")
    assert right.status == 303 and "horse" not in right.headers["location"]
    assert house.carry_out() == [SetHome(enabled=True, host="127.0.0.1", port=broker.port, user="taimat",
                                         password="right-horse")]


def test_one_that_does_not_answer_is_saved_only_by_a_second_word(house: Household):
    form = {"enabled": "on", "host": "127.0.0.1", "port": deaf_port()}
    answer = save(house, **form)
    assert answer.status == 409 and "does not answer" in answer.text and house.carry_out() == []
    assert save(house, **form, anyway="yes").status == 303
    assert house.carry_out() == [SetHome(enabled=True, host="127.0.0.1", port=form["port"])]


@pytest.mark.parametrize(("form", "told"), [
    ({"enabled": "on", "host": "", "port": "1883"}, "That is not an address"),
    ({"host": "http://x/", "port": "1883"}, "That is not an address"),
    ({"host": "192.168.1.5", "port": "0"}, "A port is a number"), ({"host": "192.168.1.5", "port": "x"}, "A port is"),
    ({"host": "192.168.1.5", "port": "1883", "user": "u"}, "Enter the password"),
    ({"host": "192.168.1.5", "port": "1883", "user": "u" * 65, "password": "p"}, "too long")])
def test_what_can_not_be_is_told_and_nothing_is_tried(house: Household, form: dict[str, str], told: str):
    answer = save(house, **form)
    assert answer.status == 400 and told in answer.text and house.carry_out() == []


def test_the_password_that_is_there_stays_or_goes_with_its_user(tmp_path: Path):
    house = Household(tmp_path, language="en", may_change=True)
    house.settings.home = Home(enabled=True, host="192.168.1.5", user="taimat", password_file="/etc/taimat/secret")
    with house:
        text = house.get("/settings/home").text
        assert "Leave it empty to keep" in text and "/etc/taimat/secret" not in text
        same = {"enabled": "on", "host": "192.168.1.5", "port": "1883", "user": "taimat"}
        assert save(house, **same).headers["location"] == "/settings" and house.carry_out() == []
        assert save(house, **same, snapshots="on").status == 303
        assert house.carry_out() == [SetHome(snapshots=True)]
        assert save(house, **same | {"host": "192.168.1.6"}).status == 400
        assert save(house, host="192.168.1.5", port="1883").status == 303
        assert house.carry_out() == [SetHome(enabled=False, user="", password="")]
