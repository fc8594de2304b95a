"""A ward's machine, for the tests of its authority."""
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.ward.machine import WardMachine


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[WardMachine]:
    """Its broker and proxy run."""
    with WardMachine(tmp_path / "ward") as ward:
        yield ward
