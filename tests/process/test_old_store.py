"""A store that an earlier version made opens: recordings, events, holds, keys and numbers go on where they ended.

`old_stores` has one for each version: 50 s of a made film by `taimat run`, encrypted, with a clip that was held and six
events. Add one before a change of the store's format.
"""
import contextlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import av
import pytest

from agent.store.decisions import database as decisions
from tests.process.agent import ROOT, Agent
from tests.rigs.cameras import footage
from tests.rigs.store.decrypted import clear
from tests.rigs.wait import free_port, until

OLD = sorted((Path(__file__).parent / "old_stores").glob("*.tar.xz"))
CAMERA = """
[[camera]]
name = "gate"
source = "file:{path}"
loop = true
record = "both"
max_clip_s = 10
[web]
port = {port}
"""


@pytest.fixture(params=OLD, ids=lambda path: path.name.removesuffix(".tar.xz"))
def agent(request: pytest.FixtureRequest, tmp_path: Path) -> Agent:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return Agent(tmp_path, CAMERA.format(path=footage.clip(640, 360, 10, 10, 500), port=free_port()))


def command(agent: Agent, *words: str) -> list[dict[str, object]]:
    ran = subprocess.run([sys.executable, "-m", "agent", *words, "--json", "--config", str(agent.path)], cwd=ROOT,
                         capture_output=True, text=True)
    assert not ran.stderr, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_it_goes_on_where_it_ended(agent: Agent) -> None:
    with agent:
        until(lambda: len(agent.clips()) >= 8, "recordings of both versions")
        assert agent.interrupt()[0] == 0
    rows = agent.clips()
    assert [clip.seq for clip in rows[:7]] == [*range(1, 7), rows[6].seq] and rows[6].seq > 6
    for clip in rows:
        with clear(agent.folders, clip) as video, av.open(video) as container:
            assert sum(1 for _ in container.decode(video=0)) == clip.frames
    assert [event.id for event in agent.events()][:6] == [*range(1, 7)]
    *findings, last = command(agent, "verify")
    assert last["holds"] and not findings, (findings, last)
    assert len(last["rows"]) == 1, "one chain of rows, by one key"
    assert [hold["clip"] for hold in command(agent, "clips", "holds")] == [rows[0].name]
    with contextlib.closing(decisions.connect(agent.folders)) as own:
        assert own.execute("PRAGMA user_version").fetchone()[0] == decisions.SCHEMA
