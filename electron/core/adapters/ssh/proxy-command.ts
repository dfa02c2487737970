import type { ChildProcess } from 'node:child_process';
import { Duplex } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import type { SshHop } from './config.ts';
import { endGroup, spawnShell } from './shell-command.ts';

/** What of the command's errors is worth showing. */
const TAIL_CHARACTERS = 2_000;
/** A command whose output ended has nothing left to carry. */
const GOODBYE_MS = 2_000;

/** The byte stream of a `ProxyCommand`, run in the person's shell as ssh(1) does. Throws SSH_CONFIG_INVALID when it cannot be started. */
export function openProxyCommand({ alias, proxyCommand }: Pick<SshHop, 'alias'> & { readonly proxyCommand: NonNullable<SshHop['proxyCommand']> }): Promise<Duplex> {
  const { shell, command } = proxyCommand;
  // With "exec" the shell is not in between; cmd.exe has no such word.
  const child = spawnShell(shell, process.platform === 'win32' ? command : `exec ${command}`, 'pipe', process.env);
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new VesselError('SSH_CONFIG_INVALID', `The ProxyCommand of ${alias} cannot be run: ${error.message}`, { cause: error, details: { host: alias } })));
    child.once('spawn', () => resolve(new CommandStream(child, alias)));
  });
}

class CommandStream extends Duplex {
  readonly #child: ChildProcess;
  #said = '';
  #carried = false;

  constructor(child: ChildProcess, alias: string) {
    super();
    this.#child = child;
    // It may end before anything listens: then `errored` tells why.
    this.on('error', () => undefined);
    child.stderr?.on('data', (data: Buffer) => { this.#said = (this.#said + data.toString()).slice(-TAIL_CHARACTERS); });
    child.stdin?.on('error', () => undefined); // it no longer reads; how it ended is told below
    child.stdout?.on('data', (data: Buffer) => { this.#carried = true; if (!this.push(data)) child.stdout?.pause(); });
    // The end is passed on when it is known how the command ended.
    let goodbye: NodeJS.Timeout | undefined;
    child.stdout?.once('end', () => { child.stdin?.end(); goodbye = setTimeout(() => endGroup(child, 'SIGHUP'), GOODBYE_MS).unref(); });
    child.once('close', (code, signal) => {
      clearTimeout(goodbye);
      if (this.destroyed) return;
      if (code === 0 && this.#carried) { this.push(null); this.end(); return; }
      const said = this.#said.trim();
      this.destroy(new VesselError('SSH_REFUSED', `The ProxyCommand of ${alias} ended ${this.#carried ? '' : 'before it carried anything, '}with ${code === null ? String(signal) : `code ${code}`}${said === '' ? '' : `: ${said}`}`, { hint: 'Run `ssh` with the same host in a terminal; if it works there, compare the environment that Vessel was started in.', details: { host: alias, code, signal } }));
    });
  }

  override _read(): void { this.#child.stdout?.resume(); }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    const { stdin } = this.#child;
    if (stdin === null || stdin.destroyed || stdin.writableEnded) { done(); return; }
    // A broken pipe is told by the end of the command.
    stdin.write(chunk, () => done());
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#child.stdin?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#child.stdin?.destroy();
    this.#child.stdout?.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) endGroup(this.#child, 'SIGHUP');
    done(error);
  }
}
