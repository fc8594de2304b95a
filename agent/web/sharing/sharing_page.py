"""/sharing: what the ward is told and may have, in a few switches; joining and leaving; what waits, what has left."""
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from agent.config.derived import sharing_rules
from agent.config.settings import Camera, Settings, Ward
from agent.core.contract.decisions import AskSharing, BrowserQuestion, ChangeSettings, JoinWard, SharingState
from agent.core.contract.facts import Poke
from agent.core.contract.setup import SetSharing, SetWard
from agent.core.delivery import certificate
from agent.core.household import consent
from agent.core.household.labels import WordLack
from agent.core.household.sharing_rules import STRICTEST_FIRST, Rules
from agent.host.ward_folder import EnrolState, record_beside, shown
from agent.host.weights import words_lack
from agent.look import device_words
from agent.look.forms import number, title_of
from agent.look.words import PageWords
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.server.settings_desk import after
from agent.web.server.words import days_text, lack_sentence
from agent.web.sharing.requests import RequestsPage, purpose

HERE = "/sharing"
LEFT_N = 3                      # deliveries that are shown here; all of them are at /requests
PURPOSE = "purpose-"            # how the fields of purposes are called
TOO_LATE = "sharing_shown"      # a problem of this page: something else was shown than what holds
SHUT = Rules("never", {}, "never")
NO_NETWORK = ("dns", "timeout", "network", "no_broker", "closed", "busy")
SAID = ("claim_used", "claim_expired", "revoked")       # refusals that have words of their own
NO_CLOCK = ("tls_not_yet_valid", "tls_expired")
ASK_N_MAX = 80          # characters of a name and a telephone number
Enrolment = tuple[str, int | None, EnrolState | None]       # the ward for people, "" if unknown; until when; state


class SharingPage(Handlers):
    """The handlers. A viewer sees what leaves the house, and neither who asks for what nor a switch."""

    def __init__(self, parts: PageParts, asked: RequestsPage) -> None:
        super().__init__(parts)
        self._asked = asked

    async def show(self, request: Request) -> Response:
        """GET."""
        return await self._page(request)

    async def change(self, request: Request) -> Response:
        """POST: `part` ("health", "events", "people", "pictures") and `to`, or `part` "purposes" with a rule each."""
        change = _change(await fields_of(request))
        return await self._say(request, ChangeSettings(token=token_of(request), change=change))

    async def joining(self, request: Request) -> Response:
        """GET /sharing/join: the text, whole, and the button beneath."""
        return await self._page(request, "sharing_join.html")

    async def join(self, request: Request) -> Response:
        """POST with `ward` and `text`, which were shown."""
        form = await fields_of(request)
        return await self._say(request, JoinWard(token=token_of(request), ward=form.get("ward", ""),
                                                 text=number(form.get("text")) or 0))

    async def leaving(self, request: Request) -> Response:
        """GET /sharing/leave: what that means."""
        return await self._page(request, "sharing_leave.html")

    async def leave(self, request: Request) -> Response:
        """POST."""
        return await self._say(request, ChangeSettings(token=token_of(request), change=SetWard(enabled=False)))

    async def _say(self, request: Request, question: BrowserQuestion) -> Response:
        """Bring it to the keeper. What it takes back counts by now, whether the configuration can be changed or not."""
        answer = await self._ask(question)
        for what, role in (("membership", "link"), ("requests", "link"), ("requests", "keeper")):
            self._outlet.send(Poke(what=what), role)
        if answer.why == "no_setup" and (await self._state(request)).held:
            return RedirectResponse(HERE, 303)
        if answer.why:
            return await self._page(request, problem="no_setup" if answer.why == "no_setup" else TOO_LATE)
        return after([answer.change], HERE, HERE)

    async def _page(self, request: Request, template: str = "sharing.html", problem: str = "") -> Response:
        said, state = self._words(request), await self._state(request)
        waiting = await self._asked.waiting(request) if request.state.is_owner else []
        left = await self._asked.delivered(request, LEFT_N, state.receipted)
        found = await self._pool.ask(lambda _: read(self._settings.ward, self._runtime))
        view = sharing_view(self._settings, state, words_lack(), said)
        enrolment = enrolment_view(found, view.ward, self._clock.now().wall_ms, said)
        return self._show(request, template, 409 if problem else 200, view=view, **self._problem(request, problem),
                          enrolment=enrolment, text=consent_text(said.language), waiting=waiting,
                          asked_n=await self._asked.waiting_n(), left=left)

    async def _state(self, request: Request) -> SharingState:
        return (await self._browsers.ask(AskSharing(token=token_of(request)))).sharing


