"""Root's part of the set-up, started by systemd: the household's changes, their units, the first start.

Only the keeper sends changes, and they are typed. Each start does everything that is due, so its reason does not
matter. Libraries that only a change needs are imported for one, because cameras wait for this process.
"""
import argparse
import contextlib
import ipaddress
import logging
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from agent import __version__
from agent.config.load import DEFAULT_PATH, EXIT_BAD_CONFIG, ConfigError, load
from agent.config.settings import Settings, Store
from agent.config.unit_wishes import unit_wishes
from agent.core.contract import setup as contract
from agent.core.contract.setup import LastChange, LocalCamera, SetupRequest, SetupResult
from agent.core.passwords import redact
from agent.core.unit_plan import UnitWish, plan
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.files import rename_durably, write_durably, write_whole
from agent.host.setup_folders import SetupFolders
from agent.host.ward_folder import WardFolder
from agent.privileged.setup import enrolment, systemd
from agent.privileged.setup.kept import SettingsRefused, keep, keep_secret, newest, text_before, tidy_secrets
from agent.privileged.setup.notice import NoticePlaces

GOOD = ".good"              # the last good configuration, beside the present one
APPLIED = "applied.json"
UNKNOWN = UnitWish("unknown", "unknown")
AGAIN_MAX_N = 20            # rounds while new requests come
ENROL, LINK = "enrol-taimat.service", "taimat-link.service"
JAM_S = 5.0                 # before systemd starts us again for a request that can't be removed

_log = logging.getLogger(__name__)


class AppliedWishes(msgspec.Struct, kw_only=True):
    """The wishes that the units follow now. Another version makes other digests of the same settings."""

    version: str
    units: dict[str, UnitWish]
    afar: list[str] = []        # networks that may reach the page
    local: list[str] = []       # and the link, which answers Prometheus


