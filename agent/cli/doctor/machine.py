"""The machine itself: which board, its clock, encoder, memory limits and watchdog, and whether it is shared."""
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from agent.cli.doctor.verdict import CheckVerdict, bad, ok, skipped, warn, worst
from agent.cli.processes import at_work, processes
from agent.cli.terminal import size
from agent.config.derived import transcodes
from agent.config.settings import Camera, Update
from agent.config.source import RAW, parse_source
from agent.core.evidence.ledger.row import fingerprint
from agent.core.household.labels import FREE_MIN_B, TOTAL_MIN_B, WordLack
from agent.core.release import ReleaseRefused
from agent.host import clock_state
from agent.host.board import read as read_board
from agent.host.command_key import PublicKeyProblem, in_force
from agent.host.probes import kernel
from agent.host.probes.machine import Probes
from agent.host.updates import UpdateFolders, key_file
from agent.host.weights import words_lack
from agent.look.device_words import condition_text
from agent.privileged.update.root import execute
from agent.privileged.update.versions import CURRENT, PROVEN, ROOT, Versions

UNDER_VOLTAGE = kernel.UNDER_VOLTAGE_NOW | kernel.UNDER_VOLTAGE_SINCE_BOOT
HOT_C = 80.0                # the firmware slows a Pi down from here
MEMORY_LOW_B = 60_000_000
SYSTEMCTL_S = 5.0
LACKS: dict[WordLack, str] = {"no_weights": "no weights are here",
                              "small_board": f"that takes a machine with {size(TOTAL_MIN_B)} of memory or more",
                              "no_door": "the process that looks can't be reached"}


def board(store: Path) -> CheckVerdict:
    known, facts = read_board(), Probes(store).read(time.monotonic())
    memory = f"{size(known.ram_b) or 'unknown'} memory ({size(facts.mem_avail_b) or 'unknown'} free)"
    text = f"{known.model or 'unknown model'}, {memory}"
    if facts.soc_temp_c is not None:
        text += f", {facts.soc_temp_c:.0f} °C"
    verdicts = [ok(text)]
    if facts.volt_low or (facts.throttle or 0) & UNDER_VOLTAGE:
        told = bad if facts.volt_low else warn
        verdicts.append(told("the supply voltage is or was too low", condition_text("power_low", "en").remedy))
    if (facts.soc_temp_c or 0) >= HOT_C:
        verdicts.append(warn("it is too hot", condition_text("hot", "en").remedy))
    if facts.mem_avail_b is not None and facts.mem_avail_b < MEMORY_LOW_B:
        verdicts.append(warn("memory is short", condition_text("memory_low", "en").remedy))
    return worst(verdicts)


def clock() -> CheckVerdict:
    """Whether the time is right, and whether it will be after a power cut without a network."""
    battery = "with" if kernel.some(Path("/sys/class/rtc"), "rtc*") else "without"
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    return {"ntp": ok(f"{now}, synchronised over the network, {battery} a battery clock"),
        "rtc": ok(f"{now}, from the battery clock"),
        "saved": warn(f"{now}, not synchronised: events are marked as uncertain",
                      "connect the network (timedatectl shows the rest), or fit a battery clock"),
        "unset": bad(f"{now}, which can't be: it was never set", "connect the network, or fit a battery clock"),
    }[clock_state.read()]


def memory_limits() -> CheckVerdict:
    """Whether a role that leaks can be stopped by the kernel."""
    limits = kernel.memory_limits(Path("/"))
    if limits is None:
        return skipped("this system has no control groups (version 2)")
    if not limits:
        return warn("switched off in the kernel", condition_text("memory_unlimited", "en").remedy)
    return ok("the kernel keeps them")


