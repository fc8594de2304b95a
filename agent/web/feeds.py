"""Events and health for programs: /events.json and /health.json; docs/design/household.md describes the fields."""
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from agent.core.health.report import Report
from agent.core.health.texts import text
from agent.host.clock import Clock, Instant
from agent.look.forms import number
from agent.look.words import local
from agent.store.events import StoredEvent
from agent.web.health import HealthWatcher
from agent.web.pages import Listing, listing
from agent.web.store_pool import StorePool

EVENTS_N_MAX = 200


class Feeds:
    """The handlers of both addresses."""

    def __init__(self, pool: StorePool, health: HealthWatcher, clock: Clock) -> None:
        self._pool, self._health, self._clock = pool, health, clock

    async def events(self, request: Request) -> Response:
        """/events.json?camera=&before=&limit=: newest first; `next` is the address of the older ones, or null."""
        asked = request.query_params
        limit = min(max(number(asked.get("limit")) or 50, 1), EVENTS_N_MAX)
        found = await self._pool.ask(listing, asked.get("camera"), limit, number(asked.get("before")))
        more = len(found.events) == limit
        after = str(request.url.include_query_params(before=found.events[-1].id).query) if more else None
        return _json({"events": events_of(found), "next": f"/events.json?{after}" if after else None})

    async def health(self, request: Request) -> Response:
        """/health.json: the newest report; null stands for unknown. 503 before the first report."""
        report = await self._health.report()
        return _json(health_of(report, self._clock.now())) if report else _json({"report": None}, 503)


def events_of(found: Listing) -> list[dict[str, Any]]:
    """Events as JSON's values."""
    return [_event(event, event.id in found.unsure) for event in found.events]


def _event(event: StoredEvent, unsure: bool) -> dict[str, Any]:
    return {
        "id": event.id, "camera": event.camera, "kind": event.kind, "code": event.code, "state": event.state,
        "label": event.label or None, "label_score": event.label_score,
        "began": local(event.wall_ms).isoformat(timespec="milliseconds"),
        "time_sure": not unsure, "boot": event.boot, "mono_ms": event.mono_ms, "dur_ms": event.dur_ms,
        "score": event.score, "zones": event.zones, "tracks_n": event.tracks_n, "boxes": event.boxes,
        "thumb": f"/thumbs/{event.id}.jpg" if event.thumb else None,
        "clip": f"/clips/{event.clip}.mp4" if event.clip else None, "clip_offset_ms": event.clip_offset_ms}


def health_of(report: Report, now: Instant) -> dict[str, Any]:
    """A report as JSON's values, with each condition's words in both languages."""
    told = msgspec.to_builtins(report)
    for condition in told["conditions"]:
        condition["since_wall_ms"] = int(now.wall_ms - now.mono_ms + condition["since_mono_s"] * 1000)
        condition["texts"] = {language: text(condition["code"], language, condition["unit"])._asdict()
                              for language in ("vi", "en")}
    return told


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
