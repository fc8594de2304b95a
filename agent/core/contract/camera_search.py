"""The page's search for network cameras: what it asks of a process of its own, and what comes back. Pure.

One JSON object each way, on the process's standard input and output; passwords are in both.
"""
from typing import Literal

from msgspec import Struct

ANSWER_B_MAX = 262_144
AT_N_MAX = 300


class CameraQuestion(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """Where to look, and as whom."""

    at: str = ""                    # an address, ADDRESS:PORT or the URL of a stream; "": the networks we are in
    user: str = ""
    password: str = ""
    known: list[tuple[str, str]] = []       # name and source of the configured cameras


class SeenCamera(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """One camera, or what may be one."""

    address: str
    kind: str = ""                  # maker and model
    own_name: str = ""              # as the household called it in the camera
    channel: int = 0                # of a machine that has several, from 1
    source: str = ""                # as in the configuration; "" until it is ready
    sub: str = ""
    width: int = 0                  # of the main stream, pixels; 0: not known
    height: int = 0
    locked: bool = False            # it asks for a user and a password
    ready: bool = False             # its main stream was seen to be there
    advice: list[str] = []          # for a technician, in English
    camera: str = ""                # the configured camera that it is; "": none


class SearchAnswer(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What was found, or why nothing was looked for."""

    cameras: list[SeenCamera] = []
    problem: Literal["", "no_network", "no_such_address"] = ""
