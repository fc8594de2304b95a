"""A camera's picture of now, asked of capture: the page has no decoder."""
import asyncio
from pathlib import Path

from agent.core.contract import still as still_contract
from agent.core.contract.still import LARGEST_B, StillError
from agent.host.runtime import camera_socket
from agent.web.busy import ask_socket
from agent.web.fanout import NotLive

STILL_S = 3.0               # capture needs one second at most


async def still_of(runtime: Path, camera: str) -> bytes:
    """The picture, a JPEG in full size. Raises NotLive."""
    try:
        async with asyncio.timeout(STILL_S):
            answer = await ask_socket(camera_socket(runtime, "snap", camera), LARGEST_B)
            still, jpeg = still_contract.parse(answer)
    except (OSError, TimeoutError, StillError) as error:
        raise NotLive("camera_off") from error
    if still.state != "ok":
        raise NotLive(still.state)
    return jpeg
