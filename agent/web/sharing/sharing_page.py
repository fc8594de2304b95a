"""/sharing: what the ward gets, joining and leaving, requests and deliveries. /notice: a sheet for visitors."""
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
from agent.store import requests
from agent.web.server.access import token_of
from agent.web.server.parts import FormRefused, Handlers, PageParts, fields_of
from agent.web.server.settings_desk import after
from agent.web.server.words import View, days_text, lack_sentence
from agent.web.sharing.requests import RequestsPage, purpose

HERE = "/sharing"
TEMPLATES = {HERE: "sharing.html", "/sharing/join": "sharing_join.html", "/sharing/leave": "sharing_leave.html"}
LEFT_N = 3                      # deliveries that are shown here; all of them are at /requests
PURPOSE = "purpose-"            # begins the names of the purposes' fields
TOO_LATE = "sharing_shown"      # a problem of this page: it showed something that no longer holds
SHUT = Rules("never", {}, "never")
NO_NETWORK = ("dns", "timeout", "network", "no_broker", "closed", "busy")
SAID = ("claim_used", "claim_expired", "revoked")       # refusals that have words of their own
NO_CLOCK = ("tls_not_yet_valid", "tls_expired")
ASK_N_MAX = 80          # characters of a name and a telephone number
Enrolment = tuple[str, int | None, EnrolState | None]       # the ward for people, "" if unknown; until when; state


class SharingPage(Handlers):
    """A viewer sees what leaves the house, but no requests and no switches."""

    def __init__(self, parts: PageParts, asked: RequestsPage) -> None:
        super().__init__(parts)
        self._asked = asked

    async def show(self, request: Request, problem: str = "") -> Response:
        """GET /sharing, /sharing/join (the whole text, and the button below it) and /sharing/leave (what it means)."""
        said, state = self._words(request), await self._state(request)
        waiting = await self._asked.waiting(request) if request.state.is_owner else []
        left = await self._asked.delivered(request, LEFT_N, state.receipted)
        found = await self._pool.ask(lambda _: read(self._settings.ward, self._runtime))
        view = sharing_view(self._settings, state, words_lack(), said)
        enrolment = enrolment_view(found, view.ward, self._clock.now().wall_ms, said)
        template = "sharing.html" if problem else TEMPLATES[request.url.path]
        return self._show(request, template, 409 if problem else 200, view=view, **self._problem(request, problem),
                          enrolment=enrolment, text=consent_text(said.language), waiting=waiting,
                          asked_n=await self._pool.ask(requests.waiting_n), left=left)

    async def change(self, request: Request) -> Response:
        """POST with `part` ("health", "events", "people", "pictures") and `to`, or "purposes" with a rule each."""
        change = _change(await fields_of(request))
        return await self._say(request, ChangeSettings(token=token_of(request), change=change))

    async def join(self, request: Request) -> Response:
        """POST with `ward` and `text` as the page showed them."""
        form = await fields_of(request)
        return await self._say(request, JoinWard(token=token_of(request), ward=form.get("ward", ""),
                                                 text=number(form.get("text")) or 0))

    async def leave(self, request: Request) -> Response:
        return await self._say(request, ChangeSettings(token=token_of(request), change=SetWard(enabled=False)))

    async def _say(self, request: Request, question: BrowserQuestion) -> Response:
        """Asks the keeper. What the household takes back counts at once, even if the configuration can't change."""
        answer = await self._ask(question)
        for what, role in (("membership", "link"), ("requests", "link"), ("requests", "keeper")):
            self._outlet.send(Poke(what=what), role)
        if answer.why == "no_setup" and (await self._state(request)).held:
            return RedirectResponse(HERE, 303)
        if answer.why:
            return await self.show(request, "no_setup" if answer.why == "no_setup" else TOO_LATE)
        return after([answer.change], HERE, HERE)

    async def notice(self, request: Request) -> Response:
        """GET /notice[?ask=]: whom to ask, a name and a number."""
        said = self._words(request)
        sharing = sharing_view(self._settings, await self._state(request), words_lack(), said)
        view = notice_view(self._settings, sharing, title_of(request.query_params.get("ask", ""))[:ASK_N_MAX], said)
        return self._show(request, "notice.html", view=view, ask_n_max=ASK_N_MAX)

    async def _state(self, request: Request) -> SharingState:
        return (await self._browsers.ask(AskSharing(token=token_of(request)))).sharing


def _change(form: Mapping[str, str]) -> SetSharing:
    """Returns what the form sets. Raises FormRefused."""
    to, keys = form.get("to", ""), dict[str, Any]()
    match form.get("part"):
        case "health" | "events" as part:
            keys = {part: to}
        case "people" if to != "never":
            keys = {"events": to}
        case "pictures":        # the household is asked each time for a picture of the moment
            keys = dict[str, Any].fromkeys(STRICTEST_FIRST, [])
            keys |= {"default": to, "snapshots": "never" if to == "never" else "ask"}
        case "purposes":        # each may follow the rule for all others
            chosen = {name.removeprefix(PURPOSE): rule for name, rule in form.items() if name.startswith(PURPOSE)}
            keys = {rule: [name for name, its in chosen.items() if its == rule] for rule in STRICTEST_FIRST}
            keys |= {key: form.get(key, "") for key in ("default", "snapshots")}
    with contextlib.suppress(msgspec.ValidationError):
        if keys:
            return msgspec.convert({"change": "sharing", **keys}, SetSharing)
    raise FormRefused("No such switch")


