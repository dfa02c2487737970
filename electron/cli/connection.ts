import { readFile } from 'node:fs/promises';
import type { Client } from '#shared/contract.ts';
import { VesselError } from '#shared/errors.ts';
import { serverFilePath } from '#shared/paths.ts';
import { ServerFileSchema, type ServerFile } from '#shared/server-file.ts';
import { createWireClient } from '#shared/wire-client.ts';
import { openChannel } from './channel.ts';
import { isAlive } from './process-alive.ts';

export type Connection = {
  readonly client: Client;
  readonly server: ServerFile;
  /** True once the other side or the network ended it. */
  readonly lost: () => boolean;
  /** Holds back and lets go what the server sends; see {@link PausableChannel}. */
  pause(): void;
  resume(): void;
  close(): void;
};

/** What the running server wrote about itself; null when there is none or the file is not (yet) whole. */
export async function readServerFile(home: string): Promise<ServerFile | null> {
  let text: string;
  try {
    text = await readFile(serverFilePath(home), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new VesselError('SERVER_UNREACHABLE', `Cannot read ${serverFilePath(home)}`, {
      cause: error, hint: 'It belongs to the user that runs Vessel: use the same user, or set VESSEL_HOME to a folder of your own.',
    });
  }
  try {
    return ServerFileSchema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null; // half-written by a server that is just starting; the caller looks again
  }
}

/** Connects to the Vessel of this home, or null when none answers. */
export async function connectToRunning(home: string): Promise<Connection | null> {
  const server = await readServerFile(home);
  // A dead server's port may belong to a stranger by now: it must not be shown the secret.
  if (server === null || !isAlive(server.pid)) return null;
  try {
    return await connectTo(server);
  } catch (error) {
    if (error instanceof VesselError && error.code === 'SERVER_UNREACHABLE') return null;
    throw error;
  }
}

async function connectTo(server: ServerFile): Promise<Connection> {
  const channel = await openChannel(server);
  let lost = false;
  let closing = false;
  channel.onClose(() => { lost = !closing; });
  const wire = createWireClient(channel);
  return {
    client: namingTheServer(wire, () => lost),
    server,
    lost: () => lost,
    pause: channel.pause,
    resume: channel.resume,
    close: () => { closing = true; channel.close(); },
  };
}

/** A broken wire is reported as HOST_UNREACHABLE, which to a command line would mean the VM host: say whose silence it is. */
function namingTheServer(client: Client, lost: () => boolean): Client {
  const named = (error: unknown): unknown => lost() && error instanceof VesselError && error.code === 'HOST_UNREACHABLE'
    ? new VesselError('SERVER_UNREACHABLE', 'The connection to Vessel was lost', { cause: error })
    : error;
  return {
    call: (name, input, options) => client.call(name, input, options).catch((error: unknown) => { throw named(error); }),
    async *stream(name, input, options) {
      try {
        yield* client.stream(name, input, options);
      } catch (error) {
        throw named(error);
      }
    },
  };
}
