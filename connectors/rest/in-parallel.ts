/** The results of `work` on each item, some at a time, in the order of the items. When one fails, nothing new is begun. */
export async function* inParallel<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const going: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const one = work(item);
      // Whoever waits for it sees its fault; until then it is not unhandled.
      one.catch(() => {});
      going.push(one);
      if (going.length >= atOnce) yield await (going.shift() as Promise<Result>);
    }
    while (going.length > 0) yield await (going.shift() as Promise<Result>);
  } finally {
    await Promise.allSettled(going);
  }
}
