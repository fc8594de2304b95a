"""/health: what matters now in sentences, and behind them the last day or month in small plots."""
import sqlite3
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Settings
from agent.core.contract.facts import HealthSample, KeeperFacts
from agent.core.health.history import DAY_MS, History
from agent.core.health.report import Report
from agent.core.household.day_lane import LanePiece, WallSpan, lane
from agent.host.clock import Clock, Instant
from agent.host.weights import words_lack
from agent.store import health_history, recordings
from agent.store.boots import Dates
from agent.web import present_day, present_health, present_history
from agent.web.health import HealthWatcher
from agent.web.present_history import Period
from agent.web.render import Renderer
from agent.web.store_pool import CardTrouble, StorePool

Known = tuple[History, list[list[LanePiece]]]       # and a lane for each camera


class HealthPage:
    """The handlers of a day and of a month."""

    def __init__(self, settings: Settings, pool: StorePool, health: HealthWatcher, renderer: Renderer,
                 clock: Clock) -> None:
        self._settings, self._pool, self._health = settings, pool, health
        self._renderer, self._clock = renderer, clock
        self._cameras = [camera for camera in settings.camera if camera.enabled]

    async def day(self, request: Request) -> Response:
        """GET /health."""
        said, now = self._renderer.words(request), self._clock.now()
        return await self._page(request, present_history.last_day(now.wall_ms, said), now)

    async def month(self, request: Request) -> Response:
        """GET /health/month."""
        said, now = self._renderer.words(request), self._clock.now()
        return await self._page(request, present_history.last_month(now.wall_ms, said), now)

    async def _page(self, request: Request, period: Period, now: Instant) -> Response:
        """Without an answer of the card it is shown without plots: what matters now is no row of it."""
        said, report = self._renderer.words(request), await self._health.report()
        history, gaps = None, []
        try:
            known, lanes = await self._pool.ask(self._read, period, _lately(report), now)
        except CardTrouble:
            pass
        else:
            history = present_history.history_view(known, period, report and report.card_life_days, said)
            gaps = present_history.gap_views([camera.name for camera in self._cameras], lanes, period, said)
        return self._renderer.page(
            request, "health.html", health=present_health.health_view(report, words_lack(), now, said),
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
                 for camera in self._cameras])

    @staticmethod
    def _lane(db: sqlite3.Connection, dates: Dates, camera: str, always: bool, period: Period,
              now_ms: int) -> list[LanePiece]:
        """A day as among the recordings; of a month, whose clips are too many, what is known without them."""
        span = period.span
        if not period.by_day:
            return present_day.pieces_of(recordings.camera_day(db, dates, camera, span, now_ms), span, now_ms, always)
        absent = [*recordings.absences(db, dates, camera, span), *recordings.off(db, dates, span)]
        return lane(span, now_ms, [], absent, always=False)


def _lately(report: Report | None) -> Sequence[HealthSample]:
    """What the keeper has not written yet."""
    units = report.units if report else ()
    return next((told.lately for unit in units if (told := unit.told(KeeperFacts))), [])
