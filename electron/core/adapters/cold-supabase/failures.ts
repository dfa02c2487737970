import { VesselError } from '#shared/errors.ts';

/** What Supabase answers for a project that sleeps. */
const PAUSED = 540;

/** What `fetch` threw. An abort by the caller is CANCELLED, everything else no network. */
export function linkError(error: unknown, signal?: AbortSignal): VesselError {
  if (error instanceof VesselError) return error;
  if (signal?.aborted === true) return new VesselError('CANCELLED', undefined, { cause: error });
  return new VesselError('CLOUD_OFFLINE', undefined, { cause: error });
}

export type Answer = { readonly status: number; readonly code: string; readonly message: string; readonly retryAfter: string | null };

/** A refusal's words. Storage nearly always answers 400 and names the true status in its body; PostgREST names codes. */
export async function readAnswer(response: Response): Promise<Answer> {
  const text = await response.text().catch(() => ''); // a link that breaks in a refusal leaves only its status
  const retryAfter = response.headers.get('retry-after');
  try {
    const body = JSON.parse(text) as { readonly statusCode?: unknown; readonly code?: unknown; readonly error?: unknown; readonly error_code?: unknown; readonly message?: unknown; readonly msg?: unknown; readonly error_description?: unknown };
    const inner = Number(body.statusCode);
    const words = [body.message, body.msg, body.error_description, body.error].find((value): value is string => typeof value === 'string' && value !== '');
    const code = [body.error_code, body.code, body.error].find((value): value is string => typeof value === 'string') ?? '';
    return { status: Number.isInteger(inner) && inner >= 400 ? inner : response.status, code, message: words ?? `HTTP ${response.status}`, retryAfter };
  } catch {
    return { status: response.status, code: '', message: text.slice(0, 200) || `HTTP ${response.status}`, retryAfter }; // plain text, as TUS answers
  }
}

/** The failure that an answer means. `subject` begins the message. */
export function meaning({ status, code, message, retryAfter }: Answer, subject: string): VesselError {
  const text = `${subject}: ${message}`;
  const details = { status, ...(code === '' ? {} : { code }) };
  if (status === PAUSED) return new VesselError('CLOUD_PAUSED', undefined, { details });
  if (status === 402) return new VesselError('CLOUD_OVER_QUOTA', undefined, { details });
  if (status === 413) return new VesselError('CLOUD_FILE_TOO_LARGE', undefined, { details });
  if (status === 429) return new VesselError('CLOUD_RATE_LIMITED', undefined, { details: { ...details, ...(retryAfter === null ? {} : { retryAfterSeconds: Number(retryAfter) }) } });
  if (status >= 500 || status === 408 || status === 423) return new VesselError('CLOUD_FAILED', text, { details });
  if ((status === 401 && !/api key/i.test(message)) || /jwt|\bexp\b/i.test(message)) return new VesselError('CLOUD_SIGNED_OUT', text, { details });
  if (status === 404) return new VesselError('NOT_FOUND', text, { details });
  if (status === 409) return new VesselError('CONFLICT', text, { details });
  // A gateway in front of the project, which knows no users: a word with the person who set it up.
  if (/invalid api key|no api key/i.test(message)) return new VesselError('CLOUD_REFUSED', text, { details, hint: 'Check the publishable key of the cloud project: `vessel account configure`.' });
  return new VesselError('CLOUD_REFUSED', text, { details });
}

/**
 * A refusal that another token may turn into consent. The storage server answers an expired one with HTTP 400 and 403 in the body, older ones
 * with "Bucket not found"; a gateway answers 401.
 */
export const mayBeExpired = ({ status, code, message }: Answer): boolean => status === 401 || status === 403 || /jwt|\bexp\b|token/i.test(`${code} ${message}`) || isNoBucket({ status, message });
/** What it says where the bucket is missing, and where an unknown caller may not see it. */
export const isNoBucket = ({ status, message }: Pick<Answer, 'status' | 'message'>): boolean => status === 404 && /bucket/i.test(message);
/** An object of that name exists; any other 409 of an upload means that its place is another one. */
export const isDuplicate = ({ status, code, message }: Answer): boolean => status === 409 && /already exists|duplicate/i.test(`${code} ${message}`);

export const answerError = async (response: Response, subject: string): Promise<VesselError> => meaning(await readAnswer(response), subject);
