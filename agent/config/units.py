"""The processes that a configuration asks for."""
from agent.config.settings import Settings
from agent.config.source import NETWORK, parse_source


def units(settings: Settings) -> dict[str, str]:
    """Unit -> role: network cameras and files share one capture process, every other camera has its own."""
    found = {}
    for camera in settings.camera:
        if camera.enabled:
            shared = parse_source(camera.source).scheme in (*NETWORK, "file")
            found["capture@network" if shared else f"capture@{camera.name}"] = "capture"
    return {**found, "keeper": "keeper", "link": "link", **({"web": "web"} if settings.web.enabled else {})}
