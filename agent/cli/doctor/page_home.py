"""The page's try at the household's broker: `python -m agent.cli.doctor.page_home`, a question in, an answer out.

A process of its own: what an MQTT client needs is in memory for the try alone.
"""
import sys
from dataclasses import replace

import msgspec

from agent.cli.doctor.broker import greet
from agent.config.settings import Home
from agent.core.contract.home_try import HomeAnswer, HomeQuestion
from agent.home.account import credentials
from agent.host.prctl import die_with_parent
from agent.mqtt.fault import HOUSEHOLD, LinkFault

NAME = "taimat-page"        # of the client: the link may be connected by the recorder's own
QUESTION_B_MAX = 16_384


def answer(question: HomeQuestion) -> HomeAnswer:
    """Connect once, and end it properly."""
    home = Home(host=question.host, port=question.port, tls=question.tls, ca=question.ca)
    try:
        known = replace(credentials(home, NAME), user=question.user or None, password=question.password or None)
        return HomeAnswer(detail=greet(home, known))
    except LinkFault as fault:
        return HomeAnswer(fault=fault.kind, detail=str(fault.to(HOUSEHOLD)))


def main() -> None:
    """One question, one answer."""
    die_with_parent()
    question = msgspec.json.decode(sys.stdin.buffer.read(QUESTION_B_MAX), type=HomeQuestion)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))


if __name__ == "__main__":
    main()
