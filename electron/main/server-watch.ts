import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import WebSocket from 'ws';
import type { StateEvent } from '#shared/contract.ts';
import { serverFilePath } from '#shared/paths.ts';
import type { Project } from '#shared/project.ts';
import { ServerFileSchema } from '#shared/server-file.ts';
import type { Channel } from '#shared/wire.ts';
import { createWireClient } from '#shared/wire-client.ts';

/** A lost connection is made again after this; the tray may be a moment behind. */
const AGAIN_MS = 2_000;

export type RunningEnvironment = { readonly projectId: string; readonly name: string };

const LIVING = new Set(['requested', 'starting', 'running', 'stopping', 'error']);

/** What the tray and the warning at quit speak of: environments that hold a VM. */
export function runningEnvironments(projects: Iterable<Project>): readonly RunningEnvironment[] {
  return [...projects]
    .filter((project) => project.environment !== null && LIVING.has(project.environment.state))
    .map((project) => ({ projectId: project.id, name: project.name }))
    .toSorted((one, other) => one.name.localeCompare(other.name));
}

/** Applies one event to the projects by id; says whether it concerned them. */
export function applyState(projects: Map<string, Project>, event: StateEvent): boolean {
  if (event.kind === 'snapshot') {
    projects.clear();
    for (const project of event.projects) projects.set(project.id, project);
    return true;
  }
  if (event.kind !== 'project') return false;
  projects.set(event.project.id, event.project);
  return true;
}

async function connect(home: string, signal: AbortSignal): Promise<Channel> {
  const server = ServerFileSchema.parse(JSON.parse(await readFile(serverFilePath(home), 'utf8')));
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/api/socket`, { headers: { authorization: `Bearer ${server.secret}` }, perMessageDeflate: false });
  const close = (): void => socket.close();
  signal.addEventListener('abort', close, { once: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    // Stays on: later errors are followed by `close`, which ends the stream.
    socket.on('error', reject);
  });
  return {
    send: (text) => { if (socket.readyState === WebSocket.OPEN) socket.send(text); },
    onMessage: (listener) => { socket.on('message', (data: Buffer) => listener(data.toString('utf8'))); },
    onClose: (listener) => { socket.once('close', listener); },
    drained: () => Promise.resolve(), // the shell sends a handful of small frames
    close,
  };
}

/** Follows the server's state until the signal fires; a lost connection is made again. */
export async function watchEnvironments(home: string, options: { readonly signal: AbortSignal; readonly onChange: (running: readonly RunningEnvironment[]) => void; readonly log: (line: string) => void }): Promise<void> {
  const projects = new Map<string, Project>();
  while (!options.signal.aborted) {
    try {
      const client = createWireClient(await connect(home, options.signal));
      for await (const event of client.stream('state.watch', {}, { signal: options.signal })) {
        if (applyState(projects, event)) options.onChange(runningEnvironments(projects.values()));
      }
    } catch (error) {
      if (options.signal.aborted) return;
      options.log(`the tray lost its connection: ${error instanceof Error ? error.message : String(error)}`);
    }
    await sleep(AGAIN_MS, undefined, { signal: options.signal }).catch(() => undefined); // aborted: the loop ends
  }
}
