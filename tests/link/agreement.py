"""What a household in a ward has agreed to, and how the keeper writes it down."""
import contextlib
import sqlite3

from agent.core.evidence.ledger.acts import Agreed
from agent.core.household.consent import TOLD
from agent.store import membership
from agent.store.decisions import consent
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.rigs.device.link_role import LinkRig

JOINED = Agreed(cameras={}, keep_h=1, keep_continuous_h=1, ward="w07", told=list(TOLD))


def agree(rig: LinkRig, agreed: Agreed) -> None:
    """What the keeper does at its start."""
    with contextlib.closing(decisions.connect(Folders(rig.folder / "store"))) as own:
        consent.agree(own, rig.db, agreed, rig.clock.now())
        consent.follow(own, rig.db, rig.clock.now())


def never(db: sqlite3.Connection) -> None:
    """As if the household had never been in a ward."""
    db.execute("DELETE FROM meta WHERE key = ?", (membership.KEY,))
