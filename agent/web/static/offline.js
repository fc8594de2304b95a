// Says when the recorder last answered this phone, and goes on as soon as it does again.
const EVERY_MS = 5_000;

async function tell() {
  const line = document.getElementById("seen");
  const seen = await (await caches.match("/last-seen"))?.text();
  if (!seen) return;
  const when = new Date(Number(seen)).toLocaleString(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  line.textContent = line.dataset.seen.replace("TIME", when);
  line.hidden = false;
}

async function ask() {
  try {
    await fetch("/static/mark.svg", { cache: "no-store", signal: AbortSignal.timeout(EVERY_MS) });
    if (location.pathname !== "/offline") location.reload();
  } catch { /* still away */ }
  setTimeout(ask, EVERY_MS);
}
tell();
ask();
