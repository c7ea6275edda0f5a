import { isVariant } from './carrier.ts';
import type { Cell, Row } from './cell.ts';

/** Tells keys apart. Undecoded cells compare by their text, which a source writes the same way for equal values of a key. */
export function keyText(row: Row, key: readonly number[]): string {
  if (key.length === 1) return cellText(row[key[0] as number]);
  let text = '';
  for (const field of key) {
    const part = cellText(row[field]);
    text += `${part.length}:${part}`;
  }
  return text;
}

function cellText(cell: Cell): string {
  if (typeof cell === 'string') return cell;
  if (cell instanceof Uint8Array) return Buffer.from(cell).toString('base64');
  if (cell === null || typeof cell !== 'object') return String(cell);
  if (isVariant(cell) && (cell.value === null || typeof cell.value !== 'object')) return `${cell.variant}:${String(cell.value)}`;
  return JSON.stringify(cell, (_name, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}
