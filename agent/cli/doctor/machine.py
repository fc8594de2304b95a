"""Checks the machine: board, clock, memory limits, watchdog, labels, encoder, other recorders, updates, permissions."""
import os
import pwd
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.cli.config import GROUP, passwords, roles_group
from agent.cli.doctor import CheckVerdict, bad, ok, skipped, systemctl, warn, worst
from agent.cli.exits import with_sudo
from agent.cli.processes import at_work, processes
from agent.cli.terminal import size
from agent.config.derived import transcodes
from agent.config.settings import Camera, Settings, Update
from agent.config.source import RAW, parse_source
from agent.core.evidence.ledger.row import fingerprint
from agent.core.household.labels import FREE_MIN_B, WordLack
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
from agent.privileged.update.versions import CURRENT, PROVEN, Versions

UNDER_VOLTAGE = kernel.UNDER_VOLTAGE_NOW | kernel.UNDER_VOLTAGE_SINCE_BOOT
HOT_C = 80.0                # the firmware slows a Pi down from here
MEMORY_LOW_B = 60_000_000
KEEPER = "taimat-keeper"    # owns the store, if the package is installed
LACKS: dict[WordLack, str] = {"no_weights": "the weights are missing",
                              "no_door": "the labelling process can't be reached"}


def board(store: Path) -> CheckVerdict:
    known, facts = read_board(), Probes(store).read(time.monotonic())
    memory = f"{size(known.ram_b) or 'unknown'} memory ({size(facts.mem_avail_b) or 'unknown'} free)"
    text = f"{known.model or 'unknown model'}, {memory}"
    if facts.soc_temp_c is not None:
        text += f", {facts.soc_temp_c:.0f} °C"
    verdicts = [ok(text)]
    if facts.volt_low or (facts.throttle or 0) & UNDER_VOLTAGE:
        verdict = bad if facts.volt_low else warn
        verdicts.append(verdict("the supply voltage is or was too low", condition_text("power_low", "en").remedy))
    if (facts.soc_temp_c or 0) >= HOT_C:
        verdicts.append(warn("it is too hot", condition_text("hot", "en").remedy))
    if facts.mem_avail_b is not None and facts.mem_avail_b < MEMORY_LOW_B:
        verdicts.append(warn("memory is short", condition_text("memory_low", "en").remedy))
    return worst(verdicts)


def clock() -> CheckVerdict:
    """Whether the time is right now, and after a power cut without a network."""
    battery = "with" if kernel.some(Path("/sys/class/rtc"), "rtc*") else "without"
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    return {"ntp": ok(f"{now}, synchronised over the network, {battery} a battery clock"),
        "rtc": ok(f"{now}, from the battery clock"),
        "saved": warn(f"{now}, not synchronised: events are marked as uncertain",
                      "connect the network (timedatectl shows the rest), or fit a battery clock"),
        "unset": bad(f"{now}, which can't be: it was never set", "connect the network, or fit a battery clock"),
    }[clock_state.read()]


def memory_limits() -> CheckVerdict:
    """Whether the kernel can stop a role that leaks memory."""
    limits = kernel.memory_limits(Path("/"))
    if limits is None:
        return skipped("this system has no control groups (version 2)")
    if not limits:
        return warn("switched off in the kernel", condition_text("memory_unlimited", "en").remedy)
    return ok("the kernel keeps them")


def watchdog() -> CheckVerdict:
    found = kernel.some(Path("/sys/class/watchdog"), "watchdog*")
    if not found:
        return warn("none found: a machine that hangs needs a person to restart it",
                    "on a Raspberry Pi: sudo apt install taimat-board, then restart it")
    name = kernel.text(found[0] / "identity") or found[0].name
    fed = systemctl("-p", "RuntimeWatchdogUSec", "--value").strip()     # for kernels without watchdog details in sysfs
    if (kernel.text(found[0] / "state") or (fed not in ("", "0", "off", "infinity") and "active")) == "active":
        return ok(f"{name} is armed" + (", and it caused this boot" if kernel.watchdog_reset(Path("/")) else ""))
    return warn(f"{name} exists, but is not in use",
                "on a Raspberry Pi: sudo apt install taimat-board; elsewhere set RuntimeWatchdogSec=30s in "
                "/etc/systemd/system.conf")


def labels() -> CheckVerdict:
    """Whether events get labels. Everything else works without."""
    free_b, _ = kernel.memory_b(Path("/"))
    if why := words_lack():
        return skipped(f"events get no labels, so a notification about people or vehicles is sent for all motion: "
                       f"{LACKS[why]}")
    if free_b is not None and free_b < FREE_MIN_B:
        return skipped(f"events get no labels now: that takes {size(FREE_MIN_B)} of free memory")
    return ok("events get labels: person, vehicle, animal, other or nothing")


