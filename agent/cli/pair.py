"""`taimat pair`: what a phone of the household needs to open the page."""
import segno

from agent.cli.options import Config
from agent.cli.place import open_store
from agent.cli.terminal import console
from agent.core.household.access import grouped
from agent.host.address import phone_address
from agent.store.browsers import pairing_code


def pair(config: Config = None) -> None:
    """Show the code (and a QR code) with which a phone of the household opens the page."""
    settings, _, db = open_store(config)
    code, address, out = grouped(pairing_code(db)), phone_address(settings.web.listen, settings.web.port), console()
    if address is not None and out.is_terminal:
        segno.make(address, micro=False).terminal(compact=True, border=2)
    if not settings.web.enabled:
        out.print("The page is switched off: set \\[web] enabled = true.", soft_wrap=True)
    elif address is None:
        out.print(f"The page is open on this machine only: http://{settings.web.listen}:{settings.web.port}\n"
                  "For phones in your network set \\[web] listen = \"0.0.0.0\" and start Taimat again.", soft_wrap=True)
    else:
        out.print(f"1. Open on the phone:  [bold]{address}[/bold]", soft_wrap=True)
    told = "2. Enter the code" if address else "Pairing code"
    out.print(f"{told}:     [bold cyan]{code}[/bold cyan]", soft_wrap=True)
