import type { Client } from '#shared/contract.ts';
import type { Project } from '#shared/project.ts';
import { navigate, stillHere } from './navigate.ts';
import { toastError, useStore } from './store.ts';

/** Calls that answer with the id of an operation and need nothing but a project. */
type ProjectOperation = 'environments.open' | 'environments.save' | 'environments.close';

/** Starts long work and shows its console, unless the user has gone elsewhere by then; what refuses to start is said in a toast. */
export async function startAndShow(start: () => Promise<{ readonly operationId: string }>, here: () => boolean = stillHere()): Promise<void> {
  try {
    const { operationId } = await start();
    if (here()) navigate({ screen: 'console', operationId });
  } catch (error) {
    toastError(error);
  }
}

export function startProjectOperation(client: Client, name: ProjectOperation, projectId: string, here: () => boolean = stillHere()): Promise<void> {
  return startAndShow(async () => {
    const started = await client.call(name, { projectId });
    // The browser loads and compiles VS Code behind the console while the machine comes up.
    if (name === 'environments.open') void loadIde(client, projectId).catch(() => undefined); // the IDE's screen asks again, and says what is wrong
    return started;
  }, here);
}

/** Opens a resting project on the host that was chosen; it stays there. */
export function openProjectOn(client: Client, projectId: string, hostId: string): Promise<void> {
  return startAndShow(async () => {
    const started = await client.call('environments.open', { projectId, hostId });
    void loadIde(client, projectId).catch(() => undefined); // as above
    return started;
  });
}

/** Asks for a way into the environment and lets VS Code's frame load it; a frame that waits for this project goes on as it is. */
export async function loadIde(client: Client, projectId: string, signal?: AbortSignal): Promise<void> {
  const ahead = useStore.getState().ideFrame;
  const gate = ahead?.projectId === projectId ? ahead.gate : null;
  const { url, opened } = await client.call('environments.url', { projectId, frame: window.vessel?.shell !== 'electron', ...(gate === null ? {} : { gate }) }, signal === undefined ? {} : { signal });
  const { ideFrame, setIdeFrame } = useStore.getState();
  const stays = opened && ideFrame?.gate === gate ? ideFrame : null;
  setIdeFrame(stays === null ? { projectId, url, askedAt: Date.now(), shown: false, gate: null } : { ...stays, askedAt: Date.now(), gate: null });
}

/** Loads VS Code for a project that will probably be opened next, up to its gate. False when there is nothing to load. */
export async function loadAhead(client: Client, projectId: string, signal: AbortSignal): Promise<boolean> {
  const { page } = await client.call('environments.ahead', { projectId }, { signal });
  if (page !== null && !signal.aborted) useStore.getState().setIdeFrame({ projectId, ...page, askedAt: Date.now(), shown: false });
  return page !== null;
}

/** The card's big button. A project that something works on leads to that work instead. */
export async function openProject(client: Client, project: Project): Promise<void> {
  if (project.environment?.state === 'running') { navigate({ screen: 'ide', projectId: project.id }); return; }
  if (project.activeOperationId !== null) { navigate({ screen: 'console', operationId: project.activeOperationId }); return; }
  await startProjectOperation(client, 'environments.open', project.id);
}

/** Saves without leaving; the outcome comes as a toast with the proof. */
export async function saveNow(client: Client, projectId: string): Promise<string | null> {
  try {
    return (await client.call('environments.save', { projectId })).operationId;
  } catch (error) {
    toastError(error);
    return null;
  }
}

export async function cancelOperation(client: Client, operationId: string): Promise<void> {
  try {
    useStore.getState().addOperation(await client.call('operations.cancel', { operationId }));
  } catch (error) {
    toastError(error);
  }
}

export function retryOperation(client: Client, operationId: string): Promise<void> {
  return startAndShow(() => client.call('operations.retry', { operationId }));
}

/** Runs a call for its effect; a failure becomes a toast. Resolves to whether it succeeded. */
export async function attempt(work: () => Promise<unknown>, success?: string): Promise<boolean> {
  try {
    await work();
    if (success !== undefined) useStore.getState().toast('ok', success);
    return true;
  } catch (error) {
    toastError(error);
    return false;
  }
}
