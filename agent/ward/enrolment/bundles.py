"""What the ward makes for each device: a folder with its bundle, pairing code and card settings, and a label.

A person who can read the folder can enrol in the device's place, so only its maker may read it.

Labels come on A4 sheets of 24, 70 by 37 mm each, as sold without gaps. Each shows the page's address, pairing code,
serial number, and a phone number. The font with Vietnamese letters is Debian's fonts-dejavu-core.
"""
import contextlib
import io
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from agent.core.contract import enrolment as contract
from agent.host.users import give_to_caller
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.papers import bundle_text, card_text

OWN_ONLY, OWN_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class CardBundle:
    bundle: contract.Bundle
    code: str                   # of pairing, as people read it: "7K2M-Q9XD"
    card: contract.CardSettings

    @property
    def digest(self) -> str:
        return contract.claim_digest(self.bundle.claim)

    @property
    def address(self) -> str:
        return f"http://{self.card.hostname}.local"


def hostname(serial: str) -> str:
    return f"taimat-{serial.lower()}".rstrip("-")


def write(folder: Path, made: CardBundle) -> None:
    """Writes a folder of its own, whole or not at all, for the user who called sudo. Raises OSError. The caller flushes
    once after all of them."""
    if not folder.exists():
        folder.mkdir(OWN_FOLDER, parents=True)
        give_to_caller(folder)
    target, draft = folder / made.bundle.serial, folder / f".{made.bundle.serial}.part"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(OWN_FOLDER)
    for name, text in ((contract.BUNDLE_FILE, bundle_text(made.bundle)),
                       (contract.CODE_FILE, f"{made.code}\n"), (contract.CARD_FILE, card_text(made.card))):
        with open(os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_ONLY), "w", encoding="utf-8") as file:
            file.write(text)
    with contextlib.suppress(FileNotFoundError):
        os.rename(target, folder / f".{made.bundle.serial}.old")
    give_to_caller(draft)
    os.rename(draft, target)
    shutil.rmtree(folder / f".{made.bundle.serial}.old", ignore_errors=True)


def read(folder: Path, serial: str) -> CardBundle | None:
    """Returns the bundle in a device's folder; None if it is missing or not whole."""
    own = folder / serial
    try:
        return CardBundle(contract.parse_bundle((own / contract.BUNDLE_FILE).read_text(encoding="utf-8")),
                          (own / contract.CODE_FILE).read_text(encoding="ascii").strip(),
                          contract.parse_card((own / contract.CARD_FILE).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, contract.BundleError):
        return None


COLUMNS, ROWS = 3, 8
WIDE, HIGH = 70 * mm, 37 * mm
EDGE = 4 * mm                   # printers do not reach a sheet's edge
QR = 24 * mm
MASK = 2
LEADING, SMALLEST = 1.3, 4.5    # of a line's size; points
TOP = (A4[1] - ROWS * HIGH) / 2
FONTS = {"Taimat": "DejaVuSans.ttf", "TaimatBold": "DejaVuSans-Bold.ttf", "TaimatMono": "DejaVuSansMono-Bold.ttf"}
FONT_FOLDER = Path("/usr/share/fonts/truetype/dejavu")


def sheets(devices: Sequence[CardBundle], ward: str, phone: str) -> bytes:
    """Returns a PDF with a label for each device. Raises AuthorityFault."""
    try:
        for name, file in FONTS.items():
            pdfmetrics.registerFont(TTFont(name, FONT_FOLDER / file))
    except TTFError as error:
        raise AuthorityFault(f"{FONT_FOLDER}: lacks a font for Vietnamese: apt install fonts-dejavu-core") from error
    drawn = io.BytesIO()
    canvas = Canvas(drawn, A4, pageCompression=1, invariant=1)
    canvas.setTitle(f"Taimat · {ward}" if ward else "Taimat")
    for n, device in enumerate(devices):
        place = n % (COLUMNS * ROWS)
        if n and not place:
            canvas.showPage()
        canvas.saveState()
        canvas.translate(place % COLUMNS * WIDE, A4[1] - TOP - (place // COLUMNS + 1) * HIGH)
        _label(canvas, device, ward, phone)
        canvas.restoreState()
    canvas.save()
    return drawn.getvalue()


def _label(canvas: Canvas, device: CardBundle, ward: str, phone: str) -> None:
    _qr(canvas, f"{device.address}/#{device.code}", EDGE, (HIGH - QR) / 2)
    left = EDGE + QR + 2 * mm
    lines = (("TaimatBold", 8.0, device.bundle.title), ("Taimat", 6.5, device.address),
             ("Taimat", 5.5, "Mã ghép · Pairing code"), ("TaimatMono", 13.0, device.code),
             ("TaimatBold", 6.5, device.bundle.serial), ("Taimat", 6.5, device.bundle.site), ("Taimat", 6.5, ward),
             ("TaimatBold", 6.5, phone))
    shown = [line for line in lines if line[2]]
    at = (HIGH + LEADING * sum(size for _, size, _ in shown)) / 2
    for font, size, text in shown:
        at -= size * LEADING
        size, text = _fitted(font, size, text, WIDE - left - EDGE)
        canvas.setFont(font, size)
        canvas.drawString(left, at + size * (LEADING - 1), text)


def _fitted(font: str, size: float, text: str, room: float) -> tuple[float, str]:
    """Shrinks a text that is too long, and cuts it if it still does not fit."""
    size = max(SMALLEST, min(size, size * room / pdfmetrics.stringWidth(text, font, size)))
    if pdfmetrics.stringWidth(text, font, size) <= room * 1.001:
        return size, text
    while pdfmetrics.stringWidth(f"{text}…", font, size) > room:
        text = text[:-1]
    return size, f"{text}…"


def _qr(canvas: Canvas, text: str, left: float, bottom: float) -> None:
    """Draws a QR code as one path. Readers accept any of the eight masks; finding the best one takes long."""
    rows = [bytes(row) for row in segno.make(text, micro=False, error="m", mask=MASK).matrix]
    unit = QR / len(rows)
    path = canvas.beginPath()
    for y, row in enumerate(rows):
        x = 0
        while (x := row.find(1, x)) >= 0:
            end = row.find(0, x) if 0 in row[x:] else len(row)
            path.rect(left + x * unit, bottom + (len(rows) - 1 - y) * unit, (end - x) * unit, unit)
            x = end
    canvas.drawPath(path, stroke=0, fill=1)
