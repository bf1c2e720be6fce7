import { waitFor } from "../support/wait_for.ts";

/** What the tests read of the API's answers. */
export interface Run {
  id: string;
  status: string;
  step: number;
  attempts: number;
  error: string | null;
}

export interface Checkpoint {
  id: string;
  step: number;
  is_best: boolean;
  files: { name: string; bytes: number; sha256: string }[];
}

export interface Event {
  sequence: number;
  type: string;
  run_id: string;
  data: Record<string, unknown>;
}

/** A run of a second or two: smaller than any preset. */
export const SMALL_RUN = {
  dataset: "sample",
  model: { n_layer: 1, n_head: 2, n_embd: 16 },
  context_length: 16,
  batch_size: 4,
  max_steps: 200,
  eval: { every: 50, batches: 2 },
  checkpoint: { every: 50, keep: 2 },
  sample: { every: 100, max_tokens: 8 },
};

/** A client of a running server. Every call that is not 2xx throws. */
export class Client {
  constructor(private readonly url: string) {}

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, init);
  }

  async get<T>(path: string): Promise<T> {
    return await this.#read(await this.fetch(path, { headers: { accept: "application/json" } }));
  }

  async post<T>(path: string, body: unknown = {}): Promise<T> {
    const headers = { "content-type": "application/json" };
    return await this.#read(await this.fetch(path, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  async upload(name: string, text: string): Promise<{ id: string; bytes: number }> {
    const headers = { "content-type": "text/plain" };
    return await this.#read(await this.fetch(`/api/datasets?name=${name}`, { method: "POST", headers, body: text }));
  }

  run(id: string): Promise<Run> {
    return this.get(`/api/runs/${id}`);
  }

  /** Waits until a run has a status. @throws when it fails instead */
  async reached(id: string, status: string): Promise<Run> {
    return await waitFor(`${id} ${status}`, async () => {
      const run = await this.run(id);
      if (run.status === "failed" && status !== "failed") throw new Error(`the run failed: ${run.error}`);
      return run.status === status && run;
    }, { timeoutMs: 90_000, everyMs: 50 });
  }

  /** Waits until a run has made some steps. */
  async stepped(id: string, step: number): Promise<void> {
    await waitFor(`${id} at step ${step}`, async () => (await this.run(id)).step >= step, { timeoutMs: 90_000 });
  }

  async checkpoints(id: string): Promise<Checkpoint[]> {
    return (await this.get<{ data: Checkpoint[] }>(`/api/runs/${id}/checkpoints`)).data;
  }

  async losses(id: string): Promise<{ steps: number[]; values: number[] }> {
    const name = "train/loss";
    type Metrics = { series: Record<string, { steps: number[]; values: number[] }> };
    return (await this.get<Metrics>(`/api/runs/${id}/metrics?name=${name}`)).series[name];
  }

  /** All events of a run, from the list. */
  async events(id: string): Promise<Event[]> {
    const all: Event[] = [];
    for (let after: string | null = "0"; after !== null;) {
      type Page = { data: Event[]; next_cursor: string | null };
      const page: Page = await this.get(`/api/runs/${id}/events?limit=100&after=${after}`);
      all.push(...page.data);
      after = page.next_cursor;
    }
    return all;
  }

  /** Events of one connection to a stream, until it ends or `enough` have come; none of a finished run without any (204). */
  async stream(path: string, lastEventId: number | null, enough = Infinity): Promise<Event[]> {
    const headers: Record<string, string> = lastEventId === null ? {} : { "last-event-id": String(lastEventId) };
    const response = await this.fetch(path, { headers: { accept: "text/event-stream", ...headers } });
    if (response.status === 204) return []; // the run is over, and there is nothing to see
    if (response.status === 204) return [];
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const events: Event[] = [];
    let text = "";
    while (events.length < enough) {
      const { value, done } = await reader.read();
      if (done) return events;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop()!;
      for (const block of blocks) {
        const data = block.split("\n").find((line) => line.startsWith("data: "));
        if (data) events.push(JSON.parse(data.slice("data: ".length)));
      }
    }
    await reader.cancel();
    return events.slice(0, enough);
  }

  async #read<T>(response: Response): Promise<T> {
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text);
  }
}
