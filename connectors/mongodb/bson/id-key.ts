import { serialize } from 'bson';

/** The bytes of a document that has this id and nothing else, as a text: two ids share it which are written alike. */
export function idKey(id: unknown): string {
  return Buffer.from(serialize(new Map([['_id', id]]) as never)).toString('latin1');
}
