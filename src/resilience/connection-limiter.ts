import type { Limiter } from '../model/limiter.ts';
import type { Breaker } from './connection-breaker.ts';
import type { TurnQueue } from './turn-queue.ts';

/** Rate, concurrency and circuit breaker as one: who is refused by the breaker does not wait in the queue first. */
export function createLimiter(queue: TurnQueue, breaker: Breaker | null): Limiter {
  return {
    async take(signal, maxWaitMs = Number.POSITIVE_INFINITY) {
      await breaker?.check(signal);
      const giveBack = await queue.take(signal, maxWaitMs);
      try {
        const passing = await breaker?.enter(signal);
        return {
          end(error) {
            passing?.end(error);
            giveBack();
          },
        };
      } catch (error) {
        giveBack();
        throw error;
      }
    },
    pause: (ms) => queue.pause(ms),
    slowDown: (quota) => queue.slowDown(quota),
  };
}
