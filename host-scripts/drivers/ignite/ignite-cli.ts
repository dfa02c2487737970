import { VesselError } from '#shared/errors.ts';
import type { ErrorCode } from '#shared/errors.ts';
import { withFileLock } from '../../system/file-lock.ts';
import { runCommand } from '../../system/run-command.ts';

/** Its log lines, which all go to stdout: `time="…" level=fatal msg="…"`. */
const LOG_LINE = /^time="[^"]*" level=(\w+) msg="((?:[^"\\]|\\.)*)"/;
const TAIL_LINES = 20;
/** Inspecting and listing read files; anything longer has a deadline of its own. */
const ASK_DEADLINE_MS = 30_000;

/** Its exit code is nearly always 1, so the text says what happened. */
const MEANINGS: readonly { readonly text: RegExp; readonly code: ErrorCode; readonly hint?: string }[] = [
  { text: /no ID\/name matches for/, code: 'VM_NOT_FOUND' },
  { text: /invalid VM id\/name ".*": already exists/, code: 'VM_EXISTS' },
  { text: /File \/dev\/kvm, does not exist/, code: 'HOST_UNSUPPORTED', hint: 'Ignite needs hardware virtualisation: use the qemu driver on this host.' },
  { text: /failed to resolve reference/, code: 'IMAGE_MISSING', hint: 'Import the guest image into containerd: docker save IMAGE | ctr -n firecracker images import -' },
  { text: /no space left on device/, code: 'DISK_FULL' },
];

/** What it said last in anger; null when it did not. */
export function fatalOf(stdout: string): string | null {
  const fatal = stdout.split('\n').map((line) => LOG_LINE.exec(line)).filter((match) => match?.[1] === 'fatal' || match?.[1] === 'error').at(-1);
  return fatal === undefined ? null : unquoted(fatal?.[2] ?? '');
}

/** Go quotes as JSON does, but for a few escapes of odd bytes: then the raw text must do. */
function unquoted(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

export function failureOf(verb: string, code: number, output: string): VesselError {
  const fatal = fatalOf(output) ?? (/^panic: .*/m.exec(output)?.[0] ?? `it ended with code ${code}`);
  const meaning = MEANINGS.find(({ text }) => text.test(fatal));
  const logTail = output.split('\n').filter((line) => line.trim() !== '').slice(-TAIL_LINES);
  return new VesselError(meaning?.code ?? 'VM_START_FAILED', `ignite ${verb}: ${fatal}`, { details: { fatal }, logTail, ...(meaning?.hint === undefined ? {} : { hint: meaning.hint }) });
}

export type IgnitePrograms = { readonly ignite: string; readonly ctr: string };

export class IgniteCli {
  readonly #programs: IgnitePrograms;
  readonly #lockPath: string;

  /** `lockPath`: one call at a time on this host, whoever makes it: two at once mix up its files and its network. */
  constructor(programs: IgnitePrograms, lockPath: string) {
    this.#programs = programs;
    this.#lockPath = lockPath;
  }

  /** Runs one verb to its end and gives its output. Never called off in the middle: it would leave half a VM. Throws as {@link failureOf}, TIMEOUT. */
  async run(args: readonly [string, ...string[]], deadlineMs: number = ASK_DEADLINE_MS): Promise<string> {
    return withFileLock(this.#lockPath, undefined, async () => {
      const { code, stdout, stderr } = await runCommand([this.#programs.ignite, ...args], { deadlineMs });
      // An error in its log with exit code 0 is one too.
      if (code !== 0 || /level=fatal/.test(stdout)) throw failureOf(args[0], code, `${stdout}\n${stderr}`);
      return stdout;
    });
  }

  /** The processes that containerd really runs: id of the task → pid. What ignite believes may be from before a crash. */
  async tasks(): Promise<ReadonlyMap<string, number>> {
    const { code, stdout, stderr } = await runCommand([this.#programs.ctr, '-n', 'firecracker', 'task', 'ls'], { deadlineMs: ASK_DEADLINE_MS });
    if (code !== 0) throw new VesselError('HOST_NOT_READY', `containerd does not answer: ${stderr.trim()}`, { hint: 'systemctl start containerd' });
    return parseTasks(stdout);
  }
}

/** The table of `ctr task ls`: TASK, PID, STATUS. */
export function parseTasks(table: string): ReadonlyMap<string, number> {
  return new Map(table.split('\n').slice(1).flatMap((line) => {
    const [task, pid, status] = line.trim().split(/\s+/);
    return task !== undefined && task !== '' && status === 'RUNNING' ? [[task, Number(pid)] as const] : [];
  }));
}
