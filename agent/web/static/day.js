// A day on a line: whatever moment a finger touches is played, and pictures follow the finger until it lets go.
const FINE_S = 3600;                // of the lower line
const STEP_MS = 10_000;
const AGAIN_MS = 3_000;             // while what is watched is still being recorded
const NEAR_MS = 600_000;            // an event's picture stands for no more than this around it
const AROUND_MS = 30_000;           // of a moment is what the buttons beneath it mean
const BEFORE_MS = 2_000;            // an event begins with its first sight
const WATCHED_MS = 1_000;           // of an event, and it counts as seen

const lanes = document.querySelector(".lanes[data-day]");
const day = JSON.parse(lanes.dataset.day);
const film = `/film/${encodeURIComponent(day.camera)}.json`;
const player = document.querySelector("figure.film")?.player;
const events = day.events.map(([id, begin, end, thumb, seen]) => ({ id, begin, end: Math.max(end, begin), thumb, seen }));

function clock(wall) {
  const [, apart] = day.zones.findLast(([from]) => from <= wall) ?? day.zones[0];
  return new Date(wall + apart).toISOString().slice(11, 19);
}

// The moment if it was recorded, else the next that was, else the last; behind the last one more may have come.
function recorded(wall) {
  for (const [begin, end] of day.recorded) if (wall < end) return Math.max(wall, begin);
  return day.now_ms < day.end_ms ? wall : day.recorded.at(-1)?.[0] ?? null;
}

// The pictures that follow a finger: a film of the day's keyframes, and until it is there the events' pictures.
class Preview {
  constructor(box) {
    this.box = box;
    this.video = box.querySelector("video");
    this.image = box.querySelector("img");
    this.wanted = null;
    this.films = null;              // asked for with the first touch
    this.video.addEventListener("seeked", () => {
      this.box.classList.add("moves");
      if (this.wanted !== null) this.seek(this.wanted);
    });
    this.video.addEventListener("loadedmetadata", () => { if (this.wanted !== null) this.seek(this.wanted); });
    this.video.addEventListener("error", () => { this.box.classList.remove("moves"); this.films = []; });
  }

  async load() {
    this.films = [];
    try {
      const end = Math.min(day.end_ms, Date.now());
      this.films = (await (await fetch(`${film}?from=${day.begin_ms}&to=${end}&keys=1`)).json()).films;
      if (this.wanted !== null) this.seek(this.wanted);
    } catch { /* the events' pictures do */ }
  }

  show(wall) {
    if (this.films === null) this.load();
    this.box.hidden = false;
    const near = events.filter((each) => each.thumb).map((each) => [Math.abs(each.begin - wall), each.id]);
    const [away, id] = near.reduce((one, other) => (other[0] < one[0] ? other : one), [NEAR_MS, null]);
    this.image.hidden = id === null;
    if (id !== null && away < NEAR_MS) this.image.src = `/thumbs/${id}.jpg`;
    this.seek(wall);
  }

  // One seek at a time: a finger is faster than any decoder.
  seek(wall) {
    this.wanted = wall;
    const found = this.films?.find((each) => wall < each.end_ms) ?? this.films?.at(-1);
    if (!found || this.video.seeking) return;
    if (this.address !== found.address) {
      this.address = found.address;
      this.video.src = found.address;
      return;
    }
    if (this.video.readyState === 0) return;
    const stretch = found.stretches.find((each) => wall < each.end_ms) ?? found.stretches.at(-1);
    const inner = Math.min(Math.max(0, wall - stretch.begin_ms), stretch.end_ms - stretch.begin_ms - 1);
    this.wanted = null;
    this.video.currentTime = (stretch.at_ms + inner) / 1000;
  }

  hide() {
    this.box.hidden = true;
    this.wanted = null;
  }
}

