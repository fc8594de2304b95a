"""`taimat run` at SIGHUP: the captures are told, roles come and go, and whom nothing concerns goes on."""
import re
import signal
from pathlib import Path

from tests.process.agent import Agent, config
from tests.rigs.wait import until

USB = '[[camera]]\nname = "side"\nsource = "v4l2:/dev/no-such-camera"\n'


def open_clip(agent: Agent) -> Path | None:
    """The file that is being written."""
    return next(agent.folders.clips.glob("*/*.part"), None)


def test_sighup_reaches_those_that_it_concerns(tmp_path: Path):
    agent = Agent(tmp_path, config())
    good = agent.path.read_text()
    with agent:
        capture = until(lambda: agent.pids().get("capture"), "a capture process")
        agent.process.send_signal(signal.SIGHUP)                    # it does not listen yet
        clip = until(lambda: open_clip(agent), "it records")
        before = until(lambda: len(pids := agent.pids()) == 4 and pids, "all roles run")
        assert before["capture"] == capture
        agent.path.write_text(good.replace("loop", "lop"))
        agent.process.send_signal(signal.SIGHUP)
        until(lambda: "the settings stay as they were" in agent.log, "the capture has read it, too")
        assert agent.pids() == before and open_clip(agent) == clip
        agent.path.write_text(good.replace("[web]", f"{USB}[web]\nenabled = false"))
        agent.process.send_signal(signal.SIGHUP)
        until(lambda: "side: " in agent.log, "the new camera's process is at work")
        until(lambda: "web" not in agent.pids(), "the page has gone")
        assert open_clip(agent) == clip and Path(f"/proc/{capture}").exists()
        assert agent.interrupt()[0] == 0
        assert not re.search(r"Traceback|starting it again", agent.log)
