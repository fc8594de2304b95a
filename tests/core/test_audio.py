"""AAC's configuration, read bit by bit."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.media import audio
from agent.core.media.model import AudioInfo, Sound
from tests.core.sound_material import hear


@pytest.mark.parametrize(("config", "rate_hz", "channels", "samples_n"), [
    ("1408", 16_000, 1, 1024),              # LC
    ("1190", 48_000, 2, 1024),
    ("140c", 16_000, 1, 960),
    ("2b920800", 22_050, 2, 1024),          # SBR makes 44,100 of it
    ("17807d0008", 64_000, 1, 1024),        # a rate in 24 bits, 0x00fa00
])
def test_a_configuration_tells_rate_channels_and_frame_length(config: str, rate_hz: int, channels: int, samples_n: int):
    info = audio.aac(bytes.fromhex(config))
    assert info == AudioInfo("aac", rate_hz, channels, bytes.fromhex(config))
    assert audio.samples_n(info, b"anything") == samples_n


@pytest.mark.parametrize("config", ["", "14", "1400", "1688", "b908", "f908"])     # no channels, no rate, other kinds
def test_what_is_no_plain_aac_is_not_taken_for_it(config: str):
    assert audio.aac(bytes.fromhex(config)) is None


def test_an_encoders_own_configuration_is_understood():
    info, sounds = hear("aac")
    assert (info.rate_hz, info.channels, audio.samples_n(info, sounds[0].data)) == (16_000, 1, 1024)


def test_g711_has_a_byte_a_sample():
    assert audio.samples_n(AudioInfo("pcma", 8000, 2), Sound(bytes(640), 0, 320).data) == 320


@given(st.binary(max_size=70))
def test_garbage_never_surprises(config: bytes):
    info = audio.aac(config)
    assert info is None or 0 < info.channels <= 8 and info.rate_hz > 0 and audio.samples_n(info, b"") in (960, 1024)
