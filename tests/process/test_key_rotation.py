"""A practice run with the real parts: the ward's command key is stolen, and the ward changes it."""
from pathlib import Path
from types import SimpleNamespace

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from agent.keeper.ward_signature import WardSignature, note_command_keys
from agent.store.folders import COMMAND_KEYS
from agent.ward import keys
from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.store.cards import all_acts
from tests.rigs.wait import until
from tests.rigs.ward.handover import DEV, House
from tests.rigs.ward.typed import typed

BELIEVED = ("refused", "no_such_request")       # of a `clip.cancel`: its signature was good
NO_REQUEST = {"request": "01KAV0Z6V6M3W2Q8T1B7N5D4XE"}


def private(path: Path):
    return load_pem_private_key(path.read_bytes(), None)


def answered(house: House, name, args, by):
    order = house.order(name, args, by)
    return until(lambda: house.said(order))[-1]


def test_a_stolen_command_key_signs_nothing_any_more_and_its_thief_locks_nobody_out(tmp_path: Path, capsys):
    with Broker(tmp_path / "broker") as broker:
        config, key = tmp_path / "ward.toml", tmp_path / "command.key"
        config.write_text(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\n'
                          f'[ops]\ncommand_key = "{key}"\n[intake]\nreceipt_key = "{tmp_path}/receipt.key"\n')
        assert typed("keys", "--config", config) == 0
        door = SimpleNamespace(authority=Authority(tmp_path / "pki", "ward-ca"), url="https://localhost/")
        house = House(tmp_path / "house", broker, door)
        (tmp_path / "house/command.pem").write_bytes(Path(f"{key}.pub").read_bytes())
        stolen, safe = private(key), private(Path(f"{key}.next"))
        thiefs = {"ver": 2**53 - 2, "current": 64 * "1", "next": 64 * "2"}
        with house:
            assert answered(house, "clip.cancel", NO_REQUEST, stolen) == BELIEVED
            assert answered(house, "clip.cancel", NO_REQUEST, safe) == ("refused", "bad_signature")
            assert answered(house, "keys.change", thiefs, stolen) == ("refused", "not_entitled")
            capsys.readouterr()
            assert typed("rotate", "command", "--config", config, DEV) == 0
            assert f"{DEV}\tdone" in capsys.readouterr().out
            assert answered(house, "clip.cancel", NO_REQUEST, stolen) == ("refused", "bad_signature")
            assert answered(house, "keys.change", thiefs, stolen) == ("refused", "bad_signature")
            house.kill_keeper()
            house.start_keeper()
            assert answered(house, "clip.cancel", NO_REQUEST, private(key)) == BELIEVED
            until(lambda: typed("keys", "--config", config, DEV) == 0, "the keeper is back; it changes nothing")
            until(lambda: house.rows().count("command_key") == 2, "the file's keys, and the change")
            assert "command_key" in [event["data"].get("code") for event in house.ward.events()]


def test_another_file_of_a_technicians_starts_anew(tmp_path: Path, db, folders, hand_clock):
    first, other = tmp_path / "first", tmp_path / "other"
    for path in (first, other):
        keys.make(path)
        keys.ensure(str(path), "[ops] command_key")
    named = SimpleNamespace(ward=SimpleNamespace(command_key=f"{first}.pub", cert=""))
    signature = WardSignature(named, folders)
    for _ in range(2):
        note_command_keys(signature, db, hand_clock.now())
    named.ward.command_key = f"{other}.pub"
    note_command_keys(signature, db, hand_clock.now())
    told = [row.body for row in all_acts(db) if row.kind == "command_key"]
    assert [each["by"] for each in told] == ["file", "file"] and told[-1]["current"] == signature.slots().current
    (folders.household / COMMAND_KEYS).write_bytes(b"spoiled")
    try:
        signature.slots()
    except OSError as problem:
        assert "no key is valid until a person" in str(problem)
    else:
        raise AssertionError("a revoked key might be back")
