/** The part of the driver that weighs: loaded with the first connection. */
import commands from 'mongodb/lib/cmap/commands.js';

export { MongoClient } from 'mongodb';

/**
 * Documents whose bytes are known, one after another, as the value of a field of a command. The driver sends them as they are, as it does with those that it makes bytes of
 * for its own `insertMany`; it has no public name for them.
 */
export function documentSequence(field: string, bytes: Uint8Array): object {
  const sequence = new commands.DocumentSequence(field);
  sequence.push({}, bytes);
  return sequence;
}
