import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PythonPackages } from './tool.ts';

const run = promisify(execFile);
const INSTALL_LIMIT_MS = 9 * 60_000;

/** A program of a Python environment. */
export function pythonProgram(toolsDir: string, environment: string, program: string): string {
  return join(toolsDir, environment, 'bin', program);
}

/** Makes the environment and installs its packages by name and version. @throws what pip says when it cannot */
export async function installPackages(toolsDir: string, { name, requirements }: PythonPackages): Promise<void> {
  await mkdir(toolsDir, { recursive: true });
  await run('python3', ['-m', 'venv', join(toolsDir, name)]);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...requirements];
  await run(pythonProgram(toolsDir, name, 'python'), pip, { timeout: INSTALL_LIMIT_MS });
}

/** @returns the version that is installed, `null` when the environment or the package is not there */
export async function packageVersion(toolsDir: string, environment: string, name: string): Promise<string | null> {
  const python = pythonProgram(toolsDir, environment, 'python');
  const script = `import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))`;
  return run(python, ['-c', script, name]).then(
    ({ stdout }) => stdout.trim(),
    () => null,
  );
}

export const NOT_INSTALLED = 'not installed: run with --install, which needs python3 and the network';
