"""docs/bench/RESULTS.md: all tables of one run with a picture each, and what is missed; nothing else holds figures."""
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from scripts.benches import needs
from scripts.benches.table import Bar, Table

PACKAGES = ("av", "opencv-python-headless", "numpy", "cryptography", "paho-mqtt", "starlette", "uvicorn")
PROGRAMS = {"ffmpeg": ("ffmpeg", "-version"), "motion": ("motion", "-h"), "mosquitto": ("mosquitto", "-h"),
            "Debian's own Python": (needs.PACKAGED, "--version")}
WIDE, TALL, LABELS_WIDE, END_WIDE = 760, 24, 330, 70
COLOURS = ("#2f6f8f", "#c2803b", "#6c8f2f", "#8f5a9a", "#777777")
STYLE = ("text{font:13px sans-serif;fill:#333}@media(prefers-color-scheme:dark){text{fill:#ddd}}")
HEAD = """# What Taimat costs, measured
Written by `scripts/bench`; nothing in it is edited by hand. How each figure is measured, and which targets there are
and why: [budgets](../design/health.md#budgets). None of this is a Raspberry Pi: ratios carry over, seconds do not.
"""


def write(tables: Sequence[Table], failures: Sequence[str], folder: Path, took_s: float) -> None:
    """Write RESULTS.md and its pictures into `folder`; `failures` are the benches that gave no figures, and why."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [HEAD, machine(took_s), "## Missed, or not judged"]     # first: what follows changes the checkout
    for old in folder.glob("*.svg"):
        old.unlink()
    parts += [*(f"- {line}" for line in open_ends(tables, failures)), ""]
    parts += [_section(number, table, folder) for number, table in enumerate(tables, 1)]
    (folder / "RESULTS.md").write_text("\n".join(map(_wrapped, "\n".join(parts).splitlines())) + "\n")


def _wrapped(line: str) -> str:
    """Prose in lines as the other documents have them; tables and empty lines as they are."""
    if line.startswith("|"):
        return line
    return textwrap.fill(line, 120, subsequent_indent="  " if line.startswith("- ") else "", break_long_words=False,
                         break_on_hyphens=False)


def open_ends(tables: Sequence[Table], failures: Sequence[str]) -> list[str]:
    """What is missed, what nobody can judge, and what was not measured."""
    missed = [f"{table.title.partition(':')[0]}: {verdict.text()}" for table in tables
              for verdict in table.verdicts if verdict.word != "met"]
    lines = [*missed, *(f"not measured: {each.splitlines()[0]}" for each in failures)]
    return lines or ["nothing: every target is met"]


def machine(took_s: float) -> str:
    """What it was measured on, and with what."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith(("model name", "Model"))), platform.machine())
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = [f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    versions += [version for name, command in PROGRAMS.items() if (version := _version(name, command))]
    day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    return (f"{day}, in {took_s / 60:.0f} minutes; {os.cpu_count()} processors ({model}), {memory_gb:.1f} GB, "
            f"{platform.system()} {platform.release()} on {platform.machine()}; commit {_commit()}.\n\n"
            f"{'; '.join(versions)}.\n")


def _version(name: str, command: Sequence[str]) -> str:
    program = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin:/usr/local/sbin")
    if program is None:
        return ""
    asked = subprocess.run([program, *command[1:]], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+\.\d+[\w.+~-]*)", asked.stdout + asked.stderr)
    return f"{name} {found[1]}" if found else name


def _commit() -> str:
    asked = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False,
                           cwd=Path(__file__).parent)
    return asked.stdout.strip() or "unknown"


def _section(number: int, table: Table, folder: Path) -> str:
    head, _, more = table.title.partition(":")
    lines = [f"## {head}", *([f"{more.strip()}.", ""] if more else [])]
    if table.bars:
        name = f"{number}-{re.sub(r'[^a-z]+', '-', head.lower()).strip('-')}.svg"
        (folder / name).write_text(picture(table.bars, table.scale))
        lines += [f"![{head}, {table.scale}]({name})", ""]
    lines += ["| " + " | ".join(table.head) + " |", "|" + "---|" * len(table.head)]
    lines += ["| " + " | ".join(row) + " |" for row in table.rows]
    lines += ["", *(f"- {verdict.text()}" for verdict in table.verdicts), *(f"- {note}" for note in table.notes), ""]
    return "\n".join(lines)


def picture(bars: Sequence[Bar], scale: str) -> str:
    """Bars below each other as SVG; what was derived and not measured is hollow."""
    most = max(bar.value for bar in bars) or 1.0
    series = list(dict.fromkeys(bar.series for bar in bars))
    rows = [_bar(bar, at, most, COLOURS[series.index(bar.series) % len(COLOURS)]) for at, bar in enumerate(bars)]
    tall = TALL * len(bars) + 8
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {tall}" role="img">'
            f"<title>{escape(scale)}</title><style>{STYLE}</style>\n" + "\n".join(rows) + "\n</svg>\n")


def _bar(bar: Bar, at: int, most: float, colour: str) -> str:
    wide = (WIDE - LABELS_WIDE - END_WIDE) * bar.value / most
    top = TALL * at + 4
    look = f'fill="none" stroke="{colour}" stroke-dasharray="4"' if bar.derived else f'fill="{colour}"'
    value = f"{'~' if bar.derived else ''}{bar.value:.3g}"
    return (f'<text x="{LABELS_WIDE - 8}" y="{top + 13}" text-anchor="end">{escape(bar.name)}</text>'
            f'<rect x="{LABELS_WIDE}" y="{top}" width="{wide:.1f}" height="{TALL - 6}" {look}/>'
            f'<text x="{LABELS_WIDE + wide + 6:.1f}" y="{top + 13}">{value}</text>')
