import { typeDecoder } from '../../connectors/postgres/values/decode.ts';
import type { PgType, PgTypes } from '../../connectors/postgres/values/native.ts';
import { checkMapping } from '../../src/mapping/check.ts';
import { compileMapping } from '../../src/mapping/compile.ts';
import { parseMapping } from '../../src/mapping/parse.ts';
import { diagnosticText } from '../../src/model/diagnostic.ts';
import type { LogicalType } from '../../src/model/logical-type.ts';
import { cellRecords } from '../../src/model/records.ts';
import type { Shape } from '../../src/model/shape.ts';
import { TEN, THREE } from '../speed/cases/mappings.ts';
import type { MicroCase } from './cases.ts';

/** The fields of the narrow table, with the types' names in PostgreSQL. */
const FIELDS: readonly (readonly [name: string, type: LogicalType, native: string])[] = [
  ['id', 'int64', 'int8'],
  ['customer_id', 'int32', 'int4'],
  ['status', 'text', 'text'],
  ['total', 'decimal', 'numeric'],
  ['currency', 'text', 'bpchar'],
  ['note', 'text', 'text'],
  ['placed_at', 'timestamptz', 'timestamptz'],
  ['shipped_at', 'timestamptz', 'timestamptz'],
  ['updated_at', 'timestamptz', 'timestamptz'],
  ['paid', 'bool', 'bool'],
];
const SHAPE: Shape = { fields: FIELDS.map(([name, type]) => ({ name, type, nullable: name !== 'id' })), key: [0], open: false };

const TYPES: PgTypes = new Map(FIELDS.map(([, , name]) => [name, { schema: 'pg_catalog', name, kind: 'base' } as PgType]));

function mapped(name: string, text: string, rows: () => (string | null)[][]): MicroCase {
  return {
    name,
    prepare: () => {
      const { mapping, diagnostics: unread } = parseMapping({ file: 'bench.yaml', text });
      const options = { stream: 'orders', secrets: (one: string) => one, timezone: 'UTC', onLoss: 'error', onExit: 'delete' } as const;
      const { plan, diagnostics } = checkMapping({ mapping, source: SHAPE, at: { file: 'bench.yaml', line: 1, column: 1 }, ...options });
      if (plan === null) throw new Error([...unread, ...diagnostics].map(diagnosticText).join('\n'));
      const mapper = compileMapping(plan, SHAPE, options.secrets);
      const decoders = FIELDS.map(([, , native]) => typeDecoder(native, TYPES));
      const records = cellRecords({ rows: rows(), bytes: 0, textDialect: 'postgres', decoders });
      const batch = { stream: 'orders', shape: SHAPE, records, ops: null, distinctKeys: true, cursor: null, position: { text: '' } };
      const run = (): void => {
        const { rejected } = mapper.map(batch);
        if (rejected.length > 0) throw new Error(rejected[0]?.message);
      };
      return { records: records.count, run };
    },
  };
}

export const mapping = (rows: () => (string | null)[][]): MicroCase[] => [
  mapped('mapping-three-fields', THREE, rows),
  mapped('mapping-ten-expressions', TEN, rows),
];
