// Keeps what is marked data-fresh as it is now, part by part: what has not changed stays where it is, and so does what
// somebody is about to use. Without it the page is as it was when it was opened.
const EVERY_MS = 2_000;

function renew(old, fresh) {
  const parts = (box) => [...box.querySelectorAll("[id]")].map((each) => each.id).join();
  if (parts(old) !== parts(fresh)) {
    if (!old.contains(document.activeElement)) old.replaceChildren(...fresh.childNodes);
    return;
  }
  for (const part of old.querySelectorAll("[id]")) {
    const newer = fresh.querySelector(`#${CSS.escape(part.id)}`);
    if (part.innerHTML !== newer.innerHTML && !part.contains(document.activeElement)) part.innerHTML = newer.innerHTML;
  }
  for (const [n, chips] of old.querySelectorAll(".chips").entries()) {
    const newer = fresh.querySelectorAll(".chips")[n];
    if (newer && chips.innerHTML !== newer.innerHTML && !chips.contains(document.activeElement)) {
      chips.innerHTML = newer.innerHTML;
    }
  }
}

async function freshen(box) {
  const address = new URL(location.href);
  address.searchParams.set("fragment", "1");
  address.hash = "";
  try {
    const answer = await fetch(address, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(10_000) });
    if (!answer.ok) return;
    const fresh = document.createElement("div");
    fresh.innerHTML = await answer.text();
    renew(box, fresh);
  } catch { /* the ward's machine does not answer: what is shown stays, and is asked for again */ }
}

const box = document.querySelector("[data-fresh]");
async function watch() {
  if (!document.hidden) await freshen(box);
  setTimeout(watch, EVERY_MS);
}
if (box) setTimeout(watch, EVERY_MS);
