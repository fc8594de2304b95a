// One camera's live picture: fetches the recorder's MP4 stream and feeds it to the video element, close to the present.
const BEHIND_MAX_S = 2;             // further behind: jump
const BEHIND_AIM_S = 0.3;
const KEEP_S = 20;                  // video that stays in memory; twice as much before the older half goes
const QUEUE_B_MAX = 8 * 1024 * 1024;
const SILENCE_MS = 12_000;
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000];

const Source = window.ManagedMediaSource ?? window.MediaSource;

export class Screen {
  constructor(box) {
    this.box = box;
    this.video = box.querySelector("video");
    this.note = box.querySelector(".screen-note");
    this.badge = box.querySelector(".badge");
    this.button = box.querySelector(".play");
    this.wanted = false;            // someone looks at it
    this.tries = 0;
    this.button.addEventListener("click", () => this.wanted ? this.video.play() : this.onTap());
    this.video.addEventListener("playing", () => this.#say(""));
  }

  onTap() { this.start(); }

  offer() {
    if (!this.wanted) this.button.hidden = false;
  }

  start() {
    if (this.wanted) return;
    this.wanted = true;
    this.tries = 0;
    this.button.hidden = true;
    this.#connect();
  }

  stop() {
    if (!this.wanted) return;
    this.wanted = false;
    this.#leave();
    this.#say("");
    this.offer();
  }

  // Something has changed at the camera: if the next try is waited for, it comes now.
  hurry() {
    if (this.wanted && this.waits) this.#connect();
  }

  pause() {
    if (this.wanted) this.#leave();
  }

  resume() {
    if (this.wanted) this.#connect();
  }

  async #connect() {
    this.#leave();
    if (!Source) return this.#say("no_mse");
    const going = new AbortController();
    this.going = going;
    if (!this.tries) this.#say("connecting");
    let reason = "reconnecting";
    try {
      const answer = await fetch(this.box.dataset.live, { signal: going.signal });
      if (answer.ok) await this.#play(answer, going);
      else reason = answer.status === 401 ? "unpaired" : (await answer.json()).reason;
    } catch (error) {
      if (error instanceof Unplayable) return this.#say("codec", error.message);
    }
    if (going.signal.aborted && going.reason !== "silence") return;
    if (reason === "paused") this.#forget();
    this.#say(reason);
    const wait = WAITS_MS[Math.min(this.tries++, WAITS_MS.length - 1)];
    this.retry = setTimeout(() => this.#connect(), wait);
    this.waits = true;
  }

  #leave() {
    clearTimeout(this.retry);
    this.waits = false;
    clearInterval(this.pace);
    this.going?.abort();
    this.badge.hidden = true;
  }

  // What a paused camera saw last is not to stand there.
  #forget() {
    this.video.removeAttribute("src");
    this.video.removeAttribute("poster");
    this.video.load();
  }

  async #play(answer, going) {
    const type = answer.headers.get("content-type");
    if (!Source.isTypeSupported(type)) {
      going.abort();
      throw new Unplayable(/codecs="(hvc1|hev1)/.test(type) ? "H.265" : type);
    }
    const source = new Source();
    const address = URL.createObjectURL(source);
    this.video.src = address;
    try {
      await once(source, "sourceopen", going.signal);
      const feed = new Feed(source.addSourceBuffer(type));
      this.pace = setInterval(() => this.#keepPace(), 250);
      this.video.play().catch(() => {});          // some browsers wait for a tap, and the button is there then
      await this.#pour(answer.body.getReader(), feed, going);
    } finally {
      URL.revokeObjectURL(address);
    }
  }

  async #pour(reader, feed, going) {
    const late = () => { going.reason = "silence"; going.abort(); };
    let alarm = setTimeout(late, SILENCE_MS);
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(alarm);
        alarm = setTimeout(late, SILENCE_MS);
        feed.push(value);
      }
    } finally {
      clearTimeout(alarm);
      reader.cancel().catch(() => {});
    }
  }

  // Stay near the newest picture: jump when far behind or before a hole, hurry a little when slightly behind.
  #keepPace() {
    const { video } = this, { buffered } = video;
    if (!buffered.length) return;
    this.button.hidden = !video.paused || video.controls;
    if (video.paused) return;
    const newest = buffered.length - 1;
    const behind = buffered.end(newest) - video.currentTime;
    if (behind > BEHIND_MAX_S || video.currentTime < buffered.start(newest)) {
      video.currentTime = Math.max(buffered.start(newest), buffered.end(newest) - BEHIND_AIM_S);
    }
    video.playbackRate = behind > 2 * BEHIND_AIM_S ? 1.1 : 1;
    if (video.readyState >= 3) {
      this.badge.hidden = false;
      this.tries = 0;
    }
  }

  // The video's own controls would show through the note.
  #say(what, codec = "") {
    const text = what ? this.box.dataset[what] ?? this.box.dataset.reconnecting : "";
    this.note.textContent = text.replace("CODEC", codec);
    this.note.hidden = !text;
    this.video.controls = !text && "large" in this.box.dataset;
  }
}

class Unplayable extends Error {}

// Appends pieces one after the other, as the browser takes them, and forgets what is old, played or not.
class Feed {
  constructor(buffer) {
    this.buffer = buffer;
    this.queue = [];
    this.queued = 0;
    buffer.addEventListener("updateend", () => this.#next());
  }

  push(piece) {
    this.queue.push(piece);
    this.queued += piece.byteLength;
    if (this.queued > QUEUE_B_MAX) throw new Error("the browser takes nothing");
    this.#next();
  }

  #next() {
    if (this.buffer.updating || !this.queue.length) return;
    const { buffered } = this.buffer;
    const newest = buffered.length ? buffered.end(buffered.length - 1) : 0;
    if (buffered.length && newest - buffered.start(0) > 2 * KEEP_S) {
      this.buffer.remove(0, newest - KEEP_S);
      return;
    }
    const piece = this.queue.shift();
    this.queued -= piece.byteLength;
    this.buffer.appendBuffer(piece);
  }
}

function once(target, name, signal) {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    signal.addEventListener("abort", () => reject(new DOMException("", "AbortError")), { once: true });
  });
}
