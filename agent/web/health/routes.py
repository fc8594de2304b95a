"""The addresses of the health pages."""
from starlette.routing import Route

from agent.web.health.health_page import HealthPage
from agent.web.server.parts import PageParts


def health_routes(parts: PageParts) -> list[Route]:
    seen = HealthPage(parts)
    return [
        Route("/health", seen.day),
        Route("/health/month", seen.month),
        Route("/health.json", seen.told),
    ]
