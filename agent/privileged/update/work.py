"""Takes an update from the bundle to a proven version, or back. A power cut may interrupt each step.

`work.json` names the step and is written before it begins. A later process continues from there: a restarted unit, a
unit at the next boot, or the proven version if dpkg brought the new one. So an older version must understand a newer
one's notes: fields and steps must not change.
"""
import contextlib
import errno
import itertools
import logging
import shutil
import subprocess
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from agent.config.unit_wishes import full_name
from agent.core.contract.facts import Beat, RefusedVersion
from agent.core.harmless import one_line
from agent.core.passwords import redact
from agent.core.release import Code, Release, ReleaseRefused, order
from agent.core.trial import Before, Trial, TrialPace, worked
from agent.host import runtime as places
from agent.host.clock import Clock
from agent.host.datagram import Inbox
from agent.host.files import write_durably
from agent.host.updates import REFUSED, WORK, Result, UpdateFolders
from agent.privileged.update.deaths import deaths, last_words
from agent.privileged.update.versions import CURRENT, PROVEN, Versions

LISTENER = "update"             # of agent.process.heartbeat
RESTART = ["systemctl", "restart", "taimat.target"]
RESTART_S = 240.0               # includes killing a role that hangs
BOOTS_MAX = 2                   # starts of the machine during a trial; a third one ends it
BEAT_WAIT_S = 1.0
FULL = (errno.ENOSPC, errno.EDQUOT)

_log = logging.getLogger(__name__)


class UnderWay(Struct, frozen=True, kw_only=True):
    """The contents of `work.json`."""

    was: str                            # the version to go back to
    version: str = ""                   # the new one; "" until the bundle is open
    id: str | None = None               # of the ward's command; None for a technician's
    step: Literal["build", "laid", "trial", "back"] = "build"
    before: Before = Before()
    boots_n: int = 0                    # starts of the machine since the trial began


