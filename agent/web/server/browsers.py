"""Browsers: the keeper knows which are paired, and as what. The page asks it, and remembers the answer for a minute."""
import asyncio
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec

from agent.core.contract import decisions
from agent.core.household.access import BrowserRole
from agent.host.clock import Clock
from agent.web.server.questions import ask_socket

TRUSTED_S = 60.0            # then a token is looked up again: a browser that was un-paired is out within a minute
AGAIN_S = 10.0              # until the next look if the keeper did not answer the last one
KEEPER_S = 3.0
LOOKS_N_MAX = 8             # at a time, for browsers that are not known yet
REMEMBERED_N = 200
TYPED_N = 64                # letters of a code or a link

_log = logging.getLogger(__name__)


class KeeperSilent(Exception):
    """The keeper did not answer or could not look. Only the keeper knows which browsers are paired."""


class CardRefused(KeeperSilent):
    """The keeper could not read or write, because of the card."""


class OnlyOwners(Exception):
    """A viewer has asked for something that only an owner may decide."""


class Browsers:
    """Decides which browsers may look. Belongs to the event loop."""

    def __init__(self, runtime: Path, clock: Clock) -> None:
        self._socket, self._clock = runtime / decisions.SOCKET, clock
        self._seen: dict[bytes, float] = {}         # digest of a token -> when the keeper last knew it
        self._owners: set[bytes] = set()            # the digests of owners' tokens
        self._looks: dict[bytes, asyncio.Task[bool | None]] = {}
        self.failures_n = 0

    async def ask(self, question: decisions.Question) -> decisions.DecisionAnswer:
        """Returns the keeper's answer. Raises KeeperSilent, OnlyOwners."""
        try:
            async with asyncio.timeout(KEEPER_S):
                data = await ask_socket(self._socket, decisions.ANSWER_B_MAX, msgspec.json.encode(question) + b"\n")
            answer = msgspec.json.decode(data, type=decisions.DecisionAnswer)
        except (OSError, TimeoutError, msgspec.DecodeError) as error:
            _log.warning("the keeper does not answer: %s", error or type(error).__name__)
            raise KeeperSilent from error
        if answer.why in ("card", "not_yours", "not_understood"):
            _log.warning("the keeper can't do it: %s", answer.why)
            raise CardRefused if answer.why == "card" else KeeperSilent
        if answer.why == "viewer":
            raise OnlyOwners
        return answer

    async def knows(self, token: str) -> bool:
        """Whether `token` belongs to a paired browser. Raises KeeperSilent.

        A known browser stays paired while the keeper or the card does not answer.
        """
        digest = _digest(token)
        if self._is_fresh(digest):
            return True
        known = await asyncio.shield(self._look(token, digest))
        if known is None:
            raise KeeperSilent
        return known

    def is_owner(self, token: str) -> bool:
        """Whether this known browser may do more than look."""
        return _digest(token) in self._owners

    def keeps(self, token: str) -> Callable[[], bool]:
        """Returns a test of whether an answer under way to this browser may go on. It never waits for the keeper."""
        digest = _digest(token)

        def still() -> bool:
            if digest in self._seen and not self._is_fresh(digest):
                self._look(token, digest)
            return digest in self._seen

        return still

    def doubt(self) -> None:
        """Makes the next request look up every token again, because a browser may have been unpaired."""
        self._seen = dict.fromkeys(self._seen, float("-inf"))

    async def pair(self, code: str, name: str) -> str:
        """Returns a new browser's token; "" for a wrong code, or after too many of them. Raises KeeperSilent."""
        answer = await self.ask(decisions.PairBrowser(code=code[:TYPED_N], browser=name))
        if answer.why:
            self.failures_n += 1
        return self._let_in(answer)

    async def open_link(self, link: str, name: str) -> str:
        """Returns a new browser's token; "" for an expired link. Raises KeeperSilent."""
        return self._let_in(await self.ask(decisions.OpenLink(link=link[:TYPED_N], browser=name)))

    def _let_in(self, answer: decisions.DecisionAnswer) -> str:
        if answer.token:
            self._remember(_digest(answer.token), answer.role)
        return answer.token

    def _look(self, token: str, digest: bytes) -> asyncio.Task[bool | None]:
        look = self._looks.get(digest)
        if look is None:
            look = self._looks[digest] = asyncio.ensure_future(self._looked_up(token, digest))
            look.add_done_callback(lambda _: self._looks.pop(digest, None))
        return look

    async def _looked_up(self, token: str, digest: bytes) -> bool | None:
        """Returns None if the keeper can't tell."""
        try:
            if digest not in self._seen and len(self._looks) > LOOKS_N_MAX:     # guesses must not keep the keeper busy
                return None
            answer = await self.ask(decisions.KnowBrowser(token=token))
        except KeeperSilent:
            if digest not in self._seen:
                return None
            self._seen[digest] = self._clock.mono_s() + AGAIN_S - TRUSTED_S
            return True
        if answer.why:
            self._forget(digest)
            return False
        self._remember(digest, answer.role)
        return True

    def _is_fresh(self, digest: bytes) -> bool:
        return self._clock.mono_s() - self._seen.get(digest, float("-inf")) < TRUSTED_S

    def _remember(self, digest: bytes, role: BrowserRole) -> None:
        self._forget(digest)
        self._seen[digest] = self._clock.mono_s()
        if role == "owner":
            self._owners.add(digest)
        if len(self._seen) > REMEMBERED_N:
            self._forget(next(iter(self._seen)))

    def _forget(self, digest: bytes) -> None:
        self._seen.pop(digest, None)
        self._owners.discard(digest)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
