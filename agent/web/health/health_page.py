"""/health: what matters now in sentences, and behind them the last day or month in small plots; /health.json."""
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Camera
from agent.core.contract.facts import HealthSample, KeeperFacts, LinkFacts
from agent.core.health.conditions import ROLE, Condition
from agent.core.health.facts import HostFacts
from agent.core.health.history import DAY_MS, History
from agent.core.health.report import Report
from agent.core.household.day_lane import LanePiece, WallSpan, lane
from agent.core.household.labels import WordLack
from agent.host.clock import Instant
from agent.host.weights import words_lack
from agent.look.device_words import condition_text
from agent.look.words import PageWords
from agent.store import health_history, recordings
from agent.store.boots import Dates
from agent.web.health import present_history
from agent.web.health.present_history import Period, figure, life_sentence
from agent.web.recordings import present_day
from agent.web.server.parts import Handlers
from agent.web.server.store_pool import CardTrouble

Known = tuple[History, list[list[LanePiece]]]       # and a lane for each camera
TONES = {"info": "idle", "warn": "warn", "alarm": "alarm"}
DAYS_MANY = 365


class HealthPage(Handlers):
    """The handlers of a day and of a month."""

    async def day(self, request: Request) -> Response:
        """GET /health."""
        said, now = self._words(request), self._clock.now()
        return await self._page(request, present_history.last_day(now.wall_ms, said), now)

    async def month(self, request: Request) -> Response:
        """GET /health/month."""
        said, now = self._words(request), self._clock.now()
        return await self._page(request, present_history.last_month(now.wall_ms, said), now)

    async def told(self, request: Request) -> Response:
        """/health.json: the newest report; null stands for unknown. 503 before the first report."""
        report = await self._health.report()
        told = health_of(report, self._clock.now()) if report else {"report": None}
        return Response(msgspec.json.encode(told), 200 if report else 503, media_type="application/json")

    async def _page(self, request: Request, period: Period, now: Instant) -> Response:
        """Without an answer of the card it is shown without plots: what matters now is no row of it."""
        said, report = self._words(request), await self._health.report()
        history, gaps, units = None, [], report.units if report else ()
        lately = next((told.lately for unit in units if (told := unit.own_facts(KeeperFacts))), [])  # not written yet
        try:
            known, lanes = await self._pool.ask(self._read, period, lately, now)
        except CardTrouble:
            pass
        else:
            history = present_history.history_view(known, period, report and report.card_life_days, said)
            gaps = present_history.gap_views([camera.name for camera in self._filmed()], lanes, period, said)
        return self._show(
            request, "health.html", health=health_view(report, words_lack(), now, said),
            history=history, gaps=gaps, period=period,
            looks=present_day.looks([each for gap in gaps for each in gap.drawn], said))

    def _read(self, db: sqlite3.Connection, period: Period, lately: Sequence[HealthSample], now: Instant) -> Known:
        """All that is drawn. Samples of the day before are read, too: the card's forecast goes by them."""
        before = WallSpan(period.span.begin_ms - DAY_MS, period.span.end_ms)
        floor_pct = self._settings.store.free_floor_pct
        dates, history = Dates(db), History(period.slots, now.wall_ms, floor_pct, curves=not period.by_day)
        for each in health_history.within(db, dates, before, lately, now):
            history.add(each)
        return (history,
                [self._lane(db, dates, camera.name, camera.record != "motion", period, now.wall_ms)
                 for camera in self._filmed()])

    def _filmed(self) -> list[Camera]:
        return [camera for camera in self._settings.camera if camera.enabled]

    @staticmethod
    def _lane(db: sqlite3.Connection, dates: Dates, camera: str, always: bool, period: Period,
              now_ms: int) -> list[LanePiece]:
        """A day as among the recordings; of a month, whose clips are too many, what is known without them."""
        span = period.span
        if not period.by_day:
            return present_day.pieces_of(recordings.camera_day(db, dates, camera, span, now_ms), span, now_ms, always)
        absent = [*recordings.absences(db, dates, camera, span), *recordings.off(db, dates, span)]
        return lane(span, now_ms, [], absent, always=False)


def health_of(report: Report, now: Instant) -> dict[str, Any]:
    """A report as JSON's values, with each condition's words in both languages."""
    told = msgspec.to_builtins(report)
    for condition in told["conditions"]:
        condition["since_wall_ms"] = int(now.wall_ms - now.mono_ms + condition["since_mono_s"] * 1000)
        condition["texts"] = {language: condition_text(condition["code"], language, condition["unit"])._asdict()
                              for language in ("vi", "en")}
    return told


