"""A Pi-like machine in QEMU: what the package takes, how long until the first frame, memory, and half an hour of it.

Times are the machine's own while its clock follows the instructions it has executed, one nanosecond each: about one
core of a Pi Zero 2 W. A board has four such cores, and a slower card. Other work on this computer lengthens only the
waits for its disk. The half hour runs by this computer's clock instead, so that the cameras are as fast as in a house:
two of them, a ward's ingest that takes the events, and in the second half a phone that shows a live picture. Memory is
of each unit's whole control group.
"""
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from agent.keeper.room import BALLAST_B
from scripts.benches import needs, streams
from scripts.benches.plan import Plan, tell
from scripts.benches.processes import BenchError
from scripts.benches.table import Spread, Table, Verdict
from scripts.benches.timeserver import TimeServer
from scripts.packaging import maker
from scripts.packaging.wheels import NoWheel
from tests.machines import guest
from tests.machines.debian import NotDebian, supply
from tests.machines.emulated import HOST, Emulated, NotWell
from tests.machines.foreign import ARCHITECTURE, PACKAGES
from tests.machines.recorder import (
    ROLES,
    SLOW_S,
    Installed,
    Look,
    first_frame_s,
    green_s,
    install,
    keep_time,
    look,
    offer_swap,
    record_always,
    set_up,
    soak,
)
from tests.rigs.house.owner import opened
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.pki import Authority
from tests.rigs.ward.door import ROOTS_NAME, WardDoor
from tests.rigs.ward.receiver import Ingest

REPO = Path(__file__).parents[2]
MB = 1_000_000
HALF_HOUR_S, SETTLED_S = 1800, 60
LIVE = re.compile(r"/live/[\w-]+\.mp4")
BASE = "base: Debian with " + PACKAGES.replace(",", ", ")


class Lived(NamedTuple):
    """What was seen."""

    installed: Installed
    fetched_b: int
    reboots_s: Spread           # from the kernel's start to the first recorded frame
    cuts_s: Spread
    searched: Look              # right after the owner had a camera searched
    looks: list[Look]           # with nobody at the page
    watched: list[Look]         # while a phone shows a live picture
    green_s: float              # from the kernel's start to a recorder that its ward sees work


def run(plan: Plan) -> Iterator[Table]:
    """Measure, and give the table."""
    needs.demand(needs.mosquitto, guest.missing)
    with tempfile.TemporaryDirectory(prefix="tb") as folder:
        try:
            deb = package(Path(folder))
            fresh = guest.guest()
            needed = supply(ARCHITECTURE, fresh.status, deb)
            clock = supply(ARCHITECTURE, fresh.status, deb, "systemd-timesyncd")
        except (NotDebian, NoWheel, maker.NoMoment) as error:
            raise needs.Missing(str(error)) from error
        try:
            with Emulated(Path(folder), fresh) as machine:
                machine.stick([*{*needed, *clock}])
                yield tabulate(live(machine, deb, needed, Path(folder), plan))
        except (NotWell, AssertionError) as error:
            raise BenchError(str(error)) from error


def package(folder: Path) -> Path:
    """As scripts/package makes it, packed as small as can be."""
    tell("machine: the package is made (two minutes)")
    made = maker.Recipe(REPO, maker.version(REPO), maker.moment_s(REPO)).recorder(ARCHITECTURE)
    ((name, data),) = made.items()
    (folder / name).write_bytes(data)
    return folder / name


def live(machine: Emulated, deb: Path, needed: list[Path], folder: Path, plan: Plan) -> Lived:
    """From the package to the half hour. Raises NotWell; AssertionError where something takes too long."""
    rounds_n = plan.rounds(3)
    tell("machine: its first boot, and the installation")
    machine.boot(by_instructions=True)
    offer_swap(machine)
    installed = install(machine, deb)
    with (Broker(folder / "broker") as broker, Ingest(broker.port, folder), streams.camera("visitors") as gate,
          streams.camera("street") as yard):
        tell(f"machine: installed in {installed.took_s:.0f} s, {installed.card_b / MB:.1f} MB; a phone, two cameras")
        own = set_up(machine, {"Cổng": gate.port, "Sân": yard.port}, broker.port)
        searched = look(machine)
        record_always(machine)
        first_frame_s(machine)
        reboots_s, cuts_s = [], []
        for number in range(rounds_n):
            machine.reboot()
            reboots_s.append(first_frame_s(machine))
            machine.cut_power()
            machine.boot(by_instructions=True)
            cuts_s.append(first_frame_s(machine))
            tell(f"machine: {number + 1} of {rounds_n}: first frame {reboots_s[-1]:.1f} s after the kernel's start, "
                 f"{cuts_s[-1]:.1f} s after a power cut")
        machine.cut_power()
        machine.boot()
        first_frame_s(machine)
        tell("machine: it records")
        half_s = plan.long_s(HALF_HOUR_S, 2 * SETTLED_S) / 2
        looks = soak(machine, half_s)
        tell("machine: a phone watches")
        with own.watching(LIVE.search(opened(own, "/", SLOW_S).text)[0]):
            watched = soak(machine, half_s)
        tell("machine: a ward's card in it")
        enrolled_s = enrol(machine, folder / "ward", gate.port)
    fetched_b = sum(path.stat().st_size for path in needed)
    return Lived(installed, fetched_b, Spread((*reboots_s,)), Spread((*cuts_s,)), searched, looks, watched,
                 enrolled_s)


