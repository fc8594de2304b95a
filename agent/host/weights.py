"""Finds the model's weights that name events: beside the libraries, where a package or a demo installs them."""
import sys
from pathlib import Path

from agent.core.household.labels import WordLack

FOLDER, FILE = "taimat_weights", "ssd_mobilenet_v2_oidv4.tflite"


def weights() -> Path | None:
    """Returns the file; None if it is missing, and events get no names."""
    return next((path for each in sys.path if each and (path := Path(each, FOLDER, FILE)).is_file()), None)


def words_lack() -> WordLack | None:
    """Returns why events get no names on this machine; None if nothing is known to prevent them."""
    return None if weights() else "no_weights"
