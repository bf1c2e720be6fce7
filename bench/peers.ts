import type { CardProperties } from "./card.ts";
import type { Launch } from "./child.ts";
import { isWanted } from "./options.ts";

/** Finds the peers that this machine has. None is bundled, and what is not found is said, never an error. */

export interface Peers {
  launches: Launch[];
  /** Why others do not take part. */
  notes: string[];
  /** What `peers/pytorch.py about` says. */
  pytorch: PyTorch | null;
}

export interface PyTorch {
  version: string;
  major: number;
  threads: number;
  card: CardProperties | null;
}

const FOLDER = new URL("./peers/", import.meta.url).pathname;

/** @param wanted see `Options.peers`; what is asked for by name is installed where it can be */
export async function findPeers(wanted: readonly string[] | null): Promise<Peers> {
  const peers: Peers = { launches: [], notes: [], pytorch: null };
  if (wanted?.length === 0) return peers;
  const found = [await findPyTorch(peers), await findLlmC(peers, wanted), await findJaxJs(peers, wanted)].flat();
  peers.launches = found.filter(({ name }) => isWanted(name, wanted));
  return peers;
}

async function findPyTorch(peers: Peers): Promise<Launch[]> {
  const named = Deno.env.get("PYTHON");
  for (const python of named ? [named] : ["python3", "/usr/bin/python3"]) {
    const about = await output([python, `${FOLDER}pytorch.py`, "about"]);
    if (about === null) continue;
    const pytorch: PyTorch = JSON.parse(about);
    peers.pytorch = pytorch;
    const modes = pytorch.major >= 2 ? ["eager", "compiled"] : ["eager"];
    const precisions = [["cpu", "fp32"], ...(pytorch.card ? ["fp32", "tf32", "bf16"].map((p) => ["cuda", p]) : [])];
    return precisions.flatMap(([device, precision]) =>
      modes.map((mode) => ({
        name: `pytorch-${device}-${precision}${mode === "compiled" ? "-compiled" : ""}`,
        command: [python, `${FOLDER}pytorch.py`, device, mode, precision],
      }))
    );
  }
  peers.notes.push("pytorch: no python3 imports torch (PYTHON=… names one)");
  return [];
}

/** Built into a folder of its own: neither the checkout nor this one is written to. */
async function findLlmC(peers: Peers, wanted: readonly string[] | null): Promise<Launch[]> {
  const checkout = Deno.env.get("LLM_C");
  if (!isWanted("llm.c", wanted)) return [];
  if (!checkout) {
    peers.notes.push("llm.c: LLM_C names no checkout");
    return [];
  }
  const program = `${await Deno.makeTempDir({ prefix: "reverie-bench-" })}/llm_c`;
  const flags = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-DOMP", "-w"];
  const build = ["gcc", ...flags, "-I", checkout, `${FOLDER}llm_c.c`, "-o", program, "-lm"];
  if (await output(build, peers.notes) === null) return [];
  return [{ name: "llm.c", command: [program] }];
}

async function findJaxJs(peers: Peers, wanted: readonly string[] | null): Promise<Launch[]> {
  if (!isWanted("jax-js-webgpu", wanted) && !isWanted("jax-js-wasm", wanted)) return [];
  if (!await isThere(`${FOLDER}node_modules/@jax-js/jax/package.json`)) {
    if (wanted === null) {
      peers.notes.push("jax-js: not installed; --peers jax-js,… or --peers all installs it");
      return [];
    }
    if (await output([Deno.execPath(), "install", "--frozen"], peers.notes, FOLDER) === null) return [];
  }
  return ["wasm", "webgpu"].map((backend) => ({
    name: `jax-js-${backend}`,
    command: [Deno.execPath(), "run", "-A", "jax_js.js", backend],
    cwd: FOLDER,
  }));
}

/** What a command prints; null where it fails, with the end of its stderr among the notes. */
async function output([program, ...args]: string[], notes?: string[], cwd?: string): Promise<string | null> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(program, { args, cwd }).output();
    const decoder = new TextDecoder();
    if (success) return decoder.decode(stdout);
    notes?.push(`${program}: ${decoder.decode(stderr).trim().split("\n").slice(-4).join("\n")}`);
  } catch (error) {
    notes?.push(`${program}: ${error instanceof Error ? error.message : error}`);
  }
  return null;
}

function isThere(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}
