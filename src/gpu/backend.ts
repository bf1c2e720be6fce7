import process from "node:process";

/**
 * Pins wgpu to Vulkan on Linux; call it before the first `requestAdapter`, from any thread.
 * Left to choose, Deno falls back silently to its GL backend where Vulkan has no driver, under the same adapter name.
 */
export function pinBackend(): void {
  if (process.platform !== "linux") return;
  process.env.DENO_WEBGPU_BACKEND ??= "vulkan";
  // Unset, EGL prints two lines to stderr on every start.
  process.env.XDG_RUNTIME_DIR ??= "/tmp";
}
