import { typeDecoder } from '../../../connectors/postgres/values/decode.ts';
import { options } from '../../../connectors/postgres/options.ts';
import { parseStreamName, quoteIdentifier, quoteRelation } from '../../../connectors/postgres/quote.ts';
import { resolveServer, withSession } from '../../../connectors/postgres/session/session.ts';
import { readTables } from '../../../connectors/postgres/ddl/target-table.ts';
import type { Cell, TargetStream } from '../../../src/sdk.ts';
import { SCALAR_TYPES } from '../../../src/model/logical-type.ts';
import { targetContract } from '../../../src/testing/index.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { context, never, openTarget } from './target-kit.ts';

const lossyTypes = ['variant', 'json'];

describeWithPostgres('postgres', () => {
  targetContract(async () => {
    const database = await createDatabase('target');
    const server = resolveServer(options.parse({ url: database.url }), context);

    /** The rows past the target: what the server says of them, decoded by the types of the columns. */
    const read = (stream: TargetStream) =>
      withSession(server, { purpose: 'read', signal: never }, async (session): Promise<Cell[][]> => {
        const relation = parseStreamName(stream.target, 'public');
        const { tables, types } = await readTables(session, relation === null ? [] : [relation]);
        const table = tables[0];
        if (table === undefined) return [];
        const columns = stream.shape.fields.map(({ name }) => table.columns.find((column) => column.name === name));
        const names = columns.map((column) => (column === undefined ? 'null' : quoteIdentifier(column.name))).join(', ');
        const rows = await session.query(`select ${names} from ${quoteRelation(table.relation)}`);
        const decoders = columns.map((column) => (column === undefined ? null : typeDecoder(column.type, types)));
        return rows.map((row) => row.map((cell, index) => (cell === null ? null : (decoders[index]?.(cell) ?? cell))));
      });

    return {
      open: () => openTarget(database.url),
      targetName: (stream) => stream,
      read,
      exactTypes: [
        ...SCALAR_TYPES.filter((type) => !lossyTypes.includes(type)),
        { list: 'text' },
        { list: 'int64' },
        { list: 'timestamptz' },
      ],
      close: () => database.drop(),
    };
  });
});
