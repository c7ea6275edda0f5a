import type { Writable } from 'node:stream';

/** Standard output. When its reader has gone (`trueup status | head -1`), what is left is dropped quietly. */
export interface Stdout {
  write(text: string): void;
}

export function openStdout(stream: Writable, redact: (text: string) => string): Stdout {
  let gone = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    gone = true;
    // Anything but a closed pipe (a full disk behind `> file`) must not pass for success.
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    write(text) {
      if (!gone) stream.write(redact(text));
    },
  };
}
