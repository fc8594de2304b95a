"""What a city's administrator types beside the broker: accounts, and the rights of all names as RabbitMQ takes them."""
import json
import os
import re

import pytest
from cryptography import x509

from agent.ward import rights
from agent.ward.authority import certificates
from agent.ward.authority.accounts import hosts_of
from tests.cli.cli import REPO
from tests.rigs.forked import TAIMAT, forked
from tests.rigs.ward.machine import WardMachine

DEV = "c-7f3a9c21b04d"


def ran(*words):
    return forked(TAIMAT, ["ward", *words], REPO, os.environ)


def test_every_name_has_its_own_queues_and_the_topics_of_its_ward(tmp_path):
    (tmp_path / "w08").write_text(f"{DEV}  # gate\n")
    made = json.loads(ran("rights", "--ingests=1", "w07", f"w08={tmp_path}/w08").stdout)
    assert [user["name"] for user in made["users"]] == [
        "ingest-1", "bridge-w07", "forward-w07", "ingest-w08", "ops-w08", "desk-w08", "reader-w08", DEV]
    assert not any(user["password_hash"] or user["tags"] for user in made["users"]), "no password lets anybody in"
    topics = {each["user"]: each for each in made["topic_permissions"]}
    for user, what, may, may_not in (
            (DEV, "write", f"cam.v1.w08.{DEV}.evt", f"cam.v1.w07.{DEV}.evt"),
            (DEV, "read", f"cam.v1.w08.{DEV}.cmd.#", "cam.v1.w08.*.cmd.#"),
            ("ops-w08", "write", f"cam.v1.w08.{DEV}.cmd.restart", f"cam.v1.w07.{DEV}.cmd.restart"),
            ("reader-w08", "read", "cam.v1.w08.*.evt", "cam.v1.*.*.evt"),
            ("bridge-w07", "write", f"cam.v1.w07.{DEV}.status", f"cam.v1.w07.{DEV}.evt"),
            ("ingest-1", "read", "cam.v1.*.*.evt", "#")):
        assert re.search(topics[user][what], may) and not re.search(topics[user][what], may_not), user
    own = next(each for each in made["permissions"] if each["user"] == DEV)
    assert re.search(own["configure"], f"mqtt-subscription-{DEV}qos1")
    assert not any(re.search(own[what], "mqtt-subscription-ingest-1qos1") for what in ("configure", "write", "read"))


@pytest.mark.parametrize(("words", "said"), [
    (["W07"], "'W07': a ward's name"), (["w07=nowhere"], "nowhere: No such file"),
    (["w07={twice}", "w08={twice}"], f"{DEV}: is named twice"), (["w07={strange}"], "gate-1: not a device's id")])
def test_a_mistake_is_named(tmp_path, words, said):
    lists = {"twice": tmp_path / "twice", "strange": tmp_path / "strange"}
    lists["twice"].write_text(f"{DEV}\n")
    lists["strange"].write_text("gate-1\n")
    answer = ran("rights", *(word.format(**lists) for word in words))
    assert answer.returncode and said in answer.stderr and not answer.stdout


def test_definitions_hold_all_kinds_of_names_once():
    users = rights.users_of({"w07": "", "w09": ""}, ingests_n=2)
    assert len({user.name for user in users}) == len(users) == 6
    assert {each["name"] for each in rights.definitions(users)["users"]} == {user.name for user in users}


def test_an_account_and_a_server_are_signed_and_nothing_is_made_twice(tmp_path):
    ward = WardMachine(tmp_path / "ward")

    def make(*words):
        return ran("account", f"--config={ward.config}", f"--to={tmp_path}", *words)
    assert make("bridge-w07", "forward-w07").returncode == 0
    assert make("--host=broker.city.example", "--host=10.0.0.1", "node1").returncode == 0
    shown = {name: x509.load_pem_x509_certificate((tmp_path / f"{name}.pem").read_bytes())
             for name in ("bridge-w07", "forward-w07", "node1")}
    assert all(certificates.common_name(each) == name for name, each in shown.items())
    assert hosts_of(shown["node1"]) == {"broker.city.example", "10.0.0.1"} and not hosts_of(shown["bridge-w07"])
    assert (tmp_path / "bridge-w07.key").stat().st_mode & 0o777 == 0o600
    for name, said in (("bridge-w07", "is there already"), ("ingest", "is the ward's own"), (DEV, "no device's id")):
        answer = make(name)
        assert answer.returncode == 1 and said in answer.stderr
