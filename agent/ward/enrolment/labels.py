"""The sheets of labels: for each device where its page is, its pairing code, its serial number, and whom to call.

A4 with 24 labels of 70 by 37 mm, as they are sold without gaps between them. The font has Vietnamese letters; it is
Debian's fonts-dejavu-core.
"""
import io
from collections.abc import Sequence
from pathlib import Path

import segno
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from agent.ward.enrolment.bundles import CardBundle

COLUMNS, ROWS = 3, 8
WIDE, HIGH = 70 * mm, 37 * mm
EDGE = 4 * mm                   # printers do not reach a sheet's edge
QR = 24 * mm
MASK = 2
LEADING, SMALLEST = 1.3, 4.5    # of a line's size; points
TOP = (A4[1] - ROWS * HIGH) / 2
FONTS = {"Taimat": "DejaVuSans.ttf", "TaimatBold": "DejaVuSans-Bold.ttf", "TaimatMono": "DejaVuSansMono-Bold.ttf"}
FONT_FOLDER = Path("/usr/share/fonts/truetype/dejavu")


class LabelFault(Exception):
    """There can be no labels; the text says why, with the remedy."""


def sheets(devices: Sequence[CardBundle], ward: str, phone: str) -> bytes:
    """A PDF with a label for each device. Raises LabelFault."""
    try:
        for name, file in FONTS.items():
            pdfmetrics.registerFont(TTFont(name, FONT_FOLDER / file))
    except TTFError as error:
        raise LabelFault(f"{FONT_FOLDER}: lacks a font for Vietnamese: apt install fonts-dejavu-core") from error
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
    """A text that is too long is set smaller, and what is longer still is cut."""
    size = max(SMALLEST, min(size, size * room / pdfmetrics.stringWidth(text, font, size)))
    if pdfmetrics.stringWidth(text, font, size) <= room * 1.001:
        return size, text
    while pdfmetrics.stringWidth(f"{text}…", font, size) > room:
        text = text[:-1]
    return size, f"{text}…"


def _qr(canvas: Canvas, text: str, left: float, bottom: float) -> None:
    """A QR code as one path, with a rectangle for each run of dark squares.

    Any of the eight masks will do for readers; to look for the best one takes most of the time.
    """
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