// The lines: the whole day, and beneath it the hour around the moment.
class Lines {
  constructor(drawn) {
    this.day = this.boxed(drawn, "day");
    this.fine = this.boxed(drawn.cloneNode(true), "fine");
    this.day.after(this.fine);
    this.wall = Number(lanes.dataset.at ?? recorded(day.now_ms - 1) ?? day.begin_ms);
    this.held = null;               // while a finger is on a line: the moment beneath it
    this.day.tabIndex = 0;
    const now = Math.min(day.end_ms, Math.max(day.now_ms, day.begin_ms));
    const told = { role: "slider", "aria-label": drawn.getAttribute("aria-label"), "aria-valuemin": 0,
      "aria-valuemax": Math.round((now - day.begin_ms) / 1000) };
    for (const [name, value] of Object.entries(told)) this.day.setAttribute(name, value);
    for (const svg of [drawn, this.fine.firstChild]) svg.setAttribute("aria-hidden", "true");
    this.follow(this.day, (event, box) => day.begin_ms + (event.clientX - box.left) / box.width * this.length);
    this.follow(this.fine, (event, box, from) => from.wall - (event.clientX - from.x) / box.width * FINE_S * 1000,
      (event, box) => this.wall + ((event.clientX - box.left) / box.width - 0.5) * FINE_S * 1000);
    this.day.addEventListener("keydown", (event) => this.key(event));
    this.show(this.wall);
  }

  get length() { return day.end_ms - day.begin_ms; }

  boxed(svg, name) {
    const box = document.createElement("div"), cursor = document.createElement("i");
    box.className = `line-box ${name}`;
    svg.replaceWith(box);
    box.append(svg, cursor);
    return box;
  }

  // `moved` says which moment lies beneath a finger that drags, `tapped` beneath one that only touches.
  follow(box, moved, tapped = moved) {
    let from = null;
    box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      box.setPointerCapture(event.pointerId);
      from = { x: event.clientX, wall: this.wall, drags: false };
      if (moved === tapped) this.hold(moved(event, box.getBoundingClientRect(), from));
    });
    box.addEventListener("pointermove", (event) => {
      if (!from) return;
      from.drags ||= Math.abs(event.clientX - from.x) > 4;
      if (from.drags) this.hold(moved(event, box.getBoundingClientRect(), from));
    });
    box.addEventListener("pointerup", (event) => {
      if (!from) return;
      const at = from.drags ? moved : tapped;
      this.hold(at(event, box.getBoundingClientRect(), from));
      from = null;
      this.let(true);
    });
    box.addEventListener("pointercancel", () => { from = null; this.let(false); });
  }

  hold(wall) {
    this.held = Math.min(Math.max(wall, day.begin_ms), Math.min(day.end_ms, Date.now()) - 1);
    preview?.show(this.held);
    this.show(this.held);
  }

  let(plays) {
    const wall = this.held;
    this.held = null;
    preview?.hide();
    if (plays && wall !== null) go(wall);
  }

  key(event) {
    const steps = { ArrowLeft: -STEP_MS, ArrowRight: STEP_MS, PageUp: 600_000, PageDown: -600_000, ArrowUp: 60_000,
      ArrowDown: -60_000, Home: day.begin_ms - this.wall, End: day.end_ms - this.wall };
    if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(this.wall + steps[event.key]);
  }

  show(wall) {
    this.wall = wall;
    const second = (wall - day.begin_ms) / 1000;
    this.day.querySelector("i").style.left = `${100 * (wall - day.begin_ms) / this.length}%`;
    this.fine.firstChild.setAttribute("viewBox", `${second - FINE_S / 2} 0 ${FINE_S} 40`);
    this.day.setAttribute("aria-valuenow", Math.round(second));
    this.day.setAttribute("aria-valuetext", clock(wall));
    const told = document.querySelector("[data-now]");
    if (told) told.textContent = clock(wall);
  }
}

function address(wall) {
  const there = new URL(location.href);
  there.searchParams.set("at", clock(wall));
  there.searchParams.delete("event");
  return there;
}

