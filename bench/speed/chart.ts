import type { CaseResult } from './result.ts';
import { summaries } from './result.ts';

const WIDTH = 760;
const LABEL = 300;
const BAR = 22;
const GAP = 10;
const COLOURS = { trueup: '#2563eb', other: '#9ca3af', target: '#dc2626' };

/** Bars of wall time, the reference's included, with a line where the target lies. An SVG without scripts or fonts of its own. */
export function chart(result: CaseResult): string {
  const bars = summaries(result);
  const reference = bars.find(({ name }) => name === result.reference)?.wallMs.median ?? 0;
  const targetMs = result.target === undefined ? 0 : result.target * reference;
  const longest = Math.max(...bars.map(({ wallMs }) => wallMs.max), targetMs, 1);
  const scale = (ms: number) => (ms / longest) * (WIDTH - LABEL - 90);
  const height = bars.length * (BAR + GAP) + GAP + 20;
  const body = bars.map(({ name, wallMs }, index) => {
    const y = GAP + index * (BAR + GAP);
    const colour = name.startsWith('trueup') ? COLOURS.trueup : COLOURS.other;
    const [from, to] = [LABEL + scale(wallMs.min), LABEL + scale(wallMs.max)];
    return [
      `<text x="${LABEL - 8}" y="${y + 15}" text-anchor="end">${escaped(name)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${scale(wallMs.median).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      `<line x1="${from.toFixed(1)}" x2="${to.toFixed(1)}" y1="${y + BAR / 2}" y2="${y + BAR / 2}" stroke="#111827"/>`,
      `<text x="${(Math.max(to, LABEL + scale(wallMs.median)) + 6).toFixed(1)}" y="${y + 15}">${(wallMs.median / 1000).toFixed(2)} s</text>`,
    ].join('');
  });
  const line =
    targetMs === 0
      ? ''
      : `<line x1="${(LABEL + scale(targetMs)).toFixed(1)}" x2="${(LABEL + scale(targetMs)).toFixed(1)}" y1="0" y2="${height - 18}" stroke="${COLOURS.target}" stroke-dasharray="4 3"/><text x="${(LABEL + scale(targetMs)).toFixed(1)}" y="${height - 4}" text-anchor="middle" fill="${COLOURS.target}">target</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" role="img"><title>${escaped(result.title)}</title><rect width="100%" height="100%" fill="#ffffff"/>${body.join('')}${line}</svg>\n`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
