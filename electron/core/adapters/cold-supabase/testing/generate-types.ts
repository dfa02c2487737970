import { execFile } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Cluster } from './cluster.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../../../', import.meta.url));
/** Where the generated types are checked in. */
export const TYPES_FILE = join(ROOT, 'electron/core/adapters/cold-supabase/database.types.ts');

/** The program itself: the package around it names platforms that not every registry has, and then nothing installs from a lock file. */
const CLI = join(ROOT, 'node_modules/@supabase/cli-linux-x64/bin/supabase');

/** Runs the Supabase CLI on a cluster; it speaks TCP, so the socket is bridged for its time. `argv` gets the address of the database. */
async function supabase(cluster: Cluster, argv: (url: string) => readonly string[]): Promise<string> {
  const bridge = createServer((client) => {
    const server = connect(join(cluster.socket, '.s.PGSQL.5432'));
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    client.pipe(server).pipe(client);
  });
  await new Promise<void>((resolve) => bridge.listen(0, '127.0.0.1', resolve));
  try {
    const url = `postgresql://postgres:none@127.0.0.1:${(bridge.address() as AddressInfo).port}/postgres?sslmode=disable`;
    const { stdout } = await run(CLI, [...argv(url), '--workdir', ROOT], { env: { ...process.env, DO_NOT_TRACK: '1', SUPABASE_TELEMETRY_DISABLED: '1' } });
    return stdout;
  } finally {
    await new Promise((resolve) => bridge.close(resolve));
  }
}

/** Applies the migrations as a person would: `supabase db push`. */
export async function pushMigrations(cluster: Cluster): Promise<void> {
  await supabase(cluster, (url) => ['db', 'push', `--remote=${url}`, '--yes']);
}

/** The types of the schema as it is in the cluster, made by the Supabase CLI. */
export async function generateTypes(cluster: Cluster): Promise<string> {
  const types = await supabase(cluster, (url) => ['gen', 'types', 'typescript', `--remote=${url}`, '--schema', 'public']);
  return `// Generated from supabase/migrations by \`node electron/core/adapters/cold-supabase/testing/write-types.ts\`. A test holds it fresh.\n${tidy(types)}`;
}

/** The generator leaves the layout to a formatter: one column to a line and no trailing blanks make it readable and stable. */
function tidy(source: string): string {
  return source.replaceAll(/,(?="[a-z_]+"\??:)/g, ',\n').split('\n').map((line) => line.trim()).filter((line) => line !== '').join('\n') + '\n';
}
