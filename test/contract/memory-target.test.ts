import { describe } from 'vitest';
import { targetContract } from '../../src/testing/index.ts';
import { memoryTargetFixture } from '../connectors/memory/fixtures.ts';

describe('the memory target', () => targetContract(memoryTargetFixture));
