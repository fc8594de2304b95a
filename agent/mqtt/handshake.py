"""Whether a broker takes a certificate: TLS and no more, for a second session would throw the first one out."""
import socket
import ssl

from agent.mqtt.fault import of_error

CONNECT_S = 8.0
ALERT_WAIT_S = 0.5          # TLS 1.3 refuses a client's certificate only after the handshake


def shake_hands(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    """Connect, and hear whether we are refused; returns the version of TLS, "" without. Raises LinkFault."""
    try:
        with socket.create_connection((host, port), CONNECT_S) as plain:
            if tls is None:
                return ""
            with tls.wrap_socket(plain, server_hostname=host) as secure:
                secure.settimeout(ALERT_WAIT_S)
                _hear_alert(secure)
                return secure.version() or ""
    except OSError as error:
        raise of_error(error, f"{host}:{port}", tls is not None) from error


def _hear_alert(secure: ssl.SSLSocket) -> None:
    try:
        secure.recv(1)
    except TimeoutError:
        return
