"""Many machines, a few at a time, from their addresses to their cameras."""
from concurrent.futures import ThreadPoolExecutor

from agent.cli.discover.found import CameraAccount, FoundCamera
from agent.cli.discover.known import ConfiguredCameras
from agent.cli.discover.look import Lead, look
from agent.host.stop import Stop

AT_ONCE_N = 8


def look_at(machines: list[Lead], known: ConfiguredCameras, account: CameraAccount | None,
            tuning: bool) -> list[tuple[FoundCamera, CameraAccount | None]]:
    """The cameras there, a few machines at a time; each with the account that it was asked with.

    The configuration's own account goes first: it is the one that worked.
    """
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
