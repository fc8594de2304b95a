"""An ingest that asks for missing events after seconds: `python -m tests.ward.impatient_ingest --config CONFIG`."""
import sys
from pathlib import Path

from agent.ward import register
from agent.ward.ingest import main
from tests.rigs.ward.ingest import QUICK, WardIngest

PATIENCE_S = 3.0


class ImpatientIngest(WardIngest):
    """As any, but for its patience."""

    started_as = ("tests.ward.impatient_ingest",)


if __name__ == "__main__":
    register.PATIENCE_MS = round(PATIENCE_S * 1000)
    sys.exit(main(Path(sys.argv[-1]), QUICK))
