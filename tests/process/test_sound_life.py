"""A capture process that is killed at any moment leaves a clip with its sound."""
import os
import signal
from pathlib import Path

import av

from tests.process.agent import Agent, config
from tests.rigs.cameras import footage
from tests.rigs.store.decrypted import clear
from tests.rigs.wait import until


def test_a_clip_that_sigkill_tore_is_recovered_with_its_sound(tmp_path: Path):
    film = footage.clip(640, 360, 10, 10, 500)
    with_sound = config().replace(str(film), str(footage.with_sound(film, "aac"))).replace(
        'record = "continuous"', 'record = "continuous"\naudio = true')
    with Agent(tmp_path, with_sound) as agent:
        part = until(lambda: list(agent.folders.clips.glob("*/*.part")), "recording")[0]
        until(lambda: part.stat().st_size > 200_000, "some seconds on the card")
        os.kill(agent.pids()["capture"], signal.SIGKILL)
        clip = until(lambda: [clip for clip in agent.clips() if clip.state == "recovered"], "recovered")[0]
        with clear(agent.folders, clip) as video, av.open(video) as container:
            frames_n = sum(1 for _ in container.decode(video=0))
        with clear(agent.folders, clip) as video, av.open(video) as container:
            heard_s = sum(frame.samples for frame in container.decode(audio=0)) / 16_000
        assert frames_n == clip.frames and abs(heard_s - clip.dur_ms / 1000) < 0.5
