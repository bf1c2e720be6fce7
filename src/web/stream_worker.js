// @ts-check
import { startHub } from "./event_source.js";

/** The SharedWorker that holds the stream of all tabs. */

const connect = startHub();
addEventListener("connect", (event) => connect(/** @type {MessageEvent} */ (event).ports[0]));
