"""A short name for what a camera's motion is set to: two events with the same one were looked for in the same way."""
import hashlib
import json
from typing import Any

import msgspec

from agent.config.settings import Camera

DIGITS = 12


def digest(camera: Camera) -> str:
    """The first hex digits of a hash of everything that changes what is detected; the detector's version stands apart.

    Hashed is JSON with sorted keys and no spaces, in which a whole number is written as one.
    """
    kept = {"motion": camera.motion, "zone": camera.zone, "masks": camera.masks}
    if camera.masks:
        kept["privacy_mask"] = camera.privacy_mask
    text = json.dumps(_plain(msgspec.to_builtins(kept)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _plain(value: Any) -> Any:
    """The same, but with 5 for 5.0: a default is written in one way, and what is read from a file in another."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
