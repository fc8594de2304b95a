"""A request of the ward in words: who asks for what and why, what would leave and where it would go, what has left."""
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from agent.config.settings import Ward
from agent.core.contract.wire.inbound import BadPayload
from agent.core.contract.wire.requests import receipt
from agent.core.evidence.ledger import NotCanonical
from agent.host.clock import Instant
from agent.look.words import PageWords
from agent.store.export.preview import ExportPreview
from agent.store.requests import WardRequest

OPEN = ("new", "waiting", "approved", "packed")
Facts = Sequence[tuple[str, str]]       # label and value


@dataclass(frozen=True, slots=True)
class RequestView:
    """One request in words."""

    n: int
    digest: str                     # of what is asked, so that the answer is to what was shown
    state: str                      # a state's code of the store; its look on the page depends on it
    title: str                      # the camera, and the day or the moment
    said: str                       # the state, by whom it was decided, and when
    facts: Facts                    # officer, legal basis, the very recordings
    brief: str                      # of that, who asks for what and what for
    can_refuse: bool


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """What has left the house, in words."""

    n: int
    title: str
    when: str
    receipted: bool                 # by the keeper's word: the intake's signature is right, and about this very file
    facts: Facts


def request_view(request: WardRequest, footage: ExportPreview, sound: bool, ward: Ward, said: PageWords,
                 now: Instant) -> RequestView:
    """The request in words; `sound`: its camera records sound."""
    facts = [(said(f"requests.{label}"), value) for label, value in (
        ("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
        ("basis", request.basis), ("what", _what(request, said, now)),
        ("leaves", _leaves(request, footage, sound, said)), ("goes_to", _goes_to(request, said)),
        ("whose", _whose(request, ward, said))) if value]
    if request.state == "waiting" and request.until_ms is not None:
        facts.append((said("requests.until"), said.moment(request.until_ms, now.wall_ms)))
    return RequestView(request.n, digest(request), request.state, _title(request, said, now),
                       _state(request, said, now), facts,
                       said("requests.brief", officer=request.officer, purpose=purpose(request.purpose, said),
                            what=_what(request, said, now)), request.state in ("approved", "packed"))


def delivery_view(request: WardRequest, receipted: bool, said: PageWords, now: Instant) -> DeliveryView:
    """A delivered request in words; `receipted` is the keeper's word on its receipt."""
    had_ms = None
    with contextlib.suppress(BadPayload):           # of a row that somebody has spoiled
        had_ms = receipt((request.receipt or "").encode()).ts
    facts = [("officer", request.officer), ("case", request.case_no), ("purpose", purpose(request.purpose, said)),
             ("what", _what(request, said, now)), ("goes_to", _goes_to(request, said)),
             ("agreed", _state(request, said, now).partition(" · ")[2]),
             ("file", said("requests.package", size=said.size(request.bytes or 0))),
             ("sha256", request.sha256 or ""), ("manifest", request.manifest or "")]
    return DeliveryView(request.n, _title(request, said, now),
                        said.moment(had_ms, now.wall_ms) if had_ms else said("requests.when_unknown"), receipted,
                        [(said(f"requests.{label}"), value) for label, value in facts if value])


def digest(request: WardRequest) -> str:
    """Of what is asked; "" for a row that the ward's command never made."""
    with contextlib.suppress(NotCanonical):
        return request.digest
    return ""


def purpose(name: str, said: PageWords) -> str:
    """A well-known purpose in the page's words; any other one as the ward wrote it."""
    return said.purposes.get(name, name)


def _host(url: str) -> str:
    with contextlib.suppress(ValueError):
        return urlsplit(url).netloc or url
    return url


def _goes_to(request: WardRequest, said: PageWords) -> str:
    return said("requests.intake", host=_host(request.upload), known_by=request.intake_key)


def _whose(request: WardRequest, ward: Ward, said: PageWords) -> str:
    """Whose machine that is: the ward's own, and whether it is the one that the recorder reports to as well."""
    same = _host(request.upload).rpartition(":")[0] == ward.host
    return said("requests.whose_same" if same else "requests.whose_other", ward=ward.ward, broker=ward.host)


def _title(request: WardRequest, said: PageWords, now: Instant) -> str:
    camera = said.label(request.camera)
    if request.begin_ms is None:
        return said("requests.title_snapshot", camera=camera)
    return said("requests.title_clip", camera=camera, begin=said.moment(request.begin_ms, now.wall_ms))


def _state(request: WardRequest, said: PageWords, now: Instant) -> str:
    state = said(f"requests.state_{request.state}")
    when = said.moment(request.decided_ms, now.wall_ms) if request.decided_ms else ""
    by = said(f"requests.by_{request.decided_by}") if request.decided_by else ""
    return " · ".join(part for part in (state, by, when) if part)


def _what(request: WardRequest, said: PageWords, now: Instant) -> str:
    if request.begin_ms is None or request.end_ms is None:
        return said("requests.snapshot", camera=said.label(request.camera))
    return said("requests.span", camera=said.label(request.camera), day=said.day(request.begin_ms, now.wall_ms),
                begin=said.clock(request.begin_ms, seconds=True), end=said.clock(request.end_ms, seconds=True))


def _leaves(request: WardRequest, footage: ExportPreview, sound: bool, said: PageWords) -> str:
    """ "" where nothing has left, nor will."""
    if request.bytes is not None:
        return said("requests.package", size=said.size(request.bytes))
    if request.state not in OPEN:
        return ""
    if request.kind == "snapshot":
        return said("requests.one_picture")
    if footage.empty:
        return said("requests.nothing")
    told = said("requests.video", length=said.span(footage.dur_ms), size=said.size(footage.bytes),
                clips=len(footage.clips))
    more = [said(f"requests.{key}") for key, holds in (
        ("sound", sound), ("recording", footage.recording), ("undated", not footage.sure)) if holds]
    return " ".join([told, *more])
