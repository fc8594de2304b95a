"""The parameter sets of a video as they are known by now: from its description first, then from the stream itself."""
from collections.abc import Sequence

from agent.core import nal
from agent.core.model import StreamInfo
from agent.core.nal import BitstreamError
from agent.core.sps import parse


class ParameterSets:
    """What a decoder must know; `info` is None until all kinds of sets have come, and valid ones."""

    def __init__(self, codec: str, units: Sequence[bytes]) -> None:
        """`codec` is "h264" or "h265"; `units` are the NAL units of the description, none if it has none."""
        self._codec = codec
        self._units: list[bytes] = []
        self.info: StreamInfo | None = None
        self.reorder_n: int | None = None       # as Sps tells it
        self.learn(units)

    def learn(self, units: Sequence[bytes]) -> bool:
        """Take in the parameter sets of one access unit: they replace those of their kind. Whether `info` has changed.

        Damaged ones change nothing that is known: many cameras' SDP has some, and the stream has the right ones.
        """
        fresh = nal.parameter_sets(self._codec, [unit for unit in units if unit])
        kinds = {nal.unit_type(self._codec, unit) for unit in fresh}
        # A camera may repeat one kind and not the others.
        kept = [unit for unit in self._units if nal.unit_type(self._codec, unit) not in kinds]
        if sorted(kept + fresh) == sorted(self._units):
            return False
        self._units = kept + fresh
        try:
            info = nal.describe(self._codec, self._units)
            kind = nal.SPS[self._codec]
            sps = next(unit for unit in self._units if nal.unit_type(self._codec, unit) == kind)
            reorder_n = parse(self._codec, sps).reorder_n
        except BitstreamError:
            return False
        if info == self.info:       # it stays the same object while it says the same
            return False
        self.info, self.reorder_n = info, reorder_n
        return True
