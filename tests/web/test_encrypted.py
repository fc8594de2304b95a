"""The page plays what is encrypted on the card: it asks the keeper for a file's key, and never has a day's."""
import contextlib
import io
from pathlib import Path

import av

from agent.host.clock import SystemClock
from agent.keeper.link_desk import open_key_socket
from agent.store import clips, events
from agent.store.database import connect, transaction
from agent.store.folders import Folders
from tests.rigs.house.household import Household
from tests.rigs.store.decrypted import clear
from tests.rigs.store.vault import Vault


def test_clips_and_pictures_come_in_the_clear_in_parts_and_whole(tmp_path: Path):
    home = Household(tmp_path)
    with contextlib.closing(connect(home.folders.root)) as db:
        vault = Vault(db, home.folders, SystemClock())
        seq, name, _ = vault.record()
        with clear(home.folders, clips.get(db, name)) as file:
            film = file.read()
        day = vault.policy.day(vault.folders)
        with transaction(db):
            event = events.open_row(db, "gate", "motion", vault.clock.now())
            events.tie(db, event, seq)
            events.finish(db, event, 1000, 0.5, 1, [], "2", "peak.jpg", day_key=day.id)
        (home.folders.thumbs / "peak.jpg").write_bytes(vault.policy.picture(day, b"\xff\xd8 a picture", "peak"))
    keys = home.folders.keys.rename(tmp_path / "keys")        # the keeper's folder is closed to the page
    with home:
        assert home.get(f"/clips/{name}.mp4").status == 503
        desk = open_key_socket(home.runtime, Folders(keys.parent))
        whole, part = home.get(f"/clips/{name}.mp4"), home.get(f"/clips/{name}.mp4", range="bytes=100-9099")
        assert (whole.status, whole.body) == (200, film) and home.folders.clip(seq, name).read_bytes() != film
        assert (part.status, part.body) == (206, film[100:9100])
        assert part.headers["content-range"] == f"bytes 100-9099/{len(film)}"
        assert home.get(f"/thumbs/{event}.jpg").body == b"\xff\xd8 a picture"
        desk.close()
    with av.open(io.BytesIO(film)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 40
