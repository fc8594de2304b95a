"""Delivers one notification in a process of its own: `python -m agent.link.notify_send`.

Apprise takes 50 MB, which the link would otherwise keep until its end.
"""
import logging
import os
import re
import sys

import msgspec

from agent.core.contract.helper_messages import NotificationSent, SendNotification
from agent.host.prctl import die_with_parent

PATIENCE_S = 60.0           # a Zero needs eight seconds to load Apprise, and a picture its time on a slow line
PICTURE, JPEG = "event.jpg", "image/jpeg"
STATUS = re.compile(r"error=(\d{3})|Socket Exception: \((\d{3}),")      # of HTTP, and of SMTP
REFUSED = range(400, 500)
SMTP_REFUSED = range(500, 600)
NO_ANSWER = re.compile(r"Connection error|Socket Exception|timed out", re.IGNORECASE)

_log = logging.getLogger(__name__)


def send(message: SendNotification) -> NotificationSent:
    """Delivers the message by a process, which is killed after PATIENCE_S. Returns the outcome."""
    import subprocess
    try:
        done = subprocess.run([sys.executable, "-m", __name__], input=msgspec.json.encode(message),
                              stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True)
        return msgspec.json.decode(done.stdout, type=NotificationSent)
    except subprocess.TimeoutExpired:
        return NotificationSent(fault="unreachable")
    except (OSError, subprocess.CalledProcessError, msgspec.DecodeError) as error:
        _log.error("the process that delivers notifications failed: %s", type(error).__name__)
        return NotificationSent(fault="failed")


class ApprisesLog(logging.Handler):
    """Keeps the lines that Apprise logs, because its answer is only yes or no."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def deliver(message: SendNotification) -> NotificationSent:
    """Delivers the message in this process."""
    try:
        import apprise
        from apprise.attachment.file import AttachFile
    except ImportError:
        return NotificationSent(fault="not_installed")
    kept, log = ApprisesLog(), logging.getLogger("apprise")
    log.handlers, log.propagate = [kept], False
    log.setLevel(logging.DEBUG)
    # Without Apprise's own pictures, which a phone would fetch from elsewhere.
    asset = apprise.AppriseAsset(app_id="Taimat", app_desc="Taimat", app_url="", image_url_mask="", image_url_logo="",
                                 async_mode=False)
    target = apprise.Apprise(asset=asset)
    if not target.add(message.url):
        return NotificationSent(fault="bad_address")
    for service in target:
        service.socket_connect_timeout = service.socket_read_timeout = message.within_s
    picture = AttachFile(_in_memory(message.jpeg), name=PICTURE, mimetype=JPEG) if message.jpeg else None
    if target.notify(title=message.title, body=message.body, attach=picture):
        return NotificationSent()
    return judged("\n".join(kept.lines))


def _in_memory(data: bytes) -> str:
    """Returns the path of a file in memory: Debian's Apprise opens the picture of an e-mail only by its path."""
    handle = os.memfd_create(PICTURE)
    os.write(handle, data)
    return f"/proc/self/fd/{handle}"


def judged(text: str) -> NotificationSent:
    """Returns the fault, judged by Apprise's log."""
    if found := STATUS.search(text):
        status = int(found[1] or found[2])
        refused = status in (REFUSED if found[1] else SMTP_REFUSED) and status != 429      # too many requests
        return NotificationSent(fault="refused" if refused else "failed", status=status)
    return NotificationSent(fault="unreachable" if NO_ANSWER.search(text) else "failed")


def main() -> int:
    die_with_parent()
    message = msgspec.json.decode(sys.stdin.buffer.read(), type=SendNotification)
    sys.stdout.buffer.write(msgspec.json.encode(deliver(message)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
