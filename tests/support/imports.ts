import { posix } from "node:path";
import ts from "typescript";

/** One module naming another. */
export interface Reference {
  /** Path from the root, or the package's specifier as written. */
  target: string;
  /** `import` loads the target, `type` only reads it, `url` names a file, such as a Worker's entry. */
  kind: "import" | "type" | "url";
}

export interface Module {
  path: string;
  references: Reference[];
  /** Names of the properties it reads: `mapAsync` in `buffer.mapAsync()`. */
  properties: Set<string>;
}

/**
 * Reads what a module names: static, type-only and dynamic imports, re-exports, `import("x").T`,
 * `new URL("x", import.meta.url)` and `import.meta.resolve("x")`.
 * @param path from the root, with forward slashes
 */
export function parseModule(path: string, source: string): Module {
  const module: Module = { path, references: [], properties: new Set() };
  const add = (kind: Reference["kind"], node: ts.Node | undefined) => {
    if (node && ts.isStringLiteralLike(node)) module.references.push({ kind, target: resolve(path, node.text) });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.importClause?.isTypeOnly ? "type" : "import", node.moduleSpecifier);
    if (ts.isExportDeclaration(node)) add(node.isTypeOnly ? "type" : "import", node.moduleSpecifier);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add("type", node.argument.literal);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add("import", node.arguments[0]);
    }
    if (ts.isCallExpression(node) && node.expression.getText() === "import.meta.resolve") add("url", node.arguments[0]);
    if (ts.isNewExpression(node) && node.arguments?.[1]?.getText() === "import.meta.url") add("url", node.arguments[0]);
    if (ts.isPropertyAccessExpression(node)) module.properties.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true));
  return module;
}

/** Relative specifiers and package.json's `#src/…` become paths from the root; packages stay as they are. */
function resolve(from: string, specifier: string): string {
  if (specifier.startsWith("#")) return specifier.slice(1);
  if (specifier.startsWith(".")) return posix.join(posix.dirname(from), specifier);
  return specifier;
}
