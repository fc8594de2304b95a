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


def phone_address(listen: str, port: int) -> str | None:
    """Where a phone in the same network finds what listens at `listen`, or None."""
    if is_loopback_address(listen):
        return None
    host = listen
    if host in ANYWHERE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(NOT_A_HOST)
            except OSError:
                return None
            host = probe.getsockname()[0]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
