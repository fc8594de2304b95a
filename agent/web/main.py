"""The web role: the household's page."""
import asyncio
import logging
import sys
from collections.abc import Sequence

from agent.core.contract.facts import WebFacts
from agent.host import page_port
from agent.host.datagram import Inbox, Outlet
from agent.host.handed import handed_sockets
from agent.host.setup_folders import SetupFolders
from agent.process import role
from agent.process.heartbeat import EVERY_S
from agent.process.role import Role
from agent.store.page_certificate import fingerprint
from agent.web.access import is_loopback_name
from agent.web.app import PageParts, build
from agent.web.browsers import Browsers
from agent.web.camera_search import CameraSearch
from agent.web.doors import CannotListen, open_doors, turn_away
from agent.web.encrypted import context
from agent.web.films import Films
from agent.web.health import LOOK_IDLY_S, HealthWatcher, monitor
from agent.web.live import LiveStreams
from agent.web.preview import Previews
from agent.web.rehearsal import Rehearsals
from agent.web.server import PageServer
from agent.web.setup_desk import SettingsDesk
from agent.web.store_pool import StorePool

EXIT_CANNOT_LISTEN = 69         # sysexits.h EX_UNAVAILABLE: tried again later, for an address may still come

_log = logging.getLogger(__name__)


def serve(parts: Role) -> None:
    """Show the page until stopped. Raises CannotListen."""
    web = parts.settings.web
    handed = handed_sockets()
    if not web.enabled:
        turn_away(handed.values())
        _idle(parts)
        return
    doors = open_doors(web, handed)
    tls = context(parts.folders) if web.tls and not is_loopback_name(web.listen) else None
    inbox = Inbox(parts.runtime, "web")
    page_port.tell(parts.runtime, doors.port)
    pool = StorePool(parts.folders.root).start()
    browsers, streams = Browsers(parts.runtime, parts.clock), LiveStreams(parts.runtime)
    health = HealthWatcher(inbox, Outlet(parts.runtime), monitor(parts.settings, parts.clock), parts.clock,
                           browsers.doubt)

    desk = SettingsDesk(browsers, SetupFolders.beside(parts.runtime), parts.clock)
    search, rehearsals = CameraSearch(parts.settings.camera, parts.clock), Rehearsals(parts.settings, parts.clock)
    films = Films(pool, parts.folders, parts.runtime, parts.clock)
    previews = Previews(pool, films, parts.clock)

    async def tick() -> float:
        await health.report(LOOK_IDLY_S)
        if parts.heartbeat.due():
            parts.heartbeat.beat(facts=WebFacts(
                config_fault=parts.config_problem, pairing_failures_n=browsers.failures_n,
                viewers_n=streams.viewers_n, card_troubles_n=pool.troubles_n,
                card_fault=pool.card_fault))
        return parts.heartbeat.wait_s()

    def end() -> None:
        streams.close()
        search.stop()
        rehearsals.stop()
        previews.stop()

    app = build(PageParts(settings=parts.settings, folders=parts.folders, clock=parts.clock, pool=pool, health=health,
                          streams=streams, browsers=browsers, fingerprint=fingerprint(parts.folders) if tls else None,
                          desk=desk, search=search, rehearsals=rehearsals, films=films, previews=previews,
                          port=doors.port, led_port=doors.led_port))
    _log.info("the page is at %s://%s:%d%s", "https" if tls else "http",
              f"[{web.listen}]" if ":" in web.listen else web.listen, web.port,
              f" and at port {doors.port}" if doors.port != web.port else "")
    try:
        asyncio.run(PageServer(app, parts.stop, tick, end, tls).serve(list(doors.listeners)))
    finally:
        pool.stop()
        inbox.close()
        doors.close()


def _idle(parts: Role) -> None:
    """Stay alive without a page: systemd would only start the role again."""
    _log.info("the page is switched off: [web] enabled = false")
    while not parts.stop.wait(EVERY_S):
        parts.heartbeat.beat()


def main(argv: Sequence[str] | None = None) -> int:
    """`taimat web`. Returns the exit code."""
    try:
        return role.main("web", serve, argv)
    except CannotListen as error:
        print(f"web: {error}", file=sys.stderr)
        return EXIT_CANNOT_LISTEN
