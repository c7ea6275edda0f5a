import type { Style } from './style.ts';
import { displayWidth, padTo, singleLine, truncate } from './width.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
  /** Left out when no row has anything in it. */
  readonly optional?: boolean;
  /** Fewest columns that a cut text may be left with; absent: the text is never cut. */
  readonly minWidth?: number;
}

export interface TableLayout {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly style: Style;
  /** Columns of the terminal; `null`: as wide as it takes, for files and pipes. */
  readonly width: number | null;
  readonly indent?: number;
}

const GAP = 2;

/** Aligned columns under their titles, no trailing spaces. What does not fit is cut where a column allows it, else each row becomes a list. */
export function tableText(layout: TableLayout): string {
  const kept = layout.columns.map((_, index) => index).filter((index) => isShown(layout, index));
  const columns = kept.map((index) => layout.columns[index] ?? { title: '' });
  const rows = layout.rows.map((row) => kept.map((index) => singleLine(row[index] ?? '')));
  const indent = layout.indent ?? 0;
  const widths = fit(columns, rows, layout.width === null ? null : layout.width - indent);
  if (widths === null) return listText(columns, rows, layout);
  // The last column is not padded, so that no line ends in spaces (coloured ones could not be trimmed).
  const place = (cell: string, index: number) => {
    const align = columns[index]?.align ?? 'left';
    return index === columns.length - 1 && align === 'left' ? cell : padTo(cell, widths[index] ?? 0, align);
  };
  const line = (cells: readonly string[], paint: (text: string) => string) =>
    ' '.repeat(indent) +
    cells
      .map((cell, index) => place(truncate(cell, widths[index] ?? 0), index))
      .map((cell) => paint(cell))
      .join(' '.repeat(GAP))
      .trimEnd();
  const head = line(
    columns.map((column) => column.title),
    layout.style.dim,
  );
  return [head, ...rows.map((row) => line(row, (text) => text))].join('\n');
}

function isShown({ columns, rows }: TableLayout, index: number): boolean {
  return columns[index]?.optional !== true || rows.some((row) => (row[index] ?? '') !== '');
}

/** The width of every column; `null` when even the cut ones do not fit. */
function fit(columns: readonly Column[], rows: readonly (readonly string[])[], available: number | null): number[] | null {
  const widths = columns.map((column, index) => Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(row[index] ?? ''))));
  if (available === null) return widths;
  let excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - available;
  while (excess > 0) {
    const widest = columns.reduce<number>((best, column, index) => {
      const spare = (widths[index] ?? 0) - (column.minWidth ?? Infinity);
      return spare > 0 && (best < 0 || (widths[index] ?? 0) > (widths[best] ?? 0)) ? index : best;
    }, -1);
    if (widest < 0) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}

/** For narrow terminals: one `title  value` a line, rows apart by an empty line. A mark, which has no title, stands before the next value. */
function listText(columns: readonly Column[], rows: readonly (readonly string[])[], { style, indent = 0 }: TableLayout): string {
  const titleWidth = Math.max(...columns.map((column) => displayWidth(column.title)));
  const line = (title: string, cell: string) => `${' '.repeat(indent)}${style.dim(padTo(title, titleWidth, 'left'))}  ${cell}`.trimEnd();
  const item = (row: readonly string[]) => {
    let mark = '';
    return columns
      .flatMap(({ title, optional }, index) => {
        const cell = `${mark}${row[index] ?? ''}`;
        mark = title === '' && cell !== '' ? `${cell} ` : '';
        return title === '' || (optional === true && cell === '') ? [] : [line(title, cell)];
      })
      .join('\n');
  };
  return rows.map(item).join('\n\n');
}
