"""The database is destroyed beneath a recorder that died: it comes up again, and what was recorded is on its list."""
from pathlib import Path

from tests.process.agent import Agent, config
from tests.rigs.store.damage import spoil
from tests.rigs.wait import until


def test_a_recorder_whose_database_cannot_be_read_records_and_keeps_its_clips(tmp_path: Path):
    with Agent(tmp_path, config()) as agent:
        part = until(lambda: next(agent.folders.clips.glob("*/*.part"), None), "recording")
        until(lambda: part.stat().st_size > 100_000, "some video")
    before = part.name.partition(".")[0]        # all of its roles were killed
    spoil(agent.folders, 1)
    with agent:
        until(lambda: "it was set aside as taimat.db.damaged-1" in agent.log, "the keeper has mended it")
        begun = until(lambda: {path.name.partition(".")[0] for path in agent.folders.clips.glob("*/*")} - {before},
                      "it records again")
        kept = until(lambda: [clip for clip in agent.clips() if clip.name == before], "the old clip is listed")
        assert kept[0].state == "recovered" and kept[0].frames
        assert min(int(name[-6:]) for name in begun) > int(before[-6:])
        assert agent.interrupt()[0] == 0
    assert {clip.name for clip in agent.clips()} == {before} | begun
