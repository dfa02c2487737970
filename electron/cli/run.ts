import { CommanderError, type Command } from 'commander';
import { VesselError } from '#shared/errors.ts';
import { helpOf, separateExecCommand } from './arguments-rewrite.ts';
import { makeContext, type Context } from './context.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';
import { Left } from './run-operation.ts';
import type { Runtime } from './runtime.ts';

/** Runs one command line (without program names) and returns the exit code. Never throws: every failure is printed. */
export async function runVessel(argv: readonly string[], runtime: Runtime): Promise<number> {
  let exitCode: number = EXIT.ok;
  let context: Context | null = null;
  const program = buildProgram(runtime.version, (globals) => {
    context = makeContext(runtime, globals);
    return context;
  }, (code) => { exitCode = code; });
  let failedCommand: Command = program;
  prepare(program, runtime, (command) => { failedCommand = command; });
  try {
    await program.parseAsync([...separateExecCommand(helpOf(argv))], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof Left) return error.exitCode;
    const output = (context as Context | null)?.output ?? new Output(runtime, wantsJson(argv));
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.ok; // help or version, printed on request
      output.failure(usageError(error, failedCommand).toShape());
      return EXIT.usage;
    }
    const failure = VesselError.from(error);
    output.failure(failure.toShape());
    return exitCodeOf(failure.code);
  }
}

/** Before the line is parsed: what stands behind `--` belongs to the guest. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}

function prepare(command: Command, runtime: Runtime, failed: (command: Command) => void): void {
  command.exitOverride((error) => {
    failed(command);
    throw error;
  }).showSuggestionAfterError(true).configureOutput({
    writeOut: (text) => { runtime.stdout.write(text); },
    // Errors come back as exceptions and are printed there, once, in the right form.
    writeErr: () => undefined,
    getOutHelpWidth: () => runtime.stdout.columns ?? 100,
    getErrHelpWidth: () => runtime.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  for (const child of command.commands) prepare(child, runtime, failed);
}

/** `error: unknown command 'opne'\n(Did you mean open?)` in our own form. */
function usageError(error: CommanderError, command: Command): VesselError {
  const text = error.code === 'commander.help' ? 'A command is missing' : error.message.replace(/^error: /, '');
  const [message = text, suggestion] = text.split('\n');
  const hint = suggestion?.replace(/[()]/g, '').replace(/\?$/, '?');
  return new VesselError('BAD_REQUEST', message.charAt(0).toUpperCase() + message.slice(1), { hint: hint ?? `See \`${pathOf(command)} --help\`.`, retryable: false });
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
