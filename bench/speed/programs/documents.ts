/** The rows of the narrow table as documents, made from nothing but their number. */
import { Decimal128, Long } from 'mongodb';
import type { Document } from 'mongodb';

const STATUS = ['new', 'paid', 'shipped', 'gone'];
const DAY = Date.UTC(2026, 0, 1);

export function order(i: number, total = (i % 100_000) / 100): Document {
  return {
    _id: Long.fromNumber(i),
    id: Long.fromNumber(i),
    customer_id: i % 50_000,
    status: STATUS[i % 4],
    total: Decimal128.fromString(total.toFixed(2)),
    currency: 'EUR',
    note: 'lorem ipsum '.repeat(8) + i,
    placed_at: new Date(DAY - i * 1000),
    shipped_at: i % 3 === 0 ? new Date(Date.UTC(2026, 1, 1)) : null,
    updated_at: new Date(DAY + i),
    paid: i % 2 === 0,
  };
}

/** With ten lines each. */
export function orderWithLines(i: number): Document {
  const lines = Array.from({ length: 10 }, (_, line) => ({
    line_no: line + 1,
    sku: `sku ${(i * 10 + line) % 1000}`,
    quantity: (line % 5) + 1,
  }));
  return { ...order(i), items: lines };
}
