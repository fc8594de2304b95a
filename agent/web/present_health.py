"""The device's health on the page: one sentence, its remedy, and details that can be unfolded. Pure."""
from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.contract.facts import KeeperFacts, LinkFacts
from agent.core.health.codes import ROLE
from agent.core.health.conditions import Condition
from agent.core.health.facts import HostFacts
from agent.core.health.report import Report
from agent.core.health.texts import text
from agent.core.label_pace import WordLack
from agent.host.clock import Instant
from agent.look.words import PageWords
from agent.web.present_camera import TONES

DAYS_MANY = 365
DAYS_A_YEAR = 365.0


@dataclass(frozen=True, slots=True)
class ProblemView:
    """One condition in words; `since` is empty for a camera's: its tile tells since when it has no picture."""

    tone: str
    title: str
    since: str
    remedy: str


@dataclass(frozen=True, slots=True)
class HealthView:
    """The device's health in words."""

    tone: str                           # good | idle | warn | alarm
    sentence: str
    remedy: str
    problems: list[ProblemView]             # all but the one that `sentence` and `remedy` tell
    details: list[tuple[str, str]]      # label and value, without the unknown ones


def health_view(report: Report | None, lack: WordLack | None, now: Instant, words: PageWords) -> HealthView:
    """The newest report in words; None stands for the time before the first one. `lack`: why no event gets a word."""
    if report is None:
        return HealthView("idle", words("health.checking"), "", [], [])
    problems = [_problem(each, now, words) for each in report.conditions]
    unnamed = [(words("health.label"), words(f"health.label_{lack}"))] if lack else []
    details = [*_machine(report.host, words), *_card(report, words), *_surroundings(report, words), *unnamed,
               *_roles(report, words)]
    if problems and problems[0].tone != "idle":
        worst, *others = problems
        return HealthView(worst.tone, " ".join((worst.title, worst.since)).strip(), worst.remedy, others, details)
    return HealthView("good", words("health.good"), "", problems, details)


def _problem(condition: Condition, now: Instant, words: PageWords) -> ProblemView:
    said = text(condition.code, words.language, condition.unit)
    began_wall_ms = int(now.wall_ms - now.mono_ms + condition.since_mono_s * 1000)
    since = "" if condition.camera else words("health.since", time=words.moment(began_wall_ms, now.wall_ms))
    where = words.label(condition.camera) if condition.camera else (
        _role_name(condition.unit or "", words) if condition.code in ROLE else "")
    title = f"{said.title} ({where})" if where else said.title
    return ProblemView(TONES[condition.severity], title, since, said.remedy)


def _machine(host: HostFacts, words: PageWords) -> Iterator[tuple[str, str]]:
    if host.soc_temp_c is not None:
        yield words("health.temperature"), f"{words.number(host.soc_temp_c)} °C"
    if host.mem_avail_b is not None and host.mem_total_b:
        yield words("health.memory"), words("health.memory_value", free=words.size(host.mem_avail_b),
                                            total=words.size(host.mem_total_b))


def _card(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    host, days_left = report.host, report.card_days_left
    if host.disk_free_b is None or not host.disk_tot_b:
        return
    space = words("health.card_value", free=words.size(host.disk_free_b), total=words.size(host.disk_tot_b))
    if days_left is not None:
        lasts = (words("health.days_many") if days_left >= DAYS_MANY
                 else words("health.days_left", days=words.number(days_left, 0 if days_left >= 3 else 1)))
        space = f"{space}, {lasts}"
    yield words("health.card"), space
    yield from _kept(report, words)
    if report.card_written_b_per_day is not None:
        written = words("health.wear_value", size=words.size(int(report.card_written_b_per_day)))
        yield words("health.wear"), "; ".join([written, *life_sentence(report.card_life_days, words)])


def life_sentence(life_days: tuple[float, float] | None, words: PageWords) -> Iterator[str]:
    """Half a sentence: how long a new card would last, at worst and at best, if that is known."""
    if life_days:
        worst, best = (_figure(days / DAYS_A_YEAR, words) for days in life_days)
        yield words("health.wear_life", worst=worst, best=best)


def _figure(value: float, words: PageWords) -> str:
    """One decimal below ten, none above."""
    return words.number(value, 0 if value >= 10 else 1)


def _kept(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    """How long each camera's footage stays, from the keeper's heartbeat."""
    told = {camera: days for unit in report.units if (keeper := unit.told(KeeperFacts))
            for camera, days in keeper.kept_days.items()}
    if told:
        lines = (words("health.kept_value", camera=words.label(camera), days=_figure(days, words))
                 for camera, days in sorted(told.items()))
        yield words("health.kept"), "; ".join(lines)


def _surroundings(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    host = report.host
    yield words("health.clock"), words(f"health.clock_{host.clock}")
    if host.net_up is not None:
        yield words("health.network"), words("health.network_up" if host.net_up else "health.network_down")
    for unit in report.units:
        if told := unit.told(LinkFacts):
            yield from _broker(told, words)
    if host.up_s is not None:
        yield words("health.up"), words.span(int(host.up_s * 1000))


def _broker(told: LinkFacts, words: PageWords) -> Iterator[tuple[str, str]]:
    key = f"health.broker_{told.broker}"
    if key in words.texts:
        waiting = f", {words('health.broker_waiting', n=told.outbox_n)}" if told.outbox_n else ""
        yield words("health.broker"), words(key) + waiting


def _roles(report: Report, words: PageWords) -> Iterator[tuple[str, str]]:
    for role, told in report.roles.items():
        restarts = f", {words('health.restarts', n=told.restarts_n)}" if told.restarts_n else ""
        name = _role_name(role, words)
        yield name[:1].upper() + name[1:], words(f"health.state_{told.state}") + restarts


def _role_name(unit: str, words: PageWords) -> str:
    """A unit's duty in words: that of "capture@gate" is recording; an unknown name stays as it is."""
    role = unit.partition("@")[0]
    return words.texts.get(f"health.role_{role}", role)
