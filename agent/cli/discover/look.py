"""One machine from its address to its cameras: by ONVIF where it knows that, else by the paths of common makers."""
from dataclasses import dataclass

from agent.cli.discover.ask import by_onvif, failure
from agent.cli.discover.connection import Deadline
from agent.cli.discover.describe import Describer
from agent.cli.discover.found import CameraAccount, FoundCamera
from agent.cli.discover.guess import by_paths
from agent.cli.discover.onvif import CameraRefused, NotOnvif, OnvifDevice, Tries
from agent.host.stop import Stop

LOOK_S = 45.0


@dataclass(frozen=True, slots=True)
class Lead:
    """What may be a camera."""

    address: str
    services: tuple[str, ...] = ()      # where its ONVIF device service may be
    ports: tuple[int, ...] = ()         # where RTSP may be
    maker: str = ""
    model: str = ""
    name: str = ""


def look(lead: Lead, account: CameraAccount | None, tuning: bool, stop: Stop) -> list[FoundCamera]:
    """What is there: one camera, several in a recorder, none in what is no camera. `tuning` slows sub-streams down.

    Raises Stopped when `stop` is set.
    """
    tries, deadline = Tries(), Deadline(LOOK_S, stop)
    camera = FoundCamera(lead.address, lead.maker, lead.model, lead.name)
    with Describer(account, tries, deadline) as describer:
        cameras = _by_onvif(lead, camera, OnvifDevice(account, tries, deadline), describer, tuning)
        if any(each.main for each in cameras):
            return cameras
        guessed = by_paths(lead.ports, cameras[0] if cameras else camera, describer)
        return [guessed] if guessed else cameras


def _by_onvif(lead: Lead, camera: FoundCamera, device: OnvifDevice, describer: Describer,
              tuning: bool) -> list[FoundCamera]:
    """The cameras that the first service with ONVIF tells of; none where no service speaks it."""
    for service in lead.services:
        try:
            device.meet(service)
        except (NotOnvif, OSError):
            continue
        except CameraRefused as error:
            return [camera.told(failure(error))]
        return by_onvif(device, camera, describer, tuning)
    return []
