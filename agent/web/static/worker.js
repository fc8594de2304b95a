// Runs between page and recorder on the phone. It stores only one page, which says that the recorder can't be reached
// and when it last answered; it stores no picture and no page of the household.
const KEPT = "taimat-1", OFFLINE = "/offline", SEEN = "/last-seen";
const PATIENCE_MS = 12_000;             // a slow card answers sooner; a phone away from home would wait for minutes

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keep());
});

self.addEventListener("message", (event) => event.waitUntil(keep()));

self.addEventListener("activate", (event) => event.waitUntil(tidy().then(() => self.clients.claim())));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const path = new URL(request.url).pathname;
  if (request.mode === "navigate" && request.method === "GET") event.respondWith(page(request));
  else if (path.startsWith("/static/")) event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
});

// The page of a lost connection, and what it is drawn with.
async function keep() {
  const kept = await caches.open(KEPT), answer = await fetch(OFFLINE, { cache: "no-store" });
  if (!answer.ok || answer.redirected) throw new Error("not paired");
  const parts = (await answer.clone().text()).matchAll(/(?:src|href)="(\/static\/[^"]+)"/g);
  await kept.put(OFFLINE, answer);
  await kept.addAll([...new Set([...parts].map(([, address]) => address))]);
}

async function tidy() {
  for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
}

async function page(request) {
  try {
    const answer = await Promise.race([fetch(request), late()]);
    const kept = await caches.open(KEPT);
    await kept.put(SEEN, new Response(String(Date.now())));
    return answer;
  } catch {
    return (await caches.match(OFFLINE)) ?? Response.error();
  }
}

function late() {
  return new Promise((_, reject) => setTimeout(() => reject(new Error("late")), PATIENCE_MS));
}
