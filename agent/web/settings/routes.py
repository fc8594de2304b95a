"""The addresses of settings: cameras and their pictures, the recorder, its first steps."""
from starlette.routing import Route

from agent.web.server.parts import PageParts, form_routes
from agent.web.settings import pages
from agent.web.settings.cameras import CameraSearch, CamerasPage
from agent.web.settings.notify_page import NotifyForm, NotifyPage
from agent.web.settings.picture import PicturePage


def settings_routes(parts: PageParts) -> list[Route]:
    seen, hub, steps = CamerasPage(parts, CameraSearch(parts)), pages.SettingsHub(parts), pages.SetupPages(parts)
    phones, drawn = NotifyPage(parts), PicturePage(parts)
    forms = {"/settings/recording/{camera}": pages.RecordingSettings, "/settings/retention": pages.RetentionSettings,
             "/settings/device": pages.DeviceSettings, "/settings/afar": pages.AfarSettings,
             "/settings/home": pages.HomeBrokerPage, "/settings/notify/{n:int}": NotifyForm}
    return [
        *form_routes("/cameras", seen.show, seen.add),
        Route("/search", seen.look, methods=["POST"]),
        *form_routes("/cameras/{camera}", seen.one, seen.change),
        *form_routes("/cameras/{camera}/picture", drawn.show, drawn.change),
        Route("/cameras/{camera}/rehearsal/{n:row}.jpg", drawn.rehearsal_picture),
        Route("/cameras/{camera}/looks", drawn.watch),
        Route("/busy/forget", drawn.forget_busy, methods=["POST"]),
        *form_routes("/setup", steps.show, steps.finish),
        Route("/setup/device", steps.set_device, methods=["POST"]),
        Route("/setup/name", steps.show),
        Route("/setup/cameras", seen.show),
        Route("/setup/sharing", steps.show),
        Route("/setup/done", steps.show),
        Route("/settings", hub.show),
        Route("/settings/undo", hub.undo, methods=["POST"]),
        *(route for path, kind in forms.items() for form in (kind(parts),)
          for route in form_routes(path, form.show, form.save)),
        Route("/settings/notify", phones.show, methods=["GET"]),
        Route("/settings/notify/try", phones.attempt, methods=["POST"]),
    ]
