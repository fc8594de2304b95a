// A camera's picture: areas and lines are drawn on it with a finger, a mouse or the keyboard, and the detector is
// watched at work. All that is drawn stands in the form's own fields, in percent; the drawing only shows and changes them.
import { watchDetector } from "./watch.js";

const HIT_PX = 22, DOT_PX = 8;          // radius under a finger, and as it is seen
const STEP = 1, FAR = 5;                // percent that an arrow key moves a corner
const CORNERS_MAX = 24, DRAWN_MAX = 14; // of an area; of one that was drawn freely
const TINY = 3;                         // percent: a tap is no drawing
const UNDO_MAX = 100;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const NEW = { cross: [[20, 60], [80, 60]] }, NEW_AREA = [[35, 35], [65, 35], [65, 65], [35, 65]];

const form = document.getElementById("picture"), list = document.getElementById("areas");
const svg = document.getElementById("drawing"), template = document.getElementById("row");
const shapes = document.getElementById("shapes"), handles = document.getElementById("handles");
const [undo, drop, told, unsaved] = ["undo", "drop", "told", "unsaved"].map((id) => document.getElementById(id));
const filledIn = () => new URLSearchParams(new FormData(form)).toString();
const saved = "draft" in unsaved.dataset ? null : filledIn();
const video = document.querySelector(".stage video");
let { width, height } = svg.viewBox.baseVal;

let chosen = null, corner = 0;          // the row whose corners can be moved, and which of them
let fresh = null;                       // a row that waits to be drawn
let gesture = null;
let typed = null;                       // the value before someone types
const past = [];

const rows = () => [...list.querySelectorAll(".area")];
const field = (row, name) => row.querySelector(`[name^="${name}-"]`);
const kindOf = (row) => field(row, "kind").value;
const isLine = (row) => kindOf(row) === "cross";
const least = (row) => isLine(row) ? 2 : 3;
const clamp = (value) => Math.min(100, Math.max(0, Math.round(value * 100) / 100));
const corners = (row) => field(row, "corners").value.trim().split(/\s+/).map((each) => each.split(",").map(Number))
  .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));

function put(row, points) {
  field(row, "corners").value = points.map(([x, y]) => `${clamp(x)},${clamp(y)}`).join(" ");
}

// What there was, for undoing.
const FIELDS = ["kind", "name", "dwell", "direction", "corners"];
const snapshot = () => rows().map((row) => Object.fromEntries(FIELDS.map((name) => [name, field(row, name).value])));

function remember() {
  past.push(snapshot());
  if (past.length > UNDO_MAX) past.shift();
}

function restore() {
  const before = past.pop();
  if (!before) return;
  const at = rows().indexOf(chosen);
  for (const row of rows()) row.remove();
  for (const values of before) build(values);
  fresh = null;
  choose(rows()[at] ?? null);
}

function build(values) {
  const taken = new Set(rows().map((row) => row.id));
  let number = 0;
  while (taken.has(`area-${number}`)) number++;
  const made = document.createElement("template");
  made.innerHTML = template.innerHTML.replaceAll("NUMBER", number);
  const row = made.content.querySelector(".area");
  for (const [name, value] of Object.entries(values)) field(row, name).value = value;
  row.querySelector("details").open = false;
  row.querySelector("[data-remove]").hidden = false;
  list.append(row);
  return row;
}

function label(row) {
  const short = field(row, "kind").selectedOptions[0].dataset.short, name = field(row, "name").value;
  return name && kindOf(row) !== "mask" ? `${short}: ${name}` : short;
}

function choose(row, number = 0) {
  chosen = row;
  corner = number;
  draw();
}

function add(kind, byKeyboard) {
  if (rows().length >= Number(form.dataset.rows_max)) return;
  remember();
  const row = build({ kind });
  put(row, NEW[kind] ?? NEW_AREA);
  fresh = row;
  choose(row);
  told.textContent = form.dataset[kind === "cross" ? "line" : "draw"];
  if (byKeyboard) focusCorner();
  else svg.scrollIntoView({ block: "nearest" });
}

function remove(row) {
  remember();
  row.remove();
  if (fresh === row) fresh = null;
  choose(chosen === row ? null : chosen);
}

function removeCorner() {
  const points = corners(chosen);
  if (points.length <= least(chosen)) return;
  remember();
  points.splice(corner, 1);
  put(chosen, points);
  choose(chosen, Math.min(corner, points.length - 1));
}

