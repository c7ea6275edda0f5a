import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { memoryDatabase, dropMemoryDatabase } from '../../connectors/memory/index.ts';
import { openMemoryTarget } from '../../connectors/memory/target.ts';
import { openMemoryState, openSqliteState } from '../../src/state/sqlite-state.ts';
import { checkpointStoreContract } from '../../src/testing/index.ts';

describe('checkpoints in a SQLite file', () => {
  checkpointStoreContract(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'trueup-state-'));
    return { open: () => openSqliteState(join(folder, '.trueup', 'state.db')), close: () => rm(folder, { recursive: true }) };
  });
});

describe('checkpoints in the memory of the process', () => {
  checkpointStoreContract(() => {
    const state = openMemoryState();
    return { open: () => ({ ...state, close: async () => {} }), close: () => state.close() };
  });
});

describe('checkpoints in a memory database', () => {
  checkpointStoreContract(() => {
    const name = crypto.randomUUID();
    return {
      open: () => openMemoryTarget(memoryDatabase(name)).checkpoints ?? expectStore(),
      close: async () => dropMemoryDatabase(name),
    };
  });
});

function expectStore(): never {
  throw new Error('The memory target has no checkpoint store.');
}
