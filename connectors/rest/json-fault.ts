/** Beyond it the search would take too long for what it tells. */
const MAX_SEARCHED = 2 ** 20;

/**
 * The index of the first character with which a text can no longer become JSON. The parser does not always name it, and its message shows what stands there; so it is found
 * by looking for the longest beginning that only wants more.
 */
export function jsonFaultAt(text: string): number {
  if (text.length > MAX_SEARCHED) return 0;
  let [good, bad] = [0, text.length + 1];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (wantsMore(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return Math.min(good, text.length);
}

function wantsMore(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    const position = /position (\d+)/.exec(message);
    return /end of JSON input/.test(message) || (position !== null && Number(position[1]) >= beginning.length);
  }
}
