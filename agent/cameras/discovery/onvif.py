"""Reads the streams of a camera by ONVIF, checks that they exist, and slows the one for motion down.

Each request carries a login of the kind that the camera wants.
"""
import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agent.cameras.discovery.connection import CameraRefused, Deadline, HttpAnswer, Proof, Tries, plainly, post, target
from agent.cameras.discovery.found import NO_SUB, CameraAccount, FoundCamera, FoundStream, moved
from agent.cameras.discovery.rtsp import Describer, NotRtsp
from agent.core.protocols.onvif import services as messages
from agent.core.protocols.onvif.services import (
    SUB_FPS,
    Encoder,
    EncoderLimits,
    Media1,
    Media2,
    Profile,
    choose,
    slower,
    with_rate,
)
from agent.core.protocols.onvif.soap import (
    MEDIA1,
    MEDIA2,
    NONCE_B,
    BadXml,
    Fault,
    Node,
    SoapRequest,
    envelope,
    unwrap,
    username_token,
)

TURNS_N = 3         # without the password, with it, with a newer nonce
CLOCK_WRONG_S = 120
UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
CHANNELS_MAX_N = 32
FAST_FPS = 1.5 * SUB_FPS
NO_RTSP = "switch RTSP on in its app or menu"
NO_VIDEO = "has no H.264 or H.265 stream: set its main stream to H.264"
OWN_USERS = ": correct it; some makers (Hikvision) want a user of its own for ONVIF, made in the camera's network menu"
TOO_FAST = (f"its small stream sends more than the {SUB_FPS:g} pictures a second that motion looks at: --tune makes "
            "it send no more, which saves most of the work")
BY_HAND = "set its second stream to 5 pictures a second in its own menu"


class NotOnvif(Exception):
    """The machine does not speak ONVIF; the text says what came instead."""


TROUBLES = (CameraRefused, Fault, NotOnvif, OSError)        # the errors of a request


class OnvifDevice:
    def __init__(self, account: CameraAccount | None, tries: Tries, deadline: Deadline) -> None:
        self._account, self._deadline, self._url = account, deadline, ""
        self._proof = Proof(account, tries, in_clear=False)
        self._token = False                     # the login goes into the message, not into HTTP
        self.behind = timedelta(0)              # how far the clock of the camera is behind ours

    def meet(self, url: str) -> None:
        """Reads the camera's own time from its device service, because it refuses a login with another time. Raises
        NotOnvif, CameraRefused, OSError."""
        self._url = url
        with contextlib.suppress(Fault):        # it speaks ONVIF, but does not tell its time
            told = messages.clock(self.ask(messages.GET_CLOCK))
            self.behind = datetime.now(UTC) - told if told else self.behind

    def ask(self, request: SoapRequest, url: str = "") -> Node:
        """Sends a request to the device service, or to the one at `url`. Raises TROUBLES."""
        url = url or self._url
        for _ in range(TURNS_N):
            answer = post(url, *self._message(request, url), self._deadline)
            try:
                told = _read(answer)
            except Fault as fault:
                if not (answer.status == 401 or fault.refused):
                    self._proof.accepted()
                    raise
                self._token = not self._proof.challenged(answer.challenges)
            else:
                self._proof.accepted()
                return told
        raise NotOnvif("asks for the password again and again")

    def _message(self, request: SoapRequest, url: str) -> tuple[bytes, dict[str, str]]:
        token = ""
        if self._token and self._account:
            token = username_token(self._account.user, self._account.password, secrets.token_bytes(NONCE_B),
                                   datetime.now(UTC) - self.behind)
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{request.action}"'}
        if not self._token and (said := self._proof.login.authorization("POST", target(url))):
            headers["Authorization"] = said
        return envelope(request, token), headers


def _read(answer: HttpAnswer) -> Node:
    """Returns the content of an answer. Raises Fault, also for a 401 without content; NotOnvif."""
    try:
        return unwrap(answer.body)
    except BadXml as error:
        if answer.status == 401:
            raise Fault("NotAuthorized", "") from error
        raise NotOnvif(f"answers HTTP {answer.status} without ONVIF") from error


def failure(error: Exception) -> str:
    if isinstance(error, CameraRefused):
        return f"ONVIF {error}{OWN_USERS if error.wrong else ''}"
    if isinstance(error, Fault):
        return f"ONVIF: {error}; give the account the right to use ONVIF, or update the camera"
    told = plainly(error) if isinstance(error, OSError) else str(error)
    return f"ONVIF: {told}; switch the camera off and on, then try again"


def by_onvif(device: OnvifDevice, camera: FoundCamera, describer: Describer, tuning: bool) -> list[FoundCamera]:
    """Returns the camera, or each channel of a recorder; a camera with only advice if it reports no streams."""
    camera = camera.with_advice(*_clock_advice(device))
    try:
        services = _services(device)
        camera = _named(device, camera)
        media, url, pairs = _profiles(device, services, camera.address)
    except TROUBLES as error:
        return [camera.with_advice(failure(error))]
    if not pairs:
        return [camera.with_advice(NO_VIDEO)]
    questions = _StreamQuestions(device, media, url, describer, tuning)
    return [questions.channel(replace(camera, channel=number), main, sub)
            for number, (main, sub) in enumerate(pairs[:CHANNELS_MAX_N], 1 if len(pairs) > 1 else 0)]