function addCorner(after) {
  const points = corners(chosen);
  if (points.length >= CORNERS_MAX) return false;
  const next = points[(after + 1) % points.length], here = points[after];
  if (isLine(chosen) && after === points.length - 1) return false;
  remember();
  points.splice(after + 1, 0, [(here[0] + next[0]) / 2, (here[1] + next[1]) / 2]);
  put(chosen, points);
  corner = after + 1;
  return true;
}

const focusCorner = () => handles.querySelector(`[data-corner="${corner}"]`)?.focus();

// Drawing.

function node(name, attributes, ...children) {
  const made = document.createElementNS(svg.namespaceURI, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const px = ([x, y]) => [x * width / 100, y * height / 100];
const unit = () => 1 / (svg.getScreenCTM()?.a || 1);        // pixels of the picture in one of the screen

function shape(row) {
  row.classList.toggle("chosen", row === chosen);
  row.querySelector("legend").textContent = label(row);
  const points = corners(row).map(px).map((each) => each.join(",")).join(" ");
  const wrong = row.classList.contains("wrong") ? " wrong" : "", on = row === chosen ? " chosen" : "";
  const seen = node(isLine(row) ? "polyline" : "polygon", { class: `shape ${kindOf(row)}${wrong}${on}`, points,
    tabindex: 0, role: "button", "aria-label": label(row), "data-shape": row.id });
  return isLine(row) ? [node("polyline", { class: `grip${on}`, points, "data-shape": row.id }), seen] : [seen];
}

// Little arrows across the middle of a line: which way counts.
function ways(row) {
  const points = corners(row).map(px);
  if (!isLine(row) || points.length < 2) return [];
  const at = Math.floor((points.length - 2) / 2), [[ax, ay], [bx, by]] = points.slice(at, at + 2);
  const long = Math.hypot(bx - ax, by - ay) || 1, size = 26 * unit();
  const [nx, ny] = [(by - ay) / long * size, (ax - bx) / long * size];      // to the left, for y points down
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2];
  const arrow = (side) => {
    const [tx, ty] = [mx + side * nx, my + side * ny], [sx, sy] = [side * nx * 0.4, side * ny * 0.4];
    return node("path", { class: "way", d: `M${mx},${my} L${tx},${ty} M${tx - sx - sy},${ty - sy + sx} L${tx},${ty} `
      + `L${tx - sx + sy},${ty - sy - sx}` });
  };
  const wanted = field(row, "direction").value;
  return [...(wanted !== "right" ? [arrow(1)] : []), ...(wanted !== "left" ? [arrow(-1)] : [])];
}

function knob(at, number, points) {
  const [x, y] = px(at), scale = unit();
  const gaps = { AREA: label(chosen), N: number + 1, X: Math.round(at[0]), Y: Math.round(at[1]) };
  const text = form.dataset.corner.replace(/AREA|N|X|Y/g, (gap) => gaps[gap]);
  const made = node("g", { class: `knob${number === corner ? " on" : ""}`, tabindex: 0, role: "button",
    "aria-label": text, "data-corner": number },
  node("circle", { class: "hit", cx: x, cy: y, r: HIT_PX * scale }),
  node("circle", { class: "dot", cx: x, cy: y, r: DOT_PX * scale }));
  if (isLine(chosen) && (number === 0 || number === points.length - 1)) {
    const word = node("text", { x: x + 12 * scale, y: y - 12 * scale, "font-size": 18 * scale });
    word.textContent = number ? 2 : 1;
    made.append(word);
  }
  return made;
}

function middle(points, number) {
  const next = points[(number + 1) % points.length], [x, y] = px([(points[number][0] + next[0]) / 2,
    (points[number][1] + next[1]) / 2]), scale = unit();
  const far = Math.hypot(...px([next[0] - points[number][0], next[1] - points[number][1]])) > 4 * HIT_PX * scale;
  if (!far || points.length >= CORNERS_MAX) return [];
  return [node("g", { class: "knob mid", "data-mid": number, "aria-hidden": "true" },
    node("circle", { class: "hit", cx: x, cy: y, r: HIT_PX * scale }),
    node("circle", { class: "dot", cx: x, cy: y, r: DOT_PX * 0.7 * scale }))];
}

function knobs() {
  if (!chosen) return [];
  const points = corners(chosen), sides = isLine(chosen) ? points.slice(0, -1) : points;
  return [...sides.flatMap((_, number) => middle(points, number)),
    ...points.map((at, number) => knob(at, number, points))];
}

function draw() {
  const focus = document.activeElement, onCorner = focus?.dataset?.corner !== undefined;
  const onShape = focus?.dataset?.shape;
  shapes.replaceChildren(...rows().flatMap(shape), ...rows().flatMap(ways));
  handles.replaceChildren(...knobs());
  if (onCorner) focusCorner();
  else if (onShape) shapes.querySelector(`.shape[data-shape="${onShape}"]`)?.focus();
  svg.classList.toggle("armed", fresh !== null);
  undo.disabled = !past.length;
  unsaved.hidden = filledIn() === saved;
  drop.disabled = !chosen || corners(chosen).length <= least(chosen);
}

// Fingers and mice.

function at(event) {
  const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  return [clamp(x / width * 100), clamp(y / height * 100)];
}

svg.addEventListener("pointerdown", (event) => {
  if (event.button || gesture) return;
  const on = (name) => event.target.closest(`[data-${name}]`)?.dataset[name];
  if (on("corner") !== undefined) {
    remember();
    corner = Number(on("corner"));
    gesture = { move: (to) => { const points = corners(chosen); points[corner] = to; put(chosen, points); } };
    fresh = null;
  } else if (on("mid") !== undefined) {
    if (!addCorner(Number(on("mid")))) return;
    gesture = { move: (to) => { const points = corners(chosen); points[corner] = to; put(chosen, points); } };
    fresh = null;
  } else if (fresh) {
    const path = [at(event)], row = fresh;
    remember();
    gesture = { move: (to) => { path.push(to); put(row, isLine(row) ? path : outline(path)); },
      end: () => { if (extent(path) < TINY) put(row, NEW[kindOf(row)] ?? NEW_AREA); fresh = null; } };
  } else if (chosen && on("shape") === chosen.id) {
    const was = corners(chosen), [fx, fy] = at(event);
    remember();
    gesture = { move: ([x, y]) => put(chosen, shifted(was, x - fx, y - fy)) };
  } else return;
  svg.setPointerCapture(event.pointerId);
  event.preventDefault();         // redrawing now would remove the touched element before "touchstart"
});
svg.addEventListener("pointermove", (event) => {
  if (!gesture) return;
  gesture.move(at(event));
  draw();
});
function letGo() {
  if (!gesture) return;
  gesture.end?.();
  gesture = null;
  if (JSON.stringify(past.at(-1)) === JSON.stringify(snapshot())) past.pop();     // only touched
  if (chosen && isLine(chosen)) put(chosen, simplified(corners(chosen), DRAWN_MAX));
  draw();
}
svg.addEventListener("pointerup", letGo);
// Another area is chosen by a tap and moved only then: a finger that scrolls is to move none.
svg.addEventListener("click", (event) => {
  const id = event.target.dataset.shape;
  if (id && id !== chosen?.id && !fresh) choose(document.getElementById(id));
});
// A finger that draws neither scrolls nor swipes back.
svg.addEventListener("touchstart", (event) => {
  if (fresh || event.target.closest(".chosen, .knob")) event.preventDefault();
}, { passive: false });
svg.addEventListener("pointercancel", letGo);

// Moved as a whole, and no further than to the picture's edge.
function shifted(points, dx, dy) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const x = Math.min(100 - Math.max(...xs), Math.max(-Math.min(...xs), dx));
  const y = Math.min(100 - Math.max(...ys), Math.max(-Math.min(...ys), dy));
  return points.map(([ax, ay]) => [ax + x, ay + y]);
}

