"""Claims, and the two files of a bundle as text, as core.contract.enrolment reads them. Pure."""
import json

import msgspec
from msgspec import Struct

from agent.core.contract.enrolment import CLAIM_N, CLAIM_RANDOM_B, Bundle, CardSettings
from agent.core.contract.ulid import crockford


def new_claim(random: bytes) -> str:
    """Makes a claim from `CLAIM_RANDOM_B` random bytes."""
    return crockford(int.from_bytes(random[:CLAIM_RANDOM_B], "big"), CLAIM_N)


def bundle_text(bundle: Bundle) -> str:
    """Writes the bundle as TOML."""
    return "# For one device, and good once: whoever reads this can take the device's place.\n" + _toml(bundle)


def card_text(card: CardSettings) -> str:
    """Writes the card's settings as TOML."""
    return _toml(card)


def _toml(values: Struct) -> str:
    """JSON's quoted strings are valid in TOML, except for DEL."""
    written = (f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
               for key, value in msgspec.structs.asdict(values).items())
    return "".join(written).replace("\x7f", "\\u007f")
