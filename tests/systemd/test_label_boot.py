"""What names events under its unit: the real process in its sandbox answers capture, and turns away everybody else."""
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.contract.helper_messages import LabelQuestion, ShownLook, label_message
from agent.core.media.model import Box
from agent.host.weights import FOLDER
from scripts.packaging import weights
from tests.rigs.cameras.h264 import movie
from tests.systemd.machine import PYTHON, Machine, NoMachine

ROOT = Path(__file__).parents[2]
QUESTION = "/srv/question"
ASK = f"""
import json
from pathlib import Path
from agent.capture.labeller import SOCKET, ask_at
from agent.core.contract.helper_messages import label_answer
print(json.dumps(label_answer(ask_at(Path("/run/taimat", SOCKET), Path("{QUESTION}").read_bytes())).label))
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A booted machine with the door, its libraries those of this computer."""
    folder, (info, packets) = tmp_path_factory.mktemp("machine"), movie()
    try:
        with Machine(folder) as made:
            made.borrow("/usr", "/etc/alternatives")
            made.install(ROOT / "agent")
            shutil.copytree(weights.fetched() / FOLDER, made.root / "opt/taimat/versions/0.1.0/libraries" / FOLDER)
            look = ShownLook(info=info, packets=list(packets[:3]), box=Box(0.3, 0.3, 0.3, 0.4))
            (made.root / QUESTION.lstrip("/")).write_bytes(label_message(LabelQuestion(looks=[look, look])))
            made.enable("label-taimat.socket", "taimat.target")
            made.boot()
            yield made
    except (NoMachine, weights.NoWeights) as reason:
        pytest.skip(str(reason))


def asked(machine: Machine, user: str) -> str:
    """What that user gets."""
    return machine.run("runuser", "-u", user, "--", "env", "PYTHONPATH=/opt/taimat/current", PYTHON, "-P", "-c", ASK,
                       check=False)


def test_capture_gets_a_word_and_the_process_is_gone_with_it(machine: Machine) -> None:
    machine.until("label-taimat.socket", "ActiveState", "active")
    for _ in range(2):
        word, score = json.loads(asked(machine, "taimat-capture") or "null") or pytest.fail(machine.journal())
        assert word == "nothing" and 0 <= score < 0.5
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend") == ""


def test_nobody_else_may_ask(machine: Machine) -> None:
    for user in ("taimat-web", "taimat-link", "nobody"):
        assert asked(machine, user) == ""
