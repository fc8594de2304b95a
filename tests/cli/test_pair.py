"""`taimat pair`: the code, links and the end of pairings, for root and the owner alone."""
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agent.core.household.access import ALPHABET
from agent.host.clock import SystemClock
from agent.host.users import step_down
from agent.store.database import StoreConnection, StoreError
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.cli import cli
from tests.cli.cli import REPO, environment, taimat, write_config
from tests.rigs.store.cards import all_acts

NOBODY = 65534, 65534
# What is the same in every language: codes, addresses, keys and names.
KEPT = re.compile(r"\w{4}-\w{4}|https?://\S+|SHA|(?i:taimat( pair)?)|\[web\] (enabled = true|listen = \S+)")


@pytest.fixture
def config(tmp_path: Path, db: StoreConnection) -> Path:
    return write_config(tmp_path)


def pair_one(folders: Folders, db: StoreConnection, name: str) -> str:
    with closing(decisions.connect(folders)) as own:
        return browsers.pair(own, db, name, SystemClock().now())


def test_the_code_is_the_same_each_time_until_it_is_reset(tmp_path, config, folders, db):
    first, second = (taimat(tmp_path, "pair", "-c", config) for _ in range(2))
    code = first.stdout.split()[-1]
    assert first.returncode == 0 and first.stdout == second.stdout
    assert len(code) == 9 and set(code.replace("-", "")) <= set(ALPHABET)
    pair_one(folders, db, "a phone")
    asked = taimat(tmp_path, "pair", "--reset", "-c", config)
    assert asked.returncode == 1 and "phải ghép lại bằng mã mới: 1. Tiếp tục?" in asked.stdout
    assert taimat(tmp_path, "pair", "--list", "-c", config).stdout
    other = taimat(tmp_path, "pair", "--reset", "--yes", "-c", config).stdout.split()[-1]
    assert other != code and taimat(tmp_path, "pair", "-c", config).stdout.split()[-1] == other
    assert taimat(tmp_path, "pair", "--list", "-c", config).stdout == ""


def test_in_a_container_the_address_is_what_its_owner_says(tmp_path, config, folders, db, monkeypatch):
    config.write_text(config.read_text().replace("enabled = false", 'listen = "0.0.0.0"'))
    monkeypatch.setattr(cli, "environment", lambda home: environment(home) | {"TAIMAT_PAGE": "https://nas.lan:8088"})
    said = taimat(tmp_path, "pair", "-c", config).stdout
    assert "Mở trên điện thoại:  https://nas.lan:8088" in said and "máy này" not in said
    assert taimat(tmp_path, "pair", "--link", "-c", config).stdout.startswith("https://nas.lan:8088/enter/")


def test_one_browser_is_listed_and_put_out(tmp_path, config, folders, db):
    pair_one(folders, db, "Safari · iPhone")
    kept = pair_one(folders, db, "curl/8")
    listed = taimat(tmp_path, "pair", "--list", "-c", config).stdout
    found = dict(line.split("\t")[1::-1] for line in listed.splitlines())
    assert set(found) == {"Safari · iPhone", "curl/8"}
    said = taimat(tmp_path, "pair", "--unpair", found["Safari · iPhone"], "-c", config)
    assert said.returncode == 0 and found["Safari · iPhone"] in said.stdout
    assert taimat(tmp_path, "pair", "--unpair", "0123", "-c", config).returncode == 2
    with closing(decisions.connect(folders)) as own:
        assert [each.name for each in browsers.paired(own)] == ["curl/8"]
        assert browsers.use(own, kept, SystemClock().now())


def test_root_makes_an_owner_of_a_browser_that_may_only_look(tmp_path, config, folders, db):
    pair_one(folders, db, "first")
    later = pair_one(folders, db, "later")
    listed = taimat(tmp_path, "pair", "--list", "-c", config).stdout
    found = {name: (each, role) for each, name, role, *_ in (line.split("\t") for line in listed.splitlines())}
    assert [found[name][1] for name in ("first", "later")] == ["owner", "viewer"]
    assert taimat(tmp_path, "pair", "--owner", found["later"][0], "-c", config).returncode == 0
    assert taimat(tmp_path, "pair", "--owner", "0123", "-c", config).returncode == 2
    with closing(decisions.connect(folders)) as own:
        assert browsers.use(own, later, SystemClock().now()) == "owner"
    assert sorted(row.kind for row in all_acts(db)) == ["begin", "browser_role", "pairing", "pairing"]


def test_a_link_is_printed_that_lets_a_browser_in(tmp_path, config, folders):
    link = taimat(tmp_path, "pair", "--link", "-c", config).stdout.strip()
    assert re.fullmatch(r"http://localhost:8088/enter/[\w-]{32}", link)
    with closing(decisions.connect(folders)) as own:
        assert browsers.open_link(own, link.rpartition("/")[2], SystemClock().now())


def as_child(act: Callable[[], str]) -> str:
    """What `act` returns, or the text of its StoreError, in a process that has what it needs loaded already."""
    told, tells = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(tells, act().encode())
        except StoreError as error:
            os.write(tells, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(tells)
    with open(told) as said:
        return said.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_root_works_as_the_stores_owner_and_another_user_is_told_to_be_root(folders, db):
    db.close()
    for path in (*folders.root.rglob("*"), folders.root):
        os.chown(path, *NOBODY)
    for path in folders.root.parents:
        path.chmod(path.stat().st_mode | 0o001)

    def code() -> str:
        step_down(folders.root)
        with closing(decisions.connect(folders)) as own:
            return browsers.pairing_code(own)

    def code_for_a_stranger() -> str:
        os.setgroups([])
        os.setgid(NOBODY[1])
        os.setuid(NOBODY[0] - 1)
        return code()

    made = as_child(code)
    assert len(made) == 8 and (folders.keys / decisions.FILE).stat().st_uid == NOBODY[0]
    said = as_child(code_for_a_stranger)
    assert "only the recorder's owner may decide" in said and made not in said


@pytest.mark.parametrize("web", ["", 'listen = "0.0.0.0"\ntls = true\n', "enabled = false\n"])
@pytest.mark.parametrize("typed", [[], ["--reset"]])
def test_one_output_is_in_one_language_the_households(tmp_path, db, web, typed):
    words = {}
    for language in ("vi", "en"):
        config = write_config(tmp_path, more=f'[device]\nlanguage = "{language}"\n')
        config.write_text(config.read_text().replace("enabled = false\n", web))
        told = taimat(tmp_path, "pair", *typed, "-c", config)
        words[language] = {*re.findall(r"[^\W\d_]{3,}", KEPT.sub("", told.stdout + told.stderr))}
    assert all(map(str.isascii, words["en"])) and not all(map(str.isascii, words["vi"]))
    assert len(words["en"]) > 1 and not words["en"] & words["vi"]


@pytest.mark.parametrize("package", ["recorder", "ward"])
def test_what_a_purge_says_of_deleting_works_for_who_purged(package):
    script = (REPO / "scripts/packaging/debian" / package / "postrm").read_text()
    assert re.findall(r"(\S*) ?rm -r \S+\"", script) == ["sudo"]
