"""A camera's streams as it tells them by ONVIF, and whether they are really there."""
import contextlib
from collections.abc import Iterator
from dataclasses import replace

from agent.cli.discover.connection import plainly
from agent.cli.discover.describe import Describer, NotRtsp
from agent.cli.discover.found import NO_SUB, FoundCamera, FoundStream, moved
from agent.cli.discover.onvif import CameraRefused, NotOnvif, OnvifDevice
from agent.cli.discover.tune import tune
from agent.core.protocols.onvif import device as messages
from agent.core.protocols.onvif.choose import SUB_FPS, choose
from agent.core.protocols.onvif.media import Media, Media1, Media2, Profile
from agent.core.protocols.onvif.soap import MEDIA1, MEDIA2, Fault

CLOCK_WRONG_S = 120
UNITS = ((86_400, "days"), (3600, "hours"), (60, "minutes"))
CHANNELS_MAX_N = 32
FAST_FPS = 1.5 * SUB_FPS
NO_RTSP = "switch RTSP on in its app or menu"
NO_VIDEO = "has no H.264 or H.265 stream: set its main stream to H.264"
OWN_USERS = ": correct it; some makers (Hikvision) want a user of its own for ONVIF, made in the camera's network menu"


def by_onvif(device: OnvifDevice, camera: FoundCamera, describer: Describer, tuning: bool) -> list[FoundCamera]:
    """The camera, or each channel of a recorder; one without streams but with advice where it tells none."""
    camera = camera.told(*_clock_advice(device))
    try:
        services = _services(device)
        camera = _named(device, camera)
        media, url, pairs = _profiles(device, services, camera.address)
    except (CameraRefused, Fault, NotOnvif, OSError) as error:
        return [camera.told(failure(error))]
    if not pairs:
        return [camera.told(NO_VIDEO)]
    questions = _StreamQuestions(device, media, url, describer, tuning)
    return [_channel(questions, replace(camera, channel=number), main, sub)
            for number, (main, sub) in enumerate(pairs[:CHANNELS_MAX_N], 1 if len(pairs) > 1 else 0)]


class _StreamQuestions:
    """A device and its media service, for questions about its streams."""

    def __init__(self, device: OnvifDevice, media: Media, url: str, describer: Describer, tuning: bool) -> None:
        self.device, self.media, self.url, self.describer, self.tuning = device, media, url, describer, tuning

    def stream(self, profile: Profile, address: str) -> FoundStream | None:
        """A profile's stream, at the address where the camera was reached. Raises as OnvifDevice.ask."""
        told = self.media.address(self.device.ask(self.media.get_address(profile.token), self.url))
        url, settings = moved(told, address, ("rtsp", "rtsps")), profile.encoder
        return FoundStream(url, settings.codec, settings.width, settings.height, settings.fps) if url else None


def _channel(asked: _StreamQuestions, camera: FoundCamera, main: Profile, sub: Profile | None) -> FoundCamera:
    try:
        camera = replace(camera, main=asked.stream(main, camera.address),
                         sub=asked.stream(sub, camera.address) if sub else None)
        camera = _verified(camera, asked.describer)
        if not camera.ready:
            return camera
        if sub is None or camera.sub is None:
            return camera.told(NO_SUB)
        if not asked.tuning:
            return camera.told(*_speed_advice(camera.sub.fps))
        fps, said = tune(asked.device, asked.media, asked.url, sub.encoder)
        return replace(camera, sub=replace(camera.sub, fps=fps)).told(said)
    except (CameraRefused, Fault, NotOnvif, OSError) as error:
        return camera.told(failure(error))


def failure(error: Exception) -> str:
    """What went wrong with ONVIF, and what to do."""
    if isinstance(error, CameraRefused):
        return f"ONVIF {error}{OWN_USERS if error.wrong else ''}"
    if isinstance(error, Fault):
        return f"ONVIF: {error}; give the account the right to use ONVIF, or update the camera"
    told = plainly(error) if isinstance(error, OSError) else str(error)
    return f"ONVIF: {told}; switch the camera off and on, then try again"


def _clock_advice(device: OnvifDevice) -> Iterator[str]:
    """A wrong clock does no harm to recordings, but to the time in the picture."""
    wrong_s = abs(device.behind.total_seconds())
    if wrong_s > CLOCK_WRONG_S:
        far_n, unit = next((wrong_s / unit_s, unit) for unit_s, unit in UNITS if wrong_s > 2 * unit_s)
        yield f"its clock is {far_n:.0f} {unit} wrong: let it set itself (NTP)"


def _speed_advice(fps: float) -> Iterator[str]:
    if fps > FAST_FPS:
        yield (f"its small stream sends more than the {SUB_FPS:g} pictures a second that motion looks at: --tune makes "
               "it send no more, which saves most of the work")


def _services(device: OnvifDevice) -> dict[str, str]:
    """Where the media services are, by namespace; the older question for those that don't know the newer one."""
    try:
        found = messages.services(device.ask(messages.GET_SERVICES))
    except (Fault, NotOnvif):
        found = {}
    return found or messages.capabilities(device.ask(messages.GET_CAPABILITIES))


def _named(device: OnvifDevice, camera: FoundCamera) -> FoundCamera:
    """With maker and model, where it tells them."""
    try:
        maker, model = messages.maker_and_model(device.ask(messages.GET_INFORMATION))
    except Fault:
        return camera
    return replace(camera, maker=maker or camera.maker, model=model or camera.model)


def _profiles(device: OnvifDevice, services: dict[str, str],
              address: str) -> tuple[Media, str, list[tuple[Profile, Profile | None]]]:
    """The media service to use, its address, and for each picture what to record and where to look for motion.

    The newer service goes first: it tells of H.265. Raises as OnvifDevice.ask for the older one.
    """
    newer = moved(services.get(MEDIA2, ""), address, ("http", "https"))
    with contextlib.suppress(Fault, NotOnvif):
        if newer and (pairs := choose(Media2().profiles(device.ask(Media2.get_profiles, newer)))):
            return Media2(), newer, pairs
    older = moved(services.get(MEDIA1, ""), address, ("http", "https"))
    return Media1(), older, choose(Media1().profiles(device.ask(Media1.get_profiles, older))) if older else []


def _verified(camera: FoundCamera, describer: Describer) -> FoundCamera:
    """Whether the streams are really there; a sub-stream that is not is left out."""
    if camera.main is None:
        return camera.told("tells no address of its stream: update the camera")
    try:
        main = _seen(camera.main, describer)
    except CameraRefused as error:
        return replace(camera, locked=True).told(f"RTSP {error}")
    except (NotRtsp, OSError):
        return camera.told(f"its stream does not answer: {NO_RTSP}")
    if main is None:
        return camera.told(f"has no video where it says: {NO_RTSP}")
    sub = None
    with contextlib.suppress(CameraRefused, NotRtsp, OSError):
        sub = _seen(camera.sub, describer) if camera.sub else None
    return replace(camera, main=main, sub=sub, locked=describer.locked, ready=True)


def _seen(told: FoundStream, describer: Describer) -> FoundStream | None:
    """The stream as its description has it, which knows better; None where it is not. Raises as Describer.stream."""
    seen = describer.stream(told.url)
    return seen and replace(told, codec=seen.codec, width=seen.width or told.width, height=seen.height or told.height)
