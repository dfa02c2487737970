import { VesselError } from '#shared/errors.ts';
import { clamp } from '#shared/visible-text.ts';

/** A stack names its place in the first lines. */
const STACK_CHARS = 4000;

/**
 * Writes down what nothing caught, with its code. After a rejection the server goes on: one call failed, and the others have their own
 * state. After an exception nothing is known of the code that it left in the middle, so `end` is called; environments run on and are found
 * again at the next start. Only a full disk ends nothing: environments and their unsaved work depend on this process until there is space again.
 */
export function watchDefects({ log, end }: { readonly log: (line: string) => void; readonly end: () => void }): void {
  process.on('unhandledRejection', (reason) => log(`unhandled rejection: ${describe(reason)}`));
  process.on('uncaughtException', (error) => {
    log(`uncaught exception: ${describe(error)}`);
    if (VesselError.from(error).code !== 'DISK_FULL') end();
  });
}

function describe(thrown: unknown): string {
  const known = VesselError.from(thrown);
  const stack = thrown instanceof Error && thrown.stack !== undefined ? thrown.stack : known.message;
  return `${known.code}: ${clamp(stack, STACK_CHARS)}`;
}
