"""The addresses of recordings, for people and for programs."""
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from agent.web.recordings.day import EventPage, RecordingsPage
from agent.web.recordings.films import Films
from agent.web.recordings.media import MediaFiles
from agent.web.recordings.preview import Previews
from agent.web.recordings.span import SpanPage
from agent.web.server.parts import PageParts, form_routes


def recording_routes(parts: PageParts, films: Films) -> list[Route]:
    days, spans, media = RecordingsPage(parts, films), SpanPage(parts), MediaFiles(parts)
    event, previews = EventPage(parts, films), Previews(parts, films)
    return [
        Route("/events", _to_recordings),
        Route("/recordings", days.show),
        Route("/recordings/month", days.month),
        Route("/recordings/seen", days.mark_seen, methods=["POST"]),
        *form_routes("/recordings/span", spans.show, spans.act),
        *form_routes("/recordings/kept", spans.kept, spans.release),
        Route("/events/{event_id:row}.mp4", event.film),
        Route("/events/{event_id:row}.json", event.film_list),
        Route("/events/{event_id:row}", event.show),
        Route("/film/{camera}.mp4", event.film),
        Route("/film/{camera}.json", event.film_list),
        Route("/preview/{camera}.json", previews.ask, methods=["POST"]),
        Route("/preview/{camera}.mp4", previews.copy),
        Route("/clips/{name}.mp4", media.clip),
        Route("/thumbs/{event_id:row}.jpg", media.thumb),
        Route("/thumbs/{event_id:row}-small.jpg", media.small),
        Route("/events.json", event.feed),
    ]


async def _to_recordings(request: Request) -> Response:
    """/events was the list of events; old addresses lead to the days."""
    asked = urlencode({key: value for key, value in request.query_params.items() if key == "camera"})
    return RedirectResponse(f"/recordings?{asked}" if asked else "/recordings", 303)
