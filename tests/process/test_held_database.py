"""All roles at work while a process holds the database: cameras record, who holds it is named, nothing is lost."""
import os
import signal
from pathlib import Path

from agent.core.contract.facts import Beat
from agent.host.datagram import Inbox
from tests.process.agent import Agent, config
from tests.rigs.store.holder import Holder
from tests.rigs.wait import until


def test_a_capture_process_that_dies_meanwhile_loses_no_clip(tmp_path: Path):
    with Agent(tmp_path, config(), joined=True) as agent:
        until(lambda: agent.runtime.exists() and "capture" in agent.pids())
        ears, held_by = Inbox(agent.runtime, "update"), set()
        until(lambda: agent.clips(), "a clip is recorded")

        def hears() -> bool:
            held_by.update(camera.database_held_by for beat in ears.waiting() if isinstance(beat, Beat)
                           for camera in beat.cameras)
            return holder.pid in held_by

        with Holder(agent.folders.root, "reader") as holder:
            known = {clip.name for clip in agent.clips()}
            until(hears, "capture tells who holds the database")
            until(lambda: [path for path in agent.folders.clips.glob("*/*.mp4") if path.stem not in known],
                  "a clip is finished meanwhile")
            os.kill(agent.pids()["capture"], signal.SIGKILL)
            on_card = {path.stem for path in agent.folders.clips.glob("*/*.mp4")}
        until(lambda: on_card <= {clip.name for clip in agent.clips()}, "the keeper has adopted what has no row")
        told = [each["id"] for each in agent.messages("clip")]
        assert on_card <= set(told) and len(told) == len(set(told))
        until(lambda: {clip.name for clip in agent.clips()} - on_card, "it records again")
        ears.close()
