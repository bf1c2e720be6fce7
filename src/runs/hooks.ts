import { and, desc, eq, lt, notInArray } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { hook_runs, hooks } from "../db/schema.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { RunRequest } from "../train/config.ts";
import { DEFAULT_EVENTS, whyIgnored } from "./hook_filter.ts";
import { checkHookRun, type RunCheck, runRequestOf } from "./hook_run.ts";
import { type HookScheme, newHookSecret } from "./hook_signature.ts";
import type { OldSecrets } from "./old_secrets.ts";
import type { RunRow } from "./run_store.ts";
import type { SecretBox } from "./secret_box.ts";

/** How long a deleted hook's deliveries are remembered: longer than any sender offers to repeat them. */
export const KEPT_DAYS = 90;
const DAY_MS = 86_400_000;

export interface Hook extends Omit<typeof hooks.$inferSelect, "sealed_secret"> {
  events: string[];
}

export interface HookRequest {
  name: string;
  scheme: HookScheme;
  /** A run's body; what `map` fills in may be missing. */
  run: Record<string, unknown>;
  /** Field of the run's body (dotted) to a path in the delivery (`$.a.b[0]`). */
  map: Record<string, string>;
  /** Globs of the events that start a run. Default: the scheme's. */
  events?: string[];
  /** Globs of the branches whose events start a run. Default: any. */
  branches?: string[] | null;
}

/** A delivery whose signature was right. */
export interface HookDelivery {
  id: string;
  /** Null if it does not say. */
  event: string | null;
  payload: unknown;
}

export interface HookStoreDeps {
  db: Database;
  box: SecretBox;
  oldSecrets: OldSecrets;
  createRun: (request: RunRequest) => RunRow;
  checkRun: RunCheck;
}

/** Inbound webhooks: each starts runs, one for every delivery id. */
export class HookStore {
  constructor(private readonly deps: HookStoreDeps) {}

  /** The only time that the secret is shown. */
  create({ name, scheme, run, map, events, branches = null }: HookRequest): { hook: Hook; secret: string } {
    if (this.#find(name)) throw new ConflictError(`there is a hook named "${name}": delete it, or choose another name`);
    const { db, box } = this.deps;
    const secret = newHookSecret(scheme);
    const sealed_secret = box.seal(secret);
    const row = { id: newId("hook"), name, scheme, run, map, events: events ?? null, branches, created_at: now() };
    db.insert(hooks).values({ ...row, sealed_secret }).run();
    return { hook: hookOf({ ...row, sealed_secret }), secret };
  }

  /** Newest first. */
  list(page: { after: string | null; limit: number }): Hook[] {
    return this.deps.db.select().from(hooks)
      .where(page.after === null ? undefined : lt(hooks.id, page.after))
      .orderBy(desc(hooks.id)).limit(page.limit).all().map(hookOf);
  }

  /** @throws {NotFoundError} */
  get(id: string): Hook {
    return hookOf(this.#get(id));
  }

  /** Its deliveries are remembered for a while: a hook of the same name takes none of them again. */
  remove(id: string): void {
    const { db, oldSecrets } = this.deps;
    db.transaction(() => {
      this.#get(id);
      db.delete(hooks).where(eq(hooks.id, id)).run();
      oldSecrets.forget(id);
    });
  }

  /** Forgets the deliveries of hooks that are no more. */
  prune(): void {
    const { db } = this.deps;
    const oldest = new Date(Date.now() - KEPT_DAYS * DAY_MS).toISOString();
    db.delete(hook_runs).where(and(
      lt(hook_runs.created_at, oldest),
      notInArray(hook_runs.hook_name, db.select({ name: hooks.name }).from(hooks)),
    )).run();
  }

  /**
   * Gives a hook a new secret; the one before is valid for `overlapSeconds` more, so that the sender can be told.
   * @throws {NotFoundError}, {ConflictError} if too many secrets are valid
   */
  rotate(id: string, overlapSeconds: number): { hook: Hook; secret: string; oldSecretExpiresAt: string | null } {
    const { db, box, oldSecrets } = this.deps;
    return db.transaction(() => {
      const row = this.#get(id);
      const secret = newHookSecret(row.scheme);
      const oldSecretExpiresAt = oldSecrets.keep(id, row.sealed_secret, overlapSeconds);
      db.update(hooks).set({ sealed_secret: box.seal(secret) }).where(eq(hooks.id, id)).run();
      return { hook: hookOf(row), secret, oldSecretExpiresAt };
    });
  }

  /** With every secret that is valid, the newest first. @throws {NotFoundError} */
  byName(name: string): { hook: Hook; secrets: string[] } {
    const row = this.#find(name);
    if (!row) throw new NotFoundError("hook", name);
    const { box, oldSecrets } = this.deps;
    return { hook: hookOf(row), secrets: [box.open(row.sealed_secret), ...oldSecrets.open(row.id)] };
  }

  /**
   * Says whether a delivery could start the hook's run, as far as that is known before one comes.
   * @throws {UnprocessableError}, {NoDeviceError} why it could not
   */
  check(hook: Hook): void {
    checkHookRun(hook, this.deps.checkRun);
  }

  /**
   * Starts the run that a verified delivery asks for, or finds the one it started before, in one transaction. What the
   * hook's filter ignores is not remembered: it may be delivered again to a hook with another filter.
   * @throws {UnprocessableError} where the run is refused; a later delivery of the same id may then succeed
   */
  deliver(hook: Hook, { id, event, payload }: HookDelivery): { run_id: string } | { ignored: string } {
    const { db, createRun } = this.deps;
    return db.transaction(() => {
      const key = { hook_name: hook.name, scheme: hook.scheme, delivery_id: id };
      const known = db.select().from(hook_runs).where(and(
        eq(hook_runs.hook_name, key.hook_name),
        eq(hook_runs.scheme, key.scheme),
        eq(hook_runs.delivery_id, key.delivery_id),
      )).get();
      if (known) return { run_id: known.run_id };
      const ignored = whyIgnored(hook, event, payload);
      if (ignored !== null) return { ignored };
      const run = createRun(runRequestOf(hook, payload));
      db.insert(hook_runs).values({ ...key, run_id: run.id, created_at: now() }).run();
      return { run_id: run.id };
    });
  }

  #find(name: string) {
    return this.deps.db.select().from(hooks).where(eq(hooks.name, name)).get();
  }

  #get(id: string): typeof hooks.$inferSelect {
    const row = this.deps.db.select().from(hooks).where(eq(hooks.id, id)).get();
    if (!row) throw new NotFoundError("hook", id);
    return row;
  }
}

function hookOf({ sealed_secret: _, events, ...row }: typeof hooks.$inferSelect): Hook {
  return { ...row, events: events ?? DEFAULT_EVENTS[row.scheme] };
}
