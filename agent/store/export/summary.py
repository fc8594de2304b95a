"""The page to print, in Vietnamese and English: what was exported, what is missing, and how to check it."""
import functools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.evidence.ledger import seals
from agent.core.evidence.ledger.claim import NOT_AGREED, STILL_RECORDED, Claim, ClipTold, GapTold
from agent.core.moment import moment
from agent.store.export.prepare import BRIEF_MS

if TYPE_CHECKING:
    import jinja2

LANGUAGES = ("vi", "en")
REASONS = {STILL_RECORDED: "recording", NOT_AGREED: "not_agreed"}
HERE = Path(__file__).parent
NEAR_MS = 2_000                     # smaller differences do not matter


@dataclass(frozen=True, slots=True)
class About:
    device: str
    serial: str | None              # the board's
    key: str | None                 # fingerprint of the device's key
    is_signed: bool


def summary(claim: Claim, about: About, language: str) -> bytes:
    words = _words()[language]
    page = _template().render(
        language=language, words=words, claim=claim, about=about, files=seals, clocks=_clocks(claim.clips, words),
        purposes=[(words[part], getattr(claim.wish, part)) for part in ("case", "purpose", "officer")])
    return page.encode()


@functools.cache
def _words() -> Mapping[str, Mapping[str, str]]:
    return {name: tomllib.loads((HERE / f"summary.{name}.toml").read_text()) for name in LANGUAGES}


@functools.cache
def _template() -> "jinja2.Template":
    import jinja2  # exports are rare, and the keeper would carry it in memory for good
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
                             trim_blocks=True, lstrip_blocks=True)
    env.filters |= {
        "local": _local, "missing": _missing,
        "utc": lambda wall_ms: f"{moment(wall_ms, UTC):%Y-%m-%d %H:%M:%S}",
        "minutes": lambda dur_ms: f"{dur_ms // 60_000}:{dur_ms // 1000 % 60:02d}",
        "megabytes": lambda size_b: f"{size_b / 1e6:.1f} MB",
        "why": lambda gap, words: gap.why if gap.is_damage else words[REASONS.get(gap.why, "nothing")]}
    return env.get_template("summary.html")


def _clocks(clips: Sequence[ClipTold], words: Mapping[str, str]) -> list[str]:
    said = [words[f"clock_{state}"] for state in ("ntp", "rtc", "saved", "unset")
            if any(clip.clock == state for clip in clips)]
    off_ms = [clip.off_ms for clip in clips if abs(clip.off_ms) >= NEAR_MS]
    if off_ms:
        said.append(words["clock_off"].format(least=min(off_ms) // 1000, most=max(off_ms) // 1000))
    return said


def _local(wall_ms: int) -> str:
    zoned = moment(wall_ms).astimezone()
    return f"{zoned:%Y-%m-%d %H:%M:%S %z}"


def _missing(gap: GapTold, words: Mapping[str, str]) -> str:
    gap_ms = gap.end_ms - gap.begin_ms
    if gap_ms >= BRIEF_MS:
        return f"{_local(gap.begin_ms)} – {_local(gap.end_ms)}"
    return words["brief"].format(seconds=f"{gap_ms / 1000:.1f}".replace(".", words["decimal"]), at=_local(gap.begin_ms))