def watchdog() -> CheckVerdict:
    found = kernel.some(Path("/sys/class/watchdog"), "watchdog*")
    if not found:
        return warn("none found: a machine that hangs stays so until somebody comes",
                    "on a Raspberry Pi: sudo apt install taimat-board, then restart it")
    name = kernel.text(found[0] / "identity") or found[0].name
    if (kernel.text(found[0] / "state") or _systemd_feeds()) == "active":
        return ok(f"{name} is armed" + (", and it caused this boot" if kernel.watchdog_reset(Path("/")) else ""))
    return warn(f"{name} is there, but nobody uses it",
                "on a Raspberry Pi: sudo apt install taimat-board; elsewhere set RuntimeWatchdogSec=30s in "
                "/etc/systemd/system.conf")


def _systemd_feeds() -> str:
    """systemd's word where the kernel was built without watchdog details in sysfs."""
    try:
        said = subprocess.run(["systemctl", "show", "-p", "RuntimeWatchdogUSec", "--value"],
                              capture_output=True, text=True, timeout=SYSTEMCTL_S)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return "active" if said.stdout.strip() not in ("", "0", "off", "infinity") else "inactive"


def labels() -> CheckVerdict:
    """Whether events get a word for what they were. All else works without."""
    free_b, _ = kernel.memory_b(Path("/"))
    if why := words_lack():
        return skipped(f"events get no word for what they were, and whoever is to be told of people and vehicles alone "
                       f"is told of all motion: {LACKS[why]}")
    if free_b is not None and free_b < FREE_MIN_B:
        return skipped(f"events get no word for what they were at the moment: that takes {size(FREE_MIN_B)} of free "
                       "memory")
    return ok("events get a word for what they were: person, vehicle, animal, other or nothing")


def encoder(cameras: Sequence[Camera]) -> CheckVerdict:
    """Which H.264 encoder there is, where one is needed."""
    device = read_board().encoder
    if not any(parse_source(each.source).scheme in RAW for each in cameras):
        if any(transcodes(each) for each in cameras):
            return ok("masks are painted by transcoding, with x264 in software: see what each camera takes")
        return ok(f"none needed: these cameras send encoded video ({device or 'software only'} here)")
    if device is None:
        return ok("none in this board's hardware: H.264 is made in software, which costs about a core a camera")
    if os.access(device, os.R_OK | os.W_OK):
        return ok(f"H.264 in hardware ({device})")
    return bad(f"{device} can't be opened by this user", "sudo usermod -aG video $USER, then log in again")


def others(store: Path, config: Path) -> CheckVerdict:
    """Whether Taimat runs already: this one, or a second one that would fight for the same cameras."""
    ours = at_work(store)
    known = set(ours.values())
    strangers = [each for each in processes()
                 if each.pid not in known and each.role != "run" and each.config != str(config)]
    running = f"this one runs: {', '.join(f'{unit} ({pid})' for unit, pid in ours.items())}" if ours else "none runs"
    if strangers:
        first = strangers[0]
        return warn(f"{running}; another one runs with {first.config} (process {first.pid}, {first.role})",
                    f"end it if it uses the same cameras or port: kill {first.pid}")
    return ok(running)


def updates(update: Update, root: Path = ROOT, doors: UpdateFolders | None = None) -> CheckVerdict:
    """Whether releases can be installed. Trouble is no more than a warning: what is installed goes on working."""
    doors = doors or UpdateFolders()
    try:
        key = str(key_file(update.release_key))
        slots = in_force(key, doors.release_keys, "[update] release_key", "the maker", "root")
        current, proven = (Versions(execute, root).named(name) for name in (CURRENT, PROVEN))
    except PublicKeyProblem as problem:
        return warn(str(problem), "until then no release counts")
    except ReleaseRefused as refused:
        return warn(str(refused), "until then no release can be installed")
    if not doors.asked.is_dir():
        return warn(f"{doors.asked} is missing, where the link asks root for releases",
                    "install systemd/taimat.tmpfiles.conf: sudo systemd-tmpfiles --create")
    on_trial = "" if current == proven else f" on trial, {proven} takes over if it is not well"
    signer = fingerprint(bytes.fromhex(slots.current))
    return ok(f"{current} runs{on_trial}; what counts are releases signed by key {signer}")
