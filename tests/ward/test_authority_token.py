"""The root's key on a token (PKCS#11): one in software, by openssl's provider as with a real one."""
import os
import shutil
import subprocess

import pytest
from cryptography import x509

from agent.ward.authority.issuer import AuthorityFault, TokenKey
from tests.rigs.wait import HANG_S
from tests.rigs.ward.authority import Hierarchy, now
from tests.rigs.ward.machine import WardMachine

DEV, PIN = "c-7f3a9c21b04d", "1234"
MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@pytest.fixture
def address(tmp_path, monkeypatch) -> str:
    """The address of a new key on a token in software."""
    if not (shutil.which("softhsm2-util") and shutil.which("pkcs11-tool") and os.path.exists(MODULE)):
        pytest.skip("no token in software: apt install softhsm2 opensc pkcs11-provider")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    monkeypatch.setenv("SOFTHSM2_CONF", f"{tmp_path}/softhsm2.conf")
    monkeypatch.setenv("PKCS11_PROVIDER_MODULE", MODULE)
    for words in (["softhsm2-util", "--init-token", "--free", "--label", "ward", "--pin", PIN, "--so-pin", "5678"],
                  ["pkcs11-tool", "--module", MODULE, "--token-label", "ward", "--login", "--pin", PIN,
                   "--keypairgen", "--key-type", "EC:prime256v1", "--label", "root", "--id", "01"]):
        subprocess.run(words, check=True, capture_output=True, timeout=HANG_S)
    return "pkcs11:token=ward;object=root"


def test_a_token_signs_as_a_file_does(tmp_path, address):
    ward = Hierarchy(tmp_path / "authority", TokenKey(address, PIN))
    device = ward.device(DEV)[0]
    assert ward.verdict(device) == "OK"
    ward.revoke(x509.load_pem_x509_certificate(device.read_bytes()).serial_number)
    assert "revoked" in ward.verdict(device)
    for wrong, pin in ((address, "9999"), (address.replace("root", "none"), PIN), ("/dev/null", PIN)):
        with pytest.raises(AuthorityFault, match="token") as told:
            TokenKey(wrong, pin)
        assert pin not in str(told.value)


def test_a_ward_whose_root_is_on_a_token(tmp_path, address):
    ward = WardMachine(tmp_path / "ward", f"--token={address}", pin=PIN)
    (kept,) = ward.places.authority.glob("root-*.key")
    assert kept.read_text() == f"{address}\n"
    former = ward.cas.current(now()).certificate
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", "--reload=true")
    assert done.returncode == 0, done.stderr
    assert ward.cas.current(now()).certificate not in (former, None)
    ward.passphrase.write_text("0000\n")
    done = ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", "--reload=true")
    assert done.returncode == 1 and "the token did not answer" in done.stderr
