"""Makes the page's certificate and key: `python -m agent.web.server.certificate FOLDER ADDRESS`.

This is a process of its own, because the cryptography library would stay in the page's memory for good.
"""
import ipaddress
import os
import socket
import sys
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.host.files import write_durably
from agent.store.identity import CERTIFICATE, KEY

# Fixed, because a recorder may have no clock. Hardware does not outlive these dates.
BEGIN, END = datetime(2020, 1, 1), datetime(2049, 12, 31)


def make(folder: Path, address: str) -> None:
    """Writes key and certificate. The certificate is for this machine's names and `address`, if any. Raises OSError."""
    key, host = ec.generate_private_key(ec.SECP256R1()), socket.gethostname()
    # The serial makes the name unique: browsers take two certificates of one issuer for a fault.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Taimat {os.urandom(4).hex()}")])
    names = [x509.DNSName(dns) for dns in (host, f"{host}.local", "localhost")]
    ips = [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(BEGIN).not_valid_after(END)
        .add_extension(x509.SubjectAlternativeName([*names, *ips]), critical=False)
        # It is no authority: a thief of the key can't make certificates of other sites for browsers that trust it.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256()))
    write_durably(folder / KEY, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    write_durably(folder / CERTIFICATE, certificate.public_bytes(Encoding.PEM), mode=0o640)


if __name__ == "__main__":
    make(Path(sys.argv[1]), sys.argv[2])
