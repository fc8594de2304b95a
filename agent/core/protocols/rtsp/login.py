"""Proves the password to a camera: Digest (RFC 7616, RFC 2617), else Basic (RFC 7617). Pure."""
import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

HASHES = {"md5": hashlib.md5, "sha-256": hashlib.sha256}
STRENGTH = ("basic", "md5", "sha-256")      # weakest first; the strongest offer is used

# name=value, name="value", or a single word, which begins the next challenge of a header
TOKEN = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))|([\w-]+)')


@dataclass(frozen=True, slots=True)
class Challenge:
    """A method to prove the password, as the camera offers it."""

    scheme: str                 # "digest" or "basic"
    values: dict[str, str] = field(default_factory=dict)        # names in lower case

    @property
    def kind(self) -> str:
        """One of STRENGTH; "" if it is unknown."""
        if self.scheme != "digest":
            return self.scheme if self.scheme == "basic" else ""
        algorithm = self.values.get("algorithm", "md5").lower().removesuffix("-sess")
        offers = re.split(r"[\s,]+", self.values.get("qop", "auth").lower())
        return algorithm if algorithm in HASHES and "nonce" in self.values and "auth" in offers else ""


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """Parses all challenges in WWW-Authenticate headers."""
    found: list[Challenge] = []
    for header in headers:
        for name, quoted, bare, word in TOKEN.findall(header):
            if word:
                found.append(Challenge(word.lower()))
            elif found:
                found[-1].values.setdefault(name.lower(), quoted or bare)
    return found


class Login:
    """One user's login at one camera. Counts the uses of each nonce, as the standard demands."""

    def __init__(self, user: str, password: str, cnonce: str) -> None:
        self._user, self._password, self._cnonce = user.encode(), password.encode(), cnonce
        self._challenge: Challenge | None = None
        self._used_n = 0
        self.given = bool(user or password)

    def challenged(self, headers: Iterable[str]) -> bool:
        """Reads the camera's WWW-Authenticate headers. Returns whether one of the methods is known."""
        offers = sorted((offer for offer in challenges(headers) if offer.kind),
                        key=lambda offer: STRENGTH.index(offer.kind))
        if offers:
            self._challenge, self._used_n = offers[-1], 0
        return bool(offers)

    @property
    def stale(self) -> bool:
        """Whether the camera only needs a newer nonce: the password was right."""
        return self._challenge is not None and self._challenge.values.get("stale", "").lower() == "true"

    def authorization(self, method: str, uri: str) -> str | None:
        """Returns the header for a request; None if the camera has not asked for it."""
        if self._challenge is None or not self.given:
            return None
        if self._challenge.scheme == "basic":
            return "Basic " + base64.b64encode(self._user + b":" + self._password).decode()
        self._used_n += 1
        return "Digest " + ", ".join(self._digest(self._challenge, method, uri))

    def _digest(self, challenge: Challenge, method: str, uri: str) -> list[str]:
        values, count = challenge.values, f"{self._used_n:08x}"
        algorithm, realm, nonce = values.get("algorithm", ""), values.get("realm", ""), values["nonce"]

        def digest(*parts: bytes | str) -> str:
            joined = b":".join(part if isinstance(part, bytes) else part.encode("latin-1") for part in parts)
            return HASHES[challenge.kind](joined).hexdigest()

        secret = digest(self._user, realm, self._password)
        if algorithm.lower().endswith("-sess"):
            secret = digest(secret, nonce, self._cnonce)
        guarded = (nonce, count, self._cnonce, "auth") if "qop" in values else (nonce,)
        said = [f'username="{self._user.decode("latin-1")}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"',
                f'response="{digest(secret, *guarded, digest(method, uri))}"']
        said += [f"algorithm={algorithm}"] if algorithm else []
        said += [f'opaque="{values["opaque"]}"'] if "opaque" in values else []
        return said + ([f'qop=auth, nc={count}, cnonce="{self._cnonce}"'] if "qop" in values else [])
