"""A real Chromium plays our files over HTTP, seeks in them, and takes a live stream of one fragment a frame."""
import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from queue import Queue

import pytest

from agent.core.media import nal
from agent.core.media.mp4.write import Movie
from tests.core.cut_material import films, key_films, record_all
from tests.core.mp4_material import close, encode, write
from tests.core.sound_material import hear, record
from tests.rigs.wait import HANG_S

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")

FILE_PAGE = """<video muted src="clip.mp4"></video><script>
const v = document.querySelector("video"), said = {};
const tell = what => fetch("report", {method: "POST", body: JSON.stringify(Object.assign(said, what))});
const at = (seconds, next) => { v.onseeked = next; v.currentTime = seconds; };
v.onerror = () => tell({error: v.error.message});
v.onloadeddata = () => {
  v.onloadeddata = null;
  said.duration = v.duration; said.size = [v.videoWidth, v.videoHeight];
  at(2.55, () => { said.middle = v.currentTime; said.ready = v.readyState;
    at(0.5, () => {
      v.onended = () => tell({ended: v.currentTime, frames: v.getVideoPlaybackQuality().totalVideoFrames});
      at(v.duration - 0.5, () => v.play()); }); });
};
</script>"""

LIVE_PAGE = """<video muted autoplay></video><script>
const v = document.querySelector("video"), media = new MediaSource();
const tell = what => fetch("report", {method: "POST", body: JSON.stringify(what)});
v.onerror = () => tell({error: v.error.message});
v.src = URL.createObjectURL(media);
media.onsourceopen = async () => {
  const {type, parts} = await (await fetch("live.json")).json();
  const buffer = media.addSourceBuffer(type);
  for (let n = 0; n < parts; n++) {
    buffer.appendBuffer(await (await fetch("part/" + n)).arrayBuffer());
    await new Promise(done => buffer.onupdateend = done);
  }
  const gaps = buffer.buffered.length, end = buffer.buffered.end(0);
  v.ontimeupdate = () => { if (v.currentTime > 2) { v.ontimeupdate = null; tell({gaps, end, at: v.currentTime}); } };
};
</script>"""


class Server(BaseHTTPRequestHandler):
    """Serves bytes by path, ranges included, and takes the page's report."""

    protocol_version = "HTTP/1.1"

    def __init__(self, files: dict[str, bytes], reports: Queue, *rest) -> None:
        self.files, self.reports = files, reports
        super().__init__(*rest)

    def do_GET(self) -> None:
        data = self.files.get(self.path[1:])
        asked = self.headers.get("Range")
        if data is None:
            return self.answer(404, b"")
        if not asked:
            return self.answer(200, data)
        first, last = asked.removeprefix("bytes=").split("-")
        begin, end = int(first), min(int(last) if last else len(data), len(data) - 1)
        return self.answer(206, data[begin:end + 1], f"bytes {begin}-{end}/{len(data)}")

    def do_POST(self) -> None:
        self.reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(204, b"")

    def answer(self, status: int, data: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "video/mp4" if self.path.endswith("mp4") else "text/html; charset=utf-8")
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """The test's output is enough."""


def browse(files: dict[str, bytes], profile) -> dict:
    """What the page at "page" reports."""
    reports: Queue = Queue()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, files, reports))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
               "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={profile}",
               f"http://127.0.0.1:{server.server_port}/page"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return reports.get(timeout=HANG_S)
    finally:
        browser.terminate()
        browser.wait(HANG_S)
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["h264", "h264-uneven", "h264-b-frames"])
def test_a_clip_plays_and_seeks(name, tmp_path):
    stream, packets = encode(name)
    said = browse({"page": FILE_PAGE.encode(), "clip.mp4": close(*write(stream, packets))}, tmp_path)
    wall_s = (packets[-1].dts_us + 66_667 - packets[0].dts_us) / 1e6
    assert "error" not in said
    assert said["size"] == [stream.width, stream.height]
    assert said["duration"] == pytest.approx(wall_s, abs=0.002)
    assert said["middle"] == pytest.approx(2.55, abs=0.001) and said["ready"] >= 2
    assert said["ended"] == pytest.approx(wall_s, abs=0.1) and said["frames"] > 5


