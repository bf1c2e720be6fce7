/** Connections that may be open. */
export interface ConnectionLimits {
  /** One more is closed at once. */
  maxConnections: number;
  /** The max from one address (an IPv4 address or an IPv6 /64). Loopback is not counted: it is a proxy, or the owner. */
  maxConnectionsPerAddress: number;
}

/** How long a client may keep a connection waiting, and how much of what nobody reads it may send. */
export interface PatienceLimits {
  /** An idle connection stays open for this long: longer than the 60 s for which nginx and others keep theirs. */
  keepAliveMs: number;
  /** A request's head has come by then, counted from the connection's start or from the head's first byte. */
  headMs: number;
  /** A body of which nothing comes for this long, while we would read, ends its connection. One that moves may take hours. */
  bodyStallMs: number;
  /** The rest of an announced body that nobody wants is read, up to this size, to keep the connection. */
  maxDiscardedBytes: number;
  /** Past that the connection ends, but not before the client had a chance to read its answer: as nginx lingers. */
  lingerMs: number;
  /** If nothing comes for this long, the client has read its answer or never will. */
  lingerStallMs: number;
  maxLingerBytes: number;
}

export type HttpLimits = ConnectionLimits & PatienceLimits;

export const PATIENCE: PatienceLimits = {
  keepAliveMs: 75_000,
  headMs: 10_000,
  bodyStallMs: 30_000,
  maxDiscardedBytes: 2 ** 20,
  lingerMs: 30_000,
  lingerStallMs: 5_000,
  maxLingerBytes: 256 * 2 ** 20,
};
