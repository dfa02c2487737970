import { VesselError } from '#shared/errors.ts';
import type { BackendEncryption } from '../../ports/encryption.ts';
import type { RemoteBackend } from '../../ports/remote-store.ts';
import { convertProject, surveyProject } from './convert-project.ts';
import { makeSealedArchives } from './sealed-archives.ts';
import { makeSealedIndex } from './sealed-index.ts';
import { locked, SealedView, type SealedOptions } from './sealed-view.ts';

/** Any back end, with its archives and rows encrypted when the account says so. Without that it costs one question now and then. */
export function makeSealedBackend(inner: RemoteBackend, options: SealedOptions): RemoteBackend & { readonly encryption: BackendEncryption } {
  const view = new SealedView(inner, options);
  const archives = makeSealedArchives(view);
  const required = async (): Promise<{ readonly key: NonNullable<Awaited<ReturnType<SealedView['policy']>>>['key'] & object; readonly enabled: boolean }> => {
    const policy = await view.policy(true);
    if (policy === null) throw new VesselError('NOT_FOUND', 'Encryption was never turned on for this account');
    if (policy.key === null) throw locked();
    return { key: policy.key, enabled: policy.enabled };
  };
  return {
    kind: inner.kind, archives, index: makeSealedIndex(view),
    // Objects and rows as they lie there: an encrypted one that no row names is left over like any other.
    ...(inner.leftovers === undefined ? {} : { leftovers: inner.leftovers }),
    encryption: {
      locked: view.locked,
      takeMixed() { const { mixed } = view; view.mixed = false; return mixed; },
      forget: () => view.forget(),
      async policy(fresh = false) {
        const policy = await view.policy(fresh);
        if (policy === null) return null;
        const { key, ...record } = policy;
        return { ...record, unlocked: key !== null };
      },
      async set(keyId, enabled) {
        const now = await view.policy(true);
        if (now !== null && now.keyId !== keyId) throw new VesselError('CONFLICT', 'Another device has turned encryption on with a key of its own', { retryable: false, hint: 'Unlock it here with the recovery phrase of that device.' });
        if (now?.enabled === enabled) return;
        const written = await inner.index.putEncryption({ keyId, enabled }, now?.rev ?? null);
        view.forgetPolicy();
        if (!written) throw new VesselError('CONFLICT', 'Another device changed the encryption of this account at the same time');
      },
      async survey(signal) {
        const { enabled } = await required();
        view.mixed = false;
        const found = [];
        for (let cursor: string | null = null, more = true; more;) {
          const page = await inner.index.changed(cursor, signal);
          for (const { id } of page.projects) found.push({ projectId: id, ...(await surveyProject(view, id, await view.rowsOf(id), enabled)) });
          ({ cursor, more } = page);
        }
        return found;
      },
      async convert(projectId, convertOptions) {
        const { key, enabled } = await required();
        return convertProject({ view, archives }, key, enabled, projectId, convertOptions);
      },
    },
  };
}
