import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/**
 * Runs a command and watches its own standard input. When that ends, because the parent closed it or was killed, the command gets the
 * signal, so no server outlives the process that started it, not even after SIGKILL. A parent that lives writes a line first; without
 * one it died, nobody else will tidy up, and the scratch folder ($2, may be empty) is removed as well.
 */
const SCRIPT = `exec 3<&0; sig=$1; dir=$2; shift 2
"$@" </dev/null 3<&- &
p=$!
{ read -r _ <&3 || { [ -n "$dir" ] && : >"$dir/abandoned"; }; kill "-$sig" $p; } 2>/dev/null &
r=$!
exec 3<&-
wait $p; s=$?
kill $r 2>/dev/null
[ -n "$dir" ] && [ -e "$dir/abandoned" ] && rm -rf "$dir"
exit $s`;

export interface LeashOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** What the command gets when the parent ends: INT is PostgreSQL's fast shutdown. */
  readonly signal: 'INT' | 'TERM';
  /** Removed when the parent dies. */
  readonly scratchDir?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type LeashedProcess = ChildProcessByStdio<Writable, Readable, Readable>;

/** In a session of its own: Ctrl-C on the terminal is for trueup, which then stops its servers in order. */
export function spawnLeashed(options: LeashOptions): LeashedProcess {
  const args = ['-c', SCRIPT, 'leash', options.signal, options.scratchDir ?? '', options.command, ...options.args];
  const child = spawn('sh', args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: '/',
    detached: true,
    env: options.env,
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  child.stdin.on('error', () => {}); // The leash may be gone already: then there is nothing to release.
  return child;
}

/** Ends the command as its parent's death would, but keeps the scratch folder. */
export function releaseLeash(child: LeashedProcess): void {
  child.stdin.end('stop\n');
}
