"""The ward's ingest as a process for tests, with short waits: `python -m tests.rigs.ward.ingest --config CONFIG`."""
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sql

from agent.core.delivery.backoff import Waits
from agent.ward import database
from agent.ward.ingest import IngestTempo, main
from tests.rigs.forked import Part
from tests.rigs.wait import HANG_S, free_port, until

ROOT = Path(__file__).resolve().parents[3]
QUICK = IngestTempo(waits=Waits(start_s=0.1, lost_s=0.4, step_s=0.3, longest_s=0.6, hopeless_s=(0.5, 1.0)),
                    database_s=0.3, look_s=0.2, echo_s=0.5)


class WardPart(Part):
    """A process of the ward's end."""

    started_as = ("tests.rigs.ward.ingest",)
    metrics_port: int

    def figures(self) -> dict[str, float]:
        """What Prometheus gets; nothing while the process does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=HANG_S) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


class ListeningPart(WardPart):
    """One behind the proxy."""

    def start(self) -> Self:
        """Start the process; returns when it listens."""
        before_b = self.log.stat().st_size if self.log.exists() else 0
        process = super().start().process
        assert process
        until(lambda: b"listens at" in self.log.read_bytes()[before_b:] or process.poll() is not None)
        assert process.poll() is None, self.log.read_text()
        return self


class WardIngest(WardPart):
    """A configuration, a database, and an ingest on them that can be killed."""

    def __init__(self, folder: Path, port: int, url: str = "", ward: str = "", more: str = "") -> None:
        """`ward` is TOML for the [ward] table beyond the usual, `more` further tables; without `url`, a SQLite file."""
        folder.mkdir(parents=True, exist_ok=True)
        self.url = url or f"sqlite:///{folder}/ward.db"
        self.config, self.log, self.metrics_port = folder / "ward.toml", folder / "ingest.log", free_port()
        given = {line.split("=")[0].strip() for line in ward.splitlines()}
        usual = {"ward": '"w07"', "host": '"127.0.0.1"', "port": str(port), "tls": "false", "keepalive_s": "5"}
        lines = [f"{key} = {value}" for key, value in usual.items() if key not in given]
        self.config.write_text("\n".join([
            "[ward]", *lines, ward, "[database]", f'url = "{self.url}"',
            "[metrics]", f"port = {self.metrics_port}", more, ""]))

    def rows(self, statement: Any) -> list[Any]:
        """What the database answers; nothing before there is one."""
        try:
            engine = database.open_engine(self.url, read_only=True)
        except database.DatabaseFault:
            return []
        with engine.connect() as db:
            found = list(db.execute(statement))
        engine.dispose()
        return found

    def seqs(self, dev: str | None = None) -> list[int]:
        """The seqs of the events that were taken, in order."""
        own = database.event.c
        asked = sql.select(own.seq).order_by(own.dev, own.seq)
        return [row.seq for row in self.rows(asked if dev is None else asked.where(own.dev == dev))]

    def device(self, dev: str) -> Any:
        """The device's row, or None."""
        found = self.rows(sql.select(database.device).where(database.device.c.dev == dev))
        return found[0] if found else None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[-1]), QUICK))
