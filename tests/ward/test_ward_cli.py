"""`taimat ward ...` as it is typed: it begins, or says in one line why not, with the exit code for programs."""
import signal
import socket
import subprocess
import sys

from tests.cli.cli import REPO, environment, taimat_process
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.wait import HANG_S, free_port


def test_from_the_first_file_to_the_table(tmp_path):
    (tmp_path / "passphrase").write_text("five words of no kin\n")
    made = taimat_process(tmp_path, "ward", "init", "--prefix", tmp_path, "--name", "Phường 7", "--ward", "w07",
                          "--host", "localhost", "--passphrase-file", tmp_path / "passphrase")
    assert made.returncode == 0 and "sudo taimat ward doctor" in made.stdout, made.stderr
    config, keys = tmp_path / "etc/taimat-ward/ward.toml", tmp_path / "etc/taimat-ward/keys"
    tls = Tls(keys.parent / "public/ca.pem", keys / "broker.pem", keys / "broker.key", keys.parent / "public/ca.pem")
    with Broker(tmp_path / "broker", tls=tls) as broker:
        text = config.read_text()
        for theirs, ours in (("8883", broker.port), ("9464", free_port())):
            assert theirs in text
            text = text.replace(theirs, str(ours))
        config.write_text(text)
        command = [sys.executable, "-m", "agent", "ward", "ingest", "--config", config]
        ingest = subprocess.Popen(command, cwd=REPO, env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
        assert "connected to localhost" in ingest.stderr.readline()
        shown = taimat_process(tmp_path, "ward", "watch", "--once", "--config", config)
        assert (shown.returncode, shown.stdout) == (0, "")
        ingest.send_signal(signal.SIGTERM)
        assert ingest.wait(HANG_S) == 0 and ingest.stderr.read() == ""
        ingest.stderr.close()


def test_a_wrong_configuration_ends_it_for_good(tmp_path):
    (tmp_path / "ward.toml").write_text("[ward]\nprot = 1\n")
    for command in ("ingest", "watch"):
        said = taimat_process(tmp_path, "ward", command, "--config", tmp_path / "ward.toml")
        assert said.returncode == 78 and said.stderr.startswith(f"{tmp_path}/ward.toml:2: ward.prot: unknown key")


def test_a_forwarder_without_a_city_says_so(tmp_path):
    (tmp_path / "ward.toml").write_text("")
    said = taimat_process(tmp_path, "ward", "forward", "--config", tmp_path / "ward.toml")
    assert said.returncode == 78 and "[city] host: names no broker" in said.stderr


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "ward.toml").write_text(f"[metrics]\nport = {port}\n")
        said = taimat_process(tmp_path, "ward", "ingest", "--config", tmp_path / "ward.toml")
    assert said.returncode == 69
    assert f"127.0.0.1:{port}: Address already in use; choose another under [metrics]" in said.stderr


def test_libraries_that_are_missing_are_named_with_how_to_get_them(tmp_path):
    code = "import sys; sys.modules['sqlalchemy'] = None; from agent.__main__ import main; main()"
    said = subprocess.run([sys.executable, "-c", code, "ward", "ingest"], cwd=tmp_path, env=environment(tmp_path),
                          capture_output=True, text=True, check=False)
    assert said.returncode == 69 and "also needs sqlalchemy: apt install python3-sqlalchemy" in said.stderr
