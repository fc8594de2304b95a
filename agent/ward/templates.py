"""The files that a ward's configuration is made of: firmware_cfg/ward of a checkout, or what the package brings.

One is asked for by its name there; both places have the same files.
"""
from pathlib import Path

PLACES = (Path(__file__).resolve().parents[2] / "firmware_cfg" / "ward", Path("/usr/share/taimat-ward"))
WARD = "@WARD@"                 # stands for the ward's name in topics


def template(name: str, ward: str = "") -> str:
    """The text of the file `name`, such as "acl.in", with the ward's name in it. Raises OSError."""
    found = next((place / name for place in PLACES if (place / name).exists()), PLACES[-1] / name)
    return found.read_text(encoding="utf-8").replace(WARD, ward or WARD)
