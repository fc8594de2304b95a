"""The address that lets one browser in, within a minute: printed by `taimat run`, by the demo and by `taimat pair`."""
from contextlib import closing

from agent.config.settings import Web
from agent.host.address import ANYWHERE, is_loopback_address, phone_address
from agent.host.clock import SystemClock
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders


def page_link(web: Web, folders: Folders) -> str:
    """A new one. Raises StoreError where this user does not own the store."""
    with closing(decisions.connect(folders)) as own:
        return f"{page_address(web)}/enter/{browsers.make_link(own, SystemClock().now())}"


def page_address(web: Web) -> str:
    here = is_loopback_address(web.listen) or web.listen in ANYWHERE
    return f"http://localhost:{web.port}" if here else phone_address(web.listen, web.port, web.tls) or ""
