import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { VesselError } from '#shared/errors.ts';
import { HOST_PROTOCOL_VERSION, HostRequestSchema, hostMethods } from '#shared/host-protocol.ts';
import type { HostMessage, HostMethod } from '#shared/host-protocol.ts';
import type { Host, RequestContext } from './request-context.ts';
import { watchVms } from './vm-watcher.ts';

type Outgoing = HostMessage extends infer M ? M extends HostMessage ? Omit<M, 'v'> : never : never;

export type ServeOptions = { readonly input: Readable; readonly output: Writable; readonly host: Host;
  /** Ends the service as the end of the input does. */
  readonly signal: AbortSignal;
  /** Ends it as well when nothing was read for so many milliseconds: a line that went silent never tells that the caller has gone. Null waits for ever. */
  readonly leaseMs: number | null;
};

const isMethod = (name: string): name is HostMethod => Object.hasOwn(hostMethods, name);

/** Calls one method; a generic function, so that the parameters and the handler are of the same method. */
async function dispatch<M extends HostMethod>(host: Host, method: M, params: unknown, context: RequestContext): Promise<unknown> {
  const parsed = hostMethods[method].params.safeParse(params);
  if (!parsed.success) throw new VesselError('BAD_REQUEST', `${method}: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`);
  const handler = host[method] as (params: unknown, context: RequestContext) => Promise<unknown>;
  return handler(parsed.data, context);
}

/**
 * Speaks the host protocol until the input ends. Requests run side by side; `cancel` aborts one. When the input ends, requests
 * under way are cancelled and awaited: whatever they were making is removed. Running VMs live on.
 */
export async function serve({ input, output, host, signal, leaseMs }: ServeOptions): Promise<void> {
  const running = new Map<number, { readonly controller: AbortController; readonly done: Promise<void> }>();
  const closing = new AbortController();
  // The reader may be gone before us; then there is nobody to tell, and the end of the input says the rest.
  output.on('error', () => closing.abort());
  signal.addEventListener('abort', () => closing.abort(), { once: true });
  const send = (message: Outgoing): void => {
    if (output.writable) output.write(`${JSON.stringify({ v: HOST_PROTOCOL_VERSION, ...message })}\n`);
  };

  async function run(id: number, method: string, params: unknown, cancelled: AbortSignal): Promise<void> {
    try {
      if (!isMethod(method)) throw new VesselError('BAD_REQUEST', `there is no method ${method}`);
      const result = await dispatch(host, method, params, {
        signal: cancelled,
        steps: (steps) => send({ type: 'steps', id, steps: [...steps] }),
        stage: (stage, progress) => send({ type: 'stage', id, stage, progress }),
        log: (level, text) => send({ type: 'log', id, level, text }),
      });
      send({ type: 'result', id, result });
    } catch (error) {
      send({ type: 'error', id, error: VesselError.from(error).toShape() });
    } finally {
      running.delete(id);
    }
  }

  function receive(line: string): void {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (error) {
      // Its reason would quote the line, which may be anything, a password too.
      if (error instanceof SyntaxError) return send({ type: 'log', id: null, level: 'error', text: 'a line is not JSON' });
      throw error;
    }
    const parsed = HostRequestSchema.safeParse(json);
    if (!parsed.success) return send({ type: 'log', id: null, level: 'error', text: 'a line is neither a request nor a cancel' });
    const { data } = parsed;
    if (data.type === 'cancel') return running.get(data.id)?.controller.abort(new VesselError('CANCELLED'));
    if (data.v !== HOST_PROTOCOL_VERSION) {
      const error = new VesselError('HOST_VERSION', `this infra-agent speaks version ${HOST_PROTOCOL_VERSION}, the caller ${data.v}`);
      return send({ type: 'error', id: data.id, error: error.toShape() });
    }
    if (running.has(data.id)) return send({ type: 'error', id: data.id, error: new VesselError('BAD_REQUEST', `request ${data.id} is under way already`).toShape() });
    const controller = new AbortController();
    const entry = { controller, done: Promise.resolve() };
    running.set(data.id, entry);
    entry.done = run(data.id, data.method, data.params ?? {}, controller.signal);
  }

  const watching = watchVms({
    list: () => host.watchVms(), signal: closing.signal,
    changed: (vm) => send({ type: 'vm', vm }),
    failed: (error) => send({ type: 'log', id: null, level: 'warn', text: `VMs cannot be listed: ${VesselError.from(error).message}` }),
  });
  const lines = createInterface({ input, crlfDelay: Infinity });
  const lease = leaseMs === null ? null : setTimeout(() => closing.abort(), leaseMs);
  if (lease !== null) input.on('data', () => lease.refresh());
  closing.signal.addEventListener('abort', () => lines.close());
  for await (const line of lines) if (line.trim() !== '') receive(line);
  if (lease !== null) clearTimeout(lease);
  const under = [...running.values()];
  for (const { controller } of under) controller.abort(new VesselError('CANCELLED', 'the caller has gone'));
  await Promise.all(under.map(({ done }) => done));
  closing.abort();
  await watching;
}
