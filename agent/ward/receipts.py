"""Receipts that are owed to devices: collected, and handed out as few messages. Pure.

Each names exactly what was committed. "All up to" is never said: what the ward has not had is not the ward's to settle.
"""
from collections import OrderedDict
from dataclasses import dataclass, field

from agent.core.contract.wire.inbound import REFUSED_MAX, Ack, Rejected


@dataclass(slots=True)
class _Owed:
    taken: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)


class Receipts:
    """What is owed to whom, the longest waiting first."""

    def __init__(self) -> None:
        self._owed: OrderedDict[str, _Owed] = OrderedDict()

    def take(self, dev: str, seq: int) -> None:
        """The ward has committed this."""
        self._owed.setdefault(dev, _Owed()).taken.add(seq)

    def reject(self, dev: str, seq: int, code: str) -> None:
        """The ward will never take this."""
        self._owed.setdefault(dev, _Owed()).rejected[seq] = code

    def next(self) -> tuple[str, Ack] | None:
        """One device and its receipt, which is no longer owed; None when there is none."""
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
        """How many devices wait for one."""
        return len(self._owed)
