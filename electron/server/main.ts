import { fstatSync } from 'node:fs';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { DriverNameSchema } from '#shared/host-protocol.ts';
import { vesselCache, vesselHome } from '#shared/paths.ts';
import { createCore, VERSION } from '../core/create-core.ts';
import { parseArguments, USAGE } from './arguments.ts';
import { watchDefects } from './defects.ts';
import { hasDisplay, openBrowser } from './open-browser.ts';
import { agentProgram, rendererDirectory } from './program-paths.ts';
import { findRunningServer } from './running-server.ts';
import { readSecretKey } from './secret-key.ts';
import { serve, type Served } from './serve.ts';

/** After this a clean end has failed: whatever still hangs, the person's Ctrl-C must work. What runs is found again at the next start. */
const STOP_DEADLINE_MS = 8_000;

const log = (line: string): void => { process.stderr.write(`${new Date().toISOString()} ${line}\n`); };

/** How a defect ends this process: at once while it starts, later through every door. */
let endAfterDefect = (): void => process.exit(1);

async function main(): Promise<void> {
  watchDefects({ log, end: () => endAfterDefect() });
  const args = parseArguments(process.argv.slice(2));
  if (args.help) {
    process.stdout.write(USAGE);
    return;
  }
  const home = resolve(args.home ?? vesselHome(process.env, homedir()));
  const cache = resolve(args.cache ?? vesselCache(process.env, homedir(), process.getuid?.() === 0));
  const secretKey = args.secretKeyOnStdin ? await readSecretKey(process.stdin) : undefined;
  let served: Served;
  try {
    served = await serve({
      home, cache, port: args.port, log, createCore, rendererDirectory: rendererDirectory(), version: VERSION,
      agentCommand: [process.execPath, agentProgram()], driver: DriverNameSchema.nullable().catch(null).parse(process.env['VESSEL_DRIVER'] ?? null),
      ...(secretKey === undefined ? {} : { secretKey }),
      prepare: process.env['VESSEL_PREPARE'] === '1',
      remoteAgentCommand: remoteAgent(process.env['VESSEL_REMOTE_AGENT']),
    });
  } catch (error) {
    if (!(error instanceof VesselError) || error.code !== 'ALREADY_RUNNING') throw error;
    announce({ ...await findRunningServer(home), already: true }, args.json);
    return;
  }
  const stop = (code: number): void => {
    setTimeout(() => {
      log('the end takes too long; leaving now');
      process.exit(1);
    }, STOP_DEADLINE_MS).unref();
    served.stop().then(() => process.exit(code), (error: unknown) => {
      log(`the end was not clean: ${VesselError.from(error).message}`);
      process.exit(1);
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => stop(0));
  endAfterDefect = () => stop(1);
  announce({ url: served.url, baseUrl: served.baseUrl, port: served.port, pid: process.pid, already: false }, args.json);
  if (args.open && hasDisplay(process.env, process.platform)) await openBrowser(served.url, home, log);
}

/** A test hook: a JSON array, instead of the infra-agent that provisioning puts on hosts over SSH. */
function remoteAgent(setting: string | undefined): readonly string[] | undefined {
  return setting === undefined ? undefined : z.array(z.string()).min(1).parse(JSON.parse(setting));
}

/** One line for the person or the program that started this. A log file gets the address without its ticket. */
function announce(server: { readonly url: string; readonly baseUrl: string; readonly port: number; readonly pid: number; readonly already: boolean }, json: boolean): void {
  if (json) {
    const { already, ...rest } = server;
    process.stdout.write(`${JSON.stringify(already ? { ...rest, already } : rest)}\n`);
    return;
  }
  const url = fstatSync(1).isFile() ? `${server.baseUrl}/ (enter with: vessel url)` : server.url;
  process.stdout.write(`${server.already ? 'Vessel already runs' : 'Vessel is ready'}: ${url}\n`);
}

// A log on a full disk, or a terminal that was closed: what cannot be written is no reason to end.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

main().catch((thrown: unknown) => {
  const error = VesselError.from(thrown);
  process.stderr.write(`${error.code}: ${error.message}\n${error.hint}\n`);
  process.exitCode = 1;
});
