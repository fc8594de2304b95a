"""The page's navigation: its entries in their order. Pure."""
from agent.look.place import Place

PLACES = (
    Place("nav.now", "/", "eye", below=("/live/",)),
    Place("nav.recordings", "/recordings", "film", below=("/recordings/", "/events/", "/clips/")),
    Place("nav.sharing", "/sharing", "share", below=("/sharing/", "/requests", "/handout")),
    Place("nav.health", "/health", "pulse", below=("/health/", "/notice")),
    Place("nav.settings", "/settings", "gear", for_owners=True, below=("/settings/", "/cameras", "/browsers", "/pair")),
)
