// Plays the films of a span as if they were one: one place in time, one speed, whatever clips and encodings lie beneath.
const FAST = 4;                 // above this speed the film of keyframes is played: browsers can't decode so much
const LEAP_MS = 5_000;          // of an arrow key
const ASK_AGAIN_MS = 2_000;     // while what is watched is still being recorded
const ASK_COPY_MS = 1_000;      // while a light copy is made
const SPEEDS = [0.5, 1, 2, 4, 8];

// A list of films (from films.py) as one stretch of time: milliseconds from the first picture on, gaps closed.
class Reel {
  constructor(told) {
    this.films = told.films;
    this.grows = told.grows;
    this.starts = [];
    this.length = 0;
    for (const film of this.films) {
      this.starts.push(this.length);
      this.length += film.dur_ms;
    }
  }

  filmAt(place) {
    let n = this.films.length - 1;
    while (n > 0 && this.starts[n] > place) n -= 1;
    return n;
  }

  // The wall time of a place.
  wall(place) {
    const n = this.filmAt(place), inner = place - this.starts[n];
    const stretch = this.films[n].stretches.findLast((each) => each.at_ms <= inner) ?? this.films[n].stretches[0];
    return Math.min(stretch.begin_ms + inner - stretch.at_ms, stretch.end_ms);
  }

  // The place of a wall time; in a gap, where it ends.
  place(wall) {
    for (const [n, film] of this.films.entries()) {
      for (const stretch of film.stretches) {
        if (wall < stretch.end_ms) return this.starts[n] + stretch.at_ms + Math.max(0, wall - stretch.begin_ms);
      }
    }
    return this.length;
  }
}

export class Player {
  constructor(figure) {
    this.figure = figure;
    this.video = figure.querySelector("video");
    this.bar = figure.querySelector(".film-bar");
    this.told = JSON.parse(figure.dataset.films);
    this.reel = this.every = new Reel(this.told);       // what plays, and the film of all pictures
    this.zone = Number(figure.dataset.zone);
    this.film = 0;
    this.speed = 1;
    this.wanted = null;             // a place that is sought as soon as the last one is found
    this.parts = Object.fromEntries([...this.bar.querySelectorAll("[data-do]")].map((each) => [each.dataset.do, each]));
    this.note = figure.querySelector("[data-unplayable]");
    this.listen();
    this.video.controls = this.video.autoplay = false;
    this.play();
    this.bar.hidden = false;
    this.parts.sound.hidden = !this.reel.films.some((film) => film.sound);
    this.judge();
    this.show();
  }

  // Where we are, in milliseconds of all that can be played.
  get place() {
    const here = this.wanted ?? this.reel.starts[this.film] + this.video.currentTime * 1000;
    return this.reel === this.every ? here : this.every.place(this.reel.wall(here));
  }

  go(place) {
    const to = Math.min(Math.max(place, 0), this.every.length - 1);
    this.seek(this.reel === this.every ? to : this.reel.place(this.every.wall(to)));
    this.show();
  }

  // One seek at a time: a finger is faster than any decoder.
  seek(place) {
    if (!this.video.error && (this.video.seeking || this.video.readyState === 0)) {
      this.wanted = place;
      return;
    }
    this.wanted = null;
    const n = this.reel.filmAt(place), inner = (place - this.reel.starts[n]) / 1000;
    if (n === this.film && !this.video.error) this.video.currentTime = inner;
    else this.load(n, inner);
  }

  load(n, seconds = 0, plays = !this.video.paused) {
    this.film = n;
    this.judge();
    this.video.defaultPlaybackRate = this.speed;
    this.video.src = `${this.reel.films[n].address}#t=${seconds.toFixed(3)}`;
    if (plays) this.play();
  }

  play() {
    this.video.play().catch(() => { /* nobody has touched the page yet, or another film was chosen meanwhile */ });
  }

  toggle() {
    if (!this.video.paused) this.video.pause();
    else if (this.video.ended && this.film === this.reel.films.length - 1) this.load(0, 0, true);
    else this.play();
  }

  // By `n` pictures.
  step(n) {
    this.video.pause();
    const film = this.every.films[this.every.filmAt(this.place)];
    this.go(this.place + n * film.dur_ms / film.frames);
  }

