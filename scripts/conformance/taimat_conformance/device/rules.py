"""All rules for a device, in the order in which they are shown. It stands alone: each other file has one subject."""
from taimat_conformance.device import answers, events, health, manners, presence, receipts, secrets
from taimat_conformance.verdict import ContractRule


def rules(again_s: float = receipts.AGAIN_S) -> tuple[ContractRule, ...]:
    """All; a device waits `again_s` for a receipt."""
    return (*presence.RULES, *health.RULES, *events.RULES, *receipts.rules(again_s), *answers.RULES, *manners.RULES,
            *secrets.RULES)
