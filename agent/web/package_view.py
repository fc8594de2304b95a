"""What exactly would leave the house if a request were approved now: its films, to be played, and what is said in them.
"""
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.evidence.ledger import fingerprint
from agent.look.words import PageWords
from agent.store import identity, ledger, meta
from agent.store.database import StoreConnection
from agent.store.export.describe import SOFTWARE
from agent.store.requests import WardRequest
from agent.web.films import FilmGap, FilmList, FilmListed, Films, FilmWish
from agent.web.present_request import Facts
from agent.web.store_pool import StorePool

CODECS = {"h264": "H.264", "h265": "H.265"}


@dataclass(frozen=True, slots=True)
class PackedFilm:
    """One film of the package, bit for bit: the packing cuts the same frames out of the same clips."""

    address: str
    said: str                       # from when to when, size of the picture, encoding, bytes
    plays_everywhere: bool


@dataclass(frozen=True, slots=True)
class PackageView:
    """The package in words."""

    films: Sequence[PackedFilm]
    total: str                      # the size of all films
    gaps: Sequence[str]
    grows: bool                     # the end of it is being recorded: that leaves with the next one
    papers: Facts                   # what the manifest says beside what the ward has asked


async def package_view(request: WardRequest, films: Films, pool: StorePool, said: PageWords) -> PackageView | None:
    """None for a picture of the moment, which nobody has yet. Raises CardTrouble."""
    if request.begin_ms is None or request.end_ms is None:
        return None
    told = await films.told(FilmWish(request.camera, request.begin_ms, request.end_ms))
    return _view(told, await pool.ask(_papers, request.camera, said), said)


def _view(told: FilmList, papers: Facts, said: PageWords) -> PackageView:
    return PackageView([_film(each, said) for each in told.films], said.size(sum(each.bytes for each in told.films)),
                       [_gap(each, said) for each in told.gaps], told.grows, papers)


def _film(film: FilmListed, said: PageWords) -> PackedFilm:
    words = said("package.film", begin=said.clock(film.begin_ms, seconds=True),
                 end=said.clock(film.end_ms, seconds=True), length=said.span(film.dur_ms), width=film.width,
                 height=film.height, codec=CODECS.get(film.codec, film.codec), size=said.size(film.bytes))
    return PackedFilm(film.address, words, film.codec == "h264")


def _gap(gap: FilmGap, said: PageWords) -> str:
    return said(f"package.gap_{gap.why}", begin=said.clock(gap.begin_ms, seconds=True),
                end=said.clock(gap.end_ms, seconds=True))


def _papers(db: StoreConnection, camera: str, said: PageWords) -> Facts:
    """Which names are in the manifest, and by which key it is signed."""
    key = meta.get(db, ledger.KEY)
    return [(said(f"package.{label}"), value) for label, value in (
        ("camera", camera), ("recorder", identity.named(db.store) or identity.UNNAMED), ("software", SOFTWARE),
        ("key", fingerprint(bytes.fromhex(key)) if key else said("package.no_key")))]
