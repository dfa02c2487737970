import { VesselError } from '#shared/errors.ts';
import type { BackendEncryption } from '../../ports/encryption.ts';
import type { RemoteBackend } from '../../ports/remote-store.ts';
import { convertProject, surveyProject } from './convert-project.ts';
import { makeSealedArchives } from './sealed-archives.ts';
import { makeSealedIndex } from './sealed-index.ts';
import { changed, makeStatement } from './policy.ts';
import { keyIdOfArchive, keyIdOfProject } from './sealed-rows.ts';
import { locked, SealedView, type SealedOptions } from './sealed-view.ts';

/** Any back end, with its archives and rows encrypted when the account says so. Without that it costs one question now and then. */
export function makeSealedBackend(inner: RemoteBackend, options: SealedOptions): RemoteBackend & { readonly encryption: BackendEncryption } {
  const view = new SealedView(inner, options);
  const archives = makeSealedArchives(view);
  const required = async (): Promise<{ readonly key: NonNullable<Awaited<ReturnType<SealedView['policy']>>>['key'] & object; readonly enabled: boolean }> => {
    const policy = await view.policy(true);
    if (policy === null) throw new VesselError('NOT_FOUND', 'Encryption was never turned on for this account');
    if (policy.change !== null) throw changed(policy.change);
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
      end() { view.forget(); view.pins.put(null); },
      async policy(fresh = false) {
        const policy = await view.policy(fresh);
        if (policy === null) return null;
        const { keyId, enabled, key, change } = policy;
        return { keyId, enabled, change, unlocked: key !== null, named: (await view.record())?.keyId ?? null };
      },
      async requireUnchanged() {
        const policy = await view.policy();
        if (policy?.change != null) throw changed(policy.change);
      },
      async keysInUse(signal) {
        const found = new Set<string>();
        for (let cursor: string | null = null, more = true; more;) {
          const page = await inner.index.changed(cursor, signal);
          const rows = await inner.index.archivesOf(page.projects.map(({ id }) => id));
          for (const keyId of [...page.projects.map(keyIdOfProject), ...[...rows.values()].flat().map(keyIdOfArchive)]) if (keyId !== null) found.add(keyId);
          ({ cursor, more } = page);
        }
        return found;
      },
      async set(keyId, enabled) {
        const now = await view.policy(true);
        if (now !== null && now.keyId !== keyId) throw new VesselError('CONFLICT', 'Another device has turned encryption on with a key of its own', { retryable: false, hint: 'Unlock it here with the recovery phrase of that device.' });
        const key = await view.key(keyId);
        const record = await view.record();
        if (key === null) {
          // Without the key nothing can be said to the cloud, but what the cloud says can be accepted here.
          if (enabled || record?.enabled === true) throw locked();
          view.pins.put({ keyId, enabled, serial: now?.serial ?? 0 });
          return;
        }
        if (now !== null && now.enabled === enabled && now.change === null && now.stated) return;
        // A key that is not on this computer was put in the place of ours: a record never changes its key, so it goes first.
        const foreign = record !== null && record.keyId !== keyId;
        if (foreign) await inner.index.removeEncryption();
        const serial = (now?.serial ?? 0) + 1;
        const written = await inner.index.putEncryption({ keyId, enabled, proof: makeStatement(key, view.pins.account(), { enabled, serial }) }, foreign ? null : record?.rev ?? null);
        view.forgetPolicy();
        if (!written) throw new VesselError('CONFLICT', 'Another device changed the encryption of this account at the same time');
        view.pins.put({ keyId, enabled, serial });
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
