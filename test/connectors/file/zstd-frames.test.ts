import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decompressed } from '../../../connectors/file/opened-file.ts';
import { zstdFramePieces } from '../../../connectors/file/zstd-frames.ts';

const texts = ['one\n'.repeat(4000), '', 'two\n', Array.from({ length: 3000 }, (_, index) => `${index * 7919}`).join(','), 'three'];
const skippable = Buffer.concat([Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0]), Buffer.from('abc')]);
const all = Buffer.concat([...texts.map((text) => zstdCompressSync(text)), skippable, zstdCompressSync('last')]);

async function textOf(data: Buffer, size: number): Promise<string> {
  const pieces = Array.from({ length: Math.ceil(data.length / size) }, (_, index) => data.subarray(index * size, (index + 1) * size));
  return Buffer.concat(await Array.fromAsync(decompressed(Readable.from(pieces), 'zstd'))).toString();
}

describe('zstd frames one after another', () => {
  it.each([1, 2, 7, 4096, all.length])('are all decompressed, in pieces of %d bytes', async (size) => {
    expect(await textOf(all, size)).toBe(`${texts.join('')}last`);
  });

  it('end in the middle with an error, wherever they were cut', async () => {
    const two = Buffer.concat([zstdCompressSync('one\n'), zstdCompressSync('two\n')]);
    const boundary = zstdCompressSync('one\n').length;
    for (let cut = 1; cut < two.length; cut += 1) {
      const pieces = Array.fromAsync(zstdFramePieces(Readable.from([two.subarray(0, cut)])));
      if (cut === boundary) await pieces;
      else await expect(pieces).rejects.toMatchObject({ code: 'Z_BUF_ERROR' });
    }
  });

  it('refuses what is no frame', async () => {
    await expect(textOf(Buffer.from('plain text'), 100)).rejects.toMatchObject({ code: 'ZSTD_MAGIC' });
  });
});
