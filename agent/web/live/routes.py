"""The addresses of the live pages: home, a camera's own page, its stream, its pause."""
from starlette.routing import Route

from agent.web.live.pages import LivePages
from agent.web.live.streams import LiveHandlers, LiveStreams
from agent.web.server.parts import PageParts


def live_routes(parts: PageParts, streams: LiveStreams) -> list[Route]:
    pages, views = LivePages(parts), LiveHandlers(parts, streams)
    return [
        Route("/", pages.home),
        Route("/live/{camera}.mp4", views.stream),
        Route("/snapshot/{camera}.jpg", views.snapshot),
        Route("/live/{camera}", pages.live),
        Route("/pause", pages.pause, methods=["POST"]),
    ]