  async setSpeed(speed) {
    this.speed = speed;
    this.parts.speed.value = String(speed);
    const reel = speed > FAST && !this.every.films.some((film) => film.light) ? await this.keys() : this.every;
    if (reel === this.reel || speed !== this.speed) {
      this.video.playbackRate = this.speed;
      return;
    }
    this.change(reel, this.reel.wall(this.wanted ?? this.reel.starts[this.film] + this.video.currentTime * 1000));
  }

  // Go on with other films at that wall time.
  change(reel, wall, plays = !this.video.paused) {
    const place = reel.place(wall), n = reel.filmAt(place);
    this.reel = reel;
    this.wanted = null;
    this.load(n, (place - reel.starts[n]) / 1000, plays);
  }

  // The film of keyframes; where there is none, the one of all pictures.
  async keys() {
    try {
      const { camera, begin_ms, end_ms } = this.told;
      const answer = await fetch(`/film/${encodeURIComponent(camera)}.json?from=${begin_ms}&to=${end_ms}&keys=1`);
      const told = await answer.json();
      return told.films.length ? new Reel(told) : this.every;
    } catch {
      return this.every;
    }
  }

  // The end of a film: on to the next one, or to what was recorded meanwhile.
  async end() {
    if (this.film + 1 < this.reel.films.length) {
      this.load(this.film + 1, 0, true);
    } else if (this.figure.dataset.more) {
      const wall = this.reel.wall(this.reel.length);
      if (await this.renew() && this.every.wall(this.every.length) > wall + 500) {
        this.speed = Math.min(this.speed, 1);
        this.change(this.every, wall, true);
      } else if (this.every.grows) {
        setTimeout(() => { if (this.video.ended) this.end(); }, ASK_AGAIN_MS);
      }
    }
    this.show();
  }

  // Asks again for the list of films. Returns whether there are any.
  async renew() {
    try {
      const { camera, begin_ms, end_ms } = this.told;
      const address = this.figure.dataset.more ?? `/film/${encodeURIComponent(camera)}.json?from=${begin_ms}&to=${end_ms}`;
      const told = await (await fetch(address)).json();
      if (!told.films.length) return false;
      this.told = told;
      this.every = new Reel(told);
      return true;
    } catch {
      return false;
    }
  }

  // What a browser can't play is said; what was deleted while it was watched is left out.
  async fail() {
    if (this.reel.films[this.film].codec === "h265" && !this.reel.films[this.film].light) return this.judge(true);
    const wall = this.reel.wall(this.reel.starts[this.film]), before = this.told;
    if (!this.failed && await this.renew() && JSON.stringify(before.films) !== JSON.stringify(this.told.films)) {
      this.failed = true;
      this.change(this.every, wall, true);
    } else {
      this.figure.querySelector("[data-lost]").hidden = false;
    }
  }

  // Tell of an encoding that this browser says it can't play, or has `failed` to.
  judge(failed = false) {
    const film = this.reel.films[this.film];
    const plays = film.codec !== "h265" || film.light || (!failed && this.video.canPlayType(film.type) !== "");
    if (this.note) this.note.hidden = plays;
  }

  // Have a light copy made of what can't be played, and play it. The recorder goes on with it only while it is asked.
  async lighten() {
    const film = this.every.films[this.film];
    const wall = this.film ? this.every.wall(this.place) : this.every.wall(Number(this.figure.dataset.starts) * 1000);
    const parts = ["light", "light-help", "light-state"].map((each) => this.note.querySelector(`[data-${each}]`));
    const [button, help, state] = parts;
    const [text, progress] = state.children;
    button.hidden = help.hidden = true;
    state.hidden = progress.hidden = false;
    const address = film.address.replace("/film/", "/preview/").replace(".mp4?", ".json?");
    for (;;) {
      const answer = fetch(address, { method: "POST" }).then((each) => each.json());
      const told = await answer.catch(() => ({ state: "failed" }));
      if (told.state === "done") {
        Object.assign(film, { address: told.address, light: true });
        return this.change(this.every, wall, true);
      }
      text.textContent = state.dataset[told.state];
      progress.value = told.share ?? 0;
      progress.hidden = told.state !== "working" && told.state !== "busy";
      if (progress.hidden) return;
      await new Promise((go) => setTimeout(go, ASK_COPY_MS));
    }
  }

