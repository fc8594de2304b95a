"""`taimat-conformance` at real brokers: our own device and ingest keep every rule, a broken one does not."""
import json
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from agent.host.clock import SystemClock
from agent.ward import settings
from taimat_conformance.device.examine import ExamineOptions, examine
from taimat_conformance.device.rules import rules as device_rules
from taimat_conformance.subscriber.play import PlayTempo, play
from taimat_conformance.subscriber.rules import rules as subscriber_rules
from taimat_conformance.verdict import judge
from taimat_conformance.visit import VisitAccount
from tests.cli.cli import environment
from tests.rigs.device.link_role import ROOT, LinkRig
from tests.rigs.forked import forked
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import FILES, certified, furnish
from tests.rigs.pki import Authority
from tests.rigs.wait import deaf_port, until
from tests.rigs.ward.rogue_device import Rogue
from tests.ward.impatient_ingest import PATIENCE_S, ImpatientIngest

DEV, TESTED = "c-7f3a9c21b04d", "c-0123456789ab"
LOOK_S, AGAIN_S = 11.5, 2.0
# What is not seen in so short a time, and what only with receipts of the looker's own.
SELDOM = {"status.refreshed", "status.conn", "cfg-reported.form", "cfg-reported.carriage"}
RECEIPTS = {"ack.wanted", "ack.heeded", "ack.rejected", "evt.repeated"}
# What each fault of a rogue breaks.
BREAKS = {
    "obeys_retained": {"cmd.retained"}, "forgets_correlation": {"cmd.correlation"},
    "status_for_ever": {"status.carriage"}, "health_in_seconds": {"health.units"}, "other_answer": {"cmd.once"},
    "null_in_birth": {"birth.form"}, "id_without_dev": {"evt.envelope"},
    "believes_anything": {"cmd.unsigned", "cmd.forged"}, "strange_topic": {"topics"},
}


class Stage:
    """Brokers with what lives at them, and all looks at it at once: each takes its time."""

    def __init__(self, folder, parts):
        self.folder, self._parts = folder, parts
        self._hands = parts.enter_context(ThreadPoolExecutor(5))
        self.looks = dict[str, tuple[tuple, Future]]()
        self.ports = dict[str, int]()

    def broker(self, name, furnished=lambda broker: None):
        """A broker; `furnished` gives it another configuration."""
        broker = Broker(self.folder / name)
        furnished(broker)
        self.ports[name] = broker.port
        return self._parts.enter_context(broker)

    def has(self, part):
        """It lives from now on."""
        return self._parts.enter_context(part)

    def look(self, name, rules, look, *how):
        """Begin a look."""
        self.looks[name] = rules, self._hands.submit(look, *how, SystemClock())

    def verdicts(self, name, verdict):
        """The rules that came to this, with what was seen."""
        rules, look = self.looks[name]
        return {each.rule: each.wrong for each in judge(rules, look.result()) if each.verdict == verdict}


def settings_of(port, ward="tls = false", ops=""):
    return settings.parse(f'[ward]\nward = "w07"\nport = {port}\n{ward}\n[ops]\n{ops}', "ward.toml")


def set_a_ward(stage):
    """Broker and rights as a ward has them, our ingest, our device."""
    authority = Authority(stage.folder / "pki", "ward-ca")
    rights = (FILES / "acl.in").read_text().replace("@WARD@", "w07")
    broker = stage.broker("ward", lambda broker: furnish(broker, "mosquitto.conf", authority, rights))
    as_ingest, ops, tested = certified(authority, "ingest"), authority.issue("ops"), authority.issue(TESTED)
    ingest = stage.has(ImpatientIngest(stage.folder / "ingest", broker.port, ward=as_ingest))
    rig = stage.has(LinkRig(stage.folder / "link", broker.port, certified(authority, DEV)))
    until(lambda: rig.facts().get("broker") == "connected" and ingest.figures())
    own = settings_of(broker.port, as_ingest, f'cert = "{ops[0]}"\nkey = "{ops[1]}"\n')
    stage.look("our device", device_rules(), examine, own, DEV, ExamineOptions(LOOK_S))
    account = VisitAccount(True, own.ward.ca, str(tested[0]), str(tested[1]))
    stage.look("our ingest", subscriber_rules(PATIENCE_S), play, own.ward, account, PlayTempo(PATIENCE_S, 1.0, 200))