def enrol(machine: Emulated, folder: Path, camera_port: int) -> float:
    """From power to a recorder that its ward sees work, as `green_s` tells it. Raises NotWell and AssertionError."""
    authority = Authority(folder, ROOTS_NAME)
    cert, key = authority.issue("broker", address=HOST)
    with TimeServer(), Broker(folder / "broker", tls=Tls(authority.ca, cert, key, authority.ca)) as broker:
        keep_time(machine)
        with WardDoor(folder, broker_port=broker.port, host=HOST) as ward:
            return green_s(machine, ward, camera_port)


def tabulate(seen: Lived) -> Table:
    """What it takes, row by row."""
    took, all_looks = seen.installed, [*seen.looks, *seen.watched]
    last, least_b = all_looks[-1], min(look.available_b for look in all_looks)
    most_b, watched_b = (max(look.roles_b for look in looks) for looks in (seen.looks, seen.watched))
    fetched_b, card_b = took.package_b + seen.fetched_b, took.card_b + BALLAST_B
    table = Table("Debian 13 arm64 with 512 MB, two 1080p15 cameras with sub-streams, visitors of all kinds",
                  ("", "figure", "unit"))
    table.rows += [
        ("the package", f"{took.package_b / MB:.1f}", "MB"),
        (f"what apt fetches beside it: {took.packages_n - 1} packages", f"{seen.fetched_b / MB:.1f}", "MB"),
        ("taken of the card by all of it; with the ballast, which comes minutes later",
         f"{took.card_b / MB:.1f}; {card_b / MB:.1f}", "MB"),
        ("apt install, all fetched", f"{took.took_s:.0f}", "s by instructions"),
        ("kernel to first recorded frame, after a reboot", seen.reboots_s.text(1), "s by instructions"),
        ("kernel to first recorded frame, after a power cut", seen.cuts_s.text(1), "s by instructions"),
        ("a ward's card: kernel to camera, card, clock and broker good", f"{seen.green_s:.0f}", "s by instructions"),
        *(_unit_row(seen, role) for role in ROLES),
        ("PSS of all units at most: nobody at the page; a phone watches",
         f"{most_b / MB:.1f}; {watched_b / MB:.1f}", "MB"),
        ("available memory, the least", f"{least_b / MB:.0f}", f"MB of {last.total_b / MB:.0f}")]
    table.verdicts += [
        Verdict("the package and what apt fetches beside it", 80, "MB", fetched_b / MB),
        Verdict("taken of the card, with the ballast", 300, "MB", card_b / MB),
        Verdict("apt install, all fetched", 180, "s", took.took_s),
        Verdict("first frame after a reboot", 45, "s", max(seen.reboots_s.values)),
        Verdict("first frame after a power cut", 45, "s", max(seen.cuts_s.values)),
        Verdict("a ward's card: until camera, card, clock and broker are good", 120, "s", seen.green_s),
        Verdict("all units together, while a phone watches", 150, "MB PSS", watched_b / MB),
        Verdict("written to the swap file that the card has", 0, "bytes", last.swapped_b),
        Verdict("processes killed for want of memory", 0, "", last.oom_n),
        Verdict("restarts of roles", 0, "", last.restarts_n)]
    table.notes += [BASE, f"memory: {len(all_looks)} looks by this computer's clock; a peak is memory.peak of "
                    "the control group since the unit's start, page cache included"]
    table.figures = {"installed": asdict(took), "fetched_b": seen.fetched_b, "reboots_s": seen.reboots_s.values,
                     "cuts_s": seen.cuts_s.values, "green_s": seen.green_s,
                     "searched": asdict(seen.searched), "looks": [asdict(look) for look in seen.looks],
                     "watched": [asdict(look) for look in seen.watched]}
    return table


def _unit_row(seen: Lived, role: str) -> tuple[str, str, str]:
    """The most PSS that a unit had, and its peaks."""
    pss_b = max(look.pss_b.get(role, 0) for look in (*seen.looks, *seen.watched))
    searched_b, lived_b = (look.peaks_b.get(role, 0) for look in (seen.searched, seen.watched[-1]))
    return (f"{role.removeprefix('taimat-')}: PSS at most; peak after the cameras' search; peak after the half hour",
            f"{pss_b / MB:.1f}; {searched_b / MB:.1f}; {lived_b / MB:.1f}", "MB")
