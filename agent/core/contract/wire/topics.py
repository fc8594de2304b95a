"""The topics of a device: `cam/v1/{ward}/{dev}/...`. The major version is part of the topic."""
from dataclasses import dataclass

ROOT = "cam/v1"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device. Names consist of a-z, 0-9 and '-', so they contain no wildcards or slashes."""

    ward: str
    dev: str

    @property
    def root(self) -> str:
        """The prefix of all topics of the device, without the slash."""
        return f"{ROOT}/{self.ward}/{self.dev}"

    @property
    def status(self) -> str:
        """Online or not; retained; also the will's topic."""
        return f"{self.root}/status"

    @property
    def birth(self) -> str:
        return f"{self.root}/birth"

    @property
    def health(self) -> str:
        return f"{self.root}/health"

    @property
    def evt(self) -> str:
        """Events, one CloudEvent a message."""
        return f"{self.root}/evt"

    @property
    def ack(self) -> str:
        """The ward's receipts for events."""
        return f"{self.root}/ack"

    @property
    def cfg_reported(self) -> str:
        """The settings in effect after a command `set`; retained."""
        return f"{self.root}/cfg/reported"

    @property
    def ward_state(self) -> str:
        return f"{ROOT}/{self.ward}/_ward/state"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        return f"{self.root}/cmd/#", self.ack, f"{ROOT}/{self.ward}/_all/cmd/#", self.ward_state

    def response(self, who: str, command_id: str) -> str:
        return f"{self.root}/rsp/{who}/{command_id}"

    def command(self, topic: str) -> tuple[str, bool] | None:
        """Returns (name, to all devices?) of the command on `topic`; None for any other topic."""
        for prefix, to_all in ((f"{self.root}/cmd/", False), (f"{ROOT}/{self.ward}/_all/cmd/", True)):
            if topic.startswith(prefix):
                return topic[len(prefix):], to_all
        return None

    def answered(self, topic: str) -> str | None:
        """Returns the id of the command that is answered on `topic`; None for any other topic."""
        prefix = f"{self.root}/rsp/"
        return topic.removeprefix(prefix).partition("/")[2] if topic.startswith(prefix) else None

    def asker(self, response_topic: str) -> str | None:
        """Returns the asker in a command's Response Topic; None if the device does not answer on that topic."""
        prefix = f"{self.root}/rsp/"
        who, _, rest = response_topic.removeprefix(prefix).partition("/")
        return who if response_topic.startswith(prefix) and who and rest else None
