import { request } from 'node:http';
import { VesselError } from '#shared/errors.ts';

/** Loading a snapshot of some gigabytes from a slow disk is the longest call there is. */
const CALL_DEADLINE_MS = 120_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Firecracker says what it dislikes as `{"fault_message": "…"}` with status 400. */
function faultOf(text: string): string {
  try {
    const { fault_message: message } = JSON.parse(text) as { readonly fault_message?: unknown };
    if (typeof message === 'string') return message;
  } catch (error) {
    // Not JSON: the text itself must do.
    if (!(error instanceof SyntaxError)) throw error;
  }
  return text.slice(0, 500);
}

/** Firecracker's API over its unix socket: one call at a time, as it answers them. */
export class FirecrackerApi {
  readonly #socketPath: string;
  readonly #signal: AbortSignal;

  constructor(socketPath: string, signal: AbortSignal) {
    this.#socketPath = socketPath;
    this.#signal = signal;
  }

  put(path: string, body: object): Promise<void> {
    return this.#call('PUT', path, body);
  }

  patch(path: string, body: object): Promise<void> {
    return this.#call('PATCH', path, body);
  }

  /** Throws VM_START_FAILED with the fault named, VM_DIED when nobody answers, CANCELLED. */
  #call(method: 'PUT' | 'PATCH', path: string, body: object): Promise<void> {
    const payload = Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#signal.aborted ? VesselError.from(this.#signal.reason) : new VesselError('VM_DIED', `firecracker does not answer ${method} ${path}: ${error.message}`, { cause: error }));
      const outgoing = request({
        socketPath: this.#socketPath, method, path, agent: false, signal: AbortSignal.any([this.#signal, AbortSignal.timeout(CALL_DEADLINE_MS)]),
        headers: { accept: 'application/json', 'content-type': 'application/json', 'content-length': payload.byteLength },
      }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => { if (text.length < MAX_ANSWER_BYTES) text += chunk; });
        response.on('error', fail);
        response.on('end', () => {
          const status = response.statusCode ?? 0;
          if (status >= 200 && status < 300) return resolve();
          reject(new VesselError('VM_START_FAILED', `firecracker refuses ${method} ${path}: ${faultOf(text)}`, { details: { status } }));
        });
      });
      outgoing.on('error', fail);
      outgoing.end(payload);
    });
  }
}
