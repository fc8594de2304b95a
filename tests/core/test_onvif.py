"""ONVIF's messages: what strangers send is bounded, what we choose and change is what we say."""
import base64
import contextlib
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.protocols.onvif import discovery, services, soap
from agent.core.protocols.onvif.services import Encoder, EncoderLimits, Media1, Media2, Profile, choose, slower
from agent.core.protocols.onvif.soap import BadXml, Node

pytestmark = pytest.mark.core
ENVELOPE = f'<s:Envelope xmlns:s="{soap.ENVELOPE}"><s:Header>%s</s:Header><s:Body>%s</s:Body></s:Envelope>'
MATCH = ('<ProbeMatches><ProbeMatch><EndpointReference><Address>urn:uuid:e1</Address></EndpointReference>'
         '<Types>dn:NetworkVideoTransmitter</Types><Scopes>%s</Scopes><XAddrs>http://10.0.0.2/onvif http://[fe80::1]/x'
         "</XAddrs></ProbeMatch></ProbeMatches>")
LAUGHS = ('<!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><z>&b;</z>')


# --- what strangers send

@pytest.mark.parametrize("document", [LAUGHS, '<!DOCTYPE z SYSTEM "file:///etc/passwd"><z/>', "<z>&undefined;</z>",
                                      "", "<z>", "<a>" * 100 + "</a>" * 100,
                                      "<a>" + "<b/>" * (soap.NODES_MAX_N + 1) + "</a>",
                                      '<?xml version="1.0" encoding="klingon"?><a/>', "<p:a/>"])
def test_a_document_that_no_camera_needs_is_refused(document: str):
    with pytest.raises(BadXml):
        soap.parse(document.encode())


def test_a_document_too_large_is_refused_unread():
    with pytest.raises(BadXml, match="too many"):
        soap.parse(b"<a>" + b" " * soap.XML_MAX_B + b"</a>")


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_noise_is_refused_or_read_but_never_breaks(data: bytes):
    for read in (soap.parse, soap.unwrap, lambda data: discovery.matches(data, {"x"})):
        with contextlib.suppress(BadXml, soap.Fault):
            read(data)


XML_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="￾￿"), max_size=20)
NAMES = st.sampled_from(["Profiles", "Configurations", "VideoEncoder", "VideoEncoderConfiguration", "Encoding",
                         "Resolution", "Width", "Height", "RateControl", "FrameRateLimit", "Options", "H264", "Min",
                         "Max", "GovLengthRange", "FrameRateRange", "Date", "Time", "Year", "SystemDateAndTime"])
VALUES = XML_TEXT | st.sampled_from(["H264", "H265", "1e999", "nan", "-5", "640", "0", "99999999999999999999"])
NODES = st.recursive(
    st.builds(Node, st.sampled_from(["", "urn:a"]), NAMES, st.dictionaries(
        st.sampled_from(["token", "GovLength", "FrameRatesSupported", "GovLengthRange"]), VALUES, max_size=3), VALUES),
    lambda children: st.builds(Node, st.sampled_from(["", "urn:a", "urn:b"]), NAMES, st.just({}), st.just(""),
                               st.lists(children, max_size=4)), max_leaves=25)


@given(NODES)
def test_an_element_is_written_as_it_was_read(node: Node):
    assert soap.parse(soap.written(node).encode()) == node


@given(NODES)
def test_any_answer_is_understood_or_ignored(answer: Node):
    for service in (Media1(), Media2()):
        pairs = choose(service.profiles(answer))
        for main, sub in pairs:
            assert sub is None or sub.encoder.token != main.encoder.token
        service.address(answer)
        limits = service.limits(answer, "h264")
        settings = service.encoder(answer)
        if settings:
            services.with_rate(settings, 5, limits)
    services.clock(answer)
    services.services(answer)
    services.capabilities(answer)


def test_text_for_the_terminal_holds_nothing_that_could_drive_it():
    assert soap.printable("Cổng\x1b[31m \n trước\u202e" + "y" * 500).startswith("Cổng [31m trước yyy")
    assert len(soap.printable("y" * 500)) == soap.WORD_MAX_N


# --- discovery

