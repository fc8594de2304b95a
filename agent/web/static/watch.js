// The detector at work: its newest look over the picture, and how much has changed in the last minute. The recorder is
// asked only while this is open and visible.
const SPAN_MS = 60_000, OLD_MS = 12_000, AGAIN_MS = 3_000;
const WIDE = 600, HIGH = 150, LEAST = 1e-5;      // of the plot; shares of the picture, on a logarithmic scale

export function watchDetector(svg, seen, node) {
  const box = document.getElementById("watch");
  if (!box) return;
  const plot = document.getElementById("score"), now = document.getElementById("now");
  const [limit, line] = plot.querySelectorAll("polyline"), word = plot.querySelector("text");
  const looks = [];
  let source = null, again, clock;

  const text = (reason) => box.querySelector(`[data-reason="${reason}"]`).textContent;
  const y = (share) => HIGH * (1 - Math.log10(Math.max(share, LEAST) / LEAST) / -Math.log10(LEAST));

  function say(...reasons) {
    const sentence = reasons.map(text).join(" ");
    if (now.textContent !== sentence) now.textContent = sentence;
  }

  function show() {
    const at = performance.now(), { width, height } = svg.viewBox.baseVal;
    while (looks.length && at - looks[0].at > SPAN_MS) looks.shift();
    const newest = looks.at(-1);
    const live = newest && at - newest.at < OLD_MS;
    const places = looks.map((each) => `${WIDE * (1 - (at - each.at) / SPAN_MS)},${y(each.score)}`);
    line.setAttribute("points", places.join(" "));
    if (newest) {
      limit.setAttribute("points", `0,${y(newest.least)} ${WIDE},${y(newest.least)}`);
      word.setAttribute("y", y(newest.least) - 6);
    }
    seen.replaceChildren(...(live ? newest.boxes ?? [] : []).map(([bx, by, w, h, counts]) => node("rect", {
      class: counts ? "seen counts" : "seen", x: bx * width, y: by * height, width: w * width, height: h * height })));
    if (live) say(...(newest.event && newest.boxes?.length ? ["event"] : newest.silences ?? ["still"]));
    else if (source?.readyState === EventSource.OPEN) say("silent");
  }

  function begin() {
    if (source || !box.open || document.hidden) return;
    plot.hidden = false;
    source = new EventSource(box.dataset.looks);
    source.onmessage = (event) => { looks.push({ ...JSON.parse(event.data), at: performance.now() }); show(); };
    source.onerror = () => {
      say("lost");
      if (source.readyState !== EventSource.CLOSED) return;       // else the browser asks again by itself
      end();
      again = setTimeout(begin, AGAIN_MS);
    };
    clock = setInterval(show, 1_000);
  }

  function end() {
    clearTimeout(again);
    clearInterval(clock);
    source?.close();
    source = null;
    seen.replaceChildren();
  }

  box.addEventListener("toggle", () => box.open ? begin() : end());
  document.addEventListener("visibilitychange", () => document.hidden ? end() : begin());
  addEventListener("pagehide", end);
  begin();
}