def _clock_advice(device: OnvifDevice) -> Iterator[str]:
    """A wrong clock does not harm recordings, but it writes a wrong time into the picture."""
    wrong_s = abs(device.behind.total_seconds())
    if wrong_s > CLOCK_WRONG_S:
        far_n, unit = next((wrong_s / unit_s, unit) for unit_s, unit in UNITS if wrong_s > 2 * unit_s)
        yield f"its clock is {far_n:.0f} {unit} wrong: let it set itself (NTP)"


def _services(device: OnvifDevice) -> dict[str, str]:
    """Returns the addresses of the media services by namespace. Old cameras only know the second request."""
    try:
        found = messages.services(device.ask(messages.GET_SERVICES))
    except (Fault, NotOnvif):
        found = {}
    return found or messages.capabilities(device.ask(messages.GET_CAPABILITIES))


def _named(device: OnvifDevice, camera: FoundCamera) -> FoundCamera:
    try:
        maker, model = messages.maker_and_model(device.ask(messages.GET_INFORMATION))
    except Fault:
        return camera
    return replace(camera, maker=maker or camera.maker, model=model or camera.model)


def _profiles(device: OnvifDevice, services: dict[str, str],
              address: str) -> tuple[Media1, str, list[tuple[Profile, Profile | None]]]:
    """Returns the media service to use, its address, and for each picture the profiles to record and for motion. Tries
    the newer service first, because it knows H.265. Raises TROUBLES for the older one."""
    newer = moved(services.get(MEDIA2, ""), address, ("http", "https"))
    with contextlib.suppress(Fault, NotOnvif):
        if newer and (pairs := choose(Media2().profiles(device.ask(Media2.get_profiles, newer)))):
            return Media2(), newer, pairs
    older = moved(services.get(MEDIA1, ""), address, ("http", "https"))
    return Media1(), older, choose(Media1().profiles(device.ask(Media1.get_profiles, older))) if older else []


class _StreamQuestions:
    def __init__(self, device: OnvifDevice, media: Media1, url: str, describer: Describer, tuning: bool) -> None:
        self._device, self._media, self._url, self._describer, self._tuning = device, media, url, describer, tuning

    def channel(self, camera: FoundCamera, main: Profile, sub: Profile | None) -> FoundCamera:
        try:
            camera = self._verified(replace(camera, main=self._stream(main, camera.address),
                                            sub=self._stream(sub, camera.address) if sub else None))
            if not camera.ready:
                return camera
            if sub is None or camera.sub is None:
                return camera.with_advice(NO_SUB)
            if not self._tuning:
                return camera.with_advice(TOO_FAST) if camera.sub.fps > FAST_FPS else camera
            fps, said = self._tuned(sub.encoder)
            return replace(camera, sub=replace(camera.sub, fps=fps)).with_advice(said)
        except TROUBLES as error:
            return camera.with_advice(failure(error))

    def _stream(self, profile: Profile, address: str) -> FoundStream | None:
        """Returns the stream of a profile, at the address at which we reached the camera."""
        told = self._media.address(self._device.ask(self._media.get_address(profile.token), self._url))
        url, settings = moved(told, address, ("rtsp", "rtsps")), profile.encoder
        return FoundStream(url, settings.codec, settings.width, settings.height, settings.fps) if url else None

    def _verified(self, camera: FoundCamera) -> FoundCamera:
        """Checks that the streams exist; leaves out a missing sub-stream."""
        if camera.main is None:
            return camera.with_advice("reports no address of its stream: update the camera")
        try:
            main = self._seen(camera.main)
        except CameraRefused as error:
            return replace(camera, locked=True).with_advice(f"RTSP {error}")
        except (NotRtsp, OSError):
            return camera.with_advice(f"its stream does not answer: {NO_RTSP}")
        if main is None:
            return camera.with_advice(f"has no video at the address that it reports: {NO_RTSP}")
        sub = None
        with contextlib.suppress(CameraRefused, NotRtsp, OSError):
            sub = self._seen(camera.sub) if camera.sub else None
        return replace(camera, main=main, sub=sub, locked=self._describer.locked, ready=True)

    def _seen(self, told: FoundStream) -> FoundStream | None:
        """Returns the stream with the values of its own description, which is more reliable; None if it is missing."""
        seen = self._describer.stream(told.url)
        return seen and replace(told, codec=seen.codec, width=seen.width or told.width,
                                height=seen.height or told.height)

    def _tuned(self, before: Encoder) -> tuple[float, str]:
        """Sets the rate of the sub-stream to what motion needs, because decoding more is most of the cost of a camera.
        Returns the pictures a second that the camera then reports, and a sentence about it."""
        limits = self._limits(before)
        wanted_fps = slower(before.fps, limits.rates)
        if wanted_fps is None:
            return before.fps, f"small stream left at {before.fps:g} pictures a second"
        try:
            self._device.ask(self._media.set_encoder(with_rate(before, wanted_fps, limits)), self._url)
            after = self._media.encoder(self._device.ask(self._media.get_encoder(before.token), self._url))
        except (Fault, NotOnvif, CameraRefused) as error:
            return before.fps, f"does not let its small stream be changed ({error}): {BY_HAND}"
        now_fps = after.fps if after else before.fps
        if now_fps != wanted_fps:
            return now_fps, f"took {wanted_fps:g} pictures a second, but still says {now_fps:g}: {BY_HAND}"
        return now_fps, f"small stream changed from {before.fps:g} to {now_fps:g} pictures a second"

    def _limits(self, encoder: Encoder) -> EncoderLimits:
        """Returns the limits that the camera reports; empty ones if it reports none."""
        try:
            return self._media.limits(self._device.ask(self._media.get_limits(encoder.token), self._url), encoder.codec)
        except (Fault, NotOnvif, CameraRefused):
            return EncoderLimits((), None)
