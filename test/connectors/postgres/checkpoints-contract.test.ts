import { openCheckpoints } from '../../../connectors/postgres/store/checkpoints.ts';
import { options } from '../../../connectors/postgres/options.ts';
import { resolveServer } from '../../../connectors/postgres/session/session.ts';
import { openState } from '../../../connectors/postgres/store/state.ts';
import { checkpointStoreContract } from '../../../src/testing/index.ts';
import { createDatabase, describeWithPostgres } from '../../servers/postgres.ts';
import { context } from './target-kit.ts';

const schemas = {
  'the checkpoints of a target': { schema: 'trueup', atomic: true },
  'the state store': { schema: 'another "one"', atomic: false },
};

for (const [name, { schema, atomic }] of Object.entries(schemas)) {
  describeWithPostgres(`postgres as ${name}`, () => {
    checkpointStoreContract(async () => {
      const database = await createDatabase('store');
      const server = resolveServer(options.parse({ url: database.url }), context);
      return {
        open: () => (atomic ? openCheckpoints({ server, schema, atomic }) : openState({ server, schema })),
        close: () => database.drop(),
      };
    });
  });
}
