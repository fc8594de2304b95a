"""A decoder under a smaller grant than it needs: `python -m tests.host.greedy_decoder` says what became of it.

In a process of its own: where much memory was used before and is free again, a process does not grow.
"""
import contextlib
import pickle
import resource
import subprocess
import sys
from pathlib import Path

from agent.core.media.model import Packet, StreamInfo
from agent.host import decoder
from agent.host.decoder import BoundedDecoder, TooLarge, Undecodable

ROOT = Path(__file__).parents[2]


def starve(info: StreamInfo, packets: tuple[Packet, ...], granted_b: int) -> tuple[str, int]:
    """Decode the packets again and again under such a grant; the word on it, and the megabytes it took."""
    ran = subprocess.run([sys.executable, "-m", "tests.host.greedy_decoder"], cwd=ROOT, capture_output=True, check=True,
                         input=pickle.dumps((info, packets, granted_b)))
    told, grown_mb = ran.stdout.decode().split()
    return told, int(grown_mb)


def main() -> None:
    """The film and the grant come on stdin."""
    info, packets, granted_b = pickle.load(sys.stdin.buffer)
    decoder.LARGE_MAX_B = 1 << 30
    before_b, most_b, told = decoder._data_b(), 0, "decoded"
    ours = BoundedDecoder(info)
    ours._granted_b = granted_b
    try:
        for packet in packets * 4:
            with contextlib.suppress(Undecodable):
                ours.decode(packet)
            most_b = max(most_b, decoder._data_b() - before_b)
    except TooLarge as error:
        told = str(error)
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == resource.RLIM_INFINITY
    assert BoundedDecoder(info).decode(packets[0]) is not None
    print(told, most_b >> 20)


if __name__ == "__main__":
    main()
