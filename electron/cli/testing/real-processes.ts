import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import type { Handlers, StreamItem } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { someProject } from './test-runtime.ts';

/** What the commands asked for. */
export type Seen = { input: unknown; resizes: unknown[]; signals: string[] };

/** An environment whose guest is this computer: real processes behind the exec calls, without a VM. */
export function realProcesses(seen: Seen): { calls: Partial<Handlers['calls']>; streams: Partial<Handlers['streams']> } {
  const running = new Map<string, ChildProcessWithoutNullStreams>();
  const of = (execId: string): ChildProcessWithoutNullStreams => {
    const child = running.get(execId);
    if (child === undefined) throw new VesselError('NOT_FOUND', 'it has ended');
    return child;
  };
  return {
    calls: {
      'projects.list': async () => ({ projects: [someProject('demo-k3f9', 'demo')] }),
      'exec.input': async ({ execId, data }) => { of(execId).stdin.write(Buffer.from(data, 'base64')); return { ok: true }; },
      'exec.endInput': async ({ execId }) => { of(execId).stdin.end(); return { ok: true }; },
      'exec.signal': async ({ execId, signal }) => { seen.signals.push(signal); of(execId).kill(signal as NodeJS.Signals); return { ok: true }; },
      'exec.resize': async ({ cols, rows }) => { seen.resizes.push({ cols, rows }); return { ok: true }; },
    },
    streams: {
      'exec.run': async function* (input, { signal }): AsyncIterable<StreamItem<'exec.run'>> {
        seen.input = input;
        const [command = '', ...args] = input.argv;
        const child = spawn(command, args, { env: { PATH: process.env['PATH'], ...input.env } });
        running.set('x1', child);
        signal.addEventListener('abort', () => child.kill('SIGKILL'));
        yield { kind: 'started', execId: 'x1' };
        const items: StreamItem<'exec.run'>[] = [];
        let wake = (): void => undefined;
        const push = (item: StreamItem<'exec.run'>): void => { items.push(item); wake(); };
        child.stdout.on('data', (data: Buffer) => push({ kind: 'stdout', data: data.toString('base64') }));
        child.stderr.on('data', (data: Buffer) => push({ kind: 'stderr', data: data.toString('base64') }));
        void once(child, 'close').then(([code, end]) => push({ kind: 'exit', code: code as number | null, signal: end as string | null }));
        for (;;) {
          for (const item of items.splice(0)) {
            yield item;
            if (item.kind === 'exit') { running.delete('x1'); return; }
          }
          if (items.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
        }
      },
    },
  };
}
