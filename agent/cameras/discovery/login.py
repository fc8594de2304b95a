"""The account at a camera's door: given once, and no more often than its lock allows."""
import secrets

from agent.cameras.discovery.found import CameraAccount
from agent.core.protocols.rtsp.login import Login, challenges

REFUSALS_MAX_N = 2          # cameras lock an account, or our address, after 3 to 7 wrong passwords


class CameraRefused(Exception):
    """The camera lets us see nothing; the text says why."""

    def __init__(self, text: str, wrong: bool = False, final: bool = True) -> None:
        super().__init__(text)
        self.wrong = wrong      # the account was given and not believed
        self.final = final      # another question would not be answered better


class Tries:
    """How often one camera has refused the account so far, at whichever of its doors."""

    def __init__(self) -> None:
        self.refused_n = 0

    @property
    def left(self) -> bool:
        """Whether another try is safe."""
        return self.refused_n < REFUSALS_MAX_N


class Proof:
    """The account at one door (ONVIF, or one RTSP connection): asked without a password first, then with it once."""

    def __init__(self, account: CameraAccount | None, tries: Tries, in_clear: bool) -> None:
        """`in_clear`: a camera that offers nothing but Basic may have the password that way."""
        self._account, self._tries, self._in_clear = account, tries, in_clear
        self.login = Login(account.user, account.password, secrets.token_hex(8)) if account else Login("", "", "")
        self.asked = False          # the camera wants to know who we are
        self._given = False         # the password is in what was sent last
        self._accepted = False      # and was believed

    def accepted(self) -> None:
        """The camera answered."""
        self._accepted = self._given

    def challenged(self, headers: tuple[str, ...] | list[str]) -> bool:
        """Take a refusal with its WWW-Authenticate headers; whether `login` knows an answer. Raises CameraRefused.

        Once believed, a refusal may only mean that the camera wants a newer nonce.
        """
        if self._account is None:
            self.asked = True
            raise CameraRefused("asks for a user and password: give them with --user NAME")
        kinds = {offer.kind for offer in challenges(headers)} - {""}
        fit = bool(kinds) and (self._in_clear or kinds != {"basic"}) and self.login.challenged(headers)
        if self._given and not (fit and (self.login.stale or self._accepted)):
            self._tries.refused_n += 1
            raise CameraRefused("refuses this user or password", wrong=True, final=not self._tries.left)
        if not self._tries.left:
            raise CameraRefused("refused this password before, and is not asked again, so that it does not lock the "
                                "account")
        self.asked = self._given = True
        self._accepted = False
        return fit
