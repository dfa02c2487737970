import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

/** The npm registry this host uses; every build step and the guest use the same. */
export async function hostRegistry(): Promise<string> {
  return (await run(['npm', 'config', 'get', 'registry'], { what: 'Reading the npm registry setting' })).trim();
}

/** Fetches one package of the registry with the host's npm and unpacks its content into `into`. */
export async function unpackNpmPackage(spec: string, into: string, scratch: string, signal: AbortSignal | undefined, onLine: (line: string) => void): Promise<void> {
  const packed = await run(['npm', 'pack', spec, '--silent', '--pack-destination', scratch], { what: `Fetching ${spec} from the npm registry`, cwd: scratch, signal });
  const file = packed.trim().split('\n').at(-1) ?? '';
  onLine(`fetched ${file}`);
  await mkdir(into, { recursive: true });
  await run(['tar', '-xzf', join(scratch, file), '-C', into, '--strip-components=1', '--no-same-owner'], { what: `Unpacking ${spec}`, signal });
}
