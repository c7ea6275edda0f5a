// node .ci/count.mjs REPORT STATUS → "passed failed skipped", from the JSON report of vitest and the status it ended with.
import { readFileSync } from 'node:fs';

const [file, status] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8'));
const tests = report.testResults.flatMap((suite) => suite.assertionResults);
const passed = tests.filter((test) => test.status === 'passed').length;
let failed = tests.filter((test) => test.status === 'failed').length;
// A file that cannot be loaded has no tests to count.
failed += report.testResults.filter(
  (suite) => suite.status === 'failed' && suite.assertionResults.every((test) => test.status !== 'failed'),
).length;
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1;
process.stdout.write(`${passed} ${failed} ${tests.length - passed - tests.filter((test) => test.status === 'failed').length}\n`);
