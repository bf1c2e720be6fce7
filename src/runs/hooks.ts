import { and, desc, eq, lt } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { newId, now } from "../db/ids.ts";
import { hook_deliveries, hooks } from "../db/schema.ts";
import { ConflictError, NotFoundError, UnprocessableError } from "../errors.ts";
import { RunRequest } from "../train/config.ts";
import { type HookScheme, newHookSecret } from "./hook_signature.ts";
import { readPath, withValueAt } from "./json_path.ts";
import type { RunRow } from "./run_store.ts";
import type { SecretBox } from "./secret_box.ts";

export type Hook = Omit<typeof hooks.$inferSelect, "sealed_secret">;

export interface HookRequest {
  name: string;
  scheme: HookScheme;
  /** A run's body; what `map` fills in may be missing. */
  run: Record<string, unknown>;
  /** Field of the run's body (dotted) to a path in the delivery (`$.a.b[0]`). */
  map: Record<string, string>;
}

/** Inbound webhooks: each starts runs, one for every delivery id. */
export class HookStore {
  constructor(
    private readonly db: Database,
    private readonly box: SecretBox,
    private readonly createRun: (request: RunRequest) => RunRow,
  ) {}

  /** The only time that the secret is shown. */
  create({ name, scheme, run, map }: HookRequest): { hook: Hook; secret: string } {
    if (this.#find(name)) throw new ConflictError(`there is a hook named "${name}": delete it, or choose another name`);
    const secret = newHookSecret(scheme);
    const hook: Hook = { id: newId("hook"), name, scheme, run, map, created_at: now() };
    this.db.insert(hooks).values({ ...hook, sealed_secret: this.box.seal(secret) }).run();
    return { hook, secret };
  }

  /** Newest first. */
  list(page: { after: string | null; limit: number }): Hook[] {
    return this.db.select().from(hooks)
      .where(page.after === null ? undefined : lt(hooks.id, page.after))
      .orderBy(desc(hooks.id)).limit(page.limit).all();
  }

  /** @throws {NotFoundError} */
  get(id: string): Hook {
    const hook = this.db.select().from(hooks).where(eq(hooks.id, id)).get();
    if (!hook) throw new NotFoundError("hook", id);
    return hook;
  }

  remove(id: string): void {
    this.get(id);
    this.db.delete(hooks).where(eq(hooks.id, id)).run();
  }

  /** @throws {NotFoundError} */
  byName(name: string): { hook: Hook; secret: string } {
    const row = this.#find(name);
    if (!row) throw new NotFoundError("hook", name);
    const { sealed_secret, ...hook } = row;
    return { hook, secret: this.box.open(sealed_secret) };
  }

  /**
   * Starts the run that a verified delivery asks for, or finds the one it started before, in one transaction.
   * @throws {UnprocessableError} where the run is refused; a later delivery of the same id may then succeed
   */
  deliver(hook: Hook, deliveryId: string, payload: unknown): string {
    return this.db.transaction(() => {
      const known = this.db.select().from(hook_deliveries)
        .where(and(eq(hook_deliveries.hook_id, hook.id), eq(hook_deliveries.delivery_id, deliveryId))).get();
      if (known) return known.run_id;
      const run = this.createRun(runRequestOf(hook, payload));
      this.db.insert(hook_deliveries).values({
        hook_id: hook.id,
        delivery_id: deliveryId,
        run_id: run.id,
        created_at: now(),
      }).run();
      return run.id;
    });
  }

  #find(name: string) {
    return this.db.select().from(hooks).where(eq(hooks.name, name)).get();
  }
}

/** The hook's run with the delivery's values filled in; a path that the delivery does not have leaves the field alone. */
function runRequestOf(hook: Hook, payload: unknown): RunRequest {
  let body = hook.run;
  for (const [target, path] of Object.entries(hook.map)) {
    const value = readPath(payload, path);
    if (value !== undefined) body = withValueAt(body, target, value);
  }
  const parsed = RunRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new UnprocessableError(
    `hook "${hook.name}" and this delivery make no valid run; see errors`,
    parsed.error.issues.map(({ path, message }) => ({ path: path.join("."), message })),
  );
}
