// @ts-check
import "./locale.js"; // before uPlot, which asks for the browser's as it is loaded
import { announce } from "./announcer.js";
import { ApiError, getDevice, getSession, SIGNED_OUT, signOut } from "./api.js";
import { byId, setText } from "./dom.js";
import { Feed } from "./feed.js";
import { RunForm } from "./run_form.js";
import { RunList } from "./run_list.js";
import { RunView } from "./run_view.js";
import { SignIn } from "./sign_in.js";
import { Store } from "./store.js";
import { explain, inWords } from "./words.js";

/** @import { Run, RunEvent } from "./types.d.ts" */

/** The page: the store is what it knows; the URL, the feed and the form change it; it is drawn once a frame at most. */

const store = new Store(requestDraw);
const list = new RunList();
const form = new RunForm((run) => location.hash = `#/runs/${run.id}`);
const view = new RunView({
  act: (action) => store.act(action),
  readAgain: () => store.readAgain(),
  startAgain,
});
const signIn = new SignIn(start);
const feed = new Feed({ onEvent: receive, onPosition: readAll, onConnection: showConnection, onSignedOut });
const main = byId("main", HTMLElement);
const banner = byId("banner", HTMLElement);
const connection = byId("connection", HTMLElement);
const signOutButton = byId("sign-out", HTMLButtonElement);
const more = byId("runs-more", HTMLButtonElement);
let drawRequested = false;

more.addEventListener("click", () => store.loadOlderRuns());
for (const id of ["list-again", "unread-again"]) {
  byId(id, HTMLButtonElement).addEventListener("click", () => store.readAgain());
}
signOutButton.addEventListener("click", async () => {
  try {
    await signOut();
  } catch (error) {
    return showBanner(explain(error));
  }
  feed.signOut();
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
  showBanner(explain(reason));
});

start();

/** Once the service lets this browser in. The feed then says from when on what is read is complete. */
async function start() {
  try {
    const session = await getSession();
    signOutButton.hidden = session.expires_at === null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return; // the form to sign in is there
    showConnection(false);
  }
  feed.start();
}

/** Reads all that is shown: from now on it is complete with the events that follow, whatever failed before. */
async function readAll() {
  banner.hidden = true;
  const isFirst = routed === null;
  await Promise.all([showDevice(), ...isFirst ? [store.loadRuns(), route()] : [store.readAgain(), openForm()]]);
}

/** The fragment that is shown; null before the first. @type {string | null} */
let routed = null;

/** Shows what the URL names: `#/runs/<id>`, else the form. */
async function route() {
  routed = location.hash;
  const id = /^#\/runs\/([\w-]+)$/.exec(location.hash)?.[1] ?? null;
  await Promise.all([store.select(id), openForm()]);
}

async function openForm() {
  if (store.selection === null) await form.open();
}

/** @param {Run} run @param {number} learningRate */
async function startAgain(run, learningRate) {
  location.hash = "#/";
  await form.startAgain(run, learningRate);
}

/** @param {RunEvent} event */
async function receive(event) {
  if (event.run_id !== null && event.run_id === store.selection?.id) announce(event);
  if (event.type === "dataset.created" || event.type === "dataset.deleted") await openForm();
  await store.receive(event);
}

async function showDevice() {
  try {
    const device = await getDevice();
    setText(byId("device", HTMLElement), `${device.name} · ${device.software ? "software adapter" : "GPU"}`);
  } catch (error) {
    // The header is no place for it: whatever else is read says that the server does not answer.
    if (error instanceof ApiError && error.status === 503) showBanner(`No GPU: ${inWords(error.message)}`);
  }
}

/** @param {boolean} isConnected */
function showConnection(isConnected) {
  if (isConnected && signIn.isShown) {
    // Another tab has signed in.
    signIn.hide();
    start();
  }
  connection.hidden = isConnected || signIn.isShown;
}

/** @param {boolean} byHand */
function onSignedOut(byHand) {
  if (byHand) location.reload();
  else document.dispatchEvent(new Event(SIGNED_OUT));
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
  const { selection, selectedRun: run, listProblem } = store;
  list.draw(store.runs, selection?.id ?? null, listProblem === null);
  more.hidden = !store.hasOlderRuns;
  byId("list-problem", HTMLElement).hidden = listProblem === null;
  setText(
    byId("list-problem-text", HTMLElement),
    listProblem === null ? "" : `The list could not be read. ${explain(listProblem)}`,
  );
  byId("layout", HTMLElement).dataset.showing = selection === null ? "runs" : "run";
  byId("new-run", HTMLElement).hidden = selection !== null;

  const gone = selection?.gone ?? null;
  byId("missing", HTMLElement).hidden = gone === null;
  setText(
    byId("missing-title", HTMLElement),
    gone === "deleted" && selection?.name ? `“${selection.name}” was deleted` : "No such run",
  );
  const shown = run !== null && selection !== null && gone === null;
  byId("run", HTMLElement).hidden = !shown;
  if (shown) view.draw(run, selection);

  const unread = selection !== null && run === null && gone === null;
  byId("unread", HTMLElement).hidden = !unread;
  byId("unread-again", HTMLElement).hidden = !selection?.problem;
  setText(byId("unread-title", HTMLElement), selection?.problem ? "This run could not be read" : "Reading the run…");
  setText(byId("unread-text", HTMLElement), selection?.problem ? explain(selection.problem) : "");
  document.title = shown ? `${run.name} · Reverie` : "Reverie";
}

/** @param {string} message */
function showBanner(message) {
  banner.hidden = false;
  setText(banner, message);
}
