/** `2026-11-24T10:00:00.123Z` → `2026-11-24 10:00:00Z`; empty when there is none. */
export function timeText(iso: string | undefined): string {
  return iso === undefined ? '' : iso.replace('T', ' ').replace(/\.\d+(?=Z|[+-]\d)/, '');
}