@pytest.mark.parametrize("codec", ["aac", "pcma", "pcmu"])
def test_a_clip_with_sound_plays_and_seeks(codec, tmp_path):
    movie, part = record(codec)
    page = FILE_PAGE.replace("<video muted", "<video")
    page = page.replace("frames:", "heard_b: v.webkitAudioDecodedByteCount, frames:")
    said = browse({"page": page.encode(), "clip.mp4": close(movie, part)}, tmp_path)
    assert "error" not in said
    assert said["duration"] == pytest.approx(5, abs=0.1) and said["middle"] == pytest.approx(2.55, abs=0.001)
    assert said["ended"] == pytest.approx(5, abs=0.2) and said["frames"] > 5
    assert said["heard_b"] > 0 or codec != "aac"        # not every build of Chromium has G.711


@pytest.mark.parametrize(("name", "codec"), [("h264", "aac"), ("h264-b-frames-uneven", None), ("h264", "pcma")])
def test_what_is_cut_out_of_clips_plays_and_seeks(name, codec, tmp_path):
    stream, packets = encode(name)
    audio, sounds = hear(codec) if codec else (None, ())
    clips = record_all(stream, packets, [0, 15, 30, 60], packets[-1].dts_us + 66_667, audio, sounds)
    del clips[2]
    again = [clip._replace(begin_us=clip.begin_us + 60_000_000) for clip in clips]
    ((film, data),) = films([*clips, *again], packets[16].pts_us, 1 << 50)
    said = browse({"page": FILE_PAGE.replace("<video muted", "<video").encode(), "clip.mp4": data}, tmp_path)
    assert "error" not in said
    assert said["size"] == [stream.width, stream.height]
    assert said["duration"] == pytest.approx(film.dur_us / 1e6, abs=0.01) and said["duration"] > 3
    assert said["middle"] == pytest.approx(2.55, abs=0.001) and said["ready"] >= 2
    assert said["ended"] == pytest.approx(film.dur_us / 1e6, abs=0.2) and said["frames"] > 5


@pytest.mark.parametrize("name", ["h264", "h264-b-frames-uneven"])
def test_a_film_of_keyframes_alone_plays_and_seeks(name, tmp_path):
    stream, packets = encode(name)
    clips = record_all(stream, packets, [0, 15, 30, 60], packets[-1].dts_us + 66_667)
    ((film, data),) = key_films(clips, 0, 1 << 50)
    said = browse({"page": FILE_PAGE.encode(), "clip.mp4": data}, tmp_path)
    assert "error" not in said and said["size"] == [stream.width, stream.height]
    assert said["duration"] == pytest.approx(film.dur_us / 1e6, abs=0.01) and said["duration"] > 3
    assert said["middle"] == pytest.approx(2.55, abs=0.001) and said["ready"] >= 2
    assert said["ended"] == pytest.approx(film.dur_us / 1e6, abs=0.2)


def test_an_open_clip_plays_too(tmp_path):
    said = browse({"page": FILE_PAGE.encode(), "clip.mp4": write(*encode("h264"))[1]}, tmp_path)
    assert "error" not in said
    assert said["ended"] == pytest.approx(5, abs=0.2)


@pytest.mark.parametrize("name", ["h264-uneven", "h264-b-frames"])
def test_the_live_view_takes_a_fragment_a_frame(name, tmp_path):
    stream, packets = encode(name)
    movie = Movie(stream, reorder_us=packets[0].pts_us - packets[0].dts_us, index_entries_max=0)
    guesses = [after.dts_us + 900 for _, after in pairwise(packets)] + [packets[-1].dts_us + 66_667]
    parts = [movie.init_segment()] + [movie.fragment([one], guess) for one, guess in zip(packets, guesses, strict=True)]
    files = {f"part/{number}": part for number, part in enumerate(parts)}
    kind = {"type": f'video/mp4; codecs="{nal.codec_string(stream.codec, stream.config)}"', "parts": len(parts)}
    said = browse({"page": LIVE_PAGE.encode(), "live.json": json.dumps(kind).encode(), **files}, tmp_path)
    wall_s = (packets[-1].dts_us + 66_667 - packets[0].dts_us) / 1e6
    assert "error" not in said
    assert said["gaps"] == 1 and said["end"] == pytest.approx(wall_s, abs=0.1) and said["at"] > 2
