import process from "node:process";

/**
 * Follows the URL in its argument with Deno's own EventSource, and writes a line of JSON for all that it hears. It ends
 * when the EventSource does: nothing else keeps the process alive.
 */
const [url, ...types] = process.argv.slice(2);
const source = new EventSource(url);
const tell = (line: object) => console.log(JSON.stringify(line));
source.onopen = () => tell({ heard: "open" });
source.onerror = () => tell({ heard: "error", isClosed: source.readyState === EventSource.CLOSED });
for (const type of types) {
  source.addEventListener(type, (message) => {
    const { lastEventId, data } = message as MessageEvent<string>;
    tell({ heard: type, id: Number(lastEventId), run_id: JSON.parse(data).run_id });
  });
}
