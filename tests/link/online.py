"""A session that only remembers what was posted, and heartbeats to report."""
from agent.core.contract import wire
from agent.core.contract.facts import Beat

TOPICS = wire.Topics("w07", "c-7f3a9c21b04d")


class Online:
    """A session that is up, and remembers what was posted."""

    up, connects_n = True, 1

    def __init__(self) -> None:
        self.posted: list[bytes] = []

    def post(self, message) -> None:
        self.posted.append(message.payload)


def beat(clock, unit: str, **more) -> Beat:
    return Beat(role=unit.partition("@")[0].partition("-")[0], unit=unit, pid=1, mono_s=clock.mono_s(), up_s=1e5,
                rss_b=10 ** 8, starts_n=1, **more)
