"""The device service: its clock, the addresses of its other services, and its maker. ONVIF Core Specification, 8."""
from datetime import UTC, datetime

from agent.core.protocols.onvif.soap import DEVICE, MEDIA1, SoapRequest
from agent.core.protocols.onvif.tree import Node

GET_CLOCK = SoapRequest(DEVICE, "GetSystemDateAndTime")
GET_SERVICES = SoapRequest(DEVICE, "GetServices", "<IncludeCapability>false</IncludeCapability>")
GET_CAPABILITIES = SoapRequest(DEVICE, "GetCapabilities", "<Category>All</Category>")
GET_INFORMATION = SoapRequest(DEVICE, "GetDeviceInformation")


def clock(answer: Node) -> datetime | None:
    """Returns the device's own time (UTC); None if it is missing."""
    utc = answer.find("SystemDateAndTime", "UTCDateTime") or Node("", "", {})
    date = [utc.whole("Date", part) or 0 for part in ("Year", "Month", "Day")]        # no date has a 0
    time = [utc.whole("Time", part) or 0 for part in ("Hour", "Minute", "Second")]
    try:
        return datetime(date[0], date[1], date[2], time[0], time[1], time[2], tzinfo=UTC)
    except ValueError:
        return None


def services(answer: Node) -> dict[str, str]:
    """Returns addresses by the namespace of the service."""
    return {each.raw("Namespace"): each.raw("XAddr") for each in answer.all("Service")}


def capabilities(answer: Node) -> dict[str, str]:
    """Returns addresses from the older message, which has only the first media service."""
    media = answer.raw("Capabilities", "Media", "XAddr")
    return {MEDIA1: media} if media else {}


def maker_and_model(answer: Node) -> tuple[str, str]:
    """Returns the maker and the model."""
    return answer.word("Manufacturer"), answer.word("Model")
