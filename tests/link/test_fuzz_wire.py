"""What fuzzing (tests/sim/test_fuzz.py) once found in what comes in from the ward."""
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agent.core.contract import wire
from agent.core.contract.helper_messages import BAD, SignedPayload

ROOT = Path(__file__).parents[2]
ORDER = (b'{"id":"01JDX0000000000000000000AB","iat":1,"exp":2,"name":"restart","dev":"c-7f3a9c21b04d","sig":"AAAA"%b}')
FOUND = {
    "bytes that are no text, in a field that nobody knows": ORDER % b',"a\x8bgs":1',
    "a fraction in what was signed": ORDER % b',"args":{"a":0.1}',
    "a key that is not plain": ORDER % ',"args":{"Điều":1}'.encode(),
    "as deep as it may be": ORDER % (b',"args":{"a":' + b"[" * 30 + b"]" * 30 + b"}"),
}
DEEPER = ORDER % (b',"args":{"a":' + b"[" * 900 + b"]" * 900 + b"}")


@pytest.mark.parametrize("payload", FOUND.values(), ids=FOUND)
def test_a_spoiled_order_has_a_bad_signature(payload):
    assert wire.decode(wire.Command, payload).name == "restart"
    assert judged(payload) == (BAD, b"")


def test_an_order_that_nests_deeper_is_none_and_would_have_a_bad_signature():
    with pytest.raises(wire.BadPayload, match="deep"):
        wire.decode(wire.Command, DEEPER)
    assert judged(DEEPER) == (BAD, b"")


def judged(payload):
    """What the process says that checks signatures, and what it complains of."""
    ran = subprocess.run([sys.executable, "-m", "agent.helpers.signature", "", "none"], cwd=ROOT, capture_output=True,
                         input=msgspec.json.encode([SignedPayload(payload, "ab" * 32)]))
    assert ran.returncode == 0
    return *ran.stdout, ran.stderr
