"""Addresses, ports and paths that can't be right are told when the configuration is read."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.load import ConfigError, parse
from agent.config.places import host_fault

FILM = '[[camera]]\nname = "a"\nsource = "file:{}"\n'


def told(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, "t.toml")
    return str(error.value)


@pytest.mark.parametrize(("text", "said"), [
    ('[web]\nlisten = "192.168.1"\n', 't.toml:2: web.listen: takes an address of this machine: "127.0.0.1"'),
    ('[web]\nlisten = ""\n', "t.toml:2: web.listen: takes an address"),
    ('[web]\nlisten = "0.0.0.0:8088"\n', "t.toml:2: web.listen: takes an address"),
    ("[ward]\nenabled = true\n", "t.toml:2: ward.enabled: needs what the ward knows this recorder by: cert and key"),
    ('[ward]\nenabled = true\ntls = false\nhost = ""\n', "t.toml:4: ward.host: is missing"),
    ('[ward]\nhost = "mqtts://broker.vn:8883"\n',
     't.toml:2: ward.host: takes only the name or address: "broker.vn", and the port in its own key: port = 8883'),
    ('[home]\nhost = "192.168.1"\n', "t.toml:2: home.host: takes a whole address of four numbers"),
    ('[home]\nhost = "192.168.1.256"\n', "t.toml:2: home.host: takes a whole address of four numbers"),
    ('[home]\nhost = "my broker"\n', "t.toml:2: home.host: takes a name or an address"),
    ("[home]\nenabled = true\n", "t.toml:1: home.host: is missing"),
    ('[store]\nfolder = "video"\n', 't.toml:2: store.folder: takes a whole path, from the first / on; "video" would'),
    ('[store]\nfolder = ""\n', "t.toml:2: store.folder: takes a whole path"),
    ('[store]\nruntime = "~/run"\n', "t.toml:2: store.runtime: takes a whole path"),
    ('[store]\nfolder = "/a/"\nruntime = "/a"\n', "t.toml:3: store.runtime: is folder, too"),
    ('[ward]\nca = "ca.pem"\n', "t.toml:2: ward.ca: takes a whole path"),
    ('[update]\nrelease_key = "r.pem"\n', "t.toml:2: update.release_key: takes a whole path"),
    (FILM.format("a.mp4"), "t.toml:3: camera[1].source: takes a whole path"),
    ('[home]\nenabled = true\nhost = "localhost"\nport = 8088\n', "t.toml:4: home.port: is the page's, too"),
    ('[ward]\nenabled = true\ntls = false\nhost = "127.0.0.1"\nport = 9000\n[web]\nport = 9000\n',
     "t.toml:5: ward.port: is the page's, too ([web] port)"),
    ("[metrics]\nport = 80\n", "t.toml:2: metrics.port: takes a port from 1024 to 65535, as in 9467: only"),
    ("[metrics]\nport = 8088\n", "t.toml:2: metrics.port: is taken by [web] port: choose another, as in 9467"),
    ('[metrics]\nport = "9467"\n', "t.toml:2: metrics.port: takes a whole number from 0 to 65535; it is '9467'"),
    ("[metrics]\nport = 70000\n", "t.toml:2: metrics.port: takes a whole number from 0 to 65535; it is 70000"),
    ("[metrics]\nenabled = true\n", "t.toml:2: metrics.enabled: unknown key"),
])
def test_what_cannot_be_right_is_told_with_its_remedy(text: str, said: str):
    assert said in told(text) and "\n" not in told(text)


@pytest.mark.parametrize("text", [
    '[web]\nlisten = "::"\n', '[web]\nlisten = "localhost"\n', '[web]\nlisten = "taimat.local"\n',
    '[ward]\nenabled = true\nuser = "a"\npassword_file = "/p"\n', '[ward]\nenabled = true\ncert = "/c"\nkey = "/k"\n',
    '[home]\nenabled = true\nhost = "homeassistant"\nport = 8088\n', FILM.format("/srv/a.mp4"),
    '[web]\nenabled = false\n[home]\nenabled = true\nhost = "localhost"\nport = 8088\n'])
def test_what_may_be_right_is_left_alone(text: str):
    parse(text, "t.toml")


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{2,9}){0,3}\.?", fullmatch=True)


@given(st.ip_addresses().map(str) | NAMES)
def test_every_address_and_every_name_is_taken(host: str):
    assert host_fault(host) is None


@given(st.text(max_size=30))
def test_any_host_is_judged_and_nothing_is_raised(host: str):
    assert host_fault(host) is None or "it takes" in str(host_fault(host)) or host_fault(host).startswith("takes")
