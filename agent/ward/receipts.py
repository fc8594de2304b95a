"""Receipts that are owed to devices: collected, and sent as few messages. Pure.

A receipt names each seq that was committed. It never says "all up to": that would settle events that never came.
"""
from collections import OrderedDict
from dataclasses import dataclass, field

from agent.core.contract.wire.inbound import REFUSED_MAX, Ack, Rejected


@dataclass(slots=True)
class _Owed:
    taken: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)


class Receipts:
    """Owed receipts by device, the longest waiting first."""

    def __init__(self) -> None:
        self._owed: OrderedDict[str, _Owed] = OrderedDict()

    def confirm(self, dev: str, seq: int) -> None:
        """This event was committed."""
        self._owed.setdefault(dev, _Owed()).taken.add(seq)

    def reject(self, dev: str, seq: int, code: str) -> None:
        """This event was refused for good, for the reason `code`."""
        self._owed.setdefault(dev, _Owed()).rejected[seq] = code

    def next(self) -> tuple[str, Ack] | None:
        """A device and its receipt, which is no longer owed then; None when none is owed."""
        if not self._owed:
            return None
        dev, owed = self._owed.popitem(last=False)
        also, reject = sorted(owed.taken), sorted(owed.rejected.items())
        rest = _Owed(set(also[REFUSED_MAX:]), dict(reject[REFUSED_MAX:]))
        if rest.taken or rest.rejected:
            self._owed[dev] = rest
        return dev, Ack(upto=0, also=also[:REFUSED_MAX],
                        reject=[Rejected(seq=seq, code=code) for seq, code in reject[:REFUSED_MAX]])

    def __len__(self) -> int:
        """How many devices are owed a receipt."""
        return len(self._owed)
