"""What root believes of what the link lays into the folder where it asks for a release to be installed."""
from pathlib import Path

import pytest

from agent.host.clock import Instant
from agent.host.updates import ASK, UpdateFolders

NOW = Instant("boot", 1_000_000, 1_795_561_300_000, "ntp")


@pytest.mark.parametrize("laid", [b'{"id":"\xff"}', b'{"id":' + 900 * b"[", b"", b"{}", b"\0" * 100],
                         ids=["no text", "very deep", "empty", "nothing in it", "NUL"])
def test_nonsense_is_no_order_and_does_not_stay(tmp_path: Path, laid: bytes) -> None:
    folders = UpdateFolders(tmp_path, tmp_path)
    (tmp_path / ASK).write_bytes(laid)
    assert folders.collect(NOW) is None and not list(tmp_path.iterdir())
    folders.ask("01JDX0000000000000000000AB", "0" * 64, NOW)
    assert folders.collect(NOW)
