import { createHash } from "node:crypto";
import type { Context } from "hono";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { ProblemError, TooManyRequestsError } from "#src/errors.ts";
import type { Log } from "#src/log.ts";
import { networkOf } from "#src/network_address.ts";
import type { AppEnv } from "./common.ts";

const MAX_FAILURES = 10;
const WINDOW_SECONDS = 60;
const KNOWN_SECONDS = 3600;

/** Lines in the log about one address's wrong signatures, in a window. */
const MAX_TOLD = 10;

/**
 * Bounds the guesses at tokens and sessions from one address. A credential that was good from there within
 * the hour is looked at all the same: somebody else's failures behind the same address lock out nobody who is in.
 */
export class AuthAttempts {
  readonly #failures = new RateLimiterMemory({ points: MAX_FAILURES, duration: WINDOW_SECONDS });
  readonly #told = new RateLimiterMemory({ points: MAX_TOLD, duration: WINDOW_SECONDS });
  readonly #known = new RateLimiterMemory({ points: 1, duration: KNOWN_SECONDS });
  readonly #last = new Map<string, Promise<void>>();

  constructor(private readonly log: Log, private readonly trustProxy: boolean) {}

  /**
   * What `verify` answers; a 401 that it throws counts against the address. `credential` is what is guessed.
   * @throws {TooManyRequestsError} before `verify` is called
   */
  async attempt<T>(c: Context<AppEnv>, credential: string, verify: () => T): Promise<T> {
    const address = this.addressOf(c);
    if (address === undefined) return verify();
    const known = `${address} ${createHash("sha256").update(credential).digest("base64url")}`;
    return await this.#inTurn(address, () => this.#verify(c, address, known, verify));
  }

  async #verify<T>(c: Context<AppEnv>, address: string, known: string, verify: () => T): Promise<T> {
    await this.#take(c, address, known);
    try {
      const verified = verify();
      await this.#failures.reward(address);
      await this.#known.set(known, 1, KNOWN_SECONDS);
      return verified;
    } catch (error) {
      if (error instanceof ProblemError && error.status === 401) {
        this.log.warn({ address, method: c.req.method, path: c.req.path, why: error.detail }, "refused");
      } else await this.#failures.reward(address);
      throw error;
    }
  }

  /** One of an address after another: points that are taken and not yet given back would be missed by the next ones. */
  async #inTurn<T>(address: string, act: () => Promise<T>): Promise<T> {
    const mine = (this.#last.get(address) ?? Promise.resolve()).then(act);
    const last = mine.then(() => {}, () => {}); // whoever comes next does not care how it went
    this.#last.set(address, last);
    try {
      return await mine;
    } finally {
      if (this.#last.get(address) === last) this.#last.delete(address);
    }
  }

  /** Takes a point before it is known whether it is due, so that many attempts at once are no way around. */
  async #take(c: Context<AppEnv>, address: string, known: string): Promise<void> {
    try {
      await this.#failures.consume(address);
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const last = await this.#known.get(known);
      if (last !== null && last.msBeforeNext > 0) return;
      const seconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
      this.log.warn({ address, method: c.req.method, path: c.req.path, seconds }, "too many failed attempts");
      throw new TooManyRequestsError(`too many failed attempts from this address: wait ${seconds} s`, seconds);
    }
  }

  /**
   * Says in the log that a signature was refused, a few times a minute for one address. It counts as no guess: nobody
   * guesses 256 bits, and those who share the sender's address are not to be locked out for trying.
   */
  async tellRefused(c: Context<AppEnv>, why: string): Promise<void> {
    const address = this.addressOf(c);
    const { consumedPoints } = await this.#told.penalty(address ?? "");
    if (consumedPoints > MAX_TOLD) return;
    const more = consumedPoints === MAX_TOLD ? { more: "not logged within the minute" } : {};
    this.log.warn({ address, method: c.req.method, path: c.req.path, why, ...more }, "refused");
  }

  /** Undefined where no socket is behind the request. */
  addressOf(c: Context<AppEnv>): string | undefined {
    // The last entry is the nearest proxy's; those before it are whatever the client sent.
    const forwarded = this.trustProxy ? c.req.header("x-forwarded-for")?.split(",").at(-1)?.trim() : undefined;
    const address = forwarded || c.env?.remoteAddress;
    return address === undefined ? undefined : networkOf(address);
  }
}
