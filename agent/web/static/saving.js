// Waits until a change is in force. The recorder's page restarts with some changes, so it may not answer for a while.
const ASK_EVERY_MS = 700;

async function ask() {
  try {
    const answer = await fetch("/saving.json" + location.search, { signal: AbortSignal.timeout(5_000) });
    if (answer.status === 401) { location.replace("/pair"); return; }
    const { to } = await answer.json();
    if (to) { location.replace(to); return; }
  } catch { /* it is restarting */ }
  setTimeout(ask, ASK_EVERY_MS);
}
ask();
