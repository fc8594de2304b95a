"""The ward's ingest, as a ward runs it: its own process, SQLite, and what it tells Prometheus."""
import sys
import urllib.request
from pathlib import Path

from agent.ward.simulate.pki import Authority
from agent.ward.simulate.plan import HOST, WARD
from agent.ward.simulate.program import Program, free_port

ANSWER_S = 10.0


class Ingest(Program):
    """One with a database in a folder of its own."""

    def __init__(self, folder: Path, port: int, authority: Authority) -> None:
        """Write its configuration, for the broker at `port`."""
        folder.mkdir()
        self.url = f"sqlite:///{folder}/ward.db"
        self._metrics_port = free_port()
        own, config = authority.issue("ingest"), folder / "ward.toml"
        config.write_text(
            f'[ward]\nward = "{WARD}"\nhost = "{HOST}"\nport = {port}\nca = "{authority.ca}"\ncert = "{own}"\n'
            f'key = "{own}"\n[database]\nurl = "{self.url}"\n[metrics]\nport = {self._metrics_port}\n')
        super().__init__("taimat ward ingest", [sys.executable, "-m", "agent.ward.ingest", "--config", config],
                         self._metrics_port, folder / "ingest.log")

    def figures(self) -> dict[str, float]:
        """What Prometheus gets; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._metrics_port}/metrics", timeout=ANSWER_S) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def health_n(self) -> int:
        """Health reports that it has taken since it was started."""
        return int(self.figures().get('taimat_ward_messages_total{what="health"}', 0))
