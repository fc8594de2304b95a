"""Proving who we are to one camera without getting the household's account locked."""
import secrets

from agent.core.rtsp.login import Login, challenges
from agent.tools.discover.found import Account

REFUSALS_MAX_N = 2          # cameras lock an account, or our address, after 3 to 7 wrong passwords


class Refused(Exception):
    """The camera lets us see nothing; the text says why."""

    def __init__(self, text: str, wrong: bool = False, final: bool = True) -> None:
        super().__init__(text)
        self.wrong = wrong      # the account was given and not believed
        self.final = final      # another question would not be answered better


class Tries:
    """What one camera has refused so far, at whichever of its doors."""

    def __init__(self) -> None:
        self._refused_n = 0

    def refused(self) -> None:
        """Count one wrong password."""
        self._refused_n += 1

    @property
    def left(self) -> bool:
        """Whether another try is safe."""
        return self._refused_n < REFUSALS_MAX_N


class Proof:
    """The account at one door (ONVIF, or one RTSP connection): asked without a password first, then with it once."""

    def __init__(self, account: Account | None, tries: Tries, in_clear: bool) -> None:
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
        """Take a refusal with its WWW-Authenticate headers; whether `login` knows an answer. Raises Refused.

        Once believed, a refusal may only mean that the camera wants a newer nonce.
        """
        if self._account is None:
            self.asked = True
            raise Refused("asks for a user and password: give them with --user NAME")
        kinds = {offer.kind for offer in challenges(headers)} - {""}
        fit = bool(kinds) and (self._in_clear or kinds != {"basic"}) and self.login.challenged(headers)
        if self._given and not (fit and (self.login.stale or self._accepted)):
            self._tries.refused()
            raise Refused("refuses this user or password", wrong=True, final=not self._tries.left)
        if not self._tries.left:
            raise Refused("refused this password before, and is not asked again, so that it does not lock the account")
        self.asked = self._given = True
        self._accepted = False
        return fit
