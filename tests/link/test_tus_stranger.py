"""Our uploads against the tus protocol's own server for Node: a stranger's reading of the same standard."""
import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from agent.config.settings import Ward
from agent.core.delivery.backoff import Waits
from agent.host.clock import SystemClock
from agent.link.requests.tus import Upload
from agent.link.requests.uploader import Uploader
from tests.rigs.house.node_packages import environment, installed
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, until

VERSIONS = {"@tus/server": "2.4.5", "@tus/file-store": "2.1.1"}
SERVER = Path(__file__).parents[1] / "rigs/ward/tus_stranger.mjs"
REQUEST = "01KAV0Z6V6M3W2Q8T1B7N5D4XE"


@pytest.fixture(scope="module")
def node():
    """The folder that the server's packages are installed in."""
    return installed("tus-server", VERSIONS)


def test_a_stranger_s_server_gets_every_byte(node, tmp_path):
    authority = Authority(tmp_path / "pki", "ward")
    (cert, key), data, there = authority.issue("c-7f3a9c21b04d"), os.urandom(2_500_000), tmp_path / "there"
    there.mkdir()
    (tmp_path / "x.tar").write_bytes(data)
    server = subprocess.Popen(["node", SERVER, there, authority.ca, *authority.issue("intake")], cwd=node,
                              env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        url = f"https://127.0.0.1:{int(server.stdout.readline())}/exports"
        parcel = Upload(REQUEST, "clip", len(data), hashlib.sha256(data).hexdigest(), 64 * "a")
        carriage = Uploader(Ward(ca=str(authority.ca), cert=str(cert), key=str(key)), url, parcel,
                            file=tmp_path / "x.tar", share=1.0, clock=SystemClock(),
                            waits=Waits(lost_s=0.2, step_s=0.2, longest_s=0.2))
        until((there / f"{REQUEST}.whole").exists, "it has all of it")
        carriage.stop()
        assert (there / f"{REQUEST}.whole").read_bytes() == data
    finally:
        server.communicate(timeout=HANG_S)
