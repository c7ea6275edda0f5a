import { faultsCommand } from 'trueup/testing/faults';
import { pair } from './pair.ts';

// All faults of the kit: `node test/faults.ts`, or one: `node test/faults.ts --fault kill-steps`. What `npm test` tries is in faults.test.ts.
process.exitCode = await faultsCommand({
  args: process.argv.slice(2),
  pairs: [pair],
  write: (text) => void process.stdout.write(text),
});
