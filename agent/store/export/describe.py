"""What an export says of itself: put together by whoever asks for it, and anew by the keeper before it signs."""
from collections.abc import Sequence

import agent
from agent.core.evidence.ledger import ClipSigned, WardIdentity
from agent.core.evidence.ledger.claim import Claim, ClipTold, ExportWish, FileTold, FilmTold, GapTold, StretchTold
from agent.core.media.mp4.cut import CutFilm
from agent.store.bound import Signed
from agent.store.clips import Clip
from agent.store.export.errors import ExportError
from agent.store.export.prepare import Export

SOFTWARE = f"taimat {agent.__version__}"


def describe(found: Export, wish: ExportWish, films: Sequence[FileTold], signed: Signed, files: Sequence[FileTold] = (),
             ward: WardIdentity | None = None, demand_rows: bool = True) -> Claim:
    """The claim for an export whose `films` have these names and digests, and whose clips have these rows, by a
    recorder that the `ward` knows by this certificate.

    Raises ExportError for a clip without a row, unless rows are not demanded; then the claim leaves it out.
    """
    used = dict.fromkeys(number for film in found.films for number in film.strips)
    clips = [found.clips[number] for number in used]
    if demand_rows and (unsigned := next((clip.name for clip in clips if clip.name not in signed), None)):
        raise ExportError(f"the clip {unsigned} is not signed yet, which takes the keeper a few seconds: try again; "
                          "taimat doctor tells more if it stays so")
    return Claim(wish=wish, films=[_film(found, film, told) for film, told in zip(found.films, films, strict=True)],
                 clips=[_clip(clip, *signed[clip.name]) for clip in clips if clip.name in signed],
                 gaps=[GapTold(begin_ms=gap.begin_ms, end_ms=gap.end_ms, why=gap.why) for gap in found.gaps],
                 sure=found.sure, software=SOFTWARE, until_ms=found.until_ms, ward=ward,
                 files=list(files))


def _film(found: Export, film: CutFilm, told: FileTold) -> FilmTold:
    stream = film.plan.stream
    return FilmTold(file=told.file, bytes=told.bytes, sha256=told.sha256, dur_ms=film.dur_us // 1000,
                    frames=film.frames_n, sounds=film.sounds_n, codec=stream.codec, width=stream.width,
                    height=stream.height, clips=list(dict.fromkeys(found.clips[number].name for number in film.strips)),
                    stretches=[StretchTold(begin_ms=each.begin_us // 1000, end_ms=each.end_us // 1000,
                                           at_ms=each.at_us // 1000) for each in film.stretches])


def _clip(clip: Clip, n: int, signed: ClipSigned) -> ClipTold:
    return ClipTold(clip=clip.name, n=n, sha256=signed.sha256, begin_ms=clip.wall_ms, dur_ms=signed.dur_ms,
                    clock=signed.clock, off_ms=clip.wall_ms - signed.wall_ms, settings=signed.settings,
                    masks=signed.masks, masked_by=signed.masked_by, detector=signed.detector)