  listen() {
    const { video, parts } = this;
    for (const name of ["timeupdate", "play", "pause", "volumechange", "loadedmetadata"]) {
      video.addEventListener(name, () => this.show());
    }
    video.addEventListener("loadedmetadata", () => { video.playbackRate = this.speed; });
    for (const name of ["seeked", "loadeddata"]) {
      video.addEventListener(name, () => { if (this.wanted !== null) this.seek(this.wanted); });
    }
    video.addEventListener("ended", () => this.end());
    video.addEventListener("error", () => this.fail());
    video.addEventListener("click", () => this.toggle());
    parts.play.addEventListener("click", () => this.toggle());
    parts.back.addEventListener("click", () => this.step(-1));
    parts.on.addEventListener("click", () => this.step(1));
    parts.sound.addEventListener("click", () => { video.muted = !video.muted; });
    parts.full.addEventListener("click", () => this.fill());
    parts.speed.addEventListener("change", () => this.setSpeed(Number(parts.speed.value)));
    parts.place.addEventListener("input", () => this.go(Number(parts.place.value)));
    for (const each of this.note?.querySelectorAll("[data-light], [data-light-help]") ?? []) each.hidden = false;
    this.note?.querySelector("[data-light]").addEventListener("click", () => this.lighten());
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    const on = event.target.closest("input:not([type=range]), select, textarea, button, a, summary, dialog");
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (on && !(this.bar.contains(on) && "k,.<>mf".includes(event.key))) return;
    const faster = SPEEDS.find((each) => each > this.speed), slower = SPEEDS.findLast((each) => each < this.speed);
    const keys = {
      " ": () => this.toggle(), k: () => this.toggle(), f: () => this.fill(), m: () => this.parts.sound.click(),
      ArrowLeft: () => this.go(this.place - LEAP_MS), ArrowRight: () => this.go(this.place + LEAP_MS),
      ",": () => this.step(-1), ".": () => this.step(1),
      "<": () => slower && this.setSpeed(slower), ">": () => faster && this.setSpeed(faster),
    };
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  }

  async fill() {
    if (document.fullscreenElement) return document.exitFullscreen();
    if (!this.figure.requestFullscreen) return this.video.webkitEnterFullscreen?.();
    await this.figure.requestFullscreen();
    await screen.orientation?.lock?.("landscape").catch(() => { /* a desk does not turn */ });
  }

  show() {
    const { video, parts } = this, place = this.place;
    parts.place.max = this.every.length;
    if (document.activeElement !== parts.place || !video.seeking) parts.place.value = place;
    const clock = new Date(this.every.wall(place) + this.zone).toISOString().slice(11, 19);
    parts.place.setAttribute("aria-valuetext", clock);
    this.bar.querySelector("[data-clock]").textContent = clock;
    this.bar.querySelector("[data-length]").textContent = `${lengthOf(place)} / ${lengthOf(this.every.length)}`;
    mark(parts.play, !video.paused);
    mark(parts.sound, !video.muted);
  }
}

// 0:09, 1:02:03
function lengthOf(ms) {
  const s = Math.floor(ms / 1000), two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(s / 3600), minutes = Math.floor(s / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

// A button of two states has two names and two pictures.
function mark(button, on) {
  button.dataset.name ??= button.title;
  button.toggleAttribute("data-on", on);
  button.title = on ? button.dataset.other : button.dataset.name;
  button.setAttribute("aria-label", button.title);
}

for (const figure of document.querySelectorAll("figure.film")) figure.player = new Player(figure);

// An event that has just begun has no film yet: the page is reloaded as soon as there is one.
const awaits = document.querySelector("[data-awaits]");
async function awaitFilm() {
  try {
    const told = await (await fetch(awaits.dataset.awaits)).json();
    if (told.films.length) return location.reload();
  } catch { /* the recorder is out of reach: ask again */ }
  setTimeout(awaitFilm, ASK_AGAIN_MS);
}
if (awaits) setTimeout(awaitFilm, ASK_AGAIN_MS);
