"""How a device joins a ward: the bundle on its card, and the messages between it and the ward's door. Pure.

The claim is a secret that works once. The device makes its own key, and the key never leaves the device.
"""
import hashlib
import re
import tomllib
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.core.contract.ulid import ALPHABET

CLAIM_RANDOM_B = 16             # 128 bits, written as 26 letters and digits of Crockford's base 32
CLAIM_N = 26
ENROL_PATH, RENEW_PATH, READY_PATH = "/enrol", "/renew", "/ready"
BUNDLE_FOLDER, BUNDLE_FILE = "taimat", "enrol.toml"         # on the card's boot partition
CODE_FILE, CARD_FILE = "taimat-code.txt", "card.toml"       # beside the bundle, if the ward has made it
BUNDLE_B_MAX = 32_768
ID_DIGITS_N = 12
_Kind = TypeVar("_Kind", bound=Struct)
NAMED = re.compile(r"`(?:\$\.)?(\w+)`\Z")             # the key that a message of msgspec names: at `$.claim`
_UNPRINTED = r"\x00-\x1f\x7f-\x9f\u2028\u2029"              # these would break a line of a list, or a terminal

Serial = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,32}\Z", description="letters, digits and '-', at most 32")]
Site = Annotated[str, Meta(max_length=64, pattern=rf"^[^{_UNPRINTED}]*\Z")]
DeviceId = Annotated[str, Meta(pattern=rf"^c-[0-9a-f]{{{ID_DIGITS_N}}}\Z")]
ClaimCode = Annotated[str, Meta(pattern=rf"^[{ALPHABET}]{{{CLAIM_N}}}\Z")]
Pem = Annotated[str, Meta(max_length=16_384)]
Port = Annotated[int, Meta(ge=1, le=65535)]

RefusalCode = Literal["claim_unknown", "claim_used", "claim_expired", "claim_revoked", "bad_csr", "bad_request",
                      "not_yours", "revoked", "busy", "fault"]


class BundleError(ValueError):
    """The text is not a valid bundle or card file. The message is one line."""


class Bundle(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The file that the ward puts on a device's card, as TOML. Whoever has it can enrol once in the device's place."""

    v: Literal[1] = 1
    ward: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,23}\Z")]
    ward_name: Annotated[str, Meta(max_length=80, pattern=rf"^[^{_UNPRINTED}]*\Z")] = ""      # "Phường Bến Nghé"
    host: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.:-]{1,253}\Z")]     # "Phường Bến Nghé"
    broker_port: Port = 8883
    enrol_port: Port = 8444
    door_port: Port = 8443
    roots: Pem                      # of broker and doors, as in their certificates
    claim: ClaimCode
    until_ms: int                   # end of the claim, UTC; the ward's clock decides
    serial: Serial
    site: Site = ""
    title: Annotated[str, Meta(max_length=40, pattern=rf"^[^{_UNPRINTED}]*\Z")] = ""        # of the recorder
    join: bool = False              # a camera of the ward's own: no household is asked


class CardSettings(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Settings for the card's other files, as TOML beside the bundle. The device itself does not read them."""

    hostname: Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")]
    wifi: Annotated[str, Meta(max_length=32, pattern=rf"^[^{_UNPRINTED}]*\Z")] = ""          # "": a cable
    wifi_password: Annotated[str, Meta(max_length=64, pattern=rf"^[^{_UNPRINTED}]*\Z")] = ""
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")] = "VN"                            # of its Wi-Fi radio
    timezone: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+/-]{1,64}\Z")] = "Asia/Ho_Chi_Minh"
    board: Annotated[str, Meta(pattern=r"^[a-z0-9]{0,8}\Z")] = ""                           # as in core.card: "pi02"
    sensor: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,32}\Z")] = ""                        # of a camera on the board


class EnrolAsk(Struct, kw_only=True, frozen=True):
    """POST /enrol."""

    claim: ClaimCode
    csr: Pem
    serial: Serial
    board: Annotated[str, Meta(max_length=64)] = ""
    agent: Annotated[str, Meta(max_length=32)] = ""


class RenewAsk(Struct, kw_only=True, frozen=True):
    """POST /renew, with the certificate that is still good."""

    csr: Pem


class Grant(Struct, kw_only=True, frozen=True):
    """The answer 200 to both."""

    dev: DeviceId
    chain: Pem                      # the device's certificate, then the issuing CA's
    roots: Pem                      # all that are valid now
    command_key: Pem                # the ward's public command keys, the current one first


class Ready(Struct, kw_only=True, frozen=True):
    """POST /ready: whether the installed device works. It is sent until everything works, and then never again."""

    camera: bool
    card: bool
    clock: bool
    broker: bool
    why: Annotated[dict[str, Annotated[str, Meta(max_length=200)]], Meta(max_length=8)] = {}     # for the technician

    @property
    def is_green(self) -> bool:
        return self.camera and self.card and self.clock and self.broker


class Refused(Struct, kw_only=True, frozen=True):
    """The answer if the ward refuses, 4xx and 5xx."""

    code: RefusalCode
    text: str = ""                  # what a person can do about it


def device_id(public_key_der: bytes) -> str:
    """Returns the id of a device from its first public key (SubjectPublicKeyInfo, DER). The id stays if keys change."""
    return "c-" + hashlib.sha256(public_key_der).hexdigest()[:ID_DIGITS_N]


def claim_digest(claim: str) -> str:
    """Returns the SHA-256 of a claim in hex, which the ward stores. 128 random bits need no salt."""
    return hashlib.sha256(claim.encode()).hexdigest()


def parse_bundle(text: str) -> Bundle:
    """Reads a bundle from TOML. Raises BundleError."""
    return _parse(text, Bundle)


def parse_card(text: str) -> CardSettings:
    """Reads the card's settings from TOML. Raises BundleError."""
    return _parse(text, CardSettings)


def _parse(text: str, kind: type[_Kind]) -> _Kind:
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise BundleError(f"{_place(text, str(error))}{error}; the ward makes it anew: taimat ward enrol --again SERIAL"
                          ) from error


def _place(text: str, said: str) -> str:
    if named := NAMED.search(said):
        for number, line in enumerate(text.split("\n"), 1):
            if line.partition("=")[0].strip() == named[1]:
                return f"line {number}: "
    return ""