// Play that moment, in the films that are there or in others.
async function go(wanted) {
  const wall = recorded(Math.min(Math.max(wanted, day.begin_ms), day.end_ms - 1));
  if (wall === null) return;
  lines.show(wall);
  if (!player) {
    location.href = address(wall);
    return;
  }
  history.replaceState(null, "", address(wall));
  mean(wall - AROUND_MS, wall + AROUND_MS);
  const { films } = player.told;
  if (films.length && films[0].begin_ms <= wall && wall < films.at(-1).end_ms) player.go(player.every.place(wall));
  else await open(wall, !player.video.paused || player.video.ended);
}

// Other films for the player: those of the window around that moment. Returns whether there are some.
async function open(wall, plays) {
  const begin_ms = Math.floor(wall / day.window_ms) * day.window_ms;
  const before = player.told;
  player.told = { ...before, begin_ms, end_ms: begin_ms + day.window_ms };
  if (!await player.renew()) {
    player.told = before;
    return false;
  }
  player.change(player.speed > 4 ? await player.keys() : player.every, wall, plays);
  return true;
}

// The end of a window: on to what was recorded next.
async function onward() {
  if (!player.video.ended || player.film + 1 < player.reel.films.length) return;
  const end = player.reel.wall(player.reel.length);
  const next = recorded(end + 500);
  const grows = day.now_ms < day.end_ms && next !== null && next >= day.now_ms - AGAIN_MS;
  if (next === null || (next <= end && !grows) || next >= day.end_ms) return;
  if (!grows) await open(next, true);
  else if (await open(end - 1, false) && player.every.wall(player.every.length) > end + 1_000) player.change(player.every, end, true);
  else setTimeout(onward, AGAIN_MS);
}

// The span that the form below the film offers, unless someone has changed it.
let said = false;
function mean(begin, end) {
  const form = document.querySelector(".span-form");
  if (!form || said) return;
  form.elements.begin.value = clock(Math.max(begin, day.begin_ms));
  form.elements.end.value = clock(Math.min(end, day.end_ms - 1));
}

async function markSeen(event) {
  if (event.seen) return;
  event.seen = true;
  document.querySelector(`[data-id="${event.id}"]`)?.classList.remove("unseen-event");
  const body = new URLSearchParams({ events: event.id });
  try { await fetch("/recordings/seen", { method: "POST", body }); } catch { event.seen = false; }
}

function jump(event) {
  go(event.begin - BEFORE_MS);
  mean(event.begin - AROUND_MS, event.end + AROUND_MS);
  markSeen(event);
}

const box = document.querySelector(".preview");
const preview = box && new Preview(box);
const lines = new Lines(lanes.querySelector("[data-lane=day]"));
lanes.querySelector("[data-hint]").hidden = false;

if (player) {
  player.video.addEventListener("timeupdate", () => {
    if (lines.held !== null || player.video.seeking || player.wanted !== null) return;
    const wall = player.every.wall(player.place);
    lines.show(wall);
    const watched = events.find((each) => !each.seen && each.begin + WATCHED_MS <= wall && wall <= each.end + 2 * WATCHED_MS);
    if (watched && !player.video.paused) markSeen(watched);
  });
  player.video.addEventListener("ended", onward);
  document.querySelector(".span-form")?.addEventListener("input", () => { said = true; });
  for (const [name, find] of [
    ["earlier", (wall) => events.findLast((each) => each.begin - BEFORE_MS < wall - 3_000)],
    ["later", (wall) => events.find((each) => each.begin - BEFORE_MS > wall + 500)],
  ]) {
    document.querySelector(`[data-jump=${name}]`).addEventListener("click", (click) => {
      const found = find(lines.wall);
      if (!found) return;
      click.preventDefault();
      jump(found);
    });
  }
  for (const link of document.querySelectorAll("a[data-id]")) {
    link.addEventListener("click", (click) => {
      const found = events.find((each) => each.id === Number(link.dataset.id));
      if (!found || click.ctrlKey || click.metaKey || click.shiftKey) return;
      click.preventDefault();
      document.getElementById("film").scrollIntoView({ behavior: "smooth", block: "start" });
      jump(found);
    });
  }
  const first = events.find((each) => each.id === Number(lanes.dataset.event));
  if (first) markSeen(first);
}
