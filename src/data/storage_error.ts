/** What the system says where a folder cannot be written or read for now, and files are none the worse for it. */
const FILE_ERRORS = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE", "ESTALE"];
const DATABASE_ERRORS = /^SQLITE_(FULL|IOERR|READONLY|BUSY|LOCKED|CANTOPEN|PERM)/;

/**
 * Whether work failed because of the disk or a lock on the database, and not because of itself: the same work succeeds
 * once the cause is gone.
 */
export function isStorageError(error: unknown): error is Error & { code: string } {
  const code = error instanceof Error ? codeOf(error) : null;
  return code !== null && (FILE_ERRORS.includes(code) || DATABASE_ERRORS.test(code));
}

export function isDiskFull(error: Error): boolean {
  return ["ENOSPC", "EDQUOT", "SQLITE_FULL"].includes(codeOf(error) ?? "");
}

/** Whether another process holds the database's write lock. */
export function isLocked(error: Error): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error) ?? "");
}

/** Drizzle wraps what SQLite throws. */
function codeOf(error: Error): string | null {
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return code;
  return error.cause instanceof Error ? codeOf(error.cause) : null;
}

/** What is wrong, for people: no path of this machine. */
export function describeStorageError(error: Error): string {
  const code = codeOf(error) ?? "";
  const words: Record<string, string> = {
    ENOSPC: "no space left on the device",
    EDQUOT: "the disk quota is used up",
    EROFS: "the file system is read-only",
    EACCES: "permission denied",
    EPERM: "the operation is not permitted",
    EIO: "the device failed to read or write",
    EMFILE: "too many files are open",
    ENFILE: "too many files are open",
    ESTALE: "the network file system lost the file",
    SQLITE_FULL: "no space left on the device",
  };
  const database = /^SQLITE_([A-Z]+)/.exec(code)?.[1];
  const what = words[code] ??
    (isLocked(error)
      ? "the database is locked by another process"
      : database === "READONLY"
      ? "the database is read-only"
      : "the database cannot be read or written");
  return `${what} (${code})`;
}
