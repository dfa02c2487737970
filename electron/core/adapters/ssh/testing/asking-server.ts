import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import ssh2 from 'ssh2';
import { fingerprintOf } from '../host-key.ts';

export type Round = { readonly instruction: string; readonly prompts: readonly { readonly prompt: string; readonly echo: boolean }[]; readonly want: readonly string[] };
export type AskingServer = { readonly port: number; readonly fingerprint: string; loggedIn(): number; stop(): void };

/**
 * A server that asks in several rounds, as second-factor modules do: a double of the protocol, because PAM modules for it are
 * rare. Whoever answers right gets a shell of this computer, as from sshd.
 */
export async function startAskingServer(rounds: readonly Round[]): Promise<AskingServer> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, privateKeyEncoding: { type: 'pkcs1', format: 'pem' }, publicKeyEncoding: { type: 'pkcs1', format: 'pem' } });
  const parsed = ssh2.utils.parseKey(privateKey);
  if (parsed instanceof Error) throw parsed;
  let count = 0;
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
    client.on('ready', () => {
      count += 1;
      client.on('session', (accept) => accept().on('exec', (take, _refuse, { command }) => {
        const channel = take();
        const child = spawn('sh', ['-c', command]);
        channel.pipe(child.stdin);
        child.stdin.on('error', () => undefined); // a command that does not read
        child.stdout.on('data', (data: Buffer) => channel.write(data));
        child.stderr.on('data', (data: Buffer) => channel.stderr.write(data));
        child.once('close', (code) => { channel.exit(code ?? 1); channel.end(); });
      }));
    });
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { port: (server.address() as AddressInfo).port, fingerprint: fingerprintOf(parsed.getPublicSSH()), loggedIn: () => count, stop: () => { server.close(); } };
}
