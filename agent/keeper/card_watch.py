"""The keeper's look at whether the card can be written at all: a role that has nothing to write would not find out.

Root looks for itself, and restarts the machine for such a card or not: agent/privileged/rescue_card.py.
"""
from dataclasses import dataclass, field

from agent.host.probes.volume import Abort, refuses
from agent.keeper.canary import Canary
from agent.keeper.damage import DamageJudge
from agent.store.folders import Folders, VolumeGuard


@dataclass(slots=True)
class CardWatch:
    """Asked once a round."""

    folders: Folders
    refuses: bool = field(default=False, init=False)        # no new file is taken, as it was when we looked
    canary: Canary = field(init=False)
    volume: VolumeGuard = field(init=False)
    damage: DamageJudge = field(init=False)
    _abort: Abort = field(init=False)

    def __post_init__(self) -> None:
        """The page by which a card is found out that takes writes and keeps none, whether it is the right one, and what
        it has done to the database.
        """
        self.canary, self.volume = Canary(self.folders), VolumeGuard(self.folders)
        self.damage = DamageJudge(self.folders)
        self._abort = Abort(self.folders.root)

    def look(self, failed: bool) -> None:
        """See whether it refuses; `failed`: it has answered with an error."""
        self.refuses = self._abort.seen() or (failed and refuses(self.folders.root))
