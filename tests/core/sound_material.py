"""Real encoded sound for the tests of MP4, made on the spot; no two stretches are alike."""
from functools import cache
from random import Random

import av
import numpy as np

from agent.core.media import audio
from agent.core.media.model import AudioInfo, Sound
from agent.core.media.mp4.write import Movie
from tests.core.mp4_material import encode, in_fragments

START_US = 7_000_000_123        # as the video's of mp4_material


@cache
def hear(codec: str, seconds: float = 5) -> tuple[AudioInfo, tuple[Sound, ...]]:
    """Noise as "aac" (16 kHz, frames of 64 ms), "pcma" or "pcmu" (8 kHz, stretches of 40 ms), from START_US on."""
    if codec == "aac":
        return _aac(seconds)
    noise = Random(7)
    return AudioInfo(codec, 8000, 1), tuple(
        Sound(bytes(noise.choices(range(1, 256), k=320)), START_US + n * 40_000, 320) for n in range(int(seconds * 25)))


def _aac(seconds: float) -> tuple[AudioInfo, tuple[Sound, ...]]:
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 16_000, "mono", "fltp", 48_000
    noise, packets = np.random.default_rng(7), []
    for number in range(int(seconds * 16_000 / 1024)):
        frame = av.AudioFrame.from_ndarray(noise.normal(0, 0.1, (1, 1024)).astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16_000, number * 1024
        packets += encoder.encode(frame)
    info = audio.aac(bytes(encoder.extradata))
    assert info is not None
    return info, tuple(Sound(bytes(packet), START_US + n * 64_000, 1024) for n, packet in enumerate(packets))


def record(codec: str, video: str = "h264", offset_us: int = 0, coda_n: int = 3, packets_n: int | None = None,
           **options: int) -> tuple[Movie, bytes]:
    """An unfinished file with that sound, which is heard `offset_us` after the first picture is shown.

    The last `coda_n` stretches come after the last picture's fragment.
    """
    stream, packets = encode(video)
    info, heard = hear(codec)
    packets = packets[:packets_n]
    end_us = packets[-1].dts_us + 66_667
    heard = [sound._replace(pts_us=sound.pts_us - START_US + packets[0].pts_us + offset_us) for sound in heard]
    heard = [sound for sound in heard if sound.pts_us < end_us]
    movie = Movie(stream, reorder_us=packets[0].pts_us - packets[0].dts_us, audio=info, **options)
    part, groups, given_n = movie.init_segment(), in_fragments(packets, 6), 0
    for group, following in zip(groups, [*groups[1:], None], strict=True):
        until_us = following[0].dts_us if following else end_us
        ready = [sound for sound in heard[given_n:len(heard) - coda_n] if sound.pts_us < until_us]
        part += movie.fragment(group, until_us, ready)
        given_n += len(ready)
    return movie, part + (movie.coda(heard[given_n:]) if heard[given_n:] else b"")
