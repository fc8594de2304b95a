"""Addresses of this machine: which are its own loopback, and where others of the network reach it."""
import ipaddress
import socket

NOT_A_HOST = ("192.0.2.1", 9)       # RFC 5737: asking the kernel for the way there sends nothing
ANYWHERE = ("0.0.0.0", "::")


def is_loopback_address(address: str) -> bool:
    """Whether it is an IP address of the machine's own loopback, as IPv4, IPv6, or one in the other."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def primary_address() -> str | None:
    """This machine's address in its network (IPv4), or None while it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(NOT_A_HOST)
        except OSError:
            return None
        return str(probe.getsockname()[0])


def phone_address(listen: str, port: int, encrypted: bool) -> str | None:
    """Where a phone in the same network finds what listens at `listen`, or None."""
    if is_loopback_address(listen):
        return None
    host = primary_address() if listen in ANYWHERE else listen
    if host is None:
        return None
    return f"{'https' if encrypted else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
