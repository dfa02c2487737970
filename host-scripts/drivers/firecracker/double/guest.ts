import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GUEST_AGENT_PORT } from '#shared/guest-protocol.ts';
import { GUEST_NETWORK } from '../../../../images/recipe/index.ts';
import { makeGuestFolder } from '../../process/guest-folder.ts';

/** What a snapshot of the stand-in guest holds: instead of memory, all that its agent is. */
export type Frozen = { readonly token: string; readonly files: Readonly<Record<string, string>> };

const READY_MS = 30_000;

/**
 * The guest of the stand-in hypervisor: our agent with a stand-in IDE, as a process of this network namespace, at the very address that a guest has.
 * It dies with the hypervisor, as a guest does.
 */
export class DoubleGuest {
  readonly #folder: string;
  #child: ChildProcess | null = null;
  readonly #ended: (code: number) => void;

  /** `ended` is called when the guest restarts, which is how a guest ends its machine. */
  constructor(root: string, ended: (code: number) => void) {
    this.#folder = join(root, '.guest');
    this.#ended = ended;
  }

  /** The address on the namespace's own loopback: the far end of a tap needs a machine. */
  async boot(token: string, files: Frozen['files'] = {}): Promise<void> {
    execFileSync('ip', ['addr', 'replace', `${GUEST_NETWORK.address}/32`, 'dev', 'lo']);
    mkdirSync(this.#folder, { recursive: true });
    const { argv } = await makeGuestFolder(this.#folder, GUEST_AGENT_PORT, token, GUEST_NETWORK.address);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.#folder, 'workspace', name), content, 'base64');
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { cwd: this.#folder, stdio: ['ignore', 'inherit', 'inherit'], env: { PATH: process.env['PATH'] ?? '', HOME: this.#folder, LANG: 'C.UTF-8' } });
    this.#child.on('exit', (code) => this.#ended(code ?? 1));
  }

  /** A machine that was loaded goes on at once: its agent must answer, as it did before. */
  async restore({ token, files }: Frozen): Promise<void> {
    await this.boot(token, files);
    const deadline = Date.now() + READY_MS;
    for (;;) {
      const answer = await fetch(`http://${GUEST_NETWORK.address}:${GUEST_AGENT_PORT}/_vessel/v1/health`, { headers: { authorization: `Bearer ${token}` } }).catch(() => null);
      if (answer?.ok === true && ((await answer.json()) as { readonly ideReady: boolean }).ideReady) return;
      if (Date.now() > deadline) throw new Error('the stand-in guest does not come back');
      await delay(50);
    }
  }

  pause(): void { this.#child?.kill('SIGSTOP'); }
  resume(): void { this.#child?.kill('SIGCONT'); }

  freeze(): Frozen {
    const workspace = join(this.#folder, 'workspace');
    const names = existsSync(workspace) ? readdirSync(workspace, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name) : [];
    return { token: readFileSync(join(this.#folder, 'token'), 'utf8').trim(), files: Object.fromEntries(names.map((name) => [name, readFileSync(join(workspace, name)).toString('base64')])) };
  }

  end(): void {
    this.#child?.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
