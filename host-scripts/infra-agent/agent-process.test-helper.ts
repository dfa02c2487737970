import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { HostMethod, HostParams } from '#shared/host-protocol.ts';
import type { RealHost } from '../real-host.test-helper.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

type Folders = Pick<RealHost, 'home' | 'cache'>;
type Line = { readonly id: number; readonly type: string; readonly result?: unknown; readonly error?: { readonly code: string } };

/** `infra-agent serve` as Vessel runs it, asked over its pipes. */
export class AgentProcess {
  readonly child: ChildProcess;
  /** All that it printed. */
  output = '';
  readonly #answers = new Map<number, (line: Line) => void>();
  #id = 0;

  constructor({ home, cache }: Folders, env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [MAIN, 'serve', '--home', home, '--cache', cache], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, ...env } });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.output += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const text of lines) {
        const line = JSON.parse(text) as Line;
        if (line.type === 'result' || line.type === 'error') this.#answers.get(line.id)?.(line);
      }
    });
    this.child = child;
  }

  /** Throws an Error that bears the code of the answer. */
  async ask<M extends HostMethod, R>(method: M, params: HostParams<M>): Promise<R> {
    const id = this.#id += 1;
    const answer = new Promise<Line>((resolve) => this.#answers.set(id, resolve));
    this.child.stdin?.write(`${JSON.stringify({ v: 1, type: 'request', id, method, params })}\n`);
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(error.code);
    return result as R;
  }

  async end(): Promise<void> { this.child.stdin?.end(); if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit'); }
  async kill(): Promise<void> { const exit = once(this.child, 'exit'); this.child.kill('SIGKILL'); await exit; }
}

/** A verb of an agent that dies, as by kill -9, when it comes to `stage`. */
export async function verbThatDies({ home, cache }: Folders, argv: readonly string[], stage: string): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...argv, '--home', home, '--cache', cache], { stdio: 'ignore', env: { ...process.env, VESSEL_FAULT: stage } });
  const [, signal] = await once(child, 'exit') as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
}
