#!/usr/bin/env node
// Starts trueup: from its sources in a checkout, from the compiled dist/ in an installed package, which has no sources. Plain
// JavaScript without named imports from node:module, so that an old Node gets as far as the message below.
import { existsSync } from 'node:fs';
import module from 'node:module';

const MINIMUM = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < MINIMUM) {
  process.stderr.write(
    `trueup needs Node.js ${MINIMUM} or newer, but this is ${process.version} (${process.execPath}).\n` +
      `Install Node.js ${MINIMUM}, or, in a checkout, use "npx trueup" after "npm ci": that brings its own Node.js on Linux and Windows.\n`,
  );
  process.exit(2);
}

module.enableCompileCache();

// A stale dist/ must never win in a checkout, so the sources decide.
const fromSources = existsSync(new URL('../src/cli/main.ts', import.meta.url));
const file = (path) => new URL(fromSources ? `../${path}.ts` : `../dist/${path}.js`, import.meta.url).href;

const dist = new URL('../dist/src/', import.meta.url).href;
// A connector beside somebody's config says `import … from 'trueup/sdk'`. It must get this very copy, wherever trueup is installed.
const entries = new Map([
  ['trueup', file('src/index')],
  ['trueup/sdk', file('src/sdk')],
  ['trueup/testing', file('src/testing/index')],
  ['trueup/testing/faults', file('src/testing/faults/index')],
]);
module.registerHooks({
  resolve(specifier, context, next) {
    const url = entries.get(specifier);
    if (url !== undefined) return { url, shortCircuit: true };
    // Files of dist/ import each other by their very names: looking for them, and for their package, would take a tenth of a run with nothing to do.
    if (specifier.startsWith('./') && context.parentURL?.startsWith(dist))
      return { url: new URL(specifier, context.parentURL).href, format: 'module', shortCircuit: true };
    return next(specifier, context);
  },
});

try {
  // Not at once: it takes milliseconds to load, and what is over by then has no use for it.
  setTimeout(async () => (await import(file('src/cli/heap-growth'))).boundHeapGrowth(), 250).unref();
  const { main } = await import(file('src/cli/main'));
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`trueup: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 70;
}
// A connector that leaves a socket or timer open must not keep the command alive. Unreferenced: costs nothing when all is closed.
setTimeout(() => process.exit(), 2000).unref();
