import { startStack } from '../../electron/core/adapters/cold-supabase/testing/stack.ts';

/** A cloud in a process of its own, so that the memory that a bench measures is the client's: prints where it answers, ends with its stdin. */
const stack = await startStack();
process.stdout.write(`${JSON.stringify({ url: stack.url, publishableKey: stack.publishableKey, socket: stack.cluster.socket })}\n`);
process.stdin.resume();
process.stdin.once('end', () => { void stack.stop(); });
