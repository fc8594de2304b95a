"""Finds the streams of a camera by RTSP: asks for the paths of common makers, in makers.toml. Nothing is played."""
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from agent.cameras.discovery.connection import BoundedConnection, CameraRefused, Deadline, Proof, Tries
from agent.cameras.discovery.found import NO_SUB, CameraAccount, FoundCamera, FoundStream
from agent.core.media import nal
from agent.core.media.sps import BitstreamError, parse
from agent.core.protocols.rtsp import address, message, sdp
from agent.core.protocols.rtsp.login import challenges
from agent.core.protocols.rtsp.message import RtspAnswer, RtspInbox, Unreadable
from agent.core.protocols.rtsp.sdp import OfferedTrack, UnfitStream, video_of


class Maker(msgspec.Struct, frozen=True):
    """A maker, or a family of cameras with the same software."""

    name: str
    hints: tuple[str, ...]
    paths: tuple[tuple[str, str], ...]


# If nothing hints at the maker, all of them are tried.
MAKERS = msgspec.toml.decode(Path(__file__).with_name("makers.toml").read_bytes(),
                             type=dict[str, tuple[Maker, ...]])["maker"]


def maker_of(*told: str) -> Maker | None:
    """Returns the maker that these texts hint at: RTSP server name and realm, or maker and model by ONVIF."""
    text = " ".join(told).lower()
    return next((maker for maker in MAKERS if any(hint in text for hint in maker.hints)), None)


def candidates(likely: Maker | None) -> Iterator[tuple[str, str, str]]:
    """Yields (maker, main, sub) of each known pair of paths once, those of the likely maker first."""
    seen: set[str] = set()
    for maker in ((likely,) if likely else ()) + MAKERS:
        for main, sub in maker.paths:
            if main not in seen:
                seen.add(main)
                yield maker.name, main, sub


TURNS_N = 3
RTSPS_PORT = 322
RTSP_PORTS = (554, 8554, RTSPS_PORT)
USUAL_PORTS = {554, RTSPS_PORT}     # a URL need not name them
PATHS_MAX_N = 60
NO_PATH = "speaks RTSP, but has no video under any known path: its manual names the right one"


class NotRtsp(Exception):
    """The port is open, but does not speak RTSP."""


@dataclass(frozen=True, slots=True)
class Hints:
    """Parts of the answers that hint at the maker and need no login."""

    server: str = ""
    realm: str = ""


class Describer:
    """Asks a camera for its streams. Connects again if the camera closes the connection. A context manager."""

    def __init__(self, account: CameraAccount | None, tries: Tries, deadline: Deadline) -> None:
        self._deadline, self._proof = deadline, Proof(account, tries, in_clear=True)
        self._line: BoundedConnection | None = None
        self._inbox, self._asked_n = RtspInbox(), 0
        self._place: tuple[str, int, bool] | None = None
        self.hints = Hints()

    def stream(self, url: str) -> FoundStream | None:
        """Returns the video under a URL; None without video. Raises CameraRefused, NotRtsp, OSError."""
        where = address.parse(url)
        for _ in range(TURNS_N):
            answer = self._exchange(where)
            if answer.status != 401:
                self._proof.accepted()
                return _video(url, answer) if answer.status == 200 else None
            if not self._proof.challenged(answer.every("www-authenticate")):
                raise CameraRefused("asks for the password in a way that is not known here")
        return None

    @property
    def locked(self) -> bool:
        """Whether the camera asked for a login."""
        return self._proof.asked

    def _exchange(self, where: address.Address) -> RtspAnswer:
        """Sends one request and returns its answer, over a new connection if the old one is gone."""
        if self._place != (where.host, where.port, where.tls):
            self._hang_up()
        fresh = self._line is None
        try:
            return self._ask(where)
        except OSError:
            self._hang_up()
            if fresh:
                raise
        return self._ask(where)

    def _ask(self, where: address.Address) -> RtspAnswer:
        if self._line is None:
            self._place = (where.host, where.port, where.tls)
            self._line = BoundedConnection(where.host, where.port, where.tls, self._deadline)
        self._asked_n += 1
        headers = {"CSeq": str(self._asked_n), "Accept": "application/sdp", "User-Agent": "Taimat"}
        if said := self._proof.login.authorization("DESCRIBE", where.uri):
            headers["Authorization"] = said
        self._line.send(message.request("DESCRIBE", where.uri, headers))
        answer = self._answer(self._line)
        realms = [offer.values.get("realm", "") for offer in challenges(answer.every("www-authenticate"))]
        self.hints = Hints(answer.header("server") or self.hints.server, next(iter(realms), self.hints.realm))
        return answer

    def _answer(self, line: BoundedConnection) -> RtspAnswer:
        try:
            while data := line.receive():
                self._inbox.feed(data)
                for heard in self._inbox.messages():
                    if isinstance(heard, RtspAnswer) and heard.number("cseq") in (None, self._asked_n):
                        return heard
        except Unreadable as error:
            raise NotRtsp(str(error)) from error
        raise ConnectionError("the camera hung up")

    def _hang_up(self) -> None:
        if self._line:
            self._line.close()
        self._line, self._inbox, self._asked_n = None, RtspInbox(), 0

    def __enter__(self) -> "Describer":
        return self

    def __exit__(self, *_: object) -> None:
        self._hang_up()