def test_a_match_tells_where_the_camera_is_and_what_it_is_called():
    scopes = "onvif://www.onvif.org/name/C%E1%BB%95ng onvif://www.onvif.org/hardware/TM-200 onvif://other/name/x"
    answer = ENVELOPE % ("<RelatesTo>uuid:ABC-1</RelatesTo>", MATCH % scopes)
    assert discovery.matches(answer.encode(), {"abc-1"}) == [discovery.Match(
        ("http://10.0.0.2/onvif", "http://[fe80::1]/x"), "", "TM-200", "Cổng")]


def test_an_answer_to_another_question_is_none():
    answer = ENVELOPE % ("<RelatesTo>urn:uuid:other</RelatesTo>", MATCH % "")
    assert discovery.matches(answer.encode(), {"abc-1"}) == []


def test_a_printer_is_no_camera():
    printer = MATCH.replace("dn:NetworkVideoTransmitter", "wprt:PrintDeviceType") % "ldap:///printer"
    answer = ENVELOPE % ("<RelatesTo>urn:uuid:abc-1</RelatesTo>", printer)
    assert discovery.matches(answer.encode(), {"abc-1"}) == []


@pytest.mark.parametrize("types", discovery.TYPES)
def test_a_probe_is_well_formed_and_carries_its_number(types: str):
    told = soap.parse(discovery.probe("abc-1", types))
    assert told.raw("Header", "MessageID") == "urn:uuid:abc-1" and told.find("Body", "Probe", "Types")


# --- SOAP

def test_the_password_is_proved_by_its_digest_with_the_camera_s_time():
    created = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC) + timedelta(microseconds=9)
    told = soap.parse(soap.envelope(services.GET_INFORMATION, soap.username_token("a<b", "s3cret", b"n" * 16, created)))
    token = told.find("Header", "Security", "UsernameToken")
    right = hashlib.sha1(b"n" * 16 + b"2026-05-04T03:02:01Z" + b"s3cret").digest()
    assert token.raw("Username") == "a<b" and token.raw("Created") == "2026-05-04T03:02:01Z"
    assert base64.b64decode(token.raw("Password")) == right and base64.b64decode(token.raw("Nonce")) == b"n" * 16


@pytest.mark.parametrize(("fault", "refused"), [
    ("<s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code>", True),
    ("<s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>Unauthorized user.</s:Text></s:Reason>", True),
    ("<faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring>", True),
    ("<s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>busy</s:Text></s:Reason>", False)])
def test_a_fault_tells_whether_it_is_about_the_login(fault: str, refused: bool):
    with pytest.raises(soap.Fault) as caught:
        soap.unwrap((ENVELOPE % ("", f"<s:Fault>{fault}</s:Fault>")).encode())
    assert caught.value.refused == refused and str(caught.value)


@pytest.mark.parametrize("page", ["<html>not found</html>", ENVELOPE % ("", ""), "<s/>"])
def test_a_page_is_no_message(page: str):
    with pytest.raises(BadXml):
        soap.unwrap(page.encode())


def test_a_clock_that_can_t_be_is_none():
    def told(day: int) -> Node:
        return soap.parse(f"<R><SystemDateAndTime><UTCDateTime><Time><Hour>3</Hour><Minute>2</Minute><Second>1</Second>"
                          f"</Time><Date><Year>2026</Year><Month>2</Month><Day>{day}</Day></Date></UTCDateTime>"
                          f"</SystemDateAndTime></R>".encode())
    assert services.clock(told(28)) == datetime(2026, 2, 28, 3, 2, 1, tzinfo=UTC)
    assert services.clock(told(31)) is None and services.clock(soap.parse(b"<R/>")) is None


# --- choosing and changing

def profile(token: str, width: int, height: int, codec: str = "h264", fps: float = 15, source: str = "") -> Profile:
    return Profile(f"P{token}", source, Encoder(token, codec, width, height, fps, 30, Node("", "C", {"token": token})))


