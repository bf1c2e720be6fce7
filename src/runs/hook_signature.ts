import { Buffer } from "node:buffer";
import { createHmac, type Hmac, randomBytes, timingSafeEqual } from "node:crypto";
import { BadRequestError, ProblemError } from "../errors.ts";

const MAX_DELIVERY_ID = 255;
/** Standard Webhooks: how old, or how far ahead, a timestamp may be. */
const TOLERANCE_SECONDS = 5 * 60;

export type HookScheme = "standard" | "github";

/** 401 */
export class SignatureError extends ProblemError {
  constructor(detail: string) {
    super(401, "Bad signature", detail);
  }
}

/** A new secret in the scheme's form: `whsec_` + base64 of 32 bytes, or for GitHub 64 hex digits used as they are. */
export function newHookSecret(scheme: HookScheme): string {
  return scheme === "standard" ? `whsec_${randomBytes(32).toString("base64")}` : randomBytes(32).toString("hex");
}

/** A delivery's signature, checked while its raw body comes in: the body is read once and copied nowhere. */
export class SignatureCheck {
  constructor(
    /** One for each secret that is valid now. */
    private readonly hmacs: Hmac[],
    /** The digests that the sender gave. */
    private readonly given: Buffer[],
    private readonly id: { header: string; value: string | null },
  ) {}

  update(chunk: Uint8Array): void {
    for (const hmac of this.hmacs) hmac.update(chunk);
  }

  /**
   * The delivery's id, after the last chunk.
   * @throws {SignatureError}, {BadRequestError} without a delivery id
   */
  finish(): string {
    const digests = this.hmacs.map((hmac) => hmac.digest());
    const matches = digests.flatMap((digest) => this.given.map((given) => isSame(digest, given)));
    if (!matches.includes(true)) throw new SignatureError("no matching signature found");
    return checkDeliveryId(this.id.header, this.id.value);
  }
}

/**
 * Begins to check a delivery by any of `secrets`.
 * @throws {SignatureError} if the headers alone show that it is not signed, before its body is read
 */
export function checkSignature(scheme: HookScheme, secrets: string[], headers: Headers): SignatureCheck {
  return scheme === "standard" ? checkStandard(secrets, headers) : checkGithub(secrets, headers);
}

/**
 * https://www.standardwebhooks.com: a signature over id, time and body. Svix, where the scheme comes from, names the
 * same headers `svix-…`. The published library decodes the body before it hashes it; this hashes the bytes themselves.
 */
function checkStandard(secrets: string[], headers: Headers): SignatureCheck {
  const fields = ["id", "timestamp", "signature"];
  const missingOf = (prefix: string) =>
    fields.map((field) => `${prefix}-${field}`).filter((name) => !headers.get(name));
  const prefix = ["webhook", "svix"].find((prefix) => missingOf(prefix).length === 0);
  if (prefix === undefined) throw new SignatureError(`missing ${missingOf("webhook").join(", ")}`);
  const [id, timestamp, signatures] = fields.map((field) => headers.get(`${prefix}-${field}`) ?? "");
  if (!/^\d{1,12}$/.test(timestamp)) throw new SignatureError(`${prefix}-timestamp is no time in seconds`);
  const age = Math.floor(Date.now() / 1000) - Number(timestamp);
  if (age > TOLERANCE_SECONDS) throw new SignatureError("Message timestamp too old");
  if (age < -TOLERANCE_SECONDS) throw new SignatureError("Message timestamp too new");

  const hmacs = secrets.map((secret) => createHmac("sha256", Buffer.from(secret.replace(/^whsec_/, ""), "base64")));
  for (const hmac of hmacs) hmac.update(`${id}.${Number(timestamp)}.`);
  // Separated by spaces; a header that was sent twice arrives joined by commas.
  const given = [...signatures.matchAll(/(?<![^\s,])v1,([A-Za-z0-9+/]+={0,2})/g)].map(([, digest]) =>
    Buffer.from(digest, "base64")
  );
  return new SignatureCheck(hmacs, given, { header: `${prefix}-id`, value: id });
}

/** https://docs.github.com/webhooks: HMAC-SHA256 of the body, in hex. It carries no time: the delivery id stops replays. */
function checkGithub(secrets: string[], headers: Headers): SignatureCheck {
  const signatures = headers.get("x-hub-signature-256");
  if (!signatures) throw new SignatureError("missing X-Hub-Signature-256");
  const given = [...signatures.matchAll(/(?<![^\s,])sha256=([0-9a-f]{64})(?![^\s,])/gi)].map(([, digest]) =>
    Buffer.from(digest, "hex")
  );
  const hmacs = secrets.map((secret) => createHmac("sha256", secret));
  return new SignatureCheck(hmacs, given, { header: "X-GitHub-Delivery", value: headers.get("x-github-delivery") });
}

function isSame(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Ids are kept for as long as their hook: a sender must not be able to fill the disk with them. */
function checkDeliveryId(header: string, id: string | null): string {
  if (!id) throw new BadRequestError(`missing ${header}`);
  if (id.length > MAX_DELIVERY_ID) {
    throw new BadRequestError(`${header} has ${id.length} characters; at most ${MAX_DELIVERY_ID} are accepted`);
  }
  return id;
}
