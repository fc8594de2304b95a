"""The ward's desk at its broker: sends what somebody has ordered, and waits for what devices say to it.

For commands that a person waits for: what goes wrong ends them with one line. Only while answers are waited for a
broken connection comes back by itself, and the broker keeps what came in between.
"""
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.core.delivery.backoff import Backoff, Waits
from agent.host import log
from agent.host.clock import Clock
from agent.mqtt.connection import Arrived, Connection, Outgoing
from agent.mqtt.credentials import load
from agent.mqtt.fault import WARD_DESK
from agent.mqtt.session import Acknowledged, Down, Session, Told
from agent.ward.command_signer import KeyProblem
from agent.ward.database import DatabaseFault
from agent.ward.settings import Settings

EXIT_UNDONE = 1                 # somebody refused or did not answer, or a person has interrupted it
EXIT_BROKER = 69                # sysexits.h EX_UNAVAILABLE
EXIT_DATABASE = 73              # sysexits.h EX_CANTCREAT


NAME = "ops"                    # to the broker, as long as no certificate gives another; answers go to rsp/ops
KEEPALIVE_S = 30
SESSION_S = 300                 # so long the broker keeps answers for us
GREETING_S = 40.0               # of an address that is slow, and of a broker that is
TAKEN_S = 20.0
NOBODY_FROM = 0x80              # PUBACK reasons that are refusals
WAITS = Waits(start_s=0, lost_s=2.0, step_s=2.0, longest_s=10.0, hopeless_s=(15.0, 30.0))


class OpsFault(Exception):
    """The order did not get through; the text is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What we want to hear."""

    subscriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """Who we are to the ward's broker: its address is the ingest's, the rest our own."""

    tls: bool
    ca: str
    cert: str
    key: str
    user: str
    password_file: str


class OpsLink:
    """One visit. Use as a context manager."""

    def __init__(self, own: Settings, listen: Sequence[str], clock: Clock) -> None:
        """Connect, and subscribe to the topic filters of `listen`, at least one. Raises OpsFault."""
        ops, self._ward, self._clock = own.ops, own.ward, clock
        self._account = Account(self._ward.tls, self._ward.ca, ops.cert, ops.key, ops.user, ops.password_file)
        self._listening = Listening(tuple(listen))
        self._arrived: deque[Arrived] = deque()
        self._session = Session(self._connect, clock, Backoff(WAITS), random.random, WARD_DESK)
        self._greet()

    def send(self, message: Outgoing) -> bool:
        """Publish it; returns whether the broker has somebody who gets it now. Raises OpsFault."""
        self._greet()
        self._session.publish(message, message.topic)
        deadline_mono_s = self._clock.mono_s() + TAKEN_S
        while self._clock.mono_s() < deadline_mono_s:
            for each in self._wait(deadline_mono_s):
                match each:
                    case Acknowledged(tag, reason) if tag == message.topic:
                        return _taken(message.topic, reason)
                    case Down(fault):
                        raise OpsFault(f"{fault}; nobody knows whether the order went out: give it again")
        raise OpsFault(f"{self._where}: the broker did not take the order within {TAKEN_S:.0f} s; give it again")

    def answers(self, patience_s: float) -> Iterator[Arrived]:
        """What arrives on the topics, for so long: maybe twice, and what is retained may be of the past.

        Stop asking when it is enough. Raises OpsFault where another command has taken our place at the broker.
        """
        deadline_mono_s = self._clock.mono_s() + patience_s
        while True:
            while self._arrived:
                yield self._arrived.popleft()
            if self._clock.mono_s() >= deadline_mono_s:
                return
            if any(isinstance(each, Down) and each.fault.code == "taken_over" for each in self._wait(deadline_mono_s)):
                raise OpsFault(f"{self._where}: another command has connected as {NAME}, and gets the answers now: one "
                               "at a time; what went out stands")

    def close(self) -> None:
        """Say goodbye."""
        self._session.close()

    def __enter__(self) -> "OpsLink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _where(self) -> str:
        return f"{self._ward.host}:{self._ward.port}"

    def _greet(self) -> None:
        deadline_mono_s = self._clock.mono_s() + GREETING_S
        while not self._session.up:
            self._wait(deadline_mono_s)
            if self._session.fault:
                raise OpsFault(str(self._session.fault))
            if self._clock.mono_s() >= deadline_mono_s:
                self.close()
                raise OpsFault(f"{self._where}: no answer from the broker; see [ward] host and port")

    def _connect(self) -> Connection:
        """Prepare a connection. Raises LinkFault."""
        return Connection(self._ward.host, self._ward.port, load(self._account, NAME), KEEPALIVE_S, self._listening,
                          None, 0, SESSION_S)

    def _wait(self, until_mono_s: float) -> list[Told]:
        """Sleep until something comes or it is time; what arrived is put aside for `answers`."""
        told = self._session.wait(until_mono_s - self._clock.mono_s())
        self._arrived.extend(each for each in told if isinstance(each, Arrived))
        return told


def _taken(topic: str, reason: int) -> bool:
    if reason >= NOBODY_FROM:
        raise OpsFault(f"{topic}: the broker refuses it (reason 0x{reason:02x}): its ACL lets only ops give orders; "
                       "see [ops] cert")
    return reason == 0


EXITS: Mapping[type[Exception], int] = {
    ConfigError: EXIT_BAD_CONFIG, KeyProblem: EXIT_BAD_CONFIG, OpsFault: EXIT_BROKER, DatabaseFault: EXIT_DATABASE}



def ended(name: str, work: Callable[[], int], more: Mapping[type[Exception], int] | None = None) -> int:
    """Do the work of the command `name`; returns the exit code. `more` faults can be its own."""
    exits = {**EXITS, **(more or {})}
    log.set_up(name, "error")           # what goes wrong is printed once, below
    try:
        return work()
    except tuple(exits) as error:
        print(error, file=sys.stderr)
        return next(code for kind, code in exits.items() if isinstance(error, kind))
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()              # the interpreter would complain about the pipe at its end
    return EXIT_UNDONE
