import { VesselError } from '#shared/errors.ts';
import { hostDriver, rememberDriver } from '../drivers/chosen-driver.ts';
import { AGENT_VERSION } from '../build-info.ts';
import { hostPaths } from '../paths.ts';
import { closeInheritedDescriptors } from '../system/inherited-descriptors.ts';
import { isRoot } from '../system/run-user.ts';
import { HELP, parseCommandLine } from './command-line.ts';
import type { CommandLine } from './command-line.ts';
import { createHost } from './create-host.ts';
import { runVerb, stderrContext } from './one-shot.ts';
import { PresenceFolder } from './presence.ts';
import { serve } from './serve.ts';

const EXIT = { success: 0, failure: 1, usage: 2 } as const;

function printError(error: unknown): void {
  process.stdout.write(`${JSON.stringify({ status: 'error', error: VesselError.from(error).toShape() })}\n`);
}

async function run(line: CommandLine): Promise<number> {
  if (line.verb === 'help') {
    process.stdout.write(HELP);
    return EXIT.success;
  }
  if (line.verb === 'version') {
    process.stdout.write(`${AGENT_VERSION}\n`);
    return EXIT.success;
  }
  const root = isRoot();
  const paths = hostPaths({ env: process.env, isRoot: root, home: line.options.home, cache: line.options.cache });
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => interrupted.abort(new VesselError('CANCELLED', `ended by ${signal}`)));
  }
  const driver = line.options.driver ?? await hostDriver(paths.state);
  const host = createHost({
    paths, driver, isRoot: root, role: process.env['VESSEL_ROLE'] === 'server' ? 'server' : 'desktop', background: line.verb === 'serve',
    log: (text) => process.stderr.write(`${text}\n`),
  });
  if (line.verb === 'serve') {
    const presence = await new PresenceFolder(paths.state).begin();
    await serve({ input: process.stdin, output: process.stdout, host, signal: interrupted.signal, heard: presence.heard, leaseMs: line.options.leaseSeconds === undefined ? null : line.options.leaseSeconds * 1000 });
    await host.close();
    await presence.end();
    return EXIT.success;
  }
  const result = await runVerb(host, line, line.verb, stderrContext(interrupted.signal, (text) => process.stderr.write(text)));
  if (line.verb === 'provision' && line.options.driver !== null && !line.options.dryRun) await rememberDriver(paths.state, driver);
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return EXIT.success;
}

async function main(): Promise<number> {
  let line: CommandLine;
  try {
    line = parseCommandLine(process.argv.slice(2), process.env);
  } catch (error) {
    printError(error);
    process.stderr.write(`${VesselError.from(error).message}\nRun infra-agent --help.\n`);
    return EXIT.usage;
  }
  try {
    return await run(line);
  } catch (error) {
    printError(error);
    process.stderr.write(`${VesselError.from(error).message}\n`);
    return VesselError.from(error).code === 'BAD_REQUEST' ? EXIT.usage : EXIT.failure;
  }
}

closeInheritedDescriptors();
// What cannot be told (a log on a full disk, a reader that has gone) is no reason to end; that the caller has gone is noticed by its input.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
// Exit explicitly: an abandoned guest connection must not keep a finished verb alive. The stream has to drain first.
const code = await main();
process.stdout.write('', () => process.exit(code));
