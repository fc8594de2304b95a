"""Why root does not make a change."""
from agent.core.contract.setup import Problem
from agent.core.passwords import redact


class SettingsRefused(Exception):
    """It is not made. `problem` is for the page, the text for a technician, without passwords."""

    def __init__(self, problem: Problem, detail: str) -> None:
        """Hold both."""
        super().__init__(redact(detail))
        self.problem = problem
