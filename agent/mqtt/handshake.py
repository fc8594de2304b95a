"""Tests whether a broker accepts a certificate, by TLS only, because a second session would end the first one."""
import contextlib
import socket
import ssl

from agent.mqtt.fault import of_error

CONNECT_S = 8.0
ALERT_WAIT_S = 0.5          # TLS 1.3 refuses a client's certificate only after the handshake


def shake_hands(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    """Connects and waits for a refusal; returns the TLS version, "" without TLS. Raises LinkFault."""
    try:
        with socket.create_connection((host, port), CONNECT_S) as plain:
            if tls is None:
                return ""
            with tls.wrap_socket(plain, server_hostname=host) as secure:
                secure.settimeout(ALERT_WAIT_S)
                with contextlib.suppress(TimeoutError):
                    secure.recv(1)
                return secure.version() or ""
    except OSError as error:
        raise of_error(error, f"{host}:{port}", tls is not None) from error
