"""The device service: its clock, where its other services are, and who made it. ONVIF Core Specification, 8."""
from datetime import UTC, datetime

from agent.core.protocols.onvif.soap import DEVICE, MEDIA1, SoapRequest
from agent.core.protocols.onvif.tree import Node

GET_CLOCK = SoapRequest(DEVICE, "GetSystemDateAndTime")
GET_SERVICES = SoapRequest(DEVICE, "GetServices", "<IncludeCapability>false</IncludeCapability>")
GET_CAPABILITIES = SoapRequest(DEVICE, "GetCapabilities", "<Category>All</Category>")
GET_INFORMATION = SoapRequest(DEVICE, "GetDeviceInformation")


def clock(answer: Node) -> datetime | None:
    """The device's own time (UTC); None where it does not tell."""
    told = answer.find("SystemDateAndTime", "UTCDateTime") or Node("", "", {})
    date = [told.whole("Date", part) or 0 for part in ("Year", "Month", "Day")]        # no date has a 0
    time = [told.whole("Time", part) or 0 for part in ("Hour", "Minute", "Second")]
    try:
        return datetime(date[0], date[1], date[2], time[0], time[1], time[2], tzinfo=UTC)
    except ValueError:
        return None


def services(answer: Node) -> dict[str, str]:
    """Addresses by the namespace of the service."""
    return {each.raw("Namespace"): each.raw("XAddr") for each in answer.all("Service")}


def capabilities(answer: Node) -> dict[str, str]:
    """The services' addresses by the older question, which knows the first media service alone."""
    media = answer.raw("Capabilities", "Media", "XAddr")
    return {MEDIA1: media} if media else {}


def maker_and_model(answer: Node) -> tuple[str, str]:
    """Who made it, and what it is called there."""
    return answer.word("Manufacturer"), answer.word("Model")
