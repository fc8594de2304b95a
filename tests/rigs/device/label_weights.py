"""What the naming of events needs: weights on the path of this process and its children, and a machine with room."""
import os
from pathlib import Path

import pytest

from scripts.packaging import weights

CALM = {"proc/meminfo": "MemTotal: 4000000 kB\nMemAvailable: 3000000 kB\n", "proc/loadavg": "0.10 0.10 0.10 1/99 7\n"}


def weights_here(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the package's weights found; skips the test where they can't be had."""
    try:
        folder = weights.fetched()
    except weights.NoWeights as error:
        pytest.skip(str(error))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))
    return folder


def machine(root: Path, **texts: str) -> Path:
    """A machine's files below `root`: calm, but for these texts by file name, as in `meminfo`."""
    for name, text in CALM.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts.get(path.name, text))
    return root
