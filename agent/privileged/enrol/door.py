"""The ward's door: one question, one answer, over TLS whose authority was on the card."""
import http.client
import ssl
from pathlib import Path

import msgspec

from agent.config.settings import Ward
from agent.core.contract.enrolment import Refused
from agent.host.ward_folder import CERT, KEY, ROOTS
from agent.mqtt import credentials
from agent.mqtt.fault import Audience, LinkFault, of_error

ANSWER_B_MAX = 64 << 10
SILENCE_S = 20.0
FINE = range(200, 300)
WRONG_CA = "the ward's certificate is not signed by the authority on this card: was the card made by this ward?"
DOOR = Audience(texts={
    "dns": "the ward's name is not known: does the network's DNS work?",
    "no_broker": "nothing listens at the ward's door: is its service up?",
    "timeout": "the ward does not answer: is its machine up, and no firewall between?",
    "closed": "the ward has ended the connection", "tls_none": "there is no TLS at the ward's door",
    "tls_not_yet_valid": "the ward's certificate is not yet valid by this machine's clock: has a time server answered?",
    "tls_expired": "the ward's certificate has expired by this machine's clock: is the clock right?",
    "tls_unknown_ca": WRONG_CA, "tls_untrusted": WRONG_CA,
    "tls_name": "the ward's certificate is for another name than the card has",
    "tls_cert_wanted": "the ward's door wants a certificate where it should need none",
    "tls_own_unknown": "the ward's door does not accept this recorder's certificate: was it revoked?"})


class DoorRefused(Exception):
    """The ward has answered, and does not."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.code}: {refused.text}")
        self.code = refused.code


def tls(roots: Path, own: Path | None = None) -> ssl.SSLContext:
    """The context by which the servers under these roots are trusted, with the certificate in the folder `own`.

    Raises LinkFault.
    """
    cert, key = (str(own / CERT), str(own / KEY)) if own else ("", "")
    return credentials.context(Ward(ca=str(roots), cert=cert, key=key))


def tls_of(folder: Path) -> ssl.SSLContext:
    """That of an enrolment: its roots and its certificate. Raises LinkFault."""
    return tls(folder / ROOTS, folder)


def post(host: str, port: int, path: str, question: msgspec.Struct, context: ssl.SSLContext) -> bytes:
    """Ask; returns the answer. Raises DoorRefused, and LinkFault where there is none."""
    connection = http.client.HTTPSConnection(host, port, timeout=SILENCE_S, context=context)
    where = f"{host}:{port}"
    try:
        connection.request("POST", path, msgspec.json.encode(question), {"Content-Type": "application/json"})
        with connection.getresponse() as response:
            body = response.read(ANSWER_B_MAX + 1)
    except OSError as error:
        raise of_error(error, where, tls=True).to(DOOR) from error
    except http.client.HTTPException as error:
        raise LinkFault("closed", f"no answer of a ward's door: {type(error).__name__}", where=where) from error
    finally:
        connection.close()
    if response.status in FINE and len(body) <= ANSWER_B_MAX:
        return body
    try:
        raise DoorRefused(msgspec.json.decode(body, type=Refused))
    except msgspec.DecodeError as error:
        raise LinkFault("closed", f"the ward's door answers {response.status}", where=where) from error
