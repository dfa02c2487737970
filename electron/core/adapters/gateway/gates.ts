import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { VesselError } from '#shared/errors.ts';
import { sendError } from './respond.ts';

const PATH = '/__vessel/gate/';
const AHEAD = /[?&]vessel-ahead=([\w-]{22})$/;
/** One window has one; what a closed window left goes when there are more. */
const MOST = 32;

/** What a page that was loaded ahead asks, and waits for the answer. */
export const isGate = (url: string): boolean => url.startsWith(PATH);
/** The gate that a page's address names; null for a page that has none. */
export const gateOf = (url: string): string | null => AHEAD.exec(url)?.[1] ?? null;

type Gate = { readonly projectId: string; readonly ideStaticDir: string; readonly waiting: Set<ServerResponse> };

/** Workbenches that were loaded ahead of an opening, each at a gate of its own, until somebody opens the project in that very window. */
export class Gates {
  readonly #gates = new Map<string, Gate>();

  /** A gate for a page out of the image at `ideStaticDir`; returns its name. */
  make(projectId: string, ideStaticDir: string): string {
    const id = randomBytes(16).toString('base64url');
    this.#gates.set(id, { projectId, ideStaticDir, waiting: new Set() });
    const [oldest] = this.#gates.keys();
    if (this.#gates.size > MOST && oldest !== undefined) this.#gates.delete(oldest);
    return id;
  }

  /** The folder of the page behind a gate of this project; null when there is no such gate (any more). */
  find(id: string, projectId: string): string | null {
    const gate = this.#gates.get(id);
    return gate?.projectId === projectId ? gate.ideStaticDir : null;
  }

  /** Answers once the gate is opened, however long that takes. */
  wait(request: IncomingMessage, response: ServerResponse, projectId: string): void {
    const gate = this.#gates.get((request.url ?? '').slice(PATH.length));
    if (gate?.projectId !== projectId || request.method !== 'GET') {
      sendError(response, new VesselError('NOT_FOUND', 'There is no such gate'));
      return;
    }
    gate.waiting.add(response);
    response.once('close', () => gate.waiting.delete(response));
  }

  /** Opens a gate for good. False when no page waits at it, or one out of another image than the environment has: that window must load a page anew. */
  open(id: string, projectId: string, ideStaticDir: string | null): boolean {
    const gate = this.#gates.get(id);
    if (gate?.projectId !== projectId) return false;
    this.#gates.delete(id);
    const opens = gate.ideStaticDir === ideStaticDir && gate.waiting.size > 0;
    for (const response of gate.waiting) {
      if (opens) response.writeHead(204, { 'cache-control': 'no-store' }).end();
      else sendError(response, new VesselError('NOT_FOUND', 'The environment has another workbench'));
    }
    return opens;
  }
}
