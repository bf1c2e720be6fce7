// @ts-check
import "./locale.js"; // before uPlot, which asks for the browser's as it is loaded
import { announce } from "./announcer.js";
import { ApiError, getDevice, getLastSequence, getSession, signOut } from "./api.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { RunForm } from "./run_form.js";
import { RunList } from "./run_list.js";
import { RunView } from "./run_view.js";
import { SignIn } from "./sign_in.js";
import { Store } from "./store.js";

/** @import { RunEvent } from "./types.d.ts" */

/** The page: the store is what it knows; the URL, the feed and the form change it; it is drawn once a frame at most. */

const store = new Store(requestDraw);
const list = new RunList();
const form = new RunForm((run) => location.hash = `#/runs/${run.id}`);
const view = new RunView((action) => store.act(action));
const signIn = new SignIn(start);
const main = byId("main", HTMLElement);
const banner = byId("banner", HTMLElement);
const connection = byId("connection", HTMLElement);
const signOutButton = byId("sign-out", HTMLButtonElement);
const more = byId("runs-more", HTMLButtonElement);
let drawRequested = false;
let connected = true;
/** @type {Feed | null} */
let feed = null;

more.addEventListener("click", () => store.loadOlderRuns());
signOutButton.addEventListener("click", async () => {
  await signOut();
  location.reload(); // what was read stays with nobody
});
addEventListener("hashchange", () => {
  route();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
// The fragment is the run's: a skip to `#main` must not take its place.
byId("skip", HTMLAnchorElement).addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
// Whatever failed without a place of its own on the page: the reader must know that it is not what it seems.
addEventListener("unhandledrejection", (event) => {
  const { reason } = /** @type {PromiseRejectionEvent} */ (event);
  // The form to sign in is there.
  if (reason instanceof ApiError && reason.status === 401) return event.preventDefault();
  showBanner(reason instanceof Error ? reason.message : String(reason));
});

start();

async function start() {
  const session = await getSession();
  signOutButton.hidden = session.expires_at === null;
  // The feed begins where the log stood before the reads: what happens meanwhile comes again as events.
  feed ??= new Feed(await getLastSequence(), receive, showConnection);
  await Promise.all([showDevice(), store.loadRuns(), route()]);
}

/** Shows what the URL names: `#/runs/<id>`, else the form. */
async function route() {
  const id = /^#\/runs\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  await (id === null ? Promise.all([store.select(null), form.open()]) : store.select(id));
}

/** @param {RunEvent} event */
async function receive(event) {
  if (event.run_id === store.selection?.id) announce(event);
  await store.receive(event);
}

async function showDevice() {
  try {
    const device = await getDevice();
    setText(byId("device", HTMLElement), `${device.name} · ${device.software ? "software adapter" : "GPU"}`);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 503) throw error;
    showBanner(`No GPU: ${error.message}`);
  }
}

/** @param {boolean} isConnected */
async function showConnection(isConnected) {
  const returned = isConnected && !connected;
  connected = isConnected;
  connection.hidden = connected || signIn.isShown;
  if (!connected) await checkSession();
  if (!returned) return;
  // The feed replays what was missed; what failed meanwhile, and the device, are asked for again.
  banner.hidden = true;
  await Promise.all([showDevice(), store.loadRuns()]);
}

/** A stream does not say why it was refused: the session may be over. */
async function checkSession() {
  try {
    await getSession();
  } catch (error) {
    if (error instanceof ApiError) throw error;
    // No answer at all: the feed goes on trying, and the page says so.
  }
}

/** However many events a frame brings, the page is drawn once. */
function requestDraw() {
  if (drawRequested) return;
  drawRequested = true;
  requestAnimationFrame(() => {
    drawRequested = false;
    draw();
  });
}

function draw() {
  const { selection, selectedRun: run } = store;
  list.draw(store.runs, selection?.id ?? null);
  more.hidden = !store.hasOlderRuns;
  byId("layout", HTMLElement).dataset.showing = selection === null ? "runs" : "run";
  byId("new-run", HTMLElement).hidden = selection !== null;
  byId("missing", HTMLElement).hidden = !selection?.missing;
  const history = selection?.history ?? null;
  const shown = run !== null && history !== null && !selection?.missing;
  byId("run", HTMLElement).hidden = !shown;
  if (shown) view.draw(run, history, selection?.checkpoints ?? []);
  document.title = shown ? `${run.name} · Reverie` : "Reverie";
}

/** @param {string} message */
function showBanner(message) {
  banner.hidden = false;
  setText(banner, message);
}
