"""The check of any device, or any ingest, against the contract with the ward."""
import sys
from pathlib import Path

# Installed alone, it brings what it needs of `agent`. In a checkout, and on a ward's machine, that lies beside it.
if (SHIPPED := Path(__file__).with_name("shipped")).is_dir():
    sys.path.insert(0, str(SHIPPED))
