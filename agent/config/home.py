"""What no single key of `[home]` shows: it needs a broker, and that must not be the ward's."""
from collections.abc import Iterator

from agent.config.settings import Settings

THIS_MACHINE = ("localhost", "127.0.0.1", "::1", "ip6-localhost")


def faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """What is wrong: the key in `[home]`, and the remedy."""
    home, ward = settings.home, settings.ward
    if home.enabled and not home.host:
        yield "host", "is missing: it takes the address of the household's own broker, as in \"192.168.1.20\""
    if home.enabled and ward.enabled and _where(home.host, home.port) == _where(ward.host, ward.port):
        yield "host", ("is the ward's broker ([ward] host and port), and what is for the household must not go there: "
                       "name the household's own")
    if home.user and not home.password_file:
        yield "user", "needs password_file: a file that holds the password alone, readable by the link role only"


def _where(host: str, port: int) -> tuple[str, int]:
    """The same for two ways to write one place, as far as that can be told without asking anybody."""
    plain = host.lower().rstrip(".")
    return ("localhost" if plain in THIS_MACHINE else plain), port
