"""Why a look makes no event: what the detector says itself, and what becomes of its word afterwards."""
from agent.core.motion import Look, Reason
from agent.core.zones import Counted

UNCONFIRMED = "unconfirmed"     # something is followed, but not sure to be an object
NO_ZONE = "no_zone"             # objects move, and fulfil no zone
COOL_DOWN = "cool_down"         # what moves counts, but the last event has only just ended
SILENCES = (*(reason.value for reason in Reason), UNCONFIRMED, NO_ZONE, COOL_DOWN)


def silences(look: Look, counted: Counted, told: bool) -> frozenset[str]:
    """Those of SILENCES that hold for a look, of which `counted` counts; `told`: an event is going on. None for motion.
    """
    if counted.objects:
        return frozenset() if told else frozenset({COOL_DOWN})
    if look.moving:
        return frozenset({NO_ZONE})
    if look.reasons:
        return frozenset(reason.value for reason in look.reasons)
    return frozenset({UNCONFIRMED} if look.tracks_n else ())
