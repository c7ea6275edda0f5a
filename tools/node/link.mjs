// Makes sure that commands of this checkout run on the Node.js that it brings: node_modules/.bin/node, which npm puts first on the PATH of
// its scripts. npm before 11.6 links it and then removes it again, along with the packages of the other platforms, whose command has the same
// name. Runs after every install and before the tests, under whatever Node.js is there.
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const modules = new URL('../../node_modules/', import.meta.url);
const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const manifest = new URL(`${name}/package.json`, modules);
const command = new URL(process.platform === 'win32' ? '.bin/node.cmd' : '.bin/node', modules);

if (existsSync(manifest)) {
  const path = `../${name}/${JSON.parse(readFileSync(manifest, 'utf8')).bin.node}`;
  if (!existsSync(command)) link(path);
} else if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `This checkout brings no Node.js for ${process.platform}-${process.arch}, and ${process.version} is too old: install Node.js 24.\n`,
  );
  process.exitCode = 1;
}

function link(path) {
  if (process.platform === 'win32') return writeFileSync(command, `@"%~dp0\\${path.replaceAll('/', '\\')}" %*\r\n`);
  try {
    symlinkSync(path, fileURLToPath(command));
  } catch (error) {
    if (error.code !== 'EEXIST') throw error; // Another script was faster.
  }
}
