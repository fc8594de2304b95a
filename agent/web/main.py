"""The web role: the household's page."""
import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial

from agent.config.derived import units
from agent.core.contract.facts import WebFacts
from agent.host.datagram import Inbox, Outlet
from agent.host.runtime import tell_page_port
from agent.host.setup_folders import SetupFolders
from agent.host.systemd import handed_sockets
from agent.process import role
from agent.process.heartbeat import EVERY_S
from agent.process.monitor import monitor_of
from agent.process.role import Role, once_there_is_room
from agent.store.identity import fingerprint
from agent.web.app import build
from agent.web.live.streams import LiveStreams
from agent.web.server.access import is_loopback_name
from agent.web.server.browsers import Browsers
from agent.web.server.doors import OWN, CannotListen, open_doors, turn_away
from agent.web.server.page_server import PageServer, context
from agent.web.server.parts import PageParts
from agent.web.server.render import Renderer
from agent.web.server.settings_desk import SettingsDesk
from agent.web.server.sleep import QUIET_S, Quiet, fall_asleep, may_sleep
from agent.web.server.store_pool import StorePool
from agent.web.server.watcher import LOOK_IDLY_S, HealthWatcher

EXIT_CANNOT_LISTEN = 69         # sysexits.h EX_UNAVAILABLE: tried again later, for an address may still come

_log = logging.getLogger(__name__)


def serve(parts: Role, quiet_s: float = QUIET_S) -> None:
    """Shows the page until stopped; does not return if it falls asleep after `quiet_s`. Raises CannotListen."""
    web = parts.settings.web
    handed = handed_sockets()
    if not web.enabled:
        turn_away(handed.values())
        _idle(parts)
        return
    doors = open_doors(web, handed)
    tls = (once_there_is_room(parts.heartbeat, parts.stop, parts.folders.root, lambda: context(parts.folders))
           if web.tls and not is_loopback_name(web.listen) else None)
    inbox = Inbox(parts.runtime, "web")
    tell_page_port(parts.runtime, doors.port)
    pool = StorePool(parts.folders.root).start()
    browsers, streams = Browsers(parts.runtime, parts.clock), LiveStreams(parts.runtime)
    outlet = Outlet(parts.runtime)
    monitor = monitor_of(parts.settings, parts.folders.root, parts.clock)
    monitor.take_over(parts.runtime, "link", parts.clock.mono_s())
    # Beside a link, that is asked.
    leave = None if "link" in units(parts.settings) else partial(monitor.leave_known, parts.runtime, "web")
    health = HealthWatcher(inbox, outlet, monitor, parts.clock, browsers.doubt, leave)
    page = PageParts(settings=parts.settings, folders=parts.folders, clock=parts.clock, pool=pool, health=health,
                     browsers=browsers, desk=SettingsDesk(browsers, SetupFolders.beside(parts.runtime), parts.clock),
                     outlet=outlet, renderer=Renderer(parts.settings), stops=[streams.close],
                     fingerprint=fingerprint(parts.folders) if tls else None, port=doors.port, led_port=doors.led_port)

    def facts() -> WebFacts:
        return WebFacts(config_fault=parts.config_problem, pairing_failures_n=browsers.failures_n,
                        viewers_n=streams.viewers_n, card_troubles_n=pool.troubles_n, card_fault=pool.card_fault)

    async def tick() -> float:
        await health.report(LOOK_IDLY_S)
        if parts.heartbeat.due():
            parts.heartbeat.beat(facts=facts())
        return parts.heartbeat.wait_s()

    def end() -> None:
        for stop in page.stops:
            stop()

    app = build(page, streams)
    _log.info("the page is at %s://%s:%d%s", "https" if tls else "http",
              f"[{web.listen}]" if ":" in web.listen else web.listen, web.port,
              f" and at port {doors.port}" if doors.port != web.port else "")
    quiet = Quiet(parts.clock, page.needs, quiet_s) if may_sleep(units(parts.settings)) else None
    server = PageServer(app, parts.stop, tick, end, tls, quiet)
    try:
        asyncio.run(server.serve([listener.dup() for listener in doors.listeners]))     # it closes what it is given
        if server.sleeps:
            _log.info("nobody looks: the page sleeps")
            fall_asleep({**handed, OWN: doors.listeners[0]}, parts.heartbeat, facts(), parts.runtime)
    finally:
        pool.stop()
        inbox.close()
        doors.close()


def _idle(parts: Role) -> None:
    _log.info("the page is switched off: [web] enabled = false")
    while not parts.stop.wait(EVERY_S):
        parts.heartbeat.beat()


def main(argv: Sequence[str] | None = None) -> int:
    """Runs `taimat web`. Returns the exit code."""
    try:
        return role.main("web", serve, argv)
    except CannotListen as error:
        print(f"web: {error}", file=sys.stderr)
        return EXIT_CANNOT_LISTEN
