import { type Browser, chromium } from "playwright-core";
import process from "node:process";
import { isChromiumPackaged, packagedChromium } from "./packaged_chromium.ts";

/** Nothing it does on its own may reach the network; the sandbox does not start as root. */
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Headless Chromium: npm's on Linux x64, elsewhere the Chrome that is installed. Close it when done. */
export async function launchChromium(): Promise<Browser> {
  if (!isChromiumPackaged) return await chromium.launch({ channel: "chrome", args: FLAGS });
  const { executable, libraries, fontConfig } = await packagedChromium();
  return await chromium.launch({
    executablePath: executable,
    chromiumSandbox: false,
    args: FLAGS,
    env: {
      ...process.env,
      LD_LIBRARY_PATH: [libraries, process.env.LD_LIBRARY_PATH].filter(Boolean).join(":"),
      FONTCONFIG_FILE: fontConfig,
    },
  });
}
