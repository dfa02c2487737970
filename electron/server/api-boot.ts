import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import type { Handlers } from '#shared/contract.ts';
import { ProjectIdSchema } from '#shared/ids.ts';
import type { Operation } from '#shared/operation.ts';
import { readJson } from './api-call.ts';

/** Scripts of the first hour wrote snake case. */
const BodySchema = z.union([z.object({ projectId: ProjectIdSchema }), z.object({ project_id: ProjectIdSchema }).transform(({ project_id }) => ({ projectId: project_id }))]);

/**
 * `POST /api/boot` opens a project's environment and answers when VS Code does; `POST /api/shutdown` saves it, verified, and ends
 * it. Both answer `{status: "success", operationId, …result}` or the error. A caller that goes away changes nothing: the
 * operation goes on, and asking again joins it.
 */
export async function answerBoot(request: IncomingMessage, action: 'boot' | 'shutdown', handlers: Handlers, signal: AbortSignal): Promise<object> {
  const body = BodySchema.safeParse(await readJson(request));
  if (!body.success) throw new VesselError('BAD_REQUEST', 'Send {"projectId": "…"}');
  const { operationId } = await handlers.calls[action === 'boot' ? 'environments.open' : 'environments.close']({ ...body.data, keepRunning: false }, { signal });
  let last: Operation | null = null;
  for await (const event of handlers.streams['operations.watch']({ operationId, afterSeq: 0 }, { signal })) if (event.kind === 'operation') last = event.operation;
  if (last?.error != null) throw VesselError.fromShape(last.error);
  if (last?.state !== 'succeeded') throw new VesselError('CANCELLED');
  // The ticket is made for this caller now: none is kept with the operation.
  const entry = action === 'boot' ? await handlers.calls['environments.url']({ projectId: body.data.projectId, frame: false }, { signal }) : null;
  return { status: 'success', operationId, ...(typeof last.result === 'object' ? last.result : {}), ...(entry === null ? {} : { url: entry.url }) };
}
