/** Three fields that are made anew, the others as they are. */
export const THREE = `fields:
  total_cents: { from: total, shift: 2, type: int64 }
  status: { from: status, lookup: { new: N, paid: P, shipped: S, gone: G } }
  label: { expr: "currency + ' ' + status", type: text }
otherFields: keep
`;

/** An expression in each of ten fields. */
export const TEN = `fields:
  id: id
  a: { expr: "id + 1", type: int64 }
  b: { expr: "customer_id * 2", type: int64 }
  c: { expr: "status + '!'", type: text }
  d: { expr: "currency + status", type: text }
  e: { expr: "size(note)", type: int64 }
  f: { expr: "paid ? 'yes' : 'no'", type: text }
  g: { expr: "status == 'paid' && paid", type: bool }
  h: { expr: "customer_id % 10", type: int64 }
  i: { expr: "note.startsWith('lorem')", type: bool }
  j: { expr: "string(id) + ':' + status", type: text }
`;
