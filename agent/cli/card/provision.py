"""Makes a flashed card a recorder's, with a pairing code for its label."""
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import segno

from agent.cli.card.boot_block import with_sensor
from agent.cli.card.boot_partition import CODE
from agent.core.card import boot_judge, cloud_init, packages
from agent.core.contract.enrolment import CardSettings
from agent.core.household.access import CODE_RANDOM_B, code_from, grouped
from agent.host.files import sync_folder, write_durably

# The three files come from the checkout, or from a recorder's or a ward's package.
TEMPLATES = (Path(__file__).parents[3] / "firmware_cfg" / "card", Path("/usr/share/taimat-board/card"),
             Path("/usr/share/taimat-ward/card"))
READABLE = 0o644
LABEL = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 620 220" width="62mm" height="22mm"
 font-family="sans-serif"><rect width="620" height="220" fill="white"/>
<g transform="translate(10 10)">{qr}</g>
<g fill="black"><text x="225" y="52" font-size="34" font-weight="bold">{name}</text>
<text x="225" y="96" font-size="26">{address}</text><text x="225" y="134" font-size="22">Mã ghép · Pairing code</text>
<text x="225" y="190" font-size="48" font-family="monospace" font-weight="bold">{code}</text></g></svg>
"""
QR_SIDE = 200


def templates() -> Path:
    """Finds the folder with user-data, network-config and meta-data. Raises FileNotFoundError."""
    for folder in TEMPLATES:
        if (folder / cloud_init.USER).is_file():
            return folder
    raise FileNotFoundError(f"there is no {' nor '.join(map(str, TEMPLATES))}: install the package taimat-board")


def fill(card: Path, wanted: CardSettings, debs: Sequence[Path], code: str = "") -> str:
    """Writes cloud-init's files, the packages and a pairing code to the card. Returns the code. Raises OSError."""
    if not (card / boot_judge.CONFIG).is_file():
        raise FileNotFoundError(f"has no {boot_judge.CONFIG}, so it is no first partition of a flashed card: name the "
                                "folder where that (bootfs) is mounted")
    if wanted.sensor:
        config = card / boot_judge.CONFIG
        text = config.read_text(encoding="utf-8")
        write_durably(config, with_sensor(text, wanted.sensor).encode(), READABLE)
    code = code or grouped(code_from(os.urandom(CODE_RANDOM_B)))
    for name, text in _texts(templates(), wanted):
        write_durably(card / name, text.encode(), READABLE)
    write_durably(card / CODE, f"{code}\n".encode(), READABLE)
    _copy(debs, card / packages.FOLDER)
    return code


def _texts(source: Path, wanted: CardSettings) -> Iterator[tuple[str, str]]:
    user_data = (source / cloud_init.USER).read_text(encoding="utf-8")
    for key, value in (("hostname", wanted.hostname), ("timezone", wanted.timezone)):
        line = f"{key}: {json.dumps(value)}"
        user_data = re.sub(rf"(?m)^{key}: .*$", lambda _, line=line: line, user_data)
    yield cloud_init.USER, user_data
    yield cloud_init.NETWORK, _network((source / cloud_init.NETWORK).read_text(encoding="utf-8"), wanted)
    meta_data = (source / cloud_init.META_FILE).read_text(encoding="utf-8")
    yield cloud_init.META_FILE, meta_data.replace("taimat-1", f"taimat-{os.urandom(4).hex()}")


def _network(template: str, wanted: CardSettings) -> str:
    """Without a Wi-Fi the recorder needs a cable; a Wi-Fi without a password is open."""
    before, radio, wifis = template.partition("  wifis:\n")
    if not wanted.wifi:
        return before
    password = json.dumps(cloud_init.PASSWORD)
    if not wanted.wifi_password:
        wifis = wifis.partition(f"{json.dumps(cloud_init.NETWORK_NAME)}:")[0]
        wifis += f"{json.dumps(cloud_init.NETWORK_NAME)}: {{}}\n"
    wifis = wifis.replace("regulatory-domain: VN", f"regulatory-domain: {json.dumps(wanted.country)}")
    wifis = wifis.replace(password, json.dumps(wanted.wifi_password, ensure_ascii=False))
    named = json.dumps(wanted.wifi, ensure_ascii=False)
    return before + radio + wifis.replace(json.dumps(cloud_init.NETWORK_NAME), named)


def _copy(debs: Sequence[Path], folder: Path) -> None:
    if not debs:
        return
    folder.mkdir(exist_ok=True)
    for old in [*folder.glob("*.deb"), folder / packages.INSTALLED]:
        old.unlink(missing_ok=True)
    for deb in debs:
        shutil.copyfile(deb, folder / deb.name)
    sync_folder(folder)


def label(hostname: str, code: str) -> bytes:
    """Draws a label of 62 by 22 mm as SVG: the page's address, and the pairing code."""
    address = f"http://{hostname}.local"
    drawn = io.BytesIO()
    qr = segno.make(address, micro=False, error="m")
    side = qr.symbol_size(border=2)[0]
    qr.save(drawn, kind="svg", border=2, scale=QR_SIDE / side, xmldecl=False, svgns=False)
    fields = {"qr": drawn.getvalue().decode(), "name": escape(hostname), "address": escape(address), "code": code}
    return LABEL.format(**fields).encode()