@dataclass(slots=True)
class Setup:
    """One run; tests replace its places."""

    config: Path = DEFAULT_PATH
    runtime: Path = Path(Store().runtime)
    kernel: Path = Path("/sys")
    devices: Path = Path("/dev")
    notice: NoticePlaces = NoticePlaces()
    clock: Clock = field(default_factory=SystemClock)

    @property
    def ward(self) -> WardFolder:
        return WardFolder(self.config.with_name("ward"))

    @property
    def folders(self) -> SetupFolders:
        return SetupFolders.beside(self.runtime)

    def run(self) -> int:
        """Does what is due, and what the keeper asks meanwhile. Returns the exit code."""
        self.folders.begin()
        for _ in range(AGAIN_MAX_N):
            self.folders.hear()
            code = self._round()
            if not self.folders.is_called():
                return code
        time.sleep(JAM_S)
        return code

    def _round(self) -> int:
        first = self._first_configuration()
        self._let_roles_read()
        self._enrol()
        requests = []
        with contextlib.suppress(FileNotFoundError):
            requests = self.folders.collect(self.clock.now())
        for request, fresh in requests:
            self._tell(partial(self.folders.tell, self._answer(request, fresh)))
            self._forget_secrets()
        settings, problem = self._settings()
        if settings is None:
            _log.error("no unit was touched: %s", redact(problem))
            return EXIT_BAD_CONFIG
        if problem:
            _log.error("the last good configuration counts, because of: %s", redact(problem))
        self._update_units(settings, first=first, bad=bool(problem))
        self._admit(settings)
        local = contract.LocalCameras(cameras=self._local(settings))
        kept = newest(self.config)
        self._tell(lambda: self.folders.show(local, kept.change if kept else None))
        if state := self.folders.pairing():
            self.notice.show(state, settings.web)
            if state.code:
                self.notice.use_code(self.runtime)
        return EXIT_BAD_CONFIG if problem else 0

    def _tell(self, tell: Callable[[], None]) -> None:
        """Writes files for the roles. If the folder is missing, it logs an error and goes on to the units."""
        try:
            tell()
        except OSError as error:
            _log.error("%s", error)

    def _first_configuration(self) -> bool:
        if self.config.exists() or self._good.exists():
            return False
        from agent.privileged.setup.local_cameras import first_text, write_first
        cameras = self._local(Settings())
        try:
            write_first(self.config, first_text(cameras))
        except OSError as error:
            _log.error("%s", error)
            return False
        _log.info("made a first configuration: %s", ", ".join(camera.title for camera in cameras) or "no camera yet")
        return True

    def _let_roles_read(self) -> None:
        """Opens the file to our group, the roles', if its owner wrote it so that only root may read it."""
        with contextlib.suppress(FileNotFoundError):
            try:
                seen = os.stat(self.config)
                ours = stat.S_IRGRP if seen.st_gid == os.getegid() else 0
                if not seen.st_mode & (stat.S_IROTH | ours):
                    os.chown(self.config, -1, os.getegid())
                    os.chmod(self.config, seen.st_mode & 0o777 | stat.S_IRGRP)
                    _log.info("%s: the roles may read it now", self.config)
            except PermissionError as error:
                _log.error("%s: no role may read it: %s", self.config, error.strerror)

    def _enrol(self) -> None:
        """Takes a bundle from the boot partition, or writes its outcome into the file; destroys the claim last."""
        if self.notice.is_card and enrolment.take(self.notice.boot, self.ward):
            systemd.start(ENROL)
        if (enrolled := enrolment.waiting_to_be_named(self.ward)) is None:
            return
        bundle, record = enrolled
        try:
            self._rewrite(lambda text: enrolment.text_for(text, str(self.config), self.ward, bundle, record))
            enrolment.retire(self.ward.claim)
            _log.info("%s: this recorder is %s of the ward %s", self.config, record.dev, record.ward)
        except (SettingsRefused, OSError, UnicodeDecodeError) as error:
            _log.error("enrolled, and [ward] can't be written: %s", error)

    def _local(self, settings: Settings) -> list[LocalCamera]:
        from agent.privileged.setup.local_cameras import find
        return find(self.kernel, self.devices, settings.camera)

    def _forget_secrets(self) -> None:
        with contextlib.suppress(OSError, UnicodeDecodeError):
            kept = newest(self.config)
            tidy_secrets(self.config, [self.config.read_text(encoding="utf-8"), kept.before if kept else ""])

    def _answer(self, request: SetupRequest, fresh: bool) -> SetupResult:
        from agent.privileged.setup.changes import changed
        change = request.change
        try:
            if not fresh:
                raise SettingsRefused("late", "it was asked for too long ago, or before the machine was started")
            if isinstance(change, contract.UndoChange):
                self._rewrite(lambda text: text_before(self.config, change.of), request)
            else:
                secret = self._secret_file(request)
                self._rewrite(lambda text: changed(text, change, str(self.config), secret), request)
        except SettingsRefused as refused:
            _log.warning("change %s: %s: %s", request.id, refused.problem, refused)
            return SetupResult(id=request.id, done=False, problem=refused.problem, detail=str(refused))
        except (OSError, UnicodeDecodeError) as error:
            _log.error("change %s: %s", request.id, error)
            return SetupResult(id=request.id, done=False, problem="card", detail=str(error))
        _log.info("change %s is made: %s", request.id, contract.in_short(request.change))
        return SetupResult(id=request.id, done=True)

    def _secret_file(self, request: SetupRequest) -> dict[str, str]:
        """Writes the change's secret, if any. Returns its key and path; the path is "" if it removes the secret."""
        if (found := contract.secret_of(request.change)) is None:
            return {}
        key, secret = found
        return {key: keep_secret(self.config, key, request.id, secret) if secret else ""}

    def _rewrite(self, change: Callable[[str], str], request: SetupRequest | None = None) -> None:
        """Replaces the file by its changed text, even if an editor writes it meanwhile. Keeps a request's old text."""
        target = Path(os.path.realpath(self.config))
        draft = target.with_name(f".{target.name}.changed")
        while True:
            was = target.read_bytes()
            new = change(was.decode()).encode()
            if new == was:
                return
            write_durably(draft, new)
            if target.read_bytes() == was:
                if request:
                    wall_ms, short = self.clock.now().wall_ms, contract.in_short(request.change)
                    made = LastChange(id=request.id, wall_ms=wall_ms, **short)
                    keep(self.config, made, was, new)
                rename_durably(draft, target)
                return

    @property
    def _good(self) -> Path:
        return self.config.with_name(self.config.name + GOOD)

    def _settings(self) -> tuple[Settings | None, str | None]:
        """Returns the settings, or the last good ones and what is wrong with the file. Copies a good file."""
        try:
            settings = load(self.config)
        except ConfigError as error:
            with contextlib.suppress(ConfigError):
                return load(self._good), str(error)
            return None, str(error)
        with contextlib.suppress(OSError):
            data = self.config.read_bytes()
            if not self._good.exists() or self._good.read_bytes() != data:
                write_durably(self._good, data)
        return settings, None

    def _update_units(self, settings: Settings, *, first: bool, bad: bool) -> None:
        """Starts and stops units for the settings. If `bad`, these are the last good ones."""
        wishes, noted = unit_wishes(settings), self._applied()
        applied = noted.units if noted.version == __version__ else {}
        known = {unit: applied.get(unit, UNKNOWN) for unit in wishes} if first else applied
        try:
            states = systemd.states()
            systemd.carry_out(plan(wishes, known, states.up), states)
            now = {unit: _until_good(applied.get(unit), wish) for unit, wish in wishes.items()} if bad else wishes
            self._note(msgspec.structs.replace(noted, version=__version__, units=now), noted)
        except (OSError, subprocess.SubprocessError) as error:
            _log.error("the units: %s", error)

    def _admit(self, settings: Settings) -> None:
        afar = [str(ipaddress.ip_network(network)) for network in settings.web.afar]      # as systemd writes them
        local = ["127.0.0.1/32"] if settings.metrics.port else []
        for kind, units, wanted in (("afar", systemd.PAGE_UNITS, afar), ("local", [LINK], local)):
            noted = self._applied()
            before = getattr(noted, kind)
            try:
                if wanted != before:
                    systemd.admit(units, wanted, before)
                    self._note(msgspec.structs.replace(noted, **{kind: wanted}), noted)
            except (OSError, subprocess.SubprocessError) as error:
                _log.error("who may reach %s: %s", units[0], error)

    def _note(self, now: AppliedWishes, noted: AppliedWishes) -> None:
        if now != noted:
            write_whole(self.folders.told / APPLIED, msgspec.json.encode(now))

    def _applied(self) -> AppliedWishes:
        """Only root writes that folder, and a boot empties it."""
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode((self.folders.told / APPLIED).read_bytes(), type=AppliedWishes)
        return AppliedWishes(version="", units={})


def _until_good(was: UnitWish | None, wish: UnitWish) -> UnitWish:
    """What to note for a unit that may have read the bad file: the next good file is new to it."""
    if wish.reload_for:
        return UnitWish((was or wish).restart_for, UNKNOWN.reload_for)
    return was or UNKNOWN


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="taimat setup")
    parser.add_argument("--config", type=Path, default=DEFAULT_PATH)
    log.set_up("setup", "info")
    return Setup(parser.parse_args(argv).config).run()


if __name__ == "__main__":
    sys.exit(main())
