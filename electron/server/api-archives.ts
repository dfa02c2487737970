import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { TopFolderSchema } from '#shared/archive-rules.ts';
import { VesselError } from '#shared/errors.ts';
import { ProjectIdSchema } from '#shared/ids.ts';
import type { Core } from '../core/create-core.ts';

const MAX_NAME_LENGTH = 80;

/** `POST /api/import?name=[&host=][&topFolder=strip|keep]`: the body is a zip of any length; answers `{projectId, operationId}`. A broken upload cancels the import. */
export async function answerImport(request: IncomingMessage, core: Core, query: URLSearchParams, signal: AbortSignal): Promise<{ readonly projectId: string; readonly operationId: string }> {
  const name = (query.get('name') ?? '').trim();
  if (name === '' || name.length > MAX_NAME_LENGTH) throw new VesselError('BAD_REQUEST', `name must have 1 to ${MAX_NAME_LENGTH} characters`);
  const topFolder = TopFolderSchema.safeParse(query.get('topFolder') ?? 'strip');
  if (!topFolder.success) throw new VesselError('BAD_REQUEST', 'topFolder must be strip or keep');
  return core.importZip(request, { name, hostId: query.get('host') ?? 'local', topFolder: topFolder.data, signal });
}

/** `GET /api/projects/<id>/revisions/<rev|latest>.zip`. The hash travels along, so that a script can check what it got. */
export async function answerRevision(response: ServerResponse, core: Core, projectId: string, rev: string): Promise<void> {
  if (!ProjectIdSchema.safeParse(projectId).success) throw new VesselError('NOT_FOUND', 'There is no such project');
  const revision = await core.openRevision(projectId, rev === 'latest' ? null : Number(rev));
  response.writeHead(200, {
    'content-type': 'application/zip', 'content-length': revision.bytes, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
    'content-disposition': disposition(revision.fileName), 'x-vessel-sha256': revision.sha256, 'cross-origin-resource-policy': 'same-origin',
  });
  if (response.req.method === 'HEAD') {
    revision.content.destroy();
    response.end();
    return;
  }
  await pipeline(revision.content, response);
}

/** `GET /api/projects/<id>/revisions/<rev|latest>/files/<path>`: always a download, never a page of our own origin. */
export async function answerFile(response: ServerResponse, core: Core, projectId: string, rev: string, encodedPath: string): Promise<void> {
  if (!ProjectIdSchema.safeParse(projectId).success) throw new VesselError('NOT_FOUND', 'There is no such project');
  const file = await core.openRevisionFile(projectId, rev === 'latest' ? null : Number(rev), decodePath(encodedPath));
  response.writeHead(200, {
    'content-type': 'application/octet-stream', 'content-length': file.bytes, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
    'content-disposition': disposition(file.fileName), 'content-security-policy': "default-src 'none'; sandbox", 'cross-origin-resource-policy': 'same-origin',
  });
  if (response.req.method === 'HEAD') {
    file.content.destroy();
    response.end();
    return;
  }
  await pipeline(file.content, response);
}

function decodePath(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    throw new VesselError('BAD_REQUEST', 'The path is not well encoded', { cause: error });
  }
}

/** RFC 6266: an ASCII name for old clients and the true one in UTF-8. */
function disposition(fileName: string): string {
  const plain = fileName.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  return `attachment; filename="${plain}"; filename*=UTF-8''${encodeURIComponent(fileName).replace(/['()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)}`;
}
