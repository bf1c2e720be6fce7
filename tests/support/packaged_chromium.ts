import { execFile } from "node:child_process";
import { createReadStream, createWriteStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createBrotliDecompress } from "node:zlib";

/** Chromium without a window, the libraries it needs beyond glibc, and SwiftShader, Google's software Vulkan driver. */
export interface PackagedChromium {
  executable: string;
  libraries: string;
  /** fontconfig's configuration: the packaged font alone, so that pages look the same on every machine. */
  fontConfig: string;
  /** SwiftShader's manifest for the Vulkan loader. */
  vulkanDriver: string;
}

/** Instead of the package's own, which looks in fixed places. */
const FONT_CONFIG = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
`;

/** The npm package carries binaries for this platform alone. */
export const isChromiumPackaged = process.platform === "linux" && process.arch === "x64";

/**
 * Unpacks npm's `@sparticuz/chromium` once (215 MB, some seconds) into `node_modules/.cache`: its own unpacker writes to
 * the shared temporary folder and leaves the libraries out. Safe to call from several processes at once.
 */
export async function packagedChromium(): Promise<PackagedChromium> {
  const packed = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
  const cache = fileURLToPath(new URL("../../node_modules/.cache/reverie/", import.meta.url));
  const folder = join(cache, "chromium");
  if (!existsSync(folder)) await unpack(packed, cache, folder);
  return {
    executable: join(folder, "chromium"),
    libraries: join(folder, "lib"),
    fontConfig: join(folder, "fonts.conf"),
    vulkanDriver: join(folder, "vk_swiftshader_icd.json"),
  };
}

async function unpack(packed: string, cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const building = await mkdtemp(join(cache, "unpacking-"));
  try {
    await Promise.all([
      decompress(join(packed, "chromium.br"), join(building, "chromium"), 0o755),
      ...["al2023", "swiftshader", "fonts"].map((name) => unpackTar(join(packed, `${name}.tar.br`), building)),
    ]);
    await writeFile(join(building, "fonts.conf"), FONT_CONFIG);
    await rename(building, folder);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    // Another process was first: its folder is whole, since it was renamed into place.
    if (!existsSync(folder)) throw error;
  }
}

async function unpackTar(archive: string, into: string): Promise<void> {
  const tar = join(into, `${archive.split("/").at(-1)}.tar`);
  await decompress(archive, tar, 0o644);
  await promisify(execFile)("tar", ["-xf", tar, "-C", into, "--no-same-owner"]);
  await rm(tar);
}

async function decompress(from: string, to: string, mode: number): Promise<void> {
  await pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to, { mode }));
}
