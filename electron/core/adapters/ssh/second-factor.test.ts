import { rmSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { startAskingServer, type AskingServer, type Round } from './testing/asking-server.ts';
import { answering, hostOf, person } from './testing/client.ts';

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => { for (const step of undo.splice(0).reverse()) await step(); });

async function askingServer(rounds: readonly Round[]): Promise<AskingServer> {
  const server = await startAskingServer(rounds);
  undo.push(() => server.stop());
  return server;
}

const ROUNDS: readonly Round[] = [
  { instruction: 'Step 1', prompts: [{ prompt: 'Password: ', echo: false }], want: ['pw'] },
  { instruction: 'Choose a way', prompts: [{ prompt: 'Option (1-2): ', echo: true }, { prompt: 'One-time password: ', echo: false }], want: ['1', '123456'] },
  { instruction: '', prompts: [{ prompt: 'Really? ', echo: true }], want: ['yes'] },
];

describe('a second factor in several rounds', () => {
  it('shows each round with its words, and begins anew after a wrong answer', async () => {
    const server = await askingServer(ROUNDS);
    const who = person();
    undo.push(() => rmSync(who.folder, { recursive: true, force: true }));
    const host = hostOf(who, `ada@127.0.0.1:${server.port}`);
    undo.push(() => host.dispose());
    const { prompter, asked } = answering(['pw'], ['1', '000000'], ['pw'], ['1', '123456'], ['yes']);
    await host.connect({ prompter, acceptHostKeys: [server.fingerprint] });
    expect(asked.map(({ instructions, fields, mayRemember, attempt }) => [instructions, fields.map(({ label, echo }) => `${label}${echo ? '' : ' (hidden)'}`), mayRemember, attempt])).toEqual([
      ['Login\nStep 1', ['Password: (hidden)'], true, 1],
      ['Login\nChoose a way', ['Option (1-2):', 'One-time password: (hidden)'], false, 1],
      ['Login\nStep 1', ['Password: (hidden)'], true, 2],
      ['Login\nChoose a way', ['Option (1-2):', 'One-time password: (hidden)'], false, 2],
      ['Login', ['Really?'], false, 2],
    ]);
    expect((await host.run(['echo', 'ran'])).stdout).toBe('ran\n');
  });

  it('ends with its own code when it is declined, and when nobody can be asked', async () => {
    const server = await askingServer(ROUNDS);
    const who = person();
    undo.push(() => rmSync(who.folder, { recursive: true, force: true }));
    const host = hostOf(who, `ada@127.0.0.1:${server.port}`);
    undo.push(() => host.dispose());
    await expect(host.connect({ prompter: answering(['pw'], null).prompter, acceptHostKeys: [server.fingerprint] })).rejects.toThrow(expect.objectContaining({ code: 'SSH_PROMPT_CANCELLED' }));
    await expect(host.connect({ prompter: null, acceptHostKeys: [] })).rejects.toThrow(expect.objectContaining({ code: 'SSH_PASSWORD_NEEDED' }));
    await who.secrets.put(`ssh-password:ada@127.0.0.1:${server.port}`, 'pw', 'session');
    await expect(host.connect({ prompter: null, acceptHostKeys: [] })).rejects.toThrow(expect.objectContaining({ code: 'SSH_ANSWER_NEEDED', message: expect.stringContaining('One-time password') as unknown }));
  });
});
