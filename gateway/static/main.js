// The page: which cameras there are, which of them is looked at, and when to draw what.
import { EventStream, PictureStream, fetchJson, pause } from "./api.js";
import { commonCause } from "./banner.js";
import { camera, cameras, clock, link } from "./cameras.js";
import { Detail } from "./detail.js";
import { LANES, face } from "./emotions.js";
import { listenToKeys } from "./keyboard.js";
import { say, sayMood } from "./speech.js";
import { Tile } from "./tile.js";

const STATUS_EVERY_MS = 400; // a producer speaks once a second
const MISSED_MS = 60000; // after a longer absence the minutes are loaded anew instead
const [GRID_FPS, LARGE_FPS] = [10, 25];

const at = (id) => document.getElementById(id);
const list = at("cameras");
const tiles = new Map();
const visible = new Set();
let detail = null;
let withPictures = null; // not known before the first status
let known = false; // whether the list of cameras was ever read

const pictures = new PictureStream(async (name, frameId, jpeg) => {
  const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })).catch(() => null);
  if (bitmap) camera(name).offer(frameId, bitmap);
});

// Which cameras

async function refresh() {
  let answer;
  try {
    answer = await fetchJson("/api/cameras");
  } catch (error) {
    // 503: the gateway cannot read Redis. Else it is away, which the event stream shows.
    setLink({ redis: error.status !== 503 });
    return;
  }
  setLink({ redis: true });
  clock.ahead_ms = answer.now_ms - Date.now();
  withPictures = answer.pictures !== "off";
  known = true;
  for (const status of answer.cameras) setStatus(status);
  const names = new Set(answer.cameras.map((status) => status.camera));
  for (const name of [...tiles.keys()]) if (!names.has(name)) removeTile(name);
  at("empty").hidden = tiles.size > 0;
  route();
}

function setStatus(status) {
  const found = camera(status.camera);
  found.status = status;
  if (withPictures !== null && !tiles.has(status.camera)) addTile(found);
  updateHealth(found);
}

// A change is shown, and announced, at once.
function updateHealth(found) {
  const { word, stale } = found.health();
  const before = found.shownHealth;
  if (before?.word === word && before.stale === stale) return;
  found.shownHealth = { word, stale };
  if (before && before.word !== word && link.gateway && link.redis) {
    say(`${found.name} is ${word.toLowerCase()}`);
  }
  drawOf(found);
  drawTotals();
}

function setLink(change) {
  const before = JSON.stringify(link);
  Object.assign(link, change);
  if (JSON.stringify(link) === before) return;
  const [state, text] = !link.redis ? ["away", "No data from Redis"]
    : link.gateway ? ["live", "Connected"] : ["away", "Reconnecting"];
  at("link").dataset.state = state;
  at("link").lastElementChild.textContent = text;
  for (const found of cameras.values()) updateHealth(found);
  drawBanner();
}

function drawBanner() {
  const all = [...cameras.values()].filter((found) => found.status);
  const text = known || !link.redis ? commonCause(link, all) : "";
  if (at("banner").textContent === text) return;
  at("banner").textContent = text;
  at("banner").hidden = !text;
  if (text) say(text);
}

function addTile(found) {
  const tile = new Tile(found, withPictures);
  tiles.set(found.name, tile);
  const next = [...tiles.keys()].sort().find((name) => name > found.name);
  list.insertBefore(tile.element, next ? tiles.get(next).element : null);
  observer.observe(tile.element);
  found.onPicture = () => schedule(found);
  found.onEvent = () => { if (!withPictures) schedule(found); };
  tile.draw();
}

// The minutes of what is in view, one camera after the other: the gateway refuses too many at once.
let loading = false;

async function loadMinutes() {
  if (loading) return;
  loading = true;
  for (let found; (found = inView().find(({ stale }) => stale)); ) {
    found.stale = false; // before: what is missed from here on makes it so again
    try {
      found.load(await fetchJson(`/api/cameras/${found.name}/history`));
      drawOf(found);
    } catch {
      found.stale = true;
      await pause(1000);
    }
  }
  loading = false;
}

function inView() {
  if (document.hidden) return [];
  return detail ? [detail.camera] : [...visible].map(camera);
}

function loadAnew() {
  for (const found of cameras.values()) found.stale = true;
  loadMinutes();
}

function removeTile(name) {
  observer.unobserve(tiles.get(name).element);
  tiles.get(name).element.remove();
  tiles.delete(name);
  visible.delete(name);
  cameras.delete(name);
  watchSoon(); // pictures of one that is gone are refused, and the others' with them
  drawTotals();
}

