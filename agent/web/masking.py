"""What a camera's page tells of its privacy masks: who hides how many areas, and where, if the camera does it. Pure."""
from dataclasses import dataclass

from agent.config.privacy import declared
from agent.config.settings import Camera
from agent.core.health.report import Report


@dataclass(frozen=True, slots=True)
class Masking:
    """A camera's masks. Areas that we paint are black in the picture and need no drawing."""

    areas_n: int
    by_camera: bool                 # so the household has declared
    outlines: list[str]             # of its areas, as the points of an SVG polygon
    width: int
    height: int


def masks(camera: Camera, report: Report | None) -> Masking | None:
    """None without masks; outlines only once the picture's size is known."""
    if not camera.masks:
        return None
    facts = next((each for each in report.cameras if each.camera == camera.name), None) if report else None
    width, height = (facts.width or 0, facts.height or 0) if facts else (0, 0)
    drawn = camera.masks if declared(camera) and width and height else []
    outlines = [" ".join(f"{x * width:.0f},{y * height:.0f}" for x, y in area) for area in drawn]
    return Masking(len(camera.masks), declared(camera), outlines, width, height)
