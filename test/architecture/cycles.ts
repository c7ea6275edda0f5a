/** The groups of nodes that reach each other, each as one path around, its first node repeated at the end. */
export function cyclesIn(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const done = new Set<string>();
  const cycles: string[][] = [];
  for (const start of [...edges.keys()].toSorted()) {
    if (done.has(start)) continue;
    const path = pathBack(start, edges);
    if (path === null) continue;
    for (const node of path) done.add(node);
    cycles.push(path);
  }
  return cycles;
}

/** The shortest way from a node back to itself, breadth first. */
function pathBack(start: string, edges: ReadonlyMap<string, readonly string[]>): string[] | null {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    for (const next of edges.get(node) ?? []) {
      if (next === start) return [...trace(node, start, cameFrom), start];
      if (cameFrom.has(next)) continue;
      cameFrom.set(next, node);
      queue.push(next);
    }
  }
  return null;
}

function trace(end: string, start: string, cameFrom: ReadonlyMap<string, string>): string[] {
  const path = [end];
  for (let node = end; node !== start;) {
    node = cameFrom.get(node) ?? start;
    path.unshift(node);
  }
  return path;
}
