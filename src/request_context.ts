import { AsyncLocalStorage } from "node:async_hooks";

/**
 * The request that the running code answers, without handing its id through every function. It is forgotten with the
 * answer: what a request set off and comes later (the trainer's reports, timers) inherits the storage, and is not its.
 */
const storage = new AsyncLocalStorage<{ id: string | undefined }>();

export async function inRequest<T>(id: string, answer: () => Promise<T>): Promise<T> {
  const request: { id: string | undefined } = { id };
  try {
    return await storage.run(request, answer);
  } finally {
    request.id = undefined;
  }
}

/** Undefined outside of a request. */
export function currentRequestId(): string | undefined {
  return storage.getStore()?.id;
}
