"""A recorder whose card carries a bundle: root's two helpers enrol it, with a clock that runs as fast as they ask."""
import contextlib
import threading
from collections.abc import Callable
from pathlib import Path

from agent.core.contract.enrolment import BUNDLE_FILE, BUNDLE_FOLDER
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts
from agent.host.clock import Instant, SystemClock
from agent.host.datagram import Outlet
from agent.host.ward_folder import WardFolder
from agent.privileged.enrol.door import ReadyPace
from agent.privileged.enrol.main import Enroller
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import NoticePlaces

CARD = "36 25 179:1 / {} rw - vfat /dev/mmcblk0p1 rw\n"
DAY_MS = 86_400_000


class EnoughTries(Exception):
    """The test has seen as many as it wants."""


class FastClock:
    """The real date, or one that many days later, which a time server vouches for; each look at it takes two seconds.
    """

    def __init__(self, days: int = 0) -> None:
        self._mono_s, self._later_ms = 0.0, days * DAY_MS

    def mono_s(self) -> float:
        self._mono_s += 2.0
        return self._mono_s

    def now(self) -> Instant:
        return Instant("boot", int(self._mono_s * 1000), SystemClock().now().wall_ms + self._later_ms, "ntp")


class Recorder:
    """A device's folders, made up, with a card in it."""

    def __init__(self, root: Path) -> None:
        self.config, self.runtime, self.boot = root / "etc/taimat.toml", root / "run", root / "boot"
        self.notice = NoticePlaces(root / "issue.d/taimat.issue", root / "bell", self.boot, root / "mounts")
        for folder in ("etc", "run/setup", "run/capture", "run-setup", "issue.d", "boot/taimat", "sys", "dev"):
            (root / folder).mkdir(parents=True)
        self.notice.mounts.write_text(CARD.format(self.boot))
        self.root, self.bundle, self.ward = root, self.boot / BUNDLE_FOLDER / BUNDLE_FILE, WardFolder(root / "etc/ward")
        self.waits: list[float] = []
        self.tries = 1

    def set_up(self) -> None:
        Setup(self.config, self.runtime, self.root / "sys", self.root / "dev", self.notice).run()

    def enrol(self, days: int = 0, longest_s: float = 90, every_s: float = 60) -> None:
        """Root's other helper, which gives up after `tries`."""
        with contextlib.suppress(EnoughTries):
            Enroller(self.config, self.runtime, FastClock(days), self._wait, lambda: 0.5,
                     ReadyPace(every_s=every_s, longest_s=longest_s, beat_wait_s=0.01)).run()

    def _wait(self, seconds: float) -> None:
        if len(self.waits) == self.tries:
            raise EnoughTries
        self.waits.append(seconds)

    def boot_with(self, bundle: str) -> None:
        self.bundle.write_text(bundle)
        self.set_up()


class Talking:
    """Roles whose hearts beat from some moment on. A context manager."""

    def __init__(self, runtime: Path, begins: Callable[[], object] = lambda: True) -> None:
        self._outlet, self._over, self._begins = Outlet(runtime), threading.Event(), begins
        self._thread = threading.Thread(target=self._beat)

    def _beat(self) -> None:
        well = CameraFacts(camera="gate", state="ok", last_frame_age_s=0.1)
        while not self._over.wait(0.05):
            if not self._begins():
                continue
            for beat in (Beat(role="capture", unit="capture@gate", pid=1, mono_s=1, up_s=1, cameras=[well]),
                         Beat(role="keeper", unit="keeper", pid=2, mono_s=1, up_s=1, facts=KeeperFacts())):
                self._outlet.send(beat, "enrol")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
