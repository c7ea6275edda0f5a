import { describe } from 'vitest';
import { sourceContract } from '../../src/testing/index.ts';
import { memorySourceFixture } from '../connectors/memory/fixtures.ts';

describe('the memory source by its log', () => sourceContract(() => memorySourceFixture({ by: 'log' })));

describe('the memory source by a cursor column', () => sourceContract(() => memorySourceFixture({ by: 'cursor', field: 'changed' })));

describe('the memory source by a counter', () => sourceContract(() => memorySourceFixture({ by: 'sequence', field: 'changed' })));
