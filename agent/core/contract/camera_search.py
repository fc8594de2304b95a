"""The page's search for network cameras: the question to a process of its own, and its answer. Pure.

One JSON object each way, on the process's standard input and output. Both contain passwords.
"""
from typing import Literal

from msgspec import Struct

ANSWER_B_MAX = 262_144
AT_N_MAX = 300


class CameraQuestion(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where to search, and with which user and password."""

    at: str = ""                    # an address, ADDRESS:PORT or the URL of a stream; "": this machine's networks
    user: str = ""
    password: str = ""
    known: list[tuple[str, str]] = []       # name and source of the configured cameras


class SeenCamera(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """A camera that was found, or an address that may be a camera."""

    address: str
    kind: str = ""                  # maker and model
    own_name: str = ""              # the name that the household gave it in the camera
    channel: int = 0                # of a recorder with several cameras, from 1
    source: str = ""                # as in the configuration; "" until it is ready
    sub: str = ""
    width: int = 0                  # of the main stream, pixels; 0: unknown
    height: int = 0
    locked: bool = False            # it asks for a user and a password
    ready: bool = False             # its main stream was found
    advice: list[str] = []          # for a technician, in English
    camera: str = ""                # the configured camera that it is; "": not configured


class SearchAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The cameras that were found, or why the search did not start."""

    cameras: list[SeenCamera] = []
    problem: Literal["", "no_network", "no_such_address"] = ""
