"""The ward's ingest, as a ward runs it: its own process, SQLite, its figures for Prometheus, and its database."""
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sql

from agent.ward import database
from scripts.benches.city_simulation.pki import Authority
from scripts.benches.city_simulation.plan import HOST, WARD
from scripts.benches.city_simulation.program import CityProgram, free_port

ANSWER_S = 10.0


class IngestProcess(CityProgram):
    """An ingest with a database in a folder of its own."""

    def __init__(self, folder: Path, port: int, authority: Authority) -> None:
        """Write its configuration, for the broker at `port`."""
        folder.mkdir()
        self.url = f"sqlite:///{folder}/ward.db"
        self._metrics_port = free_port()
        own, config = authority.issue("ingest"), folder / "ward.toml"
        config.write_text(
            f'[ward]\nward = "{WARD}"\nhost = "{HOST}"\nport = {port}\nca = "{authority.ca}"\ncert = "{own}"\n'
            f'key = "{own}"\n[database]\nurl = "{self.url}"\n[metrics]\nport = {self._metrics_port}\n')
        super().__init__("taimat ward ingest", [sys.executable, "-m", "agent", "ward", "ingest", "--config", config],
                         self._metrics_port, folder / "ingest.log")

    def figures(self) -> dict[str, float]:
        """Its figures for Prometheus, by name; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._metrics_port}/metrics", timeout=ANSWER_S) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def health_n(self) -> int:
        """Health reports that it has accepted since its start."""
        return int(self.figures().get('taimat_ward_messages_total{what="health"}', 0))


def kept_events(url: str, made: Mapping[str, int]) -> tuple[int, int]:
    """How many events the database has, and how many it lacks of those that each device `made`. Raises DatabaseFault.

    A device's seqs count from 1, and (device, seq) is the table's key, so nothing is there twice. A device that has
    more than it made is not this simulation's, and not counted.
    """
    own = database.event.c
    rows = _read(url, sql.select(own.dev, sql.func.count(), sql.func.max(own.seq)).group_by(own.dev))
    kept_n = sum(n for dev, n, top in rows if top <= made.get(dev, 0))
    return kept_n, sum(made.values()) - kept_n


def health_lags_s(url: str) -> Iterator[float]:
    """For each device's last report: seconds from its making to its arrival. Raises DatabaseFault."""
    own = database.device.c
    for text, taken_ms in _read(url, sql.select(own.health, own.health_ms).where(own.health.is_not(None))):
        yield (taken_ms - msgspec.json.decode(text)["ts"]) / 1000


def _read(url: str, asked: sql.Select) -> list[sql.Row]:
    engine = database.open_engine(url, read_only=True)
    try:
        with engine.connect() as db:
            return list(db.execute(asked))
    finally:
        engine.dispose()
