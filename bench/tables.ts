/** Tables of strings, for a console and as Markdown. */

export interface Table {
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

/** The first column to the left, numbers to the right. */
export function consoleTable({ columns, rows }: Table): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    "  " + cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ").trimEnd();
  return [columns, ...rows].map(line).join("\n");
}

export function markdownTable({ columns, rows }: Table): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = `| ${columns.map((_, i) => i === 0 ? "---" : "---:").join(" | ")} |`;
  return [line(columns), rule, ...rows.map(line)].join("\n");
}

/** Three significant digits, and no exponent: 1234, 56.8, 0.912. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

export function percent(share: number | null): string {
  return share === null || !Number.isFinite(share) ? "–" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
