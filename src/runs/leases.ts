import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import process from "node:process";
import { and, eq, inArray } from "drizzle-orm";
import type { Database } from "../db/client.ts";
import { runs } from "../db/schema.ts";
import type { RunRow } from "./run_store.ts";

/** How long others must believe that a run is trained by who said so last. */
export const LEASE_MS = 30_000;

/**
 * Who trains which run. The data folder's file lock keeps a second server of this machine out, but file locks do not
 * reach across machines on every network file system: there, a run belongs to whose lease has not expired.
 */
export class Leases {
  readonly owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;

  constructor(private readonly db: Database) {}

  /** The columns of a run that is taken, or kept, by this process. */
  claim(): Pick<RunRow, "lease_owner" | "lease_expires_at"> {
    return { lease_owner: this.owner, lease_expires_at: new Date(Date.now() + LEASE_MS).toISOString() };
  }

  /** Renews these runs' leases, and gives the ids of those that another process has taken meanwhile. */
  renew(ids: string[]): string[] {
    if (ids.length === 0) return [];
    const kept = this.db.update(runs).set(this.claim())
      .where(and(inArray(runs.id, ids), eq(runs.lease_owner, this.owner), eq(runs.status, "running")))
      .returning({ id: runs.id }).all().map(({ id }) => id);
    return ids.filter((id) => !kept.includes(id));
  }

  holds(run: RunRow): boolean {
    return run.lease_owner === this.owner;
  }

  /** Whether whoever ran it is gone. One of this machine is: this process has the lock that it had. */
  isAbandoned({ status, lease_owner, lease_expires_at }: RunRow): boolean {
    if (status !== "running" || lease_owner === this.owner) return false;
    if (lease_owner === null || lease_expires_at === null) return true;
    return lease_owner.startsWith(`${hostname()}:`) || Date.parse(lease_expires_at) < Date.now();
  }
}

/** The columns of a run that nobody trains. */
export const NO_LEASE = { lease_owner: null, lease_expires_at: null, death_counts: false };
