"""Tries the household's broker for the page: `python -m agent.helpers.broker_trial`, a question in, an answer out.

A process of its own, so that the page need not keep an MQTT client in memory.
"""
from dataclasses import replace

from agent.config.settings import Home
from agent.core.contract.helper_messages import HomeAnswer, HomeQuestion
from agent.helpers import answer_one
from agent.home import credentials
from agent.mqtt.fault import HOUSEHOLD, LinkFault
from agent.mqtt.trial import greet

NAME = "taimat-page"        # of the client, because the link may be connected under the recorder's


def answer(question: HomeQuestion) -> HomeAnswer:
    home = Home(host=question.host, port=question.port, tls=question.tls, ca=question.ca)
    try:
        known = replace(credentials(home, NAME), user=question.user or None, password=question.password or None)
        return HomeAnswer(detail=greet(home, known))
    except LinkFault as fault:
        return HomeAnswer(fault=fault.kind, detail=str(fault.to(HOUSEHOLD)))


if __name__ == "__main__":
    answer_one(HomeQuestion, answer)
