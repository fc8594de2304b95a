"""Dashboard and alerts name only figures that ingest, forwarder and intake really have, and all that they have."""
import inspect
import json
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
import yaml
from prometheus_client import generate_latest

from agent.ward import reception, ward_side
from agent.ward.authority.findings import note
from agent.ward.authority.places import Places
from agent.ward.metrics import IngestMetrics, IntakeMetrics
from agent.ward.uploads import check, checker
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.certified import FILES
from tests.rigs.pki import Authority
from tests.rigs.wait import until
from tests.rigs.ward.forwarder import WardForward, city
from tests.rigs.ward.ingest import WardIngest
from tests.rigs.ward.reporting_device import Teller

BOARD = json.loads((FILES / "grafana.json").read_text())
ALERTS = [rule for group in yaml.safe_load((FILES / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
FIGURE = re.compile(r"\btaimat_\w+")
QUERIES = [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]
PLUMBING = re.compile(r"_process_(virtual|start|open|max)")
WIDTH = 24
RINGING = '''
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'taimat_ward_intake_refused_total{ward="w07", code="does_not_hold"}', values: "0x30 1x90"}
      - {series: 'taimat_ward_intake_refused_total{ward="w08", code="does_not_hold"}', values: "0x120"}
      - {series: 'taimat_ward_certificates_ending_devices{ward="w07"}', values: "0x30 2x200"}
      - {series: 'taimat_ward_cloned_devices{ward="w07"}', values: "0x30 1x60 0x60"}
      - {series: 'taimat_ward_bad_findings{ward="w07"}', values: "0x30 1x20 0x30 2x60"}
      - {series: 'taimat_ward_examined_seconds{ward="w07"}', values: "0x90 6000x60"}
    promql_expr_test:
      - {expr: 'count(ALERTS{alertname="TaimatUploadDoesNotHold", alertstate="firing"})', eval_time: 35m, exp_samples: [
          {value: 1}]}
      - {expr: 'count(ALERTS{alertname="TaimatUploadDoesNotHold", alertstate="firing"})', eval_time: 110m}
      - {expr: 'count(ALERTS{alertname="TaimatDeviceCertificatesEnd", alertstate="firing"})', eval_time: 60m}
      - {expr: 'count(ALERTS{alertname="TaimatDeviceCertificatesEnd", alertstate="firing"})', eval_time: 100m,
         exp_samples: [{value: 1}]}
      - {expr: 'count(ALERTS{alertname="TaimatDeviceCloned", alertstate="firing"})', eval_time: 29m}
      - {expr: 'count(ALERTS{alertname="TaimatDeviceCloned", alertstate="firing"})', eval_time: 32m, exp_samples: [
          {value: 1}]}
      - {expr: 'count(ALERTS{alertname="TaimatDeviceCloned", alertstate="firing"})', eval_time: 100m}
      - {expr: 'count(ALERTS{alertname="TaimatWardNotWell", alertstate="firing"})', eval_time: 60m}
      - {expr: 'count(ALERTS{alertname="TaimatWardNotWell", alertstate="firing"})', eval_time: 130m, exp_samples: [
          {value: 1}]}
      - {expr: 'count(ALERTS{alertname="TaimatWardNotLookedAt", alertstate="firing"})', eval_time: 59m}
      - {expr: 'count(ALERTS{alertname="TaimatWardNotLookedAt", alertstate="firing"})', eval_time: 80m, exp_samples: [
          {value: 1}]}
      - {expr: 'count(ALERTS{alertname="TaimatWardNotLookedAt", alertstate="firing"})', eval_time: 100m}
'''


def stem(name):
    """A figure without what Prometheus puts behind it."""
    return re.sub(r"_(total|created|bucket|sum|count)$", "", name)


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """The names of the figures of a running ingest and a running forwarder, and of the intake."""
    folder = tmp_path_factory.mktemp("ward")
    places = Places(folder, folder, folder)
    note(places, [], datetime.now(UTC))
    own = f'[authority]\nca = "{Authority(folder / "pki", "ward-ca").ca}"\nfolder = "{places.authority}"\n'
    with Broker(folder / "broker") as broker, WardIngest(folder, broker.port, more=city(broker.port) + own) as ward, \
            WardForward(ward) as forward, Teller(broker.port) as device:
        until(lambda: ward.figures().get("taimat_ward_connected") == 1 and forward.figures())
        device.say("evt", b"{}")            # some have a label, and none before the first of a kind
        device.say("evt", device.event(1))
        until(lambda: device.receipts()["taken"] == [1])
        return set(FIGURE.findall(f"{ward.figures()}{forward.figures()}")) | intake_figures()


def intake_figures():
    """What an intake that has just been started would tell: by its headings also what has not happened yet."""
    told = generate_latest(IntakeMetrics("").registry).decode()
    return {name for name in FIGURE.findall(told) if not name.endswith("_created")}


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in ALERTS)])
def test_a_query_names_figures_that_there_are(figures, query):
    names = set(FIGURE.findall(query))
    assert (names or query.startswith("up{")) and names <= figures


def test_nothing_that_is_measured_is_left_out_of_the_dashboard(figures):
    shown = {stem(name) for query in QUERIES for name in FIGURE.findall(query)}
    assert {stem(name) for name in figures if not PLUMBING.search(name)} == shown


def test_the_dashboard_has_what_grafana_asks_of_one():
    assert BOARD["uid"] and BOARD["title"] and BOARD["schemaVersion"] >= 36 and "id" not in BOARD
    variables = {each["name"]: each for each in BOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in BOARD["panels"]:
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert panel["title"] and panel["type"] in ("stat", "timeseries")
    taken = [(x, y) for panel in BOARD["panels"] for place in [panel["gridPos"]]
             for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])]
    assert len(set(taken)) == len(taken) and max(x for x, _ in taken) < WIDTH, "no panel lies over another"


def test_an_alert_can_ring_at_the_first_time():
    """Prometheus sees no increase of a figure that was not there before: each reason is told as 0 from the start."""
    told = generate_latest(IntakeMetrics("").registry).decode()
    for code in {*re.findall(r'Unfit\("(\w+)"', inspect.getsource(check)),
                 *re.findall(r'UploadVerdict\(code="(\w+)"', inspect.getsource(check) + inspect.getsource(checker))}:
        assert f'taimat_ward_intake_refused_total{{code="{code}"}} 0.0' in told
    told = generate_latest(IngestMetrics().registry).decode()
    for code in {*re.findall(r'Unacceptable\("(\w+)"', inspect.getsource(ward_side)),
                 *re.findall(r'_refuse\("(\w+)"', inspect.getsource(reception))}:
        assert f'taimat_ward_bad_messages_total{{code="{code}"}} 0.0' in told


def test_prometheus_loads_the_alerts_from_where_the_guide_puts_them():
    [place] = yaml.safe_load((FILES / "prometheus.yml").read_text())["rule_files"]
    assert f"| `alerts.yml` | `{place}` |" in (FILES.parents[1] / "docs/guide/ward.md").read_text()


@pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool: apt install prometheus")
def test_prometheus_takes_the_alerts_and_they_ring(tmp_path):
    """By its own tool: what rings at the first time, or once it has lasted."""
    shutil.copy(FILES / "alerts.yml", tmp_path)
    (tmp_path / "test.yml").write_text(RINGING)
    for words in (("check", "rules", "alerts.yml"), ("test", "rules", "test.yml")):
        ran = subprocess.run(["promtool", *words], cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alert_says_what_to_do():
    for rule in ALERTS:
        assert rule["annotations"]["summary"] and rule["annotations"]["what_to_do"] and rule["labels"]["severity"]
