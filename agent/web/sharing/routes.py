"""The addresses of what leaves the house, and of the notice for visitors."""
from starlette.routing import Route

from agent.web.recordings.films import Films
from agent.web.server.parts import PageParts, form_routes
from agent.web.sharing.export import ExportPage
from agent.web.sharing.requests import RequestsPage
from agent.web.sharing.sharing_page import SharingPage


def sharing_routes(parts: PageParts, films: Films) -> list[Route]:
    exporting, asked = ExportPage(parts), RequestsPage(parts, films)
    sharing = SharingPage(parts, asked)
    return [
        *form_routes("/handout", exporting.show, exporting.make),
        *form_routes("/sharing", sharing.show, sharing.change),
        *form_routes("/sharing/join", sharing.show, sharing.join),
        *form_routes("/sharing/leave", sharing.show, sharing.leave),
        *form_routes("/requests", asked.show, asked.decide),
        Route("/requests/{n:int}/approve", asked.confirm),
        Route("/notice", sharing.notice),
    ]
