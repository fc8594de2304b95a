"""Finds the cameras at given addresses: by ONVIF if they know it, else by the paths of common makers."""
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

from agent.cameras.discovery.connection import CameraRefused, Deadline, Tries, target
from agent.cameras.discovery.found import CameraAccount, FoundCamera, Lead
from agent.cameras.discovery.onvif import NotOnvif, OnvifDevice, by_onvif, failure
from agent.cameras.discovery.rtsp import Describer, by_paths
from agent.config.settings import Settings
from agent.core.protocols.rtsp.address import parse
from agent.host.stop import Stop

LOOK_S = 45.0
AT_ONCE_N = 8

Asked = tuple[FoundCamera, CameraAccount | None]        # a camera, and the account for it


class ConfiguredCameras:
    """Names and accounts of the configuration's network cameras, by address and path."""

    def __init__(self, settings: Settings) -> None:
        self.names = [camera.name for camera in settings.camera]        # of all cameras, not only network cameras
        self._by_stream: dict[tuple[str, str], str] = {}
        self._by_address: dict[str, str] = {}
        self._accounts: dict[str, CameraAccount] = {}
        for camera in settings.camera:
            with contextlib.suppress(ValueError, OSError):              # not a network camera, or an unknown host
                where = parse(camera.source)
                address = socket.gethostbyname(where.host)
                self._by_stream[address, target(where.uri)] = camera.name
                self._by_address.setdefault(address, camera.name)
                if where.user:
                    self._accounts[address] = CameraAccount(where.user, where.password)

    def name(self, camera: FoundCamera) -> str:
        """Returns its name in the configuration; "" if it is not configured."""
        path = target(camera.main.url) if camera.main else ""
        alone = self._by_address.get(camera.address, "") if not camera.channel else ""
        return self._by_stream.get((camera.address, path), alone)

    def account(self, address: str) -> CameraAccount | None:
        return self._accounts.get(address)


def look_at(machines: list[Lead], known: ConfiguredCameras, account: CameraAccount | None,
            tuning: bool) -> list[Asked]:
    """Returns the cameras at these addresses. Tries the account of the configuration first, because it has worked."""
    accounts = [known.account(machine.address) or account for machine in machines]
    stop = Stop()
    with ThreadPoolExecutor(AT_ONCE_N) as pool:
        try:
            found = list(pool.map(lambda machine, used: look(machine, used, tuning, stop), machines, accounts))
        except BaseException:       # Ctrl-C: the threads would go on asking
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [(camera, used) for cameras, used in zip(found, accounts, strict=True) for camera in cameras]


def look(lead: Lead, account: CameraAccount | None, tuning: bool, stop: Stop) -> list[FoundCamera]:
    """Returns one camera, all cameras of a recorder, or none if it is no camera. `tuning` lowers the rate of
    sub-streams. Raises ConnectStopped when `stop` is set."""
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
    """Returns the cameras that the first ONVIF service reports; none if no service speaks ONVIF."""
    for service in lead.services:
        try:
            device.meet(service)
        except (NotOnvif, OSError):
            continue
        except CameraRefused as error:
            return [camera.with_advice(failure(error))]
        return by_onvif(device, camera, describer, tuning)
    return []
