"""What a role tells of itself in a heartbeat, for tests that speak for one."""
from agent.core.contract.facts import CaptureFacts, KeeperFacts, LinkFacts, RunFacts, UnitOwnFacts, WebFacts

KINDS = {"capture": CaptureFacts, "keeper": KeeperFacts, "link": LinkFacts, "web": WebFacts, "run": RunFacts}


def own_facts(role: str, **facts: object) -> UnitOwnFacts:
    """The facts of that role."""
    return KINDS[role](**facts)
