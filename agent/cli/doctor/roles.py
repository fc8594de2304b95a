"""Whether systemd runs what this configuration asks for: each role, and root's helpers that have failed."""
from collections.abc import Mapping
from pathlib import Path

from agent.cli.doctor import CheckVerdict, bad, ok, skipped, systemctl, warn, worst
from agent.config.load import DEFAULT_PATH
from agent.config.settings import Settings
from agent.config.unit_wishes import unit_wishes
from agent.privileged.update.deaths import last_words

BOOTED = Path("/run/systemd/system")
# Root's units run for moments, so only a failure says something about them.
HELPERS = ("setup-taimat.service", "setup-taimat-news.service", "update-taimat-install.service",
           "update-taimat-boot.service", "enrol-taimat.service", "setup-taimat.path", "update-taimat-install.path")
RESTARTS_MANY = 3
DEADLINE_S = 40.0         # a question for each unit that does not run

Unit = Mapping[str, str]        # what systemd says of a unit: its properties by their names


def examine(settings: Settings, config: Path) -> CheckVerdict:
    """The verdict on all units of this machine. Only its own configuration has units."""
    if config != DEFAULT_PATH or not BOOTED.exists():
        return skipped("this configuration has no units of systemd: taimat run starts its roles")
    wishes = unit_wishes(settings)
    wanted = [unit for unit, wish in wishes.items() if wish.wanted]
    said = systemctl("--property=Id,LoadState,ActiveState,SubState,NRestarts,Result,ExecMainStatus", "--",
                     *wanted, *HELPERS)
    seen = {unit["Id"]: unit for unit in (
        dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n"))
        if "Id" in unit}
    if not seen:
        return warn("systemd does not answer", "systemctl status says why")
    roles = [judge(name, seen.get(name, {})) for name in wanted]
    failed = [judge(name, seen[name]) for name in HELPERS if seen.get(name, {}).get("ActiveState") == "failed"]
    if wrong := [verdict for verdict in (*roles, *failed) if verdict.state != "ok"]:
        return worst(wrong)
    return ok(f"all run: {', '.join(map(short, wanted))}")


def judge(name: str, unit: Unit) -> CheckVerdict:
    """The verdict on one unit, with its last words if it does not run."""
    called, again = short(name), f"sudo systemctl restart {name}"
    if unit.get("LoadState") == "masked":
        return bad(f"{called} is switched off", f"sudo systemctl unmask {name} && {again}")
    if unit.get("LoadState") != "loaded":
        return bad(f"{called} is not installed", "sudo apt install --reinstall taimat")
    restarts_n = int(unit.get("NRestarts") or 0)
    times = f", after {restarts_n} restarts" if restarts_n else ""
    if unit.get("ActiveState") == "active":
        if restarts_n >= RESTARTS_MANY:
            return warn(f"{called} runs{times}", f"journalctl -u {name} says why it ended")
        return ok(f"{called} runs{times}")
    state = unit.get("ActiveState", "unknown")
    if state == "failed":
        state += f" ({unit.get('Result', '')} {unit.get('ExecMainStatus', '')})"
    words = last_words(name)
    return bad(f"{called} does not run: {state}{times}{words and f'; its last words: {words}'}",
               f"journalctl -u {name} says more; then: {again}")


def short(name: str) -> str:
    """The unit's name without what all have in common."""
    return name.removesuffix(".service").removeprefix("taimat-")
