"""Searches cameras for the page: `python -m agent.helpers.camera_search`, a question in, an answer out.

A process of its own, because it reads what strangers in the network answer.
"""
import contextlib
import os
from urllib.parse import urlsplit

from agent.cameras.discovery import network
from agent.cameras.discovery.connection import CameraRefused, Deadline, Tries, plainly
from agent.cameras.discovery.found import NO_SUB, CameraAccount, FoundCamera, FoundStream, with_login
from agent.cameras.discovery.look import LOOK_S, Asked, ConfiguredCameras, look_at
from agent.cameras.discovery.rtsp import Describer, NotRtsp
from agent.config.settings import Camera, Settings
from agent.core.contract.helper_messages import CameraQuestion, SearchAnswer, SeenCamera
from agent.core.protocols.rtsp.address import parse
from agent.helpers import answer_one
from agent.host.stop import Stop

SCHEMES = ("rtsp://", "rtsps://")
NOTHING_THERE = "has no video under this address"


def answer(question: CameraQuestion) -> SearchAnswer:
    known = ConfiguredCameras(Settings(camera=[Camera(name=name, source=source) for name, source in question.known]))
    account = CameraAccount(question.user, question.password) if question.user else None
    try:
        if question.at.lower().startswith(SCHEMES):
            found = [_by_url(question.at, account)]
        elif question.at:
            # A typed account goes before the configured one, because it may be the new password.
            configured = ConfiguredCameras(Settings()) if account else known
            found = look_at(network.at([network.place(question.at)])[0], configured, account, False)
        else:
            machines, troubles = network.around([])
            if network.NO_NETWORK in troubles:
                return SearchAnswer(problem="no_network")
            found = look_at(machines, known, account, False)
    except ValueError:
        return SearchAnswer(problem="no_such_address")
    return SearchAnswer(cameras=[_seen(camera, used, known) for camera, used in found])


def _by_url(url: str, account: CameraAccount | None) -> Asked:
    """Returns the camera whose main stream has that URL. The URL's own user and password count. Raises ValueError."""
    where = parse(url)
    account = CameraAccount(where.user, where.password) if where.user else account
    parts = urlsplit(url)
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    camera = FoundCamera(where.host)
    with Describer(account, Tries(), Deadline(LOOK_S, Stop())) as describer:
        try:
            main = describer.stream(plain)
        except CameraRefused as error:
            return FoundCamera(where.host, locked=True).with_advice(f"RTSP {error}"), account
        except (NotRtsp, OSError) as error:
            return camera.with_advice(plainly(error) if isinstance(error, OSError) else str(error)), account
        if main is None:
            return camera.with_advice(NOTHING_THERE), account
        return FoundCamera(where.host, main=main, locked=describer.locked, ready=True).with_advice(NO_SUB), account


def _seen(camera: FoundCamera, account: CameraAccount | None, known: ConfiguredCameras) -> SeenCamera:
    main = camera.main if camera.ready else None
    return SeenCamera(
        address=camera.address, kind=camera.kind, own_name=camera.name,
        channel=camera.channel, source=_source(camera, main, account), sub=_source(camera, camera.sub, account),
        width=main.width if main else 0, height=main.height if main else 0, locked=camera.locked,
        ready=main is not None, advice=list(camera.advice), camera=known.name(camera))


def _source(camera: FoundCamera, stream: FoundStream | None, account: CameraAccount | None) -> str:
    if stream is None:
        return ""
    return with_login(stream.url, account.user, account.password) if camera.locked and account else stream.url


if __name__ == "__main__":
    with contextlib.suppress(OSError):      # the page's sandbox refuses it, and has a low CPU weight
        os.nice(10)
    answer_one(CameraQuestion, answer)
