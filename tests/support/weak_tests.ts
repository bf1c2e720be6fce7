import ts from "typescript";

/** A place in a test that could not fail, as `file:line: why`. */
export function weaknessesOf(path: string, source: string): string[] {
  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const report = (node: ts.Node, why: string) =>
    found.push(`${path}:${file.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${why}`);
  const visit = (node: ts.Node): void => {
    if (ts.isExpressionStatement(node) && isSettling(node.expression)) {
      report(node, "the test ends before this promise does: await it");
    }
    if (
      ts.isIfStatement(node) && isEarlyEnd(node.thenStatement) &&
      /\.features\.(has|includes)\(/.test(node.expression.getText())
    ) {
      report(node, "a case that ends early counts as passed: say what it `needs`");
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

/** Whether the expression ends in a call on `.rejects` or `.resolves`, which gives a promise. */
function isSettling(node: ts.Expression): boolean {
  while (ts.isCallExpression(node) || ts.isPropertyAccessExpression(node)) {
    if (ts.isPropertyAccessExpression(node) && ["rejects", "resolves"].includes(node.name.text)) return true;
    node = node.expression;
  }
  return false;
}

function isEarlyEnd(node: ts.Statement): boolean {
  const only = ts.isBlock(node) && node.statements.length === 1 ? node.statements[0] : node;
  return ts.isReturnStatement(only) && only.expression === undefined;
}
