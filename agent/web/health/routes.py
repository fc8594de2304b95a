"""The addresses of the health pages."""
from starlette.routing import Route

from agent.web.health.health_page import HealthPage
from agent.web.server.parts import PageParts


def health_routes(parts: PageParts) -> list[Route]:
    health = HealthPage(parts)
    return [Route("/health", health.show), Route("/health/month", health.show), Route("/health.json", health.json)]
