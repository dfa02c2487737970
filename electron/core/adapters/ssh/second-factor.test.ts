import { generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { fingerprintOf } from './host-key.ts';
import { answering, hostOf, person } from './testing/client.ts';

/** A server that asks in several rounds, as 2FA modules do: a double of the protocol, because PAM modules for it are rare. */
const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => { for (const step of undo.splice(0).reverse()) await step(); });

type Round = { readonly instruction: string; readonly prompts: readonly { readonly prompt: string; readonly echo: boolean }[]; readonly want: readonly string[] };

async function askingServer(rounds: readonly Round[]): Promise<{ readonly port: number; readonly fingerprint: string }> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'pkcs1', format: 'pem' } });
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (client) => {
    client.on('error', () => undefined); // a client that gives up
    client.on('authentication', (context) => {
      if (context.method !== 'keyboard-interactive') { context.reject(['keyboard-interactive']); return; }
      const ask = (at: number): void => {
        const round = rounds[at];
        if (round === undefined) { context.accept(); return; }
        context.prompt(round.prompts.map((one) => ({ ...one })), 'Login', round.instruction, (answers) => {
          if (JSON.stringify(answers) === JSON.stringify(round.want)) ask(at + 1);
          else context.reject(['keyboard-interactive']);
        });
      };
      ask(0);
    });
    client.on('ready', () => client.on('session', (accept) => {
      accept().on('exec', (take, _refuse, info) => {
        const channel = take();
        const mark = /vessel-[0-9a-f]+/.exec(info.command)?.[0] ?? 'ran';
        channel.write(mark);
        channel.exit(0);
        channel.end();
      });
    }));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  undo.push(() => { server.close(); });
  return { port: (server.address() as AddressInfo).port, fingerprint: fingerprintOf(parsed.getPublicSSH()) };
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
    expect((await host.run(['anything'])).stdout).toBe('ran');
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
