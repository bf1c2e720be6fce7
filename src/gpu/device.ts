import type { AdapterTraits } from "./kernel.ts";
import { probeSubgroups, type Subgroups } from "./subgroups.ts";

/**
 * The GPU, from whichever WebGPU implementation the caller has: Deno's `navigator.gpu`, or Dawn's in tests.
 * Knows devices, limits and errors; knows no model.
 */

export class NoGpuError extends Error {
  override name = "NoGpuError";
}

/** An error the implementation reported outside any scope, or within `guard`. */
export class GpuError extends Error {
  override name = "GpuError";
}

/** The limits Reverie asks for at the adapter's own value; WebGPU's defaults are far below what cards allow. */
const WANTED_LIMITS = [
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupSizeY",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupsPerDimension",
  "maxTextureDimension2D",
  "maxStorageTexturesPerShaderStage",
] as const;
type Limit = typeof WANTED_LIMITS[number];
export type GpuLimits = Record<Limit, number>;

const WANTED_FEATURES = ["timestamp-query", "shader-f16"] as const;

const SOFTWARE_ADAPTERS = /llvmpipe|lavapipe|swiftshader|software|softpipe|warp|basic render/i;

export interface AdapterIdentity {
  name: string;
  vendor: string;
  architecture: string;
  driver: string;
  software: boolean;
}

export class Gpu {
  readonly #pipelines = new Map<string, GPUComputePipeline>();
  readonly #errors: string[] = [];
  #lost: string | null = null;
  #subgroups: Subgroups | null = null;

  private constructor(
    readonly device: GPUDevice,
    readonly identity: AdapterIdentity,
    /** Reverie's own ceilings: the device's, or lower where a test asks for it. */
    readonly limits: GpuLimits,
    /** Keeps Dawn's GPU object alive: a collected one segfaults. */
    readonly implementation: GPU,
  ) {
    const onError: EventListener = (event) => {
      event.preventDefault();
      this.#errors.push((event as GPUUncapturedErrorEvent).error.message);
    };
    device.addEventListener("uncapturederror", onError);
    void device.lost.then((info) => {
      this.#lost = info.message || info.reason || "the device was lost";
    });
  }

  /**
   * Opens the preferred adapter with its own limits.
   * @param lowered ceilings below the device's, so that tests reach the code for tables too large for one binding
   * @throws NoGpuError when there is no adapter, or it refuses a device
   */
  static async open(gpu: GPU | undefined, lowered: Partial<GpuLimits> = {}): Promise<Gpu> {
    const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" });
    if (!gpu || !adapter) throw new NoGpuError("no WebGPU adapter: is a Vulkan, Metal or D3D12 driver installed?");
    const requiredLimits: Record<string, number> = {};
    for (const limit of WANTED_LIMITS) requiredLimits[limit] = adapter.limits[limit];
    const requiredFeatures: GPUFeatureName[] = WANTED_FEATURES.filter((feature) => adapter.features.has(feature));
    // Deno grants what it does not list: `subgroups.ts` says more.
    if ("Deno" in globalThis || adapter.features.has("subgroups")) requiredFeatures.push("subgroups");
    const device = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch((cause: unknown) => {
      throw new NoGpuError(`the adapter refused a device: ${cause instanceof Error ? cause.message : cause}`);
    });
    const limits = Object.fromEntries(
      WANTED_LIMITS.map((limit) => [limit, Math.min(device.limits[limit], lowered[limit] ?? Infinity)]),
    ) as GpuLimits;
    const opened = new Gpu(device, identify(adapter.info), limits, gpu);
    opened.#subgroups = await probeSubgroups(opened, adapter.info);
    return opened;
  }

  /** What kernels choose their variants by. */
  get traits(): AdapterTraits {
    return { software: this.identity.software, subgroupSize: this.#subgroups?.size ?? null };
  }

  /** Compiles once for each distinct shader text. */
  pipeline(label: string, source: string, layout: GPUBindGroupLayout): GPUComputePipeline {
    const code = this.#directives(source) + source;
    let pipeline = this.#pipelines.get(code);
    if (!pipeline) {
      pipeline = this.device.createComputePipeline({
        label,
        layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: this.device.createShaderModule({ label, code }), entryPoint: "main" },
      });
      this.#pipelines.set(code, pipeline);
    }
    return pipeline;
  }

  /** What WGSL asks for before the program; on its first line, so that lines keep their numbers. */
  #directives(source: string): string {
    const half = /<f16>|\bf16\(/.test(source) ? "enable f16; " : "";
    return half + (/\bsubgroup[A-Z]/.test(source) ? this.#subgroups?.directives ?? "" : "");
  }

  /** Runs set-up work (allocation, compilation) and throws what it did wrong, which WebGPU reports late or never. */
  async guard<T>(what: string, work: () => T): Promise<T> {
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let result: T | undefined;
    let thrown: unknown = null;
    try {
      result = work();
    } catch (error) {
      thrown = error ?? new Error("threw nothing");
    }
    const invalid = await this.device.popErrorScope();
    const exhausted = await this.device.popErrorScope();
    if (exhausted) throw new GpuError(`out of GPU memory: ${what}: ${exhausted.message}`);
    if (invalid) throw new GpuError(`${what}: ${invalid.message}`);
    if (thrown !== null) {
      this.#errors.length = 0; // what followed from it
      throw thrown;
    }
    this.check();
    return result as T;
  }

  /** Throws that the device is gone, or the first error that arrived since the last call. */
  check(): void {
    if (this.#lost !== null) throw new GpuError(`GPU lost: ${this.#lost}`);
    const [first] = this.#errors.splice(0);
    if (first !== undefined) throw new GpuError(first);
  }

  /** Whether the device is lost: the promise that says so settles a turn of the event loop after the call that failed. */
  async isLost(withinMs = 1000): Promise<boolean> {
    const { promise: timeout, resolve } = Promise.withResolvers<false>();
    const timer = setTimeout(resolve, withinMs, false);
    const lost = await Promise.race([this.device.lost.then(() => true), timeout]);
    clearTimeout(timer);
    return lost;
  }

  close(): void {
    this.#pipelines.clear();
    this.device.destroy();
  }
}

/** Deno gives PCI ids as `vendor` and `device` and the adapter's name as `description`; Dawn gives words. */
function identify(info: GPUAdapterInfo): AdapterIdentity {
  const words = [info.device, info.description, info.vendor].filter((text) => text && !/^\d+$/.test(text));
  return {
    name: words[0] ?? "unknown adapter",
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    software: [...words, info.architecture].some((text) => SOFTWARE_ADAPTERS.test(text)),
  };
}