def _change(form: Mapping[str, str]) -> SetSharing:
    """What the form sets. Raises FormRefused."""
    to, keys = form.get("to", ""), dict[str, Any]()
    match form.get("part"):
        case "health" | "events" as part:
            keys = {part: to}
        case "people" if to != "never":
            keys = {"events": to}
        case "pictures":        # for a picture of the moment the household is asked each time
            keys = dict[str, Any].fromkeys(STRICTEST_FIRST, [])
            keys |= {"default": to, "snapshots": "never" if to == "never" else "ask"}
        case "purposes":        # each may be as for all others
            chosen = {name.removeprefix(PURPOSE): rule for name, rule in form.items() if name.startswith(PURPOSE)}
            keys = {rule: [name for name, its in chosen.items() if its == rule] for rule in STRICTEST_FIRST}
            keys |= {key: form.get(key, "") for key in ("default", "snapshots")}
    with contextlib.suppress(msgspec.ValidationError):
        if keys:
            return msgspec.convert({"change": "sharing", **keys}, SetSharing)
    raise FormRefused("No such switch")


class PurposeView(NamedTuple):
    """A purpose, and the rule that holds for it; "": that for all others."""

    name: str
    said: str
    rule: str


class PartView(NamedTuple):
    """A part of what the ward is told, which can be switched."""

    name: str
    said: str
    help: str
    told: bool


class SharingView(NamedTuple):
    """The household and its ward."""

    standing: str                   # none: nobody has set a ward up · out: it can join · joining · in
    ward: str
    host: str
    agreed_text: int                # the version that holds; 0: none
    parts: Sequence[PartView]
    people: bool                    # of motion it is told of people and vehicles alone
    lack: str                       # why no event gets a word here, so that it is told of all motion; "": they do
    pictures: str                   # the rule for all purposes; "": not one for all
    pictures_said: str
    default: str
    purposes: Sequence[PurposeView]
    snapshots: str
    held: bool                      # the household has taken back what the configuration still says


def sharing_view(settings: Settings, state: SharingState, lack: WordLack | None, said: PageWords) -> SharingView:
    """By the keeper's word, and by the configuration where that is not stricter."""
    ward, rules = settings.ward, SHUT if state.no_pictures else sharing_rules(settings.sharing)
    names = list(said.purposes)
    names += sorted(name for name in rules.by_purpose if name not in names)
    one = not rules.by_purpose and rules.snapshots == ("never" if rules.default == "never" else "ask")
    parts = [PartView(part, said(f"sharing.part_{part}"), said(f"sharing.part_{part}_help"), part not in state.withheld)
             for part in consent.KINDS_OF]
    is_set_up = ward.enabled or (ward.ward, ward.host) != (Ward().ward, Ward().host)
    outside = "none" if not is_set_up else "joining" if ward.enabled and not state.held else "out"
    return SharingView(
        "in" if state.ward else outside, state.ward or ward.ward, ward.host, state.text, parts, bool(state.only),
        lack_sentence(lack, said), rules.default if one else "",
        said(f"sharing.pictures_{rules.default if one else 'mixed'}"), rules.default,
        [PurposeView(name, purpose(name, said), rules.by_purpose.get(name, "")) for name in names],
        rules.snapshots, state.held)


def consent_text(language: str) -> dict[str, Any]:
    """What a household agrees to by joining: a heading, what the ward is told, and what holds beside."""
    lines = device_words.consent_text(language).splitlines()
    points = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return {"version": consent.VERSION, "head": lines[0], "points": points, "rest": " ".join(lines[1 + len(points):])}


class EnrolmentView(NamedTuple):
    """In words."""

    called: str                 # the ward
    known: bool                 # the recorder is enrolled there
    trouble: str                # "": none
    tone: Literal["idle", "warn"]
    until: str