@dataclass(frozen=True, slots=True)
class Updater:
    """Carries out updates as root. It must be the proven version's code."""

    versions: Versions
    doors: UpdateFolders
    runtime: Path
    config: Path
    clock: Clock
    pace: TrialPace = TrialPace()
    deaths: Callable[[Sequence[str]], Mapping[str, int]] = deaths
    last_words: Callable[[str], str] = last_words

    @property
    def unpacked(self) -> Path:
        return self.versions.root / "unpacked"

    def install(self, command_id: str | None, was: str, unpack: Callable[[Path], tuple[Release, bytes]]) -> Result:
        """Installs the bundle that `unpack` opens into a folder. Returns the outcome. Raises OSError."""
        work = UnderWay(was=was, id=command_id)
        self._note(work)
        try:
            release = self._build(unpack)
        except (ReleaseRefused, OSError) as error:
            return self._refuse(work, error)
        return self.begin(replace(work, version=release.version))

    def _build(self, unpack: Callable[[Path], tuple[Release, bytes]]) -> Release:
        shutil.rmtree(self.unpacked, ignore_errors=True)
        self.unpacked.mkdir(mode=0o700, parents=True)
        try:
            release, notes = unpack(self.unpacked)
            _log.info("%s: its signature holds; installing", release.version)
            self.versions.add(release, notes, self.unpacked)
        finally:
            shutil.rmtree(self.unpacked, ignore_errors=True)
        return release

    def note_added(self, version: str, was: str) -> None:
        """Leaves a note that this installed version needs a trial. Raises OSError."""
        self._note(UnderWay(was=was, version=version, step="laid"))

    def begin(self, work: UnderWay) -> Result:
        """Tries an installed version, if it says that it is ready. Returns the outcome. Raises OSError."""
        work = replace(work, step="laid")
        self._note(work)
        try:
            self.versions.demand_ready(work.version, self.config)
            # While the machine starts, nobody can tell what works.
            listen_s = max(self.pace.listen_s, self.pace.started_s - self.clock.mono_s())
            until_mono_s = self.clock.mono_s() + listen_s
            with contextlib.closing(self._beats()) as beats:
                in_time = itertools.takewhile(lambda _: self.clock.mono_s() < until_mono_s, beats)
                work = replace(work, before=worked(list(filter(None, in_time))), step="trial")
        except (ReleaseRefused, OSError) as error:
            return self._refuse(work, error)
        self._note(work)
        return self._try(work)

    def _refuse(self, work: UnderWay, error: ReleaseRefused | OSError) -> Result:
        _log.error("not installed: %s", error)
        if isinstance(error, ReleaseRefused):
            return self._end(work, error.code)
        return self._end(work, "no_room" if error.errno in FULL else "not_ready")

    def under_way(self) -> UnderWay | None:
        """Returns the unfinished update, if any. Raises ReleaseRefused if its note is unreadable."""
        try:
            return msgspec.json.decode((self.doors.told / WORK).read_bytes(), type=UnderWay)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise ReleaseRefused("interrupted", f"{self.doors.told / WORK} can't be read ({error}): remove it, and see "
                                 "by `taimat --version` what runs") from error

    def resume(self, work: UnderWay) -> Result:
        """Continues an interrupted update. Returns the outcome. Raises OSError."""
        match work.step:
            case "build":
                shutil.rmtree(self.unpacked, ignore_errors=True)
                return self._end(work, "interrupted")
            case "laid":
                return self.begin(work)
            case "trial":
                return self._try(work)
            case "back":
                return self._back(work)

    def boot(self, work: UnderWay) -> None:
        """Runs before any role: a version that crashes the machine gets no third chance. Raises OSError."""
        if work.step == "trial" and work.boots_n < BOOTS_MAX:
            self._note(replace(work, boots_n=work.boots_n + 1))
        elif work.step in ("trial", "back"):
            _log.error("%s crashed the machine: going back to %s", work.version, work.was)
            if work.step == "trial":
                self._remember(RefusedVersion(work.version, "the machine was started again and again"))
            self.versions.point_both(work.was)
            self._end(work, "unhealthy_rolled_back")

    def back(self, version: str) -> None:
        """Returns to an earlier version at a person's request. Raises ReleaseRefused and OSError."""
        self.versions.demand_ready(version, self.config)
        self.versions.point_both(version)
        self.restart()

    def _try(self, work: UnderWay) -> Result:
        if self.versions.named(PROVEN) == work.version:     # interrupted after its trial
            return self._end(work, None)
        self._remember(None)
        self.versions.point(CURRENT, work.version)
        _log.info("%s on trial; before it worked: %s", work.version, ", ".join(work.before.units) or "nothing")
        restart_mono_s = self.clock.mono_s()
        self.restart()
        trial = Trial(work.before, self.pace, restart_mono_s, self.clock.mono_s())
        if self._is_well(trial):
            self.versions.point(PROVEN, work.version)
            _log.info("%s works, and has taken the place of %s", work.version, work.was)
            return self._end(work, None)
        unit = trial.blamed(now_mono_s := self.clock.mono_s())
        why = ", ".join(trial.wrong(now_mono_s)) or "it starts again and again"
        if unit and (words := self.last_words(full_name(unit))):
            why += f"; its last words: {one_line(redact(words))}"
        _log.error("%s does not work: %s", work.version, why)
        self._remember(RefusedVersion(work.version, why, unit))
        work = replace(work, step="back")
        self._note(work)
        return self._back(work)

    def _is_well(self, trial: Trial) -> bool:
        look_mono_s = 0.0
        with contextlib.closing(self._beats()) as beats:
            for beat in beats:
                now_mono_s = self.clock.mono_s()
                if beat:
                    trial.receive(beat, now_mono_s)
                if now_mono_s >= look_mono_s and trial.wrong(now_mono_s):
                    trial.receive_deaths(self.deaths(trial.before.units))
                    look_mono_s = now_mono_s + self.pace.look_s
                if verdict := trial.verdict(now_mono_s):
                    return verdict == "well"
        return False

    def _back(self, work: UnderWay) -> Result:
        _log.error("going back to %s", work.was)
        self.versions.point_both(work.was)
        self.restart()
        return self._end(work, "unhealthy_rolled_back")

    def _end(self, work: UnderWay, code: Code | None) -> Result:
        result = Result(id=work.id or "", version=work.version or None, code=code)
        if work.id:
            try:
                self.doors.tell(result)
            except OSError as error:        # no report is better than the same update again and again
                _log.error("the result can't be written: %s", error)
        self.drop()
        return result

    def _remember(self, refused: RefusedVersion | None) -> None:
        path = self.doors.told / REFUSED
        try:
            write_durably(path, msgspec.json.encode(refused), 0o644) if refused else path.unlink(missing_ok=True)
        except OSError as error:        # a full card keeps no version on trial
            _log.error("%s can't be written: %s", path, error)

    def drop(self) -> None:
        """Ends the update; keeps the current version and the newest one before it. Raises OSError."""
        self.forget()
        current = order(self.versions.named(CURRENT))
        self.versions.keep([version for version in self.versions.whole() if order(version) < current][-1:])

    def forget(self) -> None:
        (self.doors.told / WORK).unlink(missing_ok=True)

    def _note(self, work: UnderWay) -> None:
        write_durably(self.doors.told / WORK, msgspec.json.encode(work), mode=0o644)

    def restart(self) -> None:
        """Restarts all roles in the current version. The trial sees which roles do not start in time."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.versions.run(RESTART, RESTART_S)

    def _beats(self) -> Generator[Beat | None, None, None]:
        """Yields heartbeats, and None for each second without one."""
        inbox = Inbox(self.runtime, LISTENER)
        try:
            while True:
                heard = inbox.receive(BEAT_WAIT_S)
                yield heard if isinstance(heard, Beat) else None
        finally:
            inbox.close()
            places.inbox(self.runtime, LISTENER).unlink(missing_ok=True)
