/** `npm run bench:micro [-- NAME…]`: what one record costs in the innermost loops, without a server. CPU time, the best of some rounds. */
import { CASES } from './cases.ts';

const ROUNDS = 7;

const names = process.argv.slice(2);
const unknown = names.filter((name) => !CASES.some((one) => one.name === name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')}. There are: ${CASES.map(({ name }) => name).join(', ')}`);

for (const { name, prepare } of CASES) {
  if (names.length > 0 && !names.includes(name)) continue;
  const { records, run } = prepare();
  const microseconds = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    run();
    const { user, system } = process.cpuUsage(before);
    return user + system;
  });
  const best = Math.min(...microseconds);
  const perRecord = `${((best * 1000) / records).toFixed(0).padStart(7)} ns a record`;
  process.stdout.write(`${name.padEnd(24)} ${perRecord} ${((records / best) * 1000).toFixed(0).padStart(8)}k records/s\n`);
}
