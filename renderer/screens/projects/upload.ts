import { z } from 'zod';
import type { TopFolder } from '#shared/archive-rules.ts';
import { ErrorShapeSchema, VesselError } from '#shared/errors.ts';

const AnswerSchema = z.object({ projectId: z.string(), operationId: z.string() });
const FailureSchema = z.union([z.object({ error: ErrorShapeSchema }).transform((body) => body.error), ErrorShapeSchema]);

/** Sends a zip to Vessel. `onProgress` gets 0–1. Throws the error that Vessel answered, HOST_UNREACHABLE when it did not answer, CANCELLED on abort. */
export function uploadZip(file: File, { name, hostId, topFolder }: { readonly name: string; readonly hostId: string; readonly topFolder: TopFolder }, onProgress: (share: number) => void, signal: AbortSignal): Promise<z.infer<typeof AnswerSchema>> {
  return new Promise((resolve, reject) => {
    // fetch cannot report how much of a body was sent.
    const request = new XMLHttpRequest();
    request.open('POST', `/api/import?${new URLSearchParams({ name, host: hostId, topFolder }).toString()}`);
    request.setRequestHeader('content-type', 'application/zip');
    request.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    request.onload = () => {
      const body = parseJson(request.responseText);
      const answer = AnswerSchema.safeParse(body);
      if (request.status < 300 && answer.success) { resolve(answer.data); return; }
      const failure = FailureSchema.safeParse(body);
      reject(failure.success ? VesselError.fromShape(failure.data) : new VesselError('INTERNAL', `The import was answered with status ${request.status}`));
    };
    request.onerror = () => reject(new VesselError('HOST_UNREACHABLE', 'The upload broke off: Vessel does not answer'));
    request.onabort = () => reject(new VesselError('CANCELLED'));
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller says so by its status.
    return null;
  }
}
