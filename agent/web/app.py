"""The page: the addresses of all rooms, behind one door. The process around it is in main.py."""
from starlette.types import ASGIApp

from agent.web.health.routes import health_routes
from agent.web.live.routes import live_routes
from agent.web.live.streams import LiveStreams
from agent.web.pairing.routes import pairing_routes
from agent.web.recordings.routes import Films, recording_routes
from agent.web.server.parts import PageParts
from agent.web.server.routes import behind_door, server_routes
from agent.web.settings.routes import settings_routes
from agent.web.sharing.routes import sharing_routes


def build(parts: PageParts, streams: LiveStreams) -> ASGIApp:
    films = Films(parts)
    return behind_door(parts, [
        *live_routes(parts, streams), *recording_routes(parts, films), *sharing_routes(parts, films),
        *health_routes(parts), *settings_routes(parts), *pairing_routes(parts), *server_routes(parts)])
