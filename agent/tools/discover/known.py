"""The network cameras that the configuration has already."""
import contextlib
import socket

from agent.config.settings import Settings
from agent.core.rtsp.address import parse
from agent.tools.discover.found import Account, Camera
from agent.tools.discover.post import target


class Known:
    """Their names and accounts, by where they are."""

    def __init__(self, settings: Settings) -> None:
        self.names = [camera.name for camera in settings.camera]        # all of them, also those of other kinds
        self._by_stream: dict[tuple[str, str], str] = {}
        self._by_address: dict[str, str] = {}
        self._accounts: dict[str, Account] = {}
        for camera in settings.camera:
            with contextlib.suppress(ValueError, OSError):              # no network camera; a name that nobody knows
                where = parse(camera.source)
                address = socket.gethostbyname(where.host)
                self._by_stream[address, target(where.uri)] = camera.name
                self._by_address.setdefault(address, camera.name)
                if where.user:
                    self._accounts[address] = Account(where.user, where.password)

    def name(self, camera: Camera) -> str:
        """What it is called in the configuration, "" if it is not there."""
        path = target(camera.main.url) if camera.main else ""
        alone = self._by_address.get(camera.address, "") if not camera.channel else ""
        return self._by_stream.get((camera.address, path), alone)

    def account(self, address: str) -> Account | None:
        """The account that is configured for it."""
        return self._accounts.get(address)
