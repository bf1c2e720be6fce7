/** `import source from "./x.wgsl" with { type: "text" }`: Deno types it by itself, tsc needs to be told. */
declare module "*.wgsl" {
  const source: string;
  export default source;
}