const bounds = (path) => [Math.min(...path.map(([x]) => x)), Math.min(...path.map(([, y]) => y)),
  Math.max(...path.map(([x]) => x)), Math.max(...path.map(([, y]) => y))];
function extent(path) {
  const [x0, y0, x1, y1] = bounds(path);
  return Math.max(x1 - x0, y1 - y0);
}

// What was drawn round is an area with some corners; what was drawn straight is a rectangle's diagonal.
function outline(path) {
  const [x0, y0, x1, y1] = bounds(path);
  const twice = path.reduce((sum, [x, y], n) => {
    const [nx, ny] = path[(n + 1) % path.length];
    return sum + x * ny - nx * y;
  }, 0);
  const straight = path.length < 4 || Math.abs(twice) / 2 < 0.25 * (x1 - x0) * (y1 - y0);
  if (straight) return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  return simplified(path, DRAWN_MAX);
}

// Ramer, Douglas and Peucker: leave out what lies near the straight way, the more the longer the path is.
function simplified(path, most) {
  let points = path;
  for (let near = 0.8; points.length > most || near === 0.8; near *= 1.5) points = fewer(path, near);
  return points;
}
function fewer(path, near) {
  if (path.length < 3) return path;
  const [[ax, ay], [bx, by]] = [path[0], path.at(-1)], long = Math.hypot(bx - ax, by - ay);
  let furthest = 0, away = -1;
  for (let n = 1; n < path.length - 1; n++) {
    const [x, y] = path[n];
    const d = long > near ? Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / long : Math.hypot(x - ax, y - ay);
    if (d > away) [furthest, away] = [n, d];
  }
  if (away <= near) return [path[0], path.at(-1)];
  return [...fewer(path.slice(0, furthest + 1), near).slice(0, -1), ...fewer(path.slice(furthest), near)];
}

