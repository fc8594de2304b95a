"""What a camera's page tells of its sound: that it is on, or why none is recorded all the same. Pure."""
from agent.config.settings import Camera
from agent.core.health.report import Report
from agent.web.words import Words

SILENT, UNSUPPORTED = ", silent", "unsupported "        # how `CameraFacts.audio` ends or begins then


def told(camera: Camera, report: Report | None, words: Words) -> str:
    """In words; "" for a camera without sound, as they all are unless the household turned it on."""
    if not camera.audio:
        return ""
    facts = next((each for each in report.cameras if each.camera == camera.name), None) if report else None
    if facts is None or facts.audio is None:
        return words("sound.on")
    heard = facts.audio
    if heard.startswith(UNSUPPORTED):
        return words("sound.unsupported", codec=heard.removeprefix(UNSUPPORTED))
    if heard == "none":
        return words("sound.none")
    return words("sound.silent" if heard.endswith(SILENT) and facts.state == "ok" else "sound.on")