def read(ward: Ward, runtime: Path) -> Enrolment:
    """What is known of the enrolment, as it lies on the card and in memory. Raises OSError."""
    record, state = record_beside(ward.cert), shown(runtime)
    if record is None or record.ward != ward.ward:
        return "", None, state
    try:
        leaf = certificate.of_pem(Path(ward.cert).read_text(encoding="ascii"))
    except (certificate.NotACertificate, UnicodeDecodeError):
        return record.called, None, state
    return record.called, int(leaf.not_after.timestamp() * 1000), state


def enrolment_view(found: Enrolment, ward: str, now_wall_ms: int, said: PageWords) -> EnrolmentView:
    """`ward` is its name in the configuration, or that of the ward that the household is in."""
    (called, until_ms, state), trouble = found, ""
    if state and state.step != "enrolled":
        trouble = said(f"enrolment.{_kind(state)}", ward=state.ward)
    until = said("enrolment.until", day=said.day(until_ms, now_wall_ms)) if until_ms is not None else ""
    return EnrolmentView(called or said("sharing.ward", ward=ward), bool(called), trouble,
                         "warn" if state and state.step == "refused" else "idle", until)


def _kind(state: EnrolState) -> str:
    if state.step == "refused":
        return state.code if state.code in SAID else "refused"
    if state.step == "renewing":
        return "renewing"
    return "no_clock" if state.code in NO_CLOCK else "no_network" if state.code in NO_NETWORK else "waiting"


class NoticeView(NamedTuple):
    """The sheet: what is told, each with what it answers, and whom to ask; "" leaves a line to write on."""

    lines: Sequence[tuple[str, str]]
    ask: str

    def text(self, words: PageWords) -> str:
        """The same as a text that a phone can read, keep and translate."""
        told = [words("notice.head"), *(f"{label}: {value}" for label, value in self.lines)]
        return "\n".join([*told, *([f"{words('notice.ask')}: {self.ask}"] if self.ask else [])])


class NoticePage(Handlers):
    """The handler."""

    async def show(self, request: Request) -> Response:
        """GET /notice[?ask=]: whom to ask, a name and a number."""
        said = self._words(request)
        sharing = (await self._browsers.ask(AskSharing(token=token_of(request)))).sharing
        view = notice_view(self._settings, sharing_view(self._settings, sharing, words_lack(), said),
                           title_of(request.query_params.get("ask", ""))[:ASK_N_MAX], said)
        return self._show(request, "notice.html", view=view, ask_n_max=ASK_N_MAX)


def notice_view(settings: Settings, sharing: SharingView, ask: str, words: PageWords) -> NoticeView:
    """What holds now."""
    cameras = [camera for camera in settings.camera if camera.enabled]
    who = settings.device.title or settings.device.site or words("notice.who_unnamed")
    return NoticeView([
        (words("notice.who"), who), (words("notice.what"), " ".join(_what(cameras, words))),
        (words("notice.why"), words("notice.why_value")),
        (words("notice.long"), words("notice.long_value", days=_days(settings, cameras, words))),
        (words("notice.gets"), " ".join(_gets(settings, sharing, words)))], ask)


def _what(cameras: Sequence[Camera], words: PageWords) -> Sequence[str]:
    if not cameras:
        return [words("notice.no_camera")]
    seen = [words.label(camera.name) for camera in cameras]
    heard = [words.label(camera.name) for camera in cameras if camera.audio]
    return [words("notice.what_value", cameras=", ".join(seen)),
            words("notice.sound", cameras=", ".join(heard)) if heard else words("notice.no_sound")]


def _days(settings: Settings, cameras: Sequence[Camera], words: PageWords) -> str:
    store = settings.store
    always = [store.keep_continuous_days for camera in cameras if camera.record != "motion"]
    return days_text(max([store.keep_days, *always]), words)


def _gets(settings: Settings, sharing: SharingView, words: PageWords) -> Sequence[str]:
    if sharing.standing == "in":
        events = any(part.told for part in sharing.parts if part.name == "events")
        of_people = sharing.people and not sharing.lack
        told = [words("notice.gets_no_events" if not events else
                      "notice.gets_people" if of_people else "notice.gets_events", ward=sharing.ward),
                words(f"notice.pictures_{sharing.pictures or 'mixed'}")]
    else:
        told = [words("notice.gets_nobody")]
    if settings.notify:
        pictures = any(each.pictures for each in settings.notify)
        told.append(words("notice.phones_pictures" if pictures else "notice.phones"))
    return told
