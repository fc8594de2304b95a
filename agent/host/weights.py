"""Where the weights lie by which events are named: beside the libraries, where a package or a demo has put them."""
import sys
from pathlib import Path

from agent.core.label_pace import WordLack, lack
from agent.host.probes import load

FOLDER, FILE = "taimat_weights", "ssd_mobilenet_v2_oidv4.tflite"


def weights() -> Path | None:
    """The file; None where there is none, and no event gets a word."""
    return next((path for each in sys.path if each and (path := Path(each, FOLDER, FILE)).is_file()), None)


def words_lack(root: Path = Path("/")) -> WordLack | None:
    """Why no event gets a word on the machine below `root`; None: they do, as far as can be known."""
    return lack(weights() is not None, load.memory_b(root)[1])
