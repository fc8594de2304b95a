"""The schema of the database. store.sql has the tables, docs/design/storage.md the promises that depend on them."""
from pathlib import Path

SCHEMA = 17             # the number of its tables, in PRAGMA user_version; lower ones were before the first release

# A version that knows this schema can go on with a store that later ones were at work in: those only added what it need
# not know. This is the way back after an update that went wrong; a schema that changes or takes away what was there
# raises the number to its own, and docs/design/device.md says what that costs.
READABLE_FROM = 13

TABLES = Path(__file__).with_name("store.sql").read_text(encoding="utf-8")
