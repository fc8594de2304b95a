"""/health: the device's state in sentences, and the last day or month in small plots; /health.json."""
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

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
from agent.web.server.words import View

Known = tuple[History, list[list[LanePiece]]]       # and a lane for each camera
TONES = {"info": "idle", "warn": "warn", "alarm": "alarm"}
OF_UNIT = (*ROLE, "database_held", "update_refused")
DAYS_MANY = 365


class HealthPage(Handlers):
    async def json(self, request: Request) -> Response:
        """/health.json: the newest report, with null for unknown values. 503 before the first report."""
        report = await self._health.report()
        values = health_of(report, self._clock.now()) if report else {"report": None}
        return Response(msgspec.json.encode(values), 200 if report else 503, media_type="application/json")

    async def show(self, request: Request) -> Response:
        """/health and /health/month. If the card does not answer, the page has no plots. The state needs no rows."""
        said, report, now = self._words(request), await self._health.report(), self._clock.now()
        span_of = present_history.last_month if request.url.path == "/health/month" else present_history.last_day
        period = span_of(now.wall_ms, said)
        history, gaps, units = None, [], report.units if report else ()
        lately = next((facts.lately for unit in units if (facts := unit.own_facts(KeeperFacts))), [])  # not written yet
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
            looks=present_day.looks([path for gap in gaps for path in gap.drawn], said))

    def _read(self, db: sqlite3.Connection, period: Period, lately: Sequence[HealthSample], now: Instant) -> Known:
        """Returns what the plots show. Also reads the day before, because the card's forecast needs its samples."""
        before = WallSpan(period.span.begin_ms - DAY_MS, period.span.end_ms)
        floor_pct = self._settings.store.free_floor_pct
        dates, history = Dates(db), History(period.slots, now.wall_ms, floor_pct, curves=not period.by_day)
        for sample in health_history.within(db, dates, before, lately, now):
            history.add(sample)
        return history, [self._lane(db, dates, camera, period, now.wall_ms) for camera in self._filmed()]

    def _filmed(self) -> list[Camera]:
        return [camera for camera in self._settings.camera if camera.enabled]

    @staticmethod
    def _lane(db: sqlite3.Connection, dates: Dates, camera: Camera, period: Period, now_ms: int) -> list[LanePiece]:
        """Returns a day's lane as on the recordings page. A month has too many clips to read."""
        span = period.span
        if not period.by_day:
            day = recordings.camera_day(db, dates, camera.name, span, now_ms)
            return present_day.pieces_of(day, span, now_ms, camera.record != "motion")
        absent = [*recordings.absences(db, dates, camera.name, span), *recordings.off(db, dates, span)]
        return lane(span, now_ms, [], absent, always=False)


def health_of(report: Report, now: Instant) -> dict[str, Any]:
    """Returns a report as JSON values, with each condition's texts in both languages."""
    values = msgspec.to_builtins(report)
    for condition in values["conditions"]:
        condition["since_wall_ms"] = int(now.wall_ms - now.mono_ms + condition["since_mono_s"] * 1000)
        condition["texts"] = {language: condition_text(condition["code"], language, condition["unit"])._asdict()
                              for language in ("vi", "en")}
    return values


def health_view(report: Report | None, lack: WordLack | None, now: Instant, words: PageWords) -> View:
    """Returns the report in words; None is the time before the first one. `lack`: why events get no label.

    `tone` is good, idle, warn or alarm. `sentence` and `remedy` are about the worst problem, `problems` about the
    others. `details` are labels and values, without unknown ones.
    """
    if report is None:
        return View(tone="idle", sentence=words("health.checking"), remedy="", problems=[], details=[])
    problems = [_problem(condition, now, words) for condition in report.conditions]
    unnamed = [(words("health.label"), words(f"health.label_{lack}"))] if lack else []
    details = [*_machine(report.host, words), *_card(report, words), *_surroundings(report, words), *unnamed,
               *_roles(report, words)]
    if problems and problems[0].tone != "idle":
        worst, *others = problems
        return View(tone=worst.tone, sentence=f"{worst.title} {worst.since}".strip(), remedy=worst.remedy,
                    problems=others, details=details)
    return View(tone="good", sentence=words("health.good"), remedy="", problems=problems, details=details)


def _problem(condition: Condition, now: Instant, words: PageWords) -> View:
    """A camera's condition has no `since`, because its tile shows the time."""
    said = condition_text(condition.code, words.language, condition.unit)
    began_wall_ms = int(now.wall_ms - now.mono_ms + condition.since_mono_s * 1000)
    since = "" if condition.camera else words("health.since", time=words.moment(began_wall_ms, now.wall_ms))
    where = words.label(condition.camera) if condition.camera else (
        _role_name(condition.unit, words) if condition.unit and condition.code in OF_UNIT else "")
    title = f"{said.title} ({where})" if where else said.title
    return View(tone=TONES[condition.severity], title=title, since=since, remedy=said.remedy)


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
    """Yields how long each camera's footage stays, by the keeper's heartbeat."""
    kept = {camera: days for unit in report.units if (keeper := unit.own_facts(KeeperFacts))
            for camera, days in keeper.kept_days.items()}
    if kept:
        lines = (words("health.kept_value", camera=words.label(camera), days=figure(days, words))
                 for camera, days in sorted(kept.items()))
        yield words("health.kept"), "; ".join(lines)


def _surroundings(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    host = report.host
    yield words("health.clock"), words(f"health.clock_{host.clock}")
    if host.net_up is not None:
        yield words("health.network"), words("health.network_up" if host.net_up else "health.network_down")
    for unit in report.units:
        if (link := unit.own_facts(LinkFacts)) and f"health.broker_{link.broker}" in words.texts:
            waiting = f", {words('health.broker_waiting', n=link.outbox_n)}" if link.outbox_n else ""
            yield words("health.broker"), words(f"health.broker_{link.broker}") + waiting
    if host.up_s is not None:
        yield words("health.up"), words.span(int(host.up_s * 1000))


def _roles(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    for role, state in report.roles.items():
        restarts = f", {words('health.restarts', n=state.restarts_n)}" if state.restarts_n else ""
        name = _role_name(role, words)
        yield name[:1].upper() + name[1:], words(f"health.state_{state.state}") + restarts


def _role_name(unit: str, words: PageWords) -> str:
    """Returns a unit's duty in words: "recording" for "capture@gate". An unknown name stays as it is."""
    role = unit.partition("@")[0]
    return words.texts.get(f"health.role_{role}", role)
