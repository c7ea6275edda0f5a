import { options } from '../../../connectors/mongodb/options.ts';
import { openSession } from '../../../connectors/mongodb/session.ts';
import { openStoreContext } from '../../../connectors/mongodb/store/transaction.ts';
import { openStore } from '../../../connectors/mongodb/store/store.ts';
import { checkpointStoreContract, targetContract } from '../../../src/testing/index.ts';
import { createMongoDatabase, describeWithMongo } from '../../servers/mongo.ts';
import { testContext } from './source-kit.ts';
import { besideDocuments, targetFixture } from './target-kit.ts';

describeWithMongo('connectors: mongodb as a target, checkpoints beside the documents', () => {
  targetContract(() => targetFixture(besideDocuments));
});

describeWithMongo('connectors: mongodb as a target, checkpoints in the transaction of the documents', () => {
  targetContract(() => targetFixture());
});

describeWithMongo('connectors: checkpoints in MongoDB', () => {
  checkpointStoreContract(async () => {
    const database = await createMongoDatabase('store');
    return {
      open: () => {
        const session = openSession(options.parse({ url: database.url }), testContext());
        const store = openStore(openStoreContext(session));
        return { ...store, close: () => session.close() };
      },
      close: () => database.drop(),
    };
  });
});