def encoder(cameras: Sequence[Camera]) -> CheckVerdict:
    device = read_board().encoder
    if not any(parse_source(camera.source).scheme in RAW for camera in cameras):
        if any(map(transcodes, cameras)):
            return ok("masks are painted by transcoding, with x264 in software: see what each camera costs")
        return ok(f"none needed: these cameras send encoded video ({device or 'software only'} here)")
    if device is None:
        return ok("none in this board's hardware: H.264 is made in software, which costs about a core a camera")
    if os.access(device, os.R_OK | os.W_OK):
        return ok(f"H.264 in hardware ({device})")
    return bad(f"{device} can't be opened by this user", "sudo usermod -aG video $USER, then log in again")


def others(store: Path, config: Path) -> CheckVerdict:
    """Whether this Taimat runs, or another one that may want the same cameras."""
    ours = at_work(store)
    known = set(ours.values())
    strangers = [process for process in processes()
                 if process.pid not in known and process.role != "run" and process.config != str(config)]
    running = f"this one runs: {', '.join(f'{unit} ({pid})' for unit, pid in ours.items())}" if ours else "none runs"
    if strangers:
        first = strangers[0]
        return warn(f"{running}; another one runs with {first.config} (process {first.pid}, {first.role})",
                    f"end it if it uses the same cameras or port: kill {first.pid}")
    return ok(running)


def updates(update: Update, versions: Versions | None = None, doors: UpdateFolders | None = None) -> CheckVerdict:
    """Whether releases can be installed. A problem is only a warning, because the installed version keeps working."""
    doors, versions = doors or UpdateFolders(), versions or Versions(execute)
    try:
        key = str(key_file(update.release_key))
        slots = in_force(key, doors.release_keys, "[update] release_key", "the maker", "root")
        current, proven = (versions.named(name) for name in (CURRENT, PROVEN))
    except PublicKeyProblem as problem:
        return warn(str(problem), "until then no release is accepted")
    except ReleaseRefused as refused:
        return warn(str(refused), "until then no release can be installed")
    if not doors.asked.is_dir():
        return warn(f"{doors.asked} is missing, where the link asks root for releases",
                    "install systemd/taimat.tmpfiles.conf: sudo systemd-tmpfiles --create")
    on_trial = "" if current == proven else f" on trial, {proven} takes over if it does not work"
    signer = fingerprint(bytes.fromhex(slots.current))
    return ok(f"{current} runs{on_trial}; releases must be signed by key {signer}")


def rights(settings: Settings, config: Path) -> CheckVerdict:
    """Whether the roles have the rights that they need, and only they can read secrets."""
    group = roles_group()
    found = [*_folder(Path(settings.store.folder), group), *_folder(Path(settings.store.runtime), group),
             *_secrets(settings, config), *_cameras(settings)]
    return worst(found or [ok("folders and secrets fit " + ("this user" if group is None else f"group {GROUP}"))])


def _folder(folder: Path, group: int | None) -> Iterator[CheckVerdict]:
    try:
        status = folder.stat()
    except FileNotFoundError:
        return          # made at the first start
    except OSError as error:
        yield bad(f"{folder}: {error.strerror}", with_sudo())
        return
    makers = {0, *(user.pw_uid for user in pwd.getpwall() if user.pw_name == KEEPER)}     # whose folders tmpfiles makes
    if group is not None and status.st_uid in makers:
        if status.st_gid != group:
            yield bad(f"{folder} is not open to group {GROUP}", "sudo systemd-tmpfiles --create taimat.conf")
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield bad(f"{folder} can't be written by user {os.geteuid()}", f"sudo chown -R $USER {folder}")


def _secrets(settings: Settings, config: Path) -> Iterator[CheckVerdict]:
    ward, urls = settings.ward, [notify.url_file for notify in settings.notify]
    for path in map(Path, filter(None, (ward.key, ward.password_file, settings.home.password_file, *urls))):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            yield bad(f"{path}: {error.strerror}", "correct the path, or put the file there")
            continue
        if mode & stat.S_IRWXO:
            yield warn(f"{path} holds a secret and anybody may read it", f"sudo chmod o= {path}")
    yield from passwords(settings, config)


def _cameras(settings: Settings) -> Iterator[CheckVerdict]:
    for camera in settings.camera:
        spec = parse_source(camera.source)
        if camera.enabled and spec.scheme in RAW:
            node = Path(spec.target) if spec.scheme == "v4l2" else Path("/dev/media0")
            if node.exists() and not os.access(node, os.R_OK | os.W_OK):
                yield bad(f"{node} can't be opened by this user", "sudo usermod -aG video $USER, then log in again")
