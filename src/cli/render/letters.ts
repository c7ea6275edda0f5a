import type { Letter } from '../../model/checkpoint.ts';
import { typedKey } from '../../model/key-text.ts';
import type { View } from '../outcome.ts';
import { tableText } from '../text/table.ts';
import { singleLine } from '../text/width.ts';
import { timeText } from './time.ts';

export function letterTable(letters: readonly Letter[], view: View): string {
  if (letters.length === 0) return 'no dead letters';
  return tableText({
    columns: [
      { title: 'job', minWidth: 8 },
      { title: 'stream', minWidth: 10 },
      { title: 'key', minWidth: 8 },
      { title: 'code' },
      { title: 'attempts', align: 'right' },
      { title: 'at' },
      { title: 'reason', minWidth: 16 },
    ],
    rows: letters.map((letter) => [
      letter.job,
      letter.stream,
      typedKey(letter.key),
      letter.code,
      String(letter.attempts),
      timeText(letter.at),
      letter.message,
    ]),
    style: view.style,
    width: view.width,
  });
}

export function letterDetails(letters: readonly Letter[], { style }: View): string {
  if (letters.length === 0) return 'no dead letters';
  return letters
    .map((letter) => [style.bold(singleLine(`${letter.stream} ${typedKey(letter.key)}`)), ...facts(letter)].join('\n'))
    .join('\n\n');
}

function facts({ job, kind, code, message, run, at, attempts, payload }: Letter): string[] {
  const pairs: [string, string][] = [
    ['job', job],
    ['kind', kind === 'order' ? 'order: tried again after the records that it refers to' : kind],
    ['reason', `[${code}] ${message}`],
    ['failed', `${attempts} times, last at ${timeText(at)} in run ${run}`],
    ...(payload === undefined ? [] : ([['payload', JSON.stringify(payload)]] satisfies [string, string][])),
  ];
  return pairs.map(([name, value]) => `  ${name.padEnd(7)}  ${singleLine(value)}`);
}