def set_a_bench(stage):
    """Our device at a broker without an ingest."""
    broker = stage.broker("bench")
    rig = stage.has(LinkRig(stage.folder / "alone", broker.port))
    until(lambda: rig.facts().get("broker") == "connected")
    wishes = ExamineOptions(LOOK_S, as_ingest=True, again_s=AGAIN_S)
    stage.look("with receipts", device_rules(AGAIN_S), examine, settings_of(broker.port), rig.dev(), wishes)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with ExitStack() as parts:
        stage = Stage(tmp_path_factory.mktemp("stage"), parts)
        set_a_ward(stage)
        set_a_bench(stage)
        for name, faults in (("good", ()), ("bad", tuple(BREAKS))):
            port = stage.broker(name).port
            stage.has(Rogue(port, DEV, faults))
            stage.look(name, device_rules(), examine, settings_of(port), DEV, ExamineOptions(LOOK_S))
        yield stage


def test_our_device_keeps_every_rule_before_whoever_has_the_rights_of_ops(stage):
    assert stage.verdicts("our device", "fail") == {}
    assert stage.verdicts("our device", "not seen").keys() == SELDOM | RECEIPTS


def test_our_ingest_keeps_every_rule_before_whoever_has_the_rights_of_a_device(stage):
    assert stage.verdicts("our ingest", "fail") == stage.verdicts("our ingest", "not seen") == {}


def test_our_device_heeds_the_receipts_of_whoever_stands_in_for_the_ingest(stage):
    assert stage.verdicts("with receipts", "fail") == {}
    assert stage.verdicts("with receipts", "not seen").keys() == SELDOM


def test_a_device_of_another_make_keeps_the_contract(stage):
    assert stage.verdicts("good", "fail") == {}


def test_a_broken_one_fails_the_rules_that_it_breaks_and_no_others(stage):
    assert stage.verdicts("bad", "fail").keys() == set().union(*BREAKS.values())


def typed(home):
    return environment(home) | {"PYTHONPATH": f"{ROOT}:{ROOT}/scripts/conformance"}


def written(folder, port):
    (folder / "ward.toml").write_text(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {port}\ntls = false\n')
    return folder / "ward.toml"


def test_programs_get_an_object_a_rule_and_an_exit_code(stage, tmp_path):
    stage.verdicts("bad", "fail")               # its look is over: there is one ops at a broker
    ran = subprocess.run(
        [sys.executable, "-m", "taimat_conformance", "device", DEV, "--minutes=0.01", "--json", "--config",
         written(tmp_path, stage.ports["bad"])], cwd=ROOT, capture_output=True, text=True, env=typed(tmp_path))
    found = {each["rule"]: each for each in map(json.loads, ran.stdout.splitlines())}
    assert ran.returncode == 1 and ran.stderr == "" and found.keys() == {rule.id for rule in device_rules()}
    assert found["cmd.retained"]["wrong"] == ["time_hint got done, not refused, retained"]


@pytest.mark.parametrize(("words", "code", "told"), [
    (["device", "c_1"], 78, "'c_1': a device's id is made of a-z, 0-9 and '-'"),
    (["device", DEV], 69, "nothing listens there: is the broker running"),
    (["subscriber", "--cert", "some.pem"], 78, "--cert and --key: give both"),
    (["subscriber", "--cert", "some.pem", "--key", "some.key"], 69, "some.pem: No such file or directory; correct the"),
])
def test_what_stands_against_a_look_is_told_with_its_remedy(tmp_path, words, code, told):
    config = written(tmp_path, deaf_port())
    said = forked("taimat_conformance.__main__:main", [*words, "--config", config], tmp_path, typed(tmp_path))
    assert (said.returncode, said.stdout) == (code, "") and told in said.stderr
    assert len(said.stderr.splitlines()) == 1
