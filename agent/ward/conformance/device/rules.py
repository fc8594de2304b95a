"""All rules for a device, in the order in which they are shown."""
from agent.ward.conformance.device import answers, events, health, manners, presence, receipts
from agent.ward.conformance.verdict import Rule


def rules(again_s: float = receipts.AGAIN_S) -> tuple[Rule, ...]:
    """All; `again_s` is how long a device waits for a receipt."""
    return (*presence.RULES, *health.RULES, *events.RULES, *receipts.rules(again_s), *answers.RULES, *manners.RULES)
