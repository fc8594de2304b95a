"""The link role: carries events and health to the ward's broker, and the ward's orders back."""
import contextlib
import logging
import random
import signal
import threading
from collections.abc import Callable, Sequence

from agent.core.contract import wire
from agent.core.contract.facts import LinkFacts
from agent.home import HomeContext
from agent.host.updates import UpdateFolders
from agent.link.actions import Actions, SettingsInForce, WardParts
from agent.link.answers import AnswerQueue
from agent.link.audit import Audit, EventWriter
from agent.link.commands import CommandHandler
from agent.link.context import LinkContext, LinkTempo
from agent.link.drain import Drain
from agent.link.flow import FlowRunner
from agent.link.home_sink import HomeThread
from agent.link.loop import LinkLoop
from agent.link.metrics import MetricsThread
from agent.link.notifier import NotifyContext, NotifyThread
from agent.link.outbox_upkeep import OutboxMeter
from agent.link.presence import Presence
from agent.link.report import Reporter
from agent.link.requests.flow import RequestFlow
from agent.link.store_thread import StoreThread
from agent.link.update_flow import UpdateFlow
from agent.link.verifier import Verifier
from agent.link.ward_link import COUNT_WITHIN_S, WITHDRAWN, WardLink
from agent.process.role import Role
from agent.process.role import main as live_as
from agent.store import home, membership, ward_settings
from agent.store.card_fault import lack
from agent.store.database import StoreError
from agent.store.folders import COMMAND_KEYS
from agent.store.identity import named
from agent.store.link_questions import close_interrupted

NAMED_WITHIN_S = 60.0       # for the keeper, which starts at the same time and may have to repair a database first
LOOK_EVERY_S = 0.2
STOP_WITHIN_S = 0.5         # for the card to tell the reason of a stop

_log = logging.getLogger(__name__)


def serve(role: Role, tempo: LinkTempo | None = None, doors: UpdateFolders | None = None) -> None:
    """Runs the link until it is stopped; `doors` lead to root's installer. Raises StoreError and OSError."""
    tempo, doors = tempo or LinkTempo(), doors or UpdateFolders()
    own_id = _own_id(role)                      # the keeper has made the store by then
    moved = threading.Event()                   # set when a message may have been written into the outbox
    store = StoreThread(role.folders.root, role.runtime)
    audit = Audit(EventWriter(store, moved.set), role.clock)
    link = LinkContext(role.settings, role.folders, role.runtime, role.clock, store=store, audit=audit,
                       answers=AnswerQueue())
    flows = FlowRunner(store, Verifier("", role.folders.household / COMMAND_KEYS, role.clock), role.clock)
    reporter = Reporter(role.settings, role.folders, role.clock, audit.writer)
    presence = Presence(role.settings, role.clock)
    parts = WardParts(
        drain=Drain(store, role.clock, audit, delivery=role.settings.ward.delivery, pace=tempo.pace, written=moved),
        meter=OutboxMeter(store, role.clock), reporter=reporter, presence=presence,
        requests=RequestFlow(link, flows, own_id, tempo.upload), updates=UpdateFlow(link, flows, doors, tempo.update),
        in_force=SettingsInForce(role.settings, role.runtime, reporter, presence))
    notify = NotifyThread(NotifyContext(role.settings, role.folders, role.runtime, role.clock, draw=random.random,
                                        waits=tempo.notify)) if role.settings.notify else None
    metrics = MetricsThread(link) if role.settings.metrics.port else None
    loop = LinkLoop(role, link, parts, flows, home=_home(role, own_id, store, tempo), notify=notify, metrics=metrics)
    parts.in_force.apply(store.wait_for(ward_settings.read, None) or ward_settings.NOTHING)
    if role.settings.ward.enabled:
        commands = _commands(link, Actions(link, parts, loop.facts))
        loop.ward = WardLink(link, own_id, parts, commands, tempo, draw=random.random)
    _run(role, loop, link, parts, doors)


def _commands(link: LinkContext, actions: Actions) -> Callable[[wire.Topics], CommandHandler]:
    key_file, keys = link.settings.ward.command_key, link.folders.household / COMMAND_KEYS

    def make(topics: wire.Topics) -> CommandHandler:
        return CommandHandler(link, topics, FlowRunner(link.store, Verifier(key_file, keys, link.clock), link.clock),
                              actions)

    return make


def _home(role: Role, own_id: str, store: StoreThread, tempo: LinkTempo) -> HomeThread | None:
    """Returns the home sink if it is enabled, or was until now: then it removes the device from Home Assistant."""
    if not role.settings.home.enabled and store.wait_for(home.shown, COUNT_WITHIN_S) is None:
        return None
    return HomeThread(HomeContext(role.settings, role.folders, role.runtime, role.clock, own_id=own_id,
                                  waits=tempo.home, draw=random.random))


def _run(role: Role, loop: LinkLoop, link: LinkContext, parts: WardParts, doors: UpdateFolders) -> None:
    """Starts the parts, turns the loop until the role is stopped, then ends the parts in reverse order."""
    ends = contextlib.ExitStack()
    for part in (loop.inbox, link.store, parts.updates, parts.requests):
        ends.callback(part.close)
    link.store.ask(close_interrupted())
    parts.updates.start()
    for thread in loop.beside:
        thread.start()
        ends.callback(thread.leave)
    if ward := loop.ward:
        parts.requests.start()
        ends.callback(lambda: ward.leave(_why_stopped(link.store, doors)))
    else:
        _log.info("ward disabled: no events or reports are sent; see [ward] enabled")
    for thread in loop.beside:
        ends.callback(thread.end)               # it ends while the ward gets our farewell
    signal.set_wakeup_fd(link.store.bell(), warn_on_full_buffer=False)
    ends.callback(signal.set_wakeup_fd, -1)
    while not role.stop.is_set():
        loop.turn()
    ends.close()                                # not after an error: the broker then publishes the will


def _why_stopped(store: StoreThread, doors: UpdateFolders) -> str:
    found = store.wait_for(lambda db: (membership.has_left(db), doors.under_way()), STOP_WITHIN_S)
    has_left, at_work = found or (False, False)
    return WITHDRAWN if has_left else "update" if at_work else "shutdown"


def _own_id(role: Role) -> str:
    """Returns the device's id. Only the keeper makes one, at its first start. Raises StoreError."""
    until_mono_s = role.clock.mono_s() + NAMED_WITHIN_S
    while True:
        try:
            if (name := named(role.folders.root)) is not None:
                return name
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}; see: taimat doctor") from error
        patient = role.clock.mono_s() < until_mono_s or lack(role.folders.root)     # a full card takes no name
        if not patient or role.stop.wait(LOOK_EVERY_S):
            raise StoreError(f"{role.folders.household}: this device has no name yet, which the keeper gives it: see "
                             "that it runs, and that the card can be written (taimat doctor)")
        role.heartbeat.beat(facts=LinkFacts(store_fault="the keeper has not named this device yet"))


def main(argv: Sequence[str] | None = None) -> int:
    return live_as("link", serve, argv)
