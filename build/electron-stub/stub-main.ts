import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

const REGISTER = fileURLToPath(new URL('./register.mjs', import.meta.url));
const START_DEADLINE_MS = 30_000;

export type StubRecord = {
  readonly windows: readonly { readonly webPreferences: Readonly<Record<string, unknown>>; readonly [key: string]: unknown }[];
  readonly loads: readonly string[];
  readonly external: readonly string[];
  readonly dialogs: readonly { readonly message?: string; readonly buttons?: readonly string[]; readonly [key: string]: unknown }[];
  readonly errorBoxes: readonly { readonly title: string; readonly text: string }[];
  readonly notifications: readonly unknown[];
  readonly tray: readonly string[];
  readonly trayMenus: readonly (readonly { readonly label?: string }[])[];
  readonly menus: readonly unknown[];
  readonly paths: Readonly<Record<string, string>>;
  readonly shows: number;
  readonly hides: number;
  readonly sandbox: boolean;
};

type Answer = { readonly id: number; readonly value?: unknown; readonly error?: { readonly message: string; readonly code: string | null } };

/** Main running under the stub of `electron`. */
export type StubMain = {
  readonly pid: number;
  do<T = unknown>(command: string, input?: Readonly<Record<string, unknown>>): Promise<T>;
  record(): Promise<StubRecord>;
  /** Waits until the record satisfies the condition; throws with the record when it never does. */
  until(condition: (record: StubRecord) => boolean): Promise<StubRecord>;
  readonly ended: Promise<number | null>;
  output(): string;
  kill(): void;
};

/** Starts `main` (source or built) on this Node with the stub in place of `electron`. */
export function startStubMain(main: string, options: { readonly env: NodeJS.ProcessEnv; readonly args?: readonly string[] }): StubMain {
  const child = spawn(process.execPath, ['--import', REGISTER, main, ...options.args ?? []], { env: { ...options.env, ELECTRON_STUB_CONTROL: '1' }, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => { text += chunk.toString('utf8'); });
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  child.on('message', (message) => {
    const answer = message as Answer;
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const self: StubMain = {
    pid: child.pid ?? -1,
    do: <T>(command: string, input: Readonly<Record<string, unknown>> = {}) => new Promise<T>((resolve, reject) => {
      const id = ++last;
      waiting.set(id, ({ value, error }) => error === undefined ? resolve(value as T) : reject(Object.assign(new Error(error.message), { code: error.code })));
      child.send({ id, command, input }, (error) => { if (error !== null) reject(new Error(`main is gone\n${text}`)); });
    }),
    record: () => self.do<StubRecord>('record'),
    async until(condition) {
      const deadline = Date.now() + START_DEADLINE_MS;
      for (;;) {
        const record = await self.record();
        if (condition(record)) return record;
        if (Date.now() > deadline) throw new Error(`never happened\n${JSON.stringify(record, null, 1)}\n${text}`);
        await sleep(50);
      }
    },
    ended,
    output: () => text,
    kill: () => { child.kill('SIGKILL'); },
  };
  return self;
}
