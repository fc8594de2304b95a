"""The page as an app on a phone's home screen: its manifest, its service worker, and the page of a lost connection.

The phone asks for these by itself; no page of a visitor's is among them.
"""
import json

from starlette.requests import Request
from starlette.responses import Response

from agent.config.settings import Settings
from agent.web.render import Renderer

GROUND = "#f7f5f0"
WORKER = "worker.js"


class AppShell:
    """The handlers of what makes an app of the page."""

    def __init__(self, settings: Settings, renderer: Renderer) -> None:
        self._place = settings.device.title or settings.device.site
        self._renderer = renderer

    async def manifest(self, request: Request) -> Response:
        """/app.webmanifest: what a phone has to know to keep the page as an app."""
        said = self._renderer.words(request)
        icons = [{"src": self._renderer.address(name), "sizes": sizes, "type": kind, "purpose": purpose}
                 for name, sizes, kind, purpose in (
                     ("icon-192.png", "192x192", "image/png", "any"),
                     ("icon-512.png", "512x512", "image/png", "maskable"),
                     ("mark.svg", "any", "image/svg+xml", "any"))]
        told = {"name": self._place or said("site.name"), "short_name": self._place or said("site.name"),
                "lang": said.language, "id": "/", "start_url": "/", "scope": "/", "display": "standalone",
                "background_color": GROUND, "theme_color": GROUND, "icons": icons}
        return Response(json.dumps(told, ensure_ascii=False), media_type="application/manifest+json")

    async def worker(self, request: Request) -> Response:
        """/worker.js: the service worker, which stands above all addresses and so may serve any of them."""
        return self._renderer.file(WORKER, "no-cache")

    async def offline(self, request: Request) -> Response:
        """/offline: what the service worker shows when the recorder does not answer. It tells nothing of the house."""
        return self._renderer.page(request, "offline.html", bare=True)