def _video(url: str, answer: RtspAnswer) -> FoundStream | None:
    try:
        track = video_of(sdp.read(answer.body), url)
    except UnfitStream:
        return None
    width, height = _size(track)
    return FoundStream(url, track.codec, width, height, track.fps or 0.0)


def _size(track: OfferedTrack) -> tuple[int, int]:
    """Returns width and height from the parameter sets in the description; zeros without them."""
    for unit in track.format.parameter_sets():
        with contextlib.suppress(BitstreamError):
            if nal.unit_type(track.codec, unit) == nal.SPS[track.codec]:
                told = parse(track.codec, unit)
                return told.width, told.height
    return 0, 0


def by_paths(ports: tuple[int, ...], camera: FoundCamera, describer: Describer) -> FoundCamera | None:
    """Returns the camera with its streams, or with advice; None if nothing speaks RTSP on these ports."""
    spoke = False
    for port in ports:
        scheme = "rtsps" if port == RTSPS_PORT else "rtsp"
        start = f"{scheme}://{camera.address}{'' if port in USUAL_PORTS else f':{port}'}"
        try:
            maker, main, sub = _first(start, camera, describer)
        except CameraRefused as error:
            return replace(camera, locked=True).with_advice(f"RTSP {error}")
        except (NotRtsp, OSError):
            continue
        spoke = True
        if main:
            maker = camera.maker or maker
            found = replace(camera, maker=maker, main=main, sub=sub, locked=describer.locked, ready=True)
            return found if sub else found.with_advice(NO_SUB)
    return camera.with_advice(NO_PATH) if spoke else None


def _first(start: str, camera: FoundCamera, describer: Describer) -> tuple[str, FoundStream | None, FoundStream | None]:
    """Returns maker, main and sub-stream of the first known path with video. Each answer helps to choose the next path.
    Raises CameraRefused as soon as no further try is safe; NotRtsp, OSError."""
    tried: set[str] = set()
    for _ in range(PATHS_MAX_N):
        likely = maker_of(camera.maker, camera.model, describer.hints.server, describer.hints.realm)
        maker, main_path, sub_path = next((each for each in candidates(likely) if each[1] not in tried), ("", "", ""))
        if not main_path:
            break
        tried.add(main_path)
        try:
            main = describer.stream(start + main_path)
        except CameraRefused as error:        # some cameras refuse paths that they do not have
            if error.final:
                raise
            continue
        if main:
            return maker, main, _sub(describer, start + sub_path) if sub_path else None
    return "", None, None


def _sub(describer: Describer, url: str) -> FoundStream | None:
    with contextlib.suppress(CameraRefused, NotRtsp, OSError):
        return describer.stream(url)
    return None