function drawTotals() {
  const counts = new Map();
  for (const found of cameras.values()) {
    if (!found.status) continue;
    const word = found.health().word.toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const states = [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
  at("totals").textContent = `${tiles.size} camera${tiles.size === 1 ? "" : "s"}${states && `: ${states}`}`;
  drawBanner();
}

// When to draw

const due = new Set();

// Pictures may come faster than the screen; each camera is drawn at most once per screen.
function schedule(found) {
  if (!due.size) requestAnimationFrame(() => {
    const waiting = [...due];
    due.clear(); // first: what fails to be drawn once must not stop all drawing
    for (const found of waiting) {
      if (detail?.camera === found) detail.drawPicture();
      else if (!detail) tiles.get(found.name)?.drawPicture();
    }
  });
  due.add(found);
}

function drawOf(found) {
  if (detail?.camera === found) detail.draw();
  else if (!detail) tiles.get(found.name)?.draw();
}

setInterval(() => {
  if (document.hidden) return;
  if (detail) {
    detail.draw();
    sayMood(detail.camera);
  } else {
    for (const tile of tiles.values()) if (visible.has(tile.camera.name)) tile.draw();
  }
}, 1000);

// Which pictures

function watch() {
  loadMinutes();
  if (document.hidden || !withPictures) return pictures.watch([], 0);
  if (detail) pictures.watch([detail.camera.name], LARGE_FPS);
  else pictures.watch([...visible].slice(0, 64), GRID_FPS);
}

let watching;

function watchSoon() {
  clearTimeout(watching);
  watching = setTimeout(watch, 150); // scrolling passes many by
}

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target.dataset.camera);
    else visible.delete(target.dataset.camera);
  }
  watchSoon();
}, { rootMargin: "100px" });

// Nobody looks: no stream is kept open. A browser has six connections for all its pages of one
// gateway, and it keeps pages that one has left.

let leftAt = null;

function attend() {
  leftAt = null;
  events.open();
  watch();
}

function leave() {
  leftAt ??= Date.now();
  events.close();
  pictures.watch([], 0);
}

function comeBack() {
  if (leftAt !== null && Date.now() - leftAt > MISSED_MS) events.forget();
  attend();
}

document.addEventListener("visibilitychange", () => (document.hidden ? leave() : comeBack()));
addEventListener("pagehide", leave);
addEventListener("pageshow", ({ persisted }) => { if (persisted) comeBack(); });

// Where we are: #/ is the grid, #/lobby one camera

function named() {
  try {
    return decodeURIComponent(location.hash.replace(/^#\/?/, ""));
  } catch {
    return ""; // anybody may write there
  }
}

function route() {
  const name = named();
  const open = name !== "" && tiles.has(name);
  at("unknown").hidden = !known || open || name === "";
  at("unknown").textContent = `There is no camera “${name}”. These are the cameras there are:`;
  if (open && detail?.camera.name !== name) showDetail(name);
  else if (!open && detail) showGrid();
}

function showDetail(name) {
  const names = [...tiles.keys()].sort();
  const index = names.indexOf(name);
  const neighbours = {
    previous: names.at(index - 1),
    next: names[(index + 1) % names.length],
  };
  at("grid").hidden = true;
  at("detail").hidden = false;
  detail = new Detail(at("detail"), camera(name), neighbours, withPictures);
  document.title = `${name} – emotion-streams`;
  detail.draw();
  detail.title.focus({ preventScroll: true });
  scrollTo(0, 0);
  watch();
}

function showGrid() {
  const { name } = detail.camera;
  detail = null;
  at("detail").hidden = true;
  at("detail").replaceChildren();
  at("grid").hidden = false;
  document.title = "emotion-streams";
  for (const tile of tiles.values()) {
    tile.draw();
    tile.drawPicture();
  }
  tiles.get(name)?.link.focus();
  watch();
}

addEventListener("hashchange", route);
at("skip").addEventListener("click", (click) => {
  click.preventDefault(); // its target is no camera
  (detail ? detail.title : list).focus();
});

listenToKeys(list, at("detail"));

// Begin

at("legend").append(...LANES.map((name) => {
  const item = document.createElement("li");
  item.append(face(name), name);
  return item;
}));

const events = new EventStream({
  onEvent: (event) => camera(event.camera).add(event),
  onStatus: setStatus,
  onGap: loadAnew,
  onLink: (state) => {
    setLink({ gateway: state === "live" });
  },
});
setInterval(() => { if (!document.hidden) refresh(); }, STATUS_EVERY_MS);
if (!document.hidden) attend();
refresh();
