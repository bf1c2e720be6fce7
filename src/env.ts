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
  /** Runs that train at once, where memory allows. */
  concurrency: number;
  /** Queued runs past which another is refused. */
  maxQueued: number;
  /** After this long without a run, the GPU and its memory are given back. */
  idleSeconds: number;
  /** A trainer that says nothing for this long, and much longer than a step should take, is taken for hung. */
  hangSeconds: number;
  /** What runs may take of a card, whose memory WebGPU does not say; null: not known. */
  gpuMemoryBytes: number | null;
  /** Whether webhooks may go to private, loopback and link-local addresses. */
  allowPrivateUrls: boolean;
  /** Origins whose pages may call the API with a token; none by default. */
  corsOrigins: string[];
  /** Whether X-Forwarded-For says who asks: a proxy in front sets it. */
  trustProxy: boolean;
  /** Open connections, and those of one address; Infinity: no limit. */
  maxConnections: number;
  maxConnectionsPerAddress: number;
  /** Names besides loopback's under which a server without tokens answers. */
  allowedHosts: string[];
  logLevel: "trace" | "debug" | "info" | "warn" | "error" | "silent";
}

export class EnvError extends Error {
  override name = "EnvError";
}

/** Comma separated, each as a browser sends it: scheme, host and a port that is not the scheme's own. */
const Origins = z.string().transform((text) => text.split(",").map((origin) => origin.trim()).filter(Boolean)).refine(
  (origins) => origins.every((origin) => URL.canParse(origin) && new URL(origin).origin === origin),
  "must be exact origins, such as https://example.com, with commas between",
);

/** Comma separated names or addresses as they stand in a URL, without a port. */
const Hosts = z.string().transform((text) => text.split(",").map((host) => host.trim().toLowerCase()).filter(Boolean))
  .refine(
    (hosts) =>
      hosts.every((host) =>
        !host.includes("*") && URL.canParse(`http://${host}`) && new URL(`http://${host}`).hostname === host
      ),
    "must be host names without scheme and port, such as reverie.example.com, with commas between",
  );

const Variables = z.object({
  PORT: z.coerce.number().int().min(0).max(65_535).default(8000),
  HOST: z.string().min(1).default("127.0.0.1"),
  REVERIE_DATA: z.string().min(1).default("./data"),
  REVERIE_TOKEN: z.string().default(""),
  REVERIE_SECRET_KEY: z.string().min(16).optional(),
  REVERIE_MAX_UPLOAD_BYTES: z.coerce.number().int().min(1).default(4 * 2 ** 30),
  REVERIE_CONCURRENCY: z.coerce.number().int().min(1).max(64).default(1),
  REVERIE_MAX_QUEUED: z.coerce.number().int().min(1).default(1000),
  REVERIE_IDLE_SECONDS: z.coerce.number().min(0).max(1e6).default(300),
  REVERIE_HANG_SECONDS: z.coerce.number().gt(0).max(1e6).default(120),
  REVERIE_GPU_MEMORY_BYTES: z.coerce.number().int().min(1).optional(),
  REVERIE_ALLOW_PRIVATE_URLS: z.enum(["0", "1"]).default("0"),
  REVERIE_CORS_ORIGINS: Origins.default([]),
  REVERIE_TRUST_PROXY: z.enum(["0", "1"]).default("0"),
  REVERIE_MAX_CONNECTIONS: z.coerce.number().int().min(1).default(4096),
  REVERIE_MAX_CONNECTIONS_PER_ADDRESS: z.coerce.number().int().min(0).optional(),
  REVERIE_ALLOWED_HOSTS: Hosts.default([]),
  LOG_LEVEL: z.enum(["trace", "debug", "info", "warn", "error", "silent"]).default("info"),
});

/** @throws {EnvError} naming every variable that is wrong, or when a reachable address has no token. */
export function readEnv(variables: Record<string, string | undefined>): Env {
  // By name: the serve task may read no other. `PORT=` in a shell or a compose file means "not set".
  const named = Object.keys(Variables.shape).map((name) => [name, variables[name]]);
  const set = Object.fromEntries(named.filter(([, value]) => value !== ""));
  const parsed = Variables.safeParse(set);
  if (!parsed.success) {
    throw new EnvError(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "));
  }
  const { HOST, ...rest } = parsed.data;
  const tokens = rest.REVERIE_TOKEN.split(",").map((token) => token.trim()).filter((token) => token !== "");
  if (tokens.length === 0 && !isLoopback(HOST)) {
    throw new EnvError(
      `HOST=${HOST} can be reached from outside this machine: set REVERIE_TOKEN (one token, or several with commas), or leave HOST at 127.0.0.1`,
    );
  }
  return {
    port: rest.PORT,
    host: HOST,
    dataFolder: rest.REVERIE_DATA,
    tokens,
    secretKey: rest.REVERIE_SECRET_KEY ?? null,
    maxUploadBytes: rest.REVERIE_MAX_UPLOAD_BYTES,
    concurrency: rest.REVERIE_CONCURRENCY,
    maxQueued: rest.REVERIE_MAX_QUEUED,
    idleSeconds: rest.REVERIE_IDLE_SECONDS,
    hangSeconds: rest.REVERIE_HANG_SECONDS,
    gpuMemoryBytes: rest.REVERIE_GPU_MEMORY_BYTES ?? null,
    allowPrivateUrls: rest.REVERIE_ALLOW_PRIVATE_URLS === "1",
    corsOrigins: rest.REVERIE_CORS_ORIGINS,
    trustProxy: rest.REVERIE_TRUST_PROXY === "1",
    maxConnections: rest.REVERIE_MAX_CONNECTIONS,
    // Behind a proxy everybody has its address.
    maxConnectionsPerAddress:
      (rest.REVERIE_MAX_CONNECTIONS_PER_ADDRESS ?? (rest.REVERIE_TRUST_PROXY === "1" ? 0 : 256)) || Infinity,
    allowedHosts: rest.REVERIE_ALLOWED_HOSTS,
    logLevel: rest.LOG_LEVEL,
  };
}

/** Whether a host name or address (as in a URL, without a port) is this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}