// The keyboard.

svg.addEventListener("focusin", (event) => {
  const { corner: number, shape: id } = event.target.dataset;
  if (number !== undefined && Number(number) !== corner) { corner = Number(number); draw(); }
  if (id && chosen?.id !== id) choose(document.getElementById(id));
});
svg.addEventListener("keydown", (event) => {
  const { corner: number, shape: id } = event.target.dataset;
  if (id && (event.key === "Enter" || event.key === " ")) focusCorner();
  else if (number !== undefined && ARROWS[event.key]) {
    const [dx, dy] = ARROWS[event.key], step = event.shiftKey ? FAR : STEP, points = corners(chosen);
    remember();
    points[corner] = [clamp(points[corner][0] + dx * step), clamp(points[corner][1] + dy * step)];
    put(chosen, points);
    fresh = null;
    draw();
    told.textContent = document.activeElement.getAttribute("aria-label");
  } else if (number !== undefined && (event.key === "Delete" || event.key === "Backspace")) removeCorner();
  else if (number !== undefined && event.key === "Enter") { addCorner(corner); draw(); }
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "z" || !(event.ctrlKey || event.metaKey) || event.target.matches("input")) return;
  restore();
  event.preventDefault();
});

// The fields.

for (const button of form.querySelectorAll("[data-add]")) {
  button.addEventListener("click", (event) => add(button.dataset.add, event.detail === 0));
}
undo.addEventListener("click", restore);
drop.addEventListener("click", removeCorner);
list.addEventListener("click", (event) => {
  const button = event.target.closest("[data-remove]");
  if (button) remove(button.closest(".area"));
  else if (event.target.matches("legend")) choose(event.target.closest(".area"));
});
form.addEventListener("input", draw);
list.addEventListener("change", (event) => {
  const row = event.target.closest(".area"), points = corners(row);
  if (typed) past.push(typed);
  typed = snapshot();
  if (!isLine(row) && points.length === 2) {          // a line becomes the area around it
    const [x0, y0, x1, y1] = bounds(points);
    put(row, [[x0, y0], [x1, y0], [x1, Math.max(y1, y0 + 10)], [x0, Math.max(y1, y0 + 10)]]);
  }
  draw();
});
list.addEventListener("focusin", (event) => {
  const row = event.target.closest(".area");
  typed = snapshot();
  if (row && row !== chosen) choose(row);
});

// A frame as large as the smallest object, upright like a person, while its size is chosen.
const smallest = document.getElementById("smallest_pct");
function sized() {
  const area = width * height * Number(smallest.value) / 100, high = Math.min(height, Math.sqrt(area / 0.4));
  handles.replaceChildren(node("rect", { class: "least", x: width / 2 - area / high / 2, y: height / 2 - high / 2,
    width: area / high, height: high }));
}
smallest.addEventListener("focus", sized);
smallest.addEventListener("change", sized);
smallest.addEventListener("blur", draw);

form.classList.add("folded");
for (const each of form.querySelectorAll(".tools, [data-remove]")) each.hidden = false;
for (const details of list.querySelectorAll("details")) details.open = false;
addEventListener("resize", draw);
// The recorder may not know the picture's shape yet, but areas must lie in the right place.
video?.addEventListener("resize", () => {
  [width, height] = [video.videoWidth || width, video.videoHeight || height];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  draw();
});
choose(list.querySelector(".wrong"));
watchDetector(svg, document.getElementById("seen"), node);