class ProblemView(NamedTuple):
    """One condition in words; `since` is empty for a camera's: its tile tells since when it has no picture."""

    tone: str
    title: str
    since: str
    remedy: str


class HealthView(NamedTuple):
    """The device's health in words."""

    tone: str                           # good | idle | warn | alarm
    sentence: str
    remedy: str
    problems: list[ProblemView]             # all but the one that `sentence` and `remedy` tell
    details: list[tuple[str, str]]      # label and value, without the unknown ones


def health_view(report: Report | None, lack: WordLack | None, now: Instant, words: PageWords) -> HealthView:
    """The newest report in words; None stands for the time before the first one. `lack`: why no event gets a word."""
    if report is None:
        return HealthView("idle", words("health.checking"), "", [], [])
    problems = [_problem(each, now, words) for each in report.conditions]
    unnamed = [(words("health.label"), words(f"health.label_{lack}"))] if lack else []
    details = [*_machine(report.host, words), *_card(report, words), *_surroundings(report, words), *unnamed,
               *_roles(report, words)]
    if problems and problems[0].tone != "idle":
        worst, *others = problems
        return HealthView(worst.tone, " ".join((worst.title, worst.since)).strip(), worst.remedy, others, details)
    return HealthView("good", words("health.good"), "", problems, details)


def _problem(condition: Condition, now: Instant, words: PageWords) -> ProblemView:
    said = condition_text(condition.code, words.language, condition.unit)
    began_wall_ms = int(now.wall_ms - now.mono_ms + condition.since_mono_s * 1000)
    since = "" if condition.camera else words("health.since", time=words.moment(began_wall_ms, now.wall_ms))
    where = words.label(condition.camera) if condition.camera else (
        _role_name(condition.unit, words) if condition.unit and condition.code in (*ROLE, "database_held") else "")
    title = f"{said.title} ({where})" if where else said.title
    return ProblemView(TONES[condition.severity], title, since, said.remedy)


def _machine(host: HostFacts, words: PageWords) -> Iterator[tuple[str, str]]:
    if host.soc_temp_c is not None:
        yield words("health.temperature"), f"{words.number(host.soc_temp_c)} °C"
    if host.mem_avail_b is not None and host.mem_total_b:
        yield words("health.memory"), words("health.memory_value", free=words.size(host.mem_avail_b),
                                            total=words.size(host.mem_total_b))


def _card(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    host, days_left = report.host, report.card_days_left
    if host.disk_free_b is None or not host.disk_tot_b:
        return
    space = words("health.memory_value", free=words.size(host.disk_free_b), total=words.size(host.disk_tot_b))
    if days_left is not None:
        lasts = (words("health.days_many") if days_left >= DAYS_MANY
                 else words("health.days_left", days=words.number(days_left, 0 if days_left >= 3 else 1)))
        space = f"{space}, {lasts}"
    yield words("health.card"), space
    yield from _kept(report, words)
    if report.card_written_b_per_day is not None:
        written = words("health.wear_value", size=words.size(int(report.card_written_b_per_day)))
        yield words("health.wear"), "; ".join([written, *life_sentence(report.card_life_days, words)])


def _kept(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    """How long each camera's footage stays, from the keeper's heartbeat."""
    told = {camera: days for unit in report.units if (keeper := unit.own_facts(KeeperFacts))
            for camera, days in keeper.kept_days.items()}
    if told:
        lines = (words("health.kept_value", camera=words.label(camera), days=figure(days, words))
                 for camera, days in sorted(told.items()))
        yield words("health.kept"), "; ".join(lines)


def _surroundings(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    host = report.host
    yield words("health.clock"), words(f"health.clock_{host.clock}")
    if host.net_up is not None:
        yield words("health.network"), words("health.network_up" if host.net_up else "health.network_down")
    for unit in report.units:
        if (told := unit.own_facts(LinkFacts)) and f"health.broker_{told.broker}" in words.texts:
            waiting = f", {words('health.broker_waiting', n=told.outbox_n)}" if told.outbox_n else ""
            yield words("health.broker"), words(f"health.broker_{told.broker}") + waiting
    if host.up_s is not None:
        yield words("health.up"), words.span(int(host.up_s * 1000))


def _roles(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    for role, told in report.roles.items():
        restarts = f", {words('health.restarts', n=told.restarts_n)}" if told.restarts_n else ""
        name = _role_name(role, words)
        yield name[:1].upper() + name[1:], words(f"health.state_{told.state}") + restarts


def _role_name(unit: str, words: PageWords) -> str:
    """A unit's duty in words: that of "capture@gate" is recording; an unknown name stays as it is."""
    role = unit.partition("@")[0]
    return words.texts.get(f"health.role_{role}", role)
