"""The exchange of a device and the ward's intake over HTTPS: the announcement of an upload, and its receipt.

The upload itself is tus 1.0.0 (core, creation, checksum, termination): docs/design/evidence.md.
"""
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.core.contract.wire.inbound import BadPayload, Seq, Ulid, UtcMs, Word

TUS = "1.0.0"
PIECE_B = 1 << 20               # of one PATCH: after a break at most this is sent again
RECEIPT_B = 4096                # the largest receipt
REQUEST, KIND, SHA256, MANIFEST = "request", "kind", "sha256", "manifest"      # keys of Upload-Metadata

Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Receipt(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """The intake confirms that it has a whole and checked upload. `sig` is made like a command's."""

    request: Ulid
    dev: Word
    sha256: Digest                      # of the whole upload
    bytes: Seq
    ts: UtcMs                           # when, by the intake's clock
    manifest: Digest | None = None      # SHA-256 of the export's manifest; absent for a snapshot
    kid: Word | None = None
    sig: Annotated[str, Meta(max_length=128)] | None = None
    v: int = 1


def receipt(payload: bytes) -> Receipt:
    """Decodes the receipt in an intake's answer, without verifying it. Raises BadPayload."""
    if len(payload) > RECEIPT_B:
        raise BadPayload("too large")
    try:
        return msgspec.json.decode(payload, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadPayload("no receipt") from None
