"""The addresses of pairing."""
from starlette.routing import Route

from agent.web.pairing.pair import PairPage
from agent.web.server.parts import PageParts, form_routes


def pairing_routes(parts: PageParts) -> list[Route]:
    pages = PairPage(parts)
    return [
        *form_routes("/pair", pages.show, pages.pair),
        Route("/enter/{link}", pages.enter),
        *form_routes("/browsers", pages.browsers, pages.change),
    ]
