import { execFile } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startApi } from './api-server.ts';

const CHILD = fileURLToPath(new URL('source-memory-child.ts', import.meta.url));
const RECORDS = 200_000;
const TEXT = 'x'.repeat(1000);

describe('an answer of 200 MB', () => {
  it.each(['json', 'ndjson'])('of %s is read as it arrives, in little memory', async (format) => {
    const { records, code, rssMb } = await read('1GiB', format);
    expect({ records, code }).toEqual({ records: RECORDS, code: null });
    expect(rssMb).toBeLessThan(300);
  });

  it('is refused by maxBodyBytes, in little memory', async () => {
    const { code, rssMb } = await read('50MB', 'json');
    expect(code).toBe('E_HTTP_BODY');
    expect(rssMb).toBeLessThan(300);
  });
}, 240_000);

async function read(maxBodyBytes: string, format: string): Promise<{ records: number; code: unknown; rssMb: number }> {
  const api = await startApi();
  onTestFinished(() => api.close());
  api.twists.push(async ({ url }, response) => {
    if (url.pathname !== '/large') return false;
    await sendLarge(response, format);
    return true;
  });
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, api.url, maxBodyBytes, format]);
  return JSON.parse(stdout) as Awaited<ReturnType<typeof read>>;
}

/** Until whoever asked goes away. */
async function sendLarge(response: ServerResponse, format: string): Promise<void> {
  await pipeline(Readable.from(largeAnswer(format)), response).catch(() => {});
}

function* largeAnswer(format: string): Generator<string> {
  const isJson = format === 'json';
  if (isJson) yield '{"data":[';
  for (let id = 1; id <= RECORDS; id++) {
    const record = JSON.stringify({ id, text: TEXT });
    yield isJson ? `${id === 1 ? '' : ','}${record}` : `${record}\n`;
  }
  if (isJson) yield ']}';
}