def test_the_largest_is_recorded_and_the_smallest_useful_h264_is_for_motion():
    main, vga, tiny = profile("m", 2560, 1440, "h265"), profile("v", 640, 360), profile("t", 176, 144)
    small_h265, jpeg = profile("h", 352, 288, "h265"), profile("j", 4000, 3000, "mjpeg")
    assert choose([tiny, jpeg, small_h265, vga, main]) == [(main, vga)]
    assert choose([small_h265, main]) == [(main, small_h265)]
    assert choose([main, tiny]) == [(main, None)] and choose([jpeg]) == []


def test_a_stream_that_shares_the_main_encoder_is_no_sub_stream():
    main = profile("m", 1920, 1080)
    assert choose([main, replace(main, token="other")]) == [(main, None)]


def test_a_sub_stream_belongs_to_the_same_lens():
    one, two = profile("a", 1920, 1080, source="1"), profile("b", 2560, 1440, source="2")
    sub_two = profile("c", 640, 360, source="2")
    assert choose([one, two, sub_two]) == [(one, None), (two, sub_two)]


@pytest.mark.parametrize(("now", "rates", "wanted"), [
    (15, (), 5), (15, (1, 2, 5, 10, 25), 5), (15, (7, 10, 25), 7), (15, (1, 2), 2), (5, (), None), (4, (1, 25), None),
    (0, (), 5), (10, (12, 25), None), (12.5, (6.25, 12.5, 25), 6.25)])
def test_a_sub_stream_is_slowed_as_far_as_motion_is_content_and_the_camera_can(now, rates, wanted):
    assert slower(now, rates) == wanted


def settings1(fps: int, gop: int) -> Encoder:
    told = services.encoder(soap.parse(
        f'<C token="sub"><Name>a &amp; b</Name><Encoding>H264</Encoding><Resolution><Width>640</Width>'
        f"<Height>360</Height></Resolution><RateControl><FrameRateLimit>{fps}</FrameRateLimit>"
        f"<EncodingInterval>1</EncodingInterval><BitrateLimit>512</BitrateLimit></RateControl><H264><GovLength>{gop}</GovLength></H264></C>".encode()))
    assert told is not None
    return told


def test_only_rate_and_keyframes_change_and_keyframes_stay_as_far_apart_in_seconds():
    before = settings1(fps=15, gop=30)
    after = services.with_rate(before, 5, EncoderLimits((), (1, 250)))
    assert services.encoder(after) == replace(before, fps=5, gop_n=10, node=after)
    assert before.fps == 15 and before.node.raw("RateControl", "FrameRateLimit") == "15"
    assert soap.written(after) == (soap.written(before.node).replace(">15<", ">5<").replace(">30<", ">10<"))
    assert services.encoder(services.with_rate(before, 5, EncoderLimits((), (25, 250)))).gop_n == 25


def test_the_new_service_has_its_keyframes_in_an_attribute():
    node = soap.parse(b'<C token="s" GovLength="40" Profile="Main"><Encoding>H265</Encoding><Resolution>'
                      b"<Width>640</Width><Height>360</Height></Resolution>"
                      b"<RateControl><FrameRateLimit>20.0</FrameRateLimit></RateControl></C>")
    before = services.encoder(node)
    after = services.encoder(services.with_rate(before, 5, EncoderLimits((), None)))
    assert (before.codec, before.fps, before.gop_n, after.fps, after.gop_n) == ("h265", 20, 40, 5, 10)


def test_limits_of_both_services():
    old = soap.parse(b"<R><Options><H264><GovLengthRange><Min>1</Min><Max>100</Max></GovLengthRange>"
                     b"<FrameRateRange><Min>1</Min><Max>4</Max></FrameRateRange></H264></Options></R>")
    new = soap.parse(b'<R><Options FrameRatesSupported="25 12.5 x"><Encoding>H265</Encoding></Options><Options '
                     b'FrameRatesSupported="20 10" GovLengthRange="1 50"><Encoding>H264</Encoding></Options></R>')
    assert Media1().limits(old, "h264") == EncoderLimits((1, 2, 3, 4), (1, 100))
    assert Media1().limits(old, "h265") == EncoderLimits((), None)
    assert Media2().limits(new, "h264") == EncoderLimits((10, 20), (1, 50))
    assert Media2().limits(new, "h265") == EncoderLimits((12.5, 25), None)
