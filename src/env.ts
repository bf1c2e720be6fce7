import { z } from "zod";

/** The environment, checked once at start. */
export interface Env {
  port: number;
  host: string;
  /** Folder of the database, the datasets and the checkpoints. */
  dataFolder: string;
  /** Bearer tokens; empty: no authentication, loopback only. */
  tokens: string[];
  /** Seals webhook secrets at rest; null: a key file in the data folder. */
  secretKey: string | null;
  maxUploadBytes: number;
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
}

export class EnvError extends Error {
  override name = "EnvError";
}

const Variables = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  HOST: z.string().min(1).default("127.0.0.1"),
  REVERIE_DATA: z.string().min(1).default("./data"),
  REVERIE_TOKEN: z.string().default(""),
  REVERIE_SECRET_KEY: z.string().min(16).optional(),
  REVERIE_MAX_UPLOAD_BYTES: z.coerce.number().int().min(1).default(4 * 2 ** 30),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
});

/** @throws {EnvError} naming every variable that is wrong, or when a reachable address has no token. */
export function readEnv(variables: Record<string, string | undefined>): Env {
  // `PORT=` in a shell or a compose file means "not set".
  const set = Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ""));
  const parsed = Variables.safeParse(set);
  if (!parsed.success) {
    throw new EnvError(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const { PORT, HOST, REVERIE_DATA, REVERIE_TOKEN, REVERIE_SECRET_KEY, REVERIE_MAX_UPLOAD_BYTES, LOG_LEVEL } =
    parsed.data;
  const tokens = REVERIE_TOKEN.split(",").map((token) => token.trim()).filter((token) => token !== "");
  if (tokens.length === 0 && !isLoopback(HOST)) {
    throw new EnvError(
      `HOST=${HOST} can be reached from outside this machine: set REVERIE_TOKEN (one token, or several with commas), or leave HOST at 127.0.0.1`,
    );
  }
  return {
    port: PORT,
    host: HOST,
    dataFolder: REVERIE_DATA,
    tokens,
    secretKey: REVERIE_SECRET_KEY ?? null,
    maxUploadBytes: REVERIE_MAX_UPLOAD_BYTES,
    logLevel: LOG_LEVEL,
  };
}

/** Whether a host name or address (as in a URL, without a port) is this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
