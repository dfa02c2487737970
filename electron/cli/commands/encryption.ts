import type { Command } from 'commander';
import type { EncryptionStatus } from '#shared/encryption-contract.ts';
import { VesselError } from '#shared/errors.ts';
import { DETACH } from '../arguments.ts';
import { askLine, canAsk } from '../ask.ts';
import type { Use } from '../command-kit.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { count } from '../format.ts';
import { runOperation } from '../run-operation.ts';
import { renderFacts, renderTable } from '../table.ts';
import { secret } from './account.ts';

/** Attempts to type the asked words; then it is begun again, with another phrase. */
const ATTEMPTS = 3;
const WORDS_IN_A_LINE = 6;
type Begun = { readonly keyId: string; readonly phrase: string | null; readonly ask: readonly number[] };

/** encryption: whether archives in clouds are encrypted, and with which key. */
export function registerEncryption(program: Command, use: Use): void {
  const encryption = program.command('encryption').summary('encrypt archives before they leave this computer').description('Archives in Supabase and S3 as ciphertext that only the computers with your key can read. Files of this computer stay as they are.');

  encryption.command('status').summary('show whether archives are encrypted, and whether the key is here').description('Exit code 1 when they are locked (encrypted, and their key is not on this computer), or when the cloud says something else than this computer knows: then nothing is uploaded until `encryption on` or `encryption off` decides.')
    .action(use(async (context) => {
      const status = await context.session.call('encryption.status', {});
      show(context, status);
      return status.state === 'locked' || status.state === 'changed' ? EXIT.failed : EXIT.ok;
    }));

  encryption.command('on').summary('turn it on, and encrypt what is there').description('The first time a key is made and its recovery phrase of 24 words is shown, once: it is the only way to read the archives without this computer. On a terminal two of the words are asked for; otherwise the phrase is printed, in JSON as `phrase`, and it begins at once.')
    .option(...DETACH)
    .action(use(async (context, _args, options: { readonly detach?: boolean }) => {
      const begun = await context.session.call('encryption.begin', {});
      const asked = begun.phrase !== null && canAsk(context.runtime) && !context.output.json;
      if (begun.phrase !== null && !asked) return printed(context, begun, begun.phrase);
      const start = asked ? await confirmed(context, begun, begun.phrase ?? '') : await context.session.call('encryption.turnOn', { keyId: begun.keyId });
      return finish(context, async () => { await Promise.resolve(); return start; }, options);
    }));

  encryption.command('off').summary('turn it off').description('New archives go up unencrypted. What is encrypted stays so, and readable on computers with the key, unless --decrypt.')
    .option('--decrypt', 'make what is there readable for the cloud again')
    .option(...DETACH)
    .action(use(async (context, _args, options: { readonly decrypt?: boolean; readonly detach?: boolean }) => {
      const { operationId } = await context.session.call('encryption.turnOff', { decrypt: options.decrypt === true });
      if (operationId !== null) return finish(context, async () => { await Promise.resolve(); return { operationId }; }, options);
      context.output.result({ operationId }, () => 'New archives go to the cloud unencrypted from now on. Older ones stay encrypted and readable here.');
      return EXIT.ok;
    }));

  encryption.command('unlock').summary('read encrypted archives on this computer').description('Wants the recovery phrase. Without a terminal it is the first line of stdin; it is never an argument, which every process can read.')
    .action(use(async (context) => { show(context, await context.session.call('encryption.unlock', { phrase: await secret(context, 'Recovery phrase') })); }));

  encryption.command('resume').summary('go on with encrypting or decrypting what is there').description('After it was cancelled or failed. What was done is not repeated.')
    .option(...DETACH)
    .action(use((context, _args, options: { readonly detach?: boolean }) => finish(context, () => context.session.call('encryption.resume', {}), options)));
}

/** Shows the phrase and asks for two of its words until they are right. */
async function confirmed({ session, runtime, output }: Context, { keyId, ask }: Begun, phrase: string): Promise<{ readonly operationId: string }> {
  const words = phrase.split(' ');
  const lines = Array.from({ length: Math.ceil(words.length / WORDS_IN_A_LINE) }, (_, line) => words.slice(line * WORDS_IN_A_LINE, (line + 1) * WORDS_IN_A_LINE).map((word, at) => `${String(line * WORDS_IN_A_LINE + at + 1).padStart(2)} ${word.padEnd(9)}`).join(' '));
  // To the terminal only: stdout may go to a file.
  runtime.stderr.write(`\nYour recovery phrase. Write it down on paper, all of it and in this order: it is shown this once.\nWho loses it and this computer loses what is in the cloud; who has it can read it.\n\n${lines.join('\n')}\n\n`);
  for (let attempt = 1; ; attempt += 1) {
    const typed: string[] = [];
    for (const place of ask) {
      const word = await askLine(runtime, `Word ${place}`, true, new AbortController().signal);
      if (word === null) throw new VesselError('CANCELLED');
      typed.push(word.trim());
    }
    try {
      return await session.call('encryption.turnOn', { keyId, words: typed });
    } catch (error) {
      const known = VesselError.from(error);
      if (known.code !== 'ENCRYPTION_NOT_CONFIRMED' || attempt >= ATTEMPTS) throw known;
      output.note(`${known.message}. Look again.`);
    }
  }
}

/** For scripts: the phrase is printed whatever happens after it was made. */
async function printed({ session, output }: Context, { keyId, ask }: Begun, phrase: string): Promise<number> {
  const words = phrase.split(' ');
  const outcome = await session.call('encryption.turnOn', { keyId, words: ask.map((place) => words[place - 1] ?? '') }).then(
    ({ operationId }) => ({ operationId, error: null }),
    (error: unknown) => ({ operationId: null, error: VesselError.from(error).toShape() }),
  );
  output.result({ keyId, phrase, ...outcome }, () => [phrase, ...(outcome.error === null ? [] : [`${outcome.error.message}\n  fix  ${outcome.error.hint}`])].join('\n'));
  return outcome.error === null ? EXIT.ok : EXIT.failed;
}

async function finish(context: Context, start: () => Promise<{ readonly operationId: string }>, options: { readonly detach?: boolean }): Promise<number> {
  const operation = await runOperation(context, start, options);
  if (operation === null) return EXIT.ok;
  const { converted } = operation.result as { readonly converted: number };
  context.output.result({ operationId: operation.id, converted }, () => `${count(converted, 'archive')} in their new form`);
  return EXIT.ok;
}

const MEANINGS: Readonly<Record<EncryptionStatus['state'], string>> = {
  unavailable: 'no cloud is set up', off: 'off', on: 'on', locked: 'locked: the key is not on this computer', changed: 'changed: nothing is uploaded until you choose',
};

function show({ output }: Context, status: EncryptionStatus): void {
  output.result(status, () => [
    renderFacts([
      ['encryption', { text: MEANINGS[status.state], format: status.state === 'on' ? 'green' : 'yellow' }],
      ...(status.unfinished === null ? [] : [['unfinished', { text: `${status.unfinished}: ${status.operationId === null ? '`vessel encryption resume` goes on' : 'under way'}`, format: 'yellow' }] as const]),
    ], output.style),
    ...status.stores.flatMap(({ state, error }) => (state === 'changed' && error !== null ? [`${error.message}\n  fix  ${error.hint}`] : [])),
    ...(status.stores.length === 0 ? [] : [renderTable(['store', 'state', 'key', 'locked projects'], status.stores.map(({ store, state, keyId, lockedProjects }) => [store, state, keyId ?? '-', String(lockedProjects)]), output.style)]),
  ].join('\n'));
}
