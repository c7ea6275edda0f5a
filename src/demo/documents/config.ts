import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TO_DOCUMENTS, TO_TABLES } from './stage.ts';

export interface DocumentsUrls {
  readonly shop: string;
  readonly documents: string;
  readonly copy: string;
}

const ORDERS = `# Rows of three tables become one document: items as an array, the customer as a sub-document.
fields: { _id: id, status: status, total: total, placedAt: placed_at }
embed:
  items:
    from: public.order_items
    on: { order_id: id }
    orderBy: [line_no]
    fields: { line: line_no, sku: sku, quantity: quantity, price: price }
  customer:
    from: public.customers
    on: { id: customer_id }
    one: true
    fields: { name: name, country: country }
`;

const TABLES = `# A document becomes rows of two tables: the order, and one row for each of its items.
fields:
  id: _id
  status: status
  total: total
  placed_at: placedAt
  customer_name: customer.name
unwind:
  public.order_items:
    path: items
    key: [order_id, line_no]
    fields:
      order_id: _id
      line_no: { from: items.line, type: int32 }          # what is in an array may be of any type: the table says what it takes
      sku: { from: items.sku, type: text }
      quantity: { from: items.quantity, type: int32 }
      price: { from: items.price, type: decimal }
`;

/** The config and the mappings that the runs use, for a reader to open. */
export async function writeDocumentsConfig(folder: string, urls: DocumentsUrls, isSet: boolean): Promise<void> {
  await mkdir(join(folder, 'mappings'), { recursive: true });
  await writeFile(join(folder, 'mappings', 'orders-to-documents.yaml'), ORDERS);
  await writeFile(join(folder, 'mappings', 'orders-to-tables.yaml'), TABLES);
  // A server that is no replica set cannot promise that a checkpoint lasts, so the state file keeps it.
  const place = isSet ? '' : '    checkpoints: state\n';
  await writeFile(
    join(folder, 'trueup.yaml'),
    `# What the demo keeps in step. Try \`trueup plan\`, \`trueup status\`, \`trueup run\` in this folder while the servers run.

connections:
  shop:      { connector: postgres, url: "${urls.shop}" }
  documents: { connector: mongodb, url: "${urls.documents}" }
  copy:      { connector: postgres, url: "${urls.copy}" }

defaults: { batch: { rows: 1000 } }                 # small, so that there is something to kill in between

jobs:
  ${TO_DOCUMENTS}:
    source: shop
    target: documents
${place}    streams:
      - from: public.orders
        to: orders
        changes: { by: cursor, field: updated_at }
        deletes: { compare: {} }                    # children that are gone, or moved away, are found by comparing
        mapping: mappings/orders-to-documents.yaml

  ${TO_TABLES}:
    source: documents
    target: copy
    streams:
      - from: orders
        to: public.orders
        changes: { by: snapshot }
        mapping: mappings/orders-to-tables.yaml
`,
  );
}
