// What makes the page live: camera screens, and parts that stay fresh. Without it everything else still works.
import { Screen } from "./live.js";

const FRESH_EVERY_MS = 10_000;
const SOON_MS = 2_000;          // while someone waits for a search to end or plugs in a camera
const SEEN_EVERY_MS = 60_000;
const AT_ONCE_N = 3;            // a browser opens six connections to one host, and each screen keeps one

const screens = [...document.querySelectorAll("[data-live]")].map((box) => new Screen(box));

const running = () => screens.filter((screen) => screen.wanted);

// Screens start by themselves when they come into sight; the first few only, the others on a tap.
const sight = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const screen = screens.find((each) => each.box === entry.target);
    if (!entry.isIntersecting) screen.stop();
    else if (running().length < AT_ONCE_N && !navigator.connection?.saveData) screen.start();
    else screen.offer();
  }
}, { threshold: 0.25 });

for (const screen of screens) {
  sight.observe(screen.box);
  screen.onTap = () => {
    if (running().length >= AT_ONCE_N) running()[0].stop();
    screen.start();
  };
}

// Of a line of chips that is wider than the screen, the chosen one is in sight.
for (const chosen of document.querySelectorAll(".chips [aria-current]")) {
  const { left, width } = chosen.getBoundingClientRect(), row = chosen.parentElement;
  row.scrollLeft += left + width / 2 - row.getBoundingClientRect().left - row.clientWidth / 2;
}

// A page in the background costs the recorder nothing.
document.addEventListener("visibilitychange", () => {
  for (const screen of screens) document.hidden ? screen.pause() : screen.resume();
});

// On the phone's home screen the page is an app, which says so itself when the recorder can't be reached. Browsers have no
// service worker for a page whose certificate they do not trust.
navigator.serviceWorker?.register("/worker.js").then(({ active }) => {
  const looks = document.documentElement.lang + document.querySelector("link[rel=stylesheet]").href;
  if (!active || localStorage.getItem("kept") === looks) return;
  active.postMessage("keep");                   // in this language and these colours, from now on
  localStorage.setItem("kept", looks);
}).catch(() => {});

// Elements marked data-fresh are replaced by their newer selves.
let seenMs = Date.now();
async function freshen() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return;
    if (window.caches && Date.now() - seenMs > SEEN_EVERY_MS) {           // for the page that worker.js keeps
      seenMs = Date.now();
      (await caches.open("taimat-1")).put("/last-seen", new Response(String(seenMs)));
    }
    const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (screens.length && !newer.querySelector("[data-live]")) return location.reload();      // it is a recording now
    for (const old of document.querySelectorAll("[data-fresh]")) {
      const fresh = newer.getElementById(old.id);
      if (old.contains(document.activeElement) || old.querySelector("details[open]")) continue;   // someone is choosing or typing
      if (!fresh || fresh.innerHTML === old.innerHTML) continue;
      old.replaceChildren(...fresh.childNodes);
      if (old.id.startsWith("state-")) screens.find((screen) => screen.box.closest("article")?.contains(old))?.hurry();
    }
  } catch { /* the recorder is out of reach: the screens say so */ }
}
function watch() {
  setTimeout(() => freshen().then(watch), document.querySelector("[data-soon]") ? SOON_MS : FRESH_EVERY_MS);
}
if (document.querySelector("[data-fresh]")) watch();
