import { describe, expect, it } from 'vitest';
import { bytesText, countText, durationText } from '../../src/cli/text/quantity.ts';
import { PLAIN, styleFor } from '../../src/cli/text/style.ts';
import { tableText } from '../../src/cli/text/table.ts';
import { displayWidth, printable, singleLine, truncate, wrapLines } from '../../src/cli/text/width.ts';

describe('cli: width of text', () => {
  it.each([
    ['orders', 6],
    ['größe', 5],
    ['gro\u0308ße', 5],
    ['注文', 4],
    ['주문', 4],
    ['🚚', 2],
    ['👩‍👩‍👧', 2],
    ['🇩🇪', 2],
    ['❤️', 2],
    ['a\u200bb', 2],
    ['→…', 2],
  ])('%s takes %d columns', (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  it('cuts at whole graphemes and never beyond the width', () => {
    expect(truncate('注文と配送', 6)).toBe('注文…');
    expect(truncate('orders', 6)).toBe('orders');
    expect(truncate('orders', 4)).toBe('ord…');
    expect(truncate('orders', 1)).toBe('…');
    expect(truncate('orders', 0)).toBe('');
  });

  it('shows control characters and direction overrides instead of obeying them', () => {
    expect(printable('a\u001b[31mb\u0007\u202ec')).toBe('a\\x1b[31mb\\x07\\u202ec');
    expect(singleLine('two\n  lines')).toBe('two lines');
  });
});

describe('cli: lines that are too long for a terminal', () => {
  it('break at spaces and go on under the text behind their label', () => {
    expect(wrapLines('  guarantee  late commits delivered', 30)).toBe('  guarantee  late commits\n             delivered');
    expect(wrapLines('one two three', 9)).toBe('one two\n  three');
  });

  it('count what is seen, not the colours', () => {
    const line = `\u001b[31merror\u001b[39m one two`;
    expect(wrapLines(line, 13)).toBe(line);
    expect(wrapLines(line, 12)).toBe('\u001b[31merror\u001b[39m one\n  two');
  });

  it('leave long words and JSON whole', () => {
    expect(wrapLines('abcdefghijkl', 5)).toBe('abcdefghijkl');
    expect(wrapLines('  {"a": "b c d e f"}', 8)).toBe('  {"a": "b c d e f"}');
  });
});

describe('cli: quantities', () => {
  it('groups digits', () => expect(countText(1_234_567)).toBe('1,234,567'));

  it.each([
    [0, '0 ms'],
    [99, '99 ms'],
    [812, '0.8 s'],
    [9_960, '10 s'],
    [59_900, '1 min 00 s'],
    [61_000, '1 min 01 s'],
    [3_600_000, '1 h 00 min'],
    [172_800_000, '2 days'],
  ])('%d ms is %s', (ms, text) => expect(durationText(ms)).toBe(text));

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [12_345_678, '11.8 MiB'],
    [200 * 1024 ** 2, '200 MiB'],
  ])('%d bytes are %s', (bytes, text) => expect(bytesText(bytes)).toBe(text));
});

describe('cli: tables', () => {
  const columns = [
    { title: 'stream', minWidth: 6 },
    { title: 'rows', align: 'right' as const },
    { title: 'note', optional: true },
  ];

  it('aligns by display width, numbers right, and leaves empty optional columns out', () => {
    const text = tableText({
      columns,
      rows: [
        ['注文', '5', ''],
        ['orders', '12,000', ''],
      ],
      style: PLAIN,
      width: null,
    });
    expect(text).toBe('stream    rows\n注文         5\norders  12,000');
  });

  it('cuts texts that allow it to fit a terminal', () => {
    const text = tableText({ columns, rows: [['a_very_long_table_name', '12,000', '']], style: PLAIN, width: 20 });
    expect(text.split('\n').every((line) => displayWidth(line) <= 20)).toBe(true);
    expect(text).toContain('a_very_long…');
    expect(text).toContain('12,000');
  });

  it('becomes a list where even that is too wide', () => {
    const text = tableText({ columns, rows: [['orders', '12,000', 'x']], style: PLAIN, width: 10 });
    expect(text).toBe('stream  orders\nrows    12,000\nnote    x');
  });

  it('keeps a mark beside its value in a list, and leaves out what is empty', () => {
    const marked = [{ title: '', optional: true }, { title: 'field' }, { title: 'repaired', optional: true }];
    const rows = [
      ['≠', 'customer_note', ''],
      ['', 'total', '2'],
    ];
    expect(tableText({ columns: marked, rows, style: PLAIN, width: 10 })).toBe('field     ≠ customer_note\n\nfield     total\nrepaired  2');
  });

  it('keeps a row on one line whatever its cells hold', () => {
    expect(tableText({ columns, rows: [['a\nb\u001b[2J', '1', '']], style: PLAIN, width: null }).split('\n')).toHaveLength(2);
  });
});

describe('cli: colour', () => {
  it('is for terminals, and not against NO_COLOR', () => {
    expect(styleFor(true, {}).red('x')).toContain('\u001b[');
    expect(styleFor(true, { NO_COLOR: '' }).red('x')).toContain('\u001b[');
    expect(styleFor(false, {}).red('x')).toBe('x');
    expect(styleFor(true, { NO_COLOR: '1' }).red('x')).toBe('x');
    expect(styleFor(true, { TERM: 'dumb' }).red('x')).toBe('x');
  });
});
