"""A container's health check: every role that the configuration asks for runs, and the page answers.

It opens no camera. A camera without a picture is on the page; a restart of the container would not help.
"""
import http.client
import ssl
import sys
from pathlib import Path

from agent.cli.processes import at_work
from agent.config.derived import units
from agent.config.load import DEFAULT_PATH, ConfigError, load
from agent.config.settings import Web

ANSWER_S = 5.0


def fault() -> str:
    """Returns what is wrong, or ""."""
    try:
        settings = load(DEFAULT_PATH)
    except ConfigError as error:
        return str(error)
    missing = sorted(units(settings).keys() - at_work(Path(settings.store.folder)).keys())
    if missing:
        return f"not running: {', '.join(missing)}"
    return _page_fault(settings.web) if settings.web.enabled else ""


def _page_fault(web: Web) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE      # its own certificate, on our loopback
    page = (http.client.HTTPSConnection("127.0.0.1", web.port, timeout=ANSWER_S, context=context) if web.tls else
            http.client.HTTPConnection("127.0.0.1", web.port, timeout=ANSWER_S))
    try:
        page.request("GET", "/app.webmanifest")
        status = page.getresponse().status
    except OSError as error:
        return f"the page does not answer: {error}"
    finally:
        page.close()
    return "" if status < http.client.INTERNAL_SERVER_ERROR else f"the page answers {status}"


if __name__ == "__main__":
    found = fault()
    print(found or "ok")
    sys.exit(bool(found))
