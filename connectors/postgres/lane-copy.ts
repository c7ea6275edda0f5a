import { from as copyFrom } from 'pg-copy-streams';
import type { Session } from './session.ts';

/**
 * Sends `chunks` through COPY FROM STDIN, no faster than the server takes them. Resolves when the server has them all; throws what it threw.
 * To be called inside of `session.run`, which turns the error into a fault and cuts the connection on abort.
 */
export async function copyInto(session: Session, copy: string, chunks: Iterable<Buffer>): Promise<void> {
  const stream = session.client.query(copyFrom(copy, { highWaterMark: 1024 * 1024 }));
  let failure: Error | null = null;
  let wake: () => void = () => undefined;
  const done = new Promise<void>((resolve) => {
    stream.once('error', (error: Error) => {
      failure ??= error;
      wake();
      resolve();
    });
    stream.once('finish', resolve);
  });
  stream.on('drain', () => wake());
  try {
    for (const chunk of chunks) {
      if (failure !== null) break;
      if (stream.write(chunk)) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (failure !== null || !stream.writableNeedDrain) resolve();
      });
    }
  } catch (error) {
    // The chunks themselves failed: the server is told, so that the session stays usable.
    failure ??= error as Error;
    stream.destroy(error as Error);
    await done;
    throw failure;
  }
  if (failure === null) stream.end();
  await done;
  if (failure !== null) throw failure as Error;
}
