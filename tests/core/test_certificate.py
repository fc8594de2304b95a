"""The link's own reading of certificates agrees with a real library's, and garbage is garbage."""
import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.delivery.certificate import NotACertificate, read
from tests.rigs.examples import examples

x509 = pytest.importorskip("cryptography.x509")
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from cryptography.x509.oid import NameOID  # noqa: E402

KEY = ec.generate_private_key(ec.SECP256R1())


def make(name: str, not_after: datetime) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "w07"),
                         x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), x509.random_serial_number(), begin, not_after)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


WHOLE = make("c-0123456789ab", datetime(2030, 1, 1, tzinfo=UTC))


@settings(max_examples=examples(30), deadline=None)
@given(st.from_regex(r"\A[a-z0-9-]{1,40}\Z"), st.integers(1, 40_000))
def test_it_reads_name_and_end(name, days):
    end = datetime(2020, 1, 2, tzinfo=UTC) + timedelta(days=days)
    leaf = read(make(name, end))
    assert (leaf.common_name, leaf.not_after) == (name, end)
    key = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert leaf.key_sha256 == hashlib.sha256(key).hexdigest()


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(0, 250), st.integers(0, 255), st.booleans())
def test_what_is_cut_or_bent_is_refused_or_read_but_never_breaks(place, byte, cut):
    bent = WHOLE[:place] if cut else WHOLE[:place] + bytes([byte]) + WHOLE[place + 1:]
    with contextlib.suppress(NotACertificate):
        read(bent)
    if cut:
        with pytest.raises(NotACertificate):
            read(bent)