def sharing_view(settings: Settings, state: SharingState, lack: WordLack | None, said: PageWords) -> View:
    """Returns what the ward gets: by the keeper's answer, and by the configuration if that is stricter.

    `standing` is none (no ward is set up), out (the household can join), joining or in. `held`: the household has taken
    back what the configuration still says. `people`: of motion the ward gets only people and vehicles; `lack` says why
    it gets all motion nevertheless. `pictures` is the rule for all purposes, "" if they differ.
    """
    ward, rules = settings.ward, SHUT if state.no_pictures else sharing_rules(settings.sharing)
    names = list(said.purposes)
    names += sorted(name for name in rules.by_purpose if name not in names)
    one = not rules.by_purpose and rules.snapshots == ("never" if rules.default == "never" else "ask")
    parts = [View(name=part, text=said(f"sharing.part_{part}"), help=said(f"sharing.part_{part}_help"),
                  sent=part not in state.withheld) for part in consent.KINDS_OF]
    is_set_up = ward.enabled or (ward.ward, ward.host) != (Ward().ward, Ward().host)
    outside = "none" if not is_set_up else "joining" if ward.enabled and not state.held else "out"
    purposes = [View(name=name, text=purpose(name, said), rule=rules.by_purpose.get(name, "")) for name in names]
    return View(
        standing="in" if state.ward else outside, ward=state.ward or ward.ward, host=ward.host, agreed_text=state.text,
        parts=parts, people=bool(state.only), lack=lack_sentence(lack, said), pictures=rules.default if one else "",
        pictures_text=said(f"sharing.pictures_{rules.default if one else 'mixed'}"), default=rules.default,
        purposes=purposes, snapshots=rules.snapshots, held=state.held)


def consent_text(language: str) -> dict[str, Any]:
    """Returns what a household agrees to by joining: a heading, points, and the rest."""
    lines = device_words.consent_text(language).splitlines()
    points = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return {"version": consent.VERSION, "head": lines[0], "points": points, "rest": " ".join(lines[1 + len(points):])}


def read(ward: Ward, runtime: Path) -> Enrolment:
    """Returns what is known of the enrolment, from the card and from memory. Raises OSError."""
    record, state = record_beside(ward.cert), shown(runtime)
    if record is None or record.ward != ward.ward:
        return "", None, state
    try:
        leaf = certificate.of_pem(Path(ward.cert).read_text(encoding="ascii"))
    except (certificate.NotACertificate, UnicodeDecodeError):
        return record.called, None, state
    return record.called, int(leaf.not_after.timestamp() * 1000), state


def enrolment_view(found: Enrolment, ward: str, now_wall_ms: int, said: PageWords) -> View:
    """`ward` is its name in the configuration, or the ward that the household is in."""
    (called, until_ms, state), trouble = found, ""
    if state and state.step != "enrolled":
        trouble = said(f"enrolment.{_kind(state)}", ward=state.ward)
    until = said("enrolment.until", day=said.day(until_ms, now_wall_ms)) if until_ms is not None else ""
    return View(called=called or said("sharing.ward", ward=ward), known=bool(called), trouble=trouble, until=until,
                tone="warn" if state and state.step == "refused" else "idle")


def _kind(state: EnrolState) -> str:
    if state.step == "refused":
        return state.code if state.code in SAID else "refused"
    if state.step == "renewing":
        return "renewing"
    return "no_clock" if state.code in NO_CLOCK else "no_network" if state.code in NO_NETWORK else "waiting"


def notice_view(settings: Settings, sharing: View, ask: str, words: PageWords) -> View:
    """Returns the sheet. `text` says the same for phones; an empty `ask` leaves a line to write on."""
    cameras = [camera for camera in settings.camera if camera.enabled]
    who = settings.device.title or settings.device.site or words("notice.who_unnamed")
    lines = [(words("notice.who"), who), (words("notice.what"), " ".join(_what(cameras, words))),
             (words("notice.why"), words("notice.why_value")),
             (words("notice.long"), words("notice.long_value", days=_days(settings, cameras, words))),
             (words("notice.gets"), " ".join(_gets(settings, sharing, words)))]
    asked = [(words("notice.ask"), ask)] if ask else []
    text = [words("notice.head"), *(f"{label}: {value}" for label, value in lines + asked)]
    return View(lines=lines, ask=ask, text="\n".join(text))


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


def _gets(settings: Settings, sharing: View, words: PageWords) -> Sequence[str]:
    if sharing.standing == "in":
        events = any(part.sent for part in sharing.parts if part.name == "events")
        of_people = sharing.people and not sharing.lack
        gets = [words("notice.gets_no_events" if not events else
                      "notice.gets_people" if of_people else "notice.gets_events", ward=sharing.ward),
                words(f"notice.pictures_{sharing.pictures or 'mixed'}")]
    else:
        gets = [words("notice.gets_nobody")]
    if settings.notify:
        pictures = any(place.pictures for place in settings.notify)
        gets.append(words("notice.phones_pictures" if pictures else "notice.phones"))
    return gets
