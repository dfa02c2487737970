import { VesselError } from '#shared/errors.ts';
import type { Handlers } from '#shared/contract.ts';
import type { cloudCalls } from '#shared/cloud-contract.ts';
import type { encryptionCalls } from '#shared/encryption-contract.ts';
import type { History } from '../history.ts';
import type { Cloud } from './cloud.ts';
import { exportAll } from './export-all.ts';
import { deleteAccountData, moveProject } from './move.ts';

/** The calls of the account, the sync and the stores. */
export function cloudHandlers(cloud: Cloud, history: History): Pick<Handlers['calls'], keyof typeof cloudCalls | keyof typeof encryptionCalls> {
  const { context, sync, encryption } = cloud;
  const ok = { ok: true } as const;
  return {
    'account.status': () => cloud.status(),
    'account.configure': async ({ project }) => { await cloud.configure(project); return cloud.status(); },
    'account.configureBucket': async ({ bucket }) => { await cloud.configureBucket(bucket); return cloud.status(); },
    'account.setPlan': async (plan) => { cloud.setPlan(plan); return cloud.status(); },
    'account.setDefaultStore': async ({ store }) => { await cloud.whenReady(); cloud.setDefaultStore(store); return cloud.status(); },
    'account.signUp': async ({ email, password }) => { await cloud.whenReady(); const signedIn = await cloud.signUp(email, password); return { confirm: !signedIn, status: await cloud.status() }; },
    'account.signIn': async ({ email, password, leave }) => { await cloud.whenReady(); await cloud.signIn(email, password, leave); return cloud.status(); },
    'account.signOut': async () => { await cloud.signOut(); return cloud.status(); },
    'account.resetPassword': async ({ email }) => { await cloud.whenReady(); await cloud.sendReset(email); return ok; },
    'account.finishReset': async ({ email, code, password }) => { await cloud.whenReady(); await cloud.finishReset(email, code, password); return cloud.status(); },
    'account.deleteData': async ({ confirm }, { signal }) => { await cloud.whenReady(); return deleteAccountData(cloud, confirm, signal); },
    'encryption.status': async () => { await cloud.whenReady(); return encryption.status(); },
    'encryption.begin': async () => { await cloud.whenReady(); return encryption.begin(); },
    'encryption.turnOn': async ({ keyId, words }) => { await cloud.whenReady(); return { operationId: (await encryption.turnOn(keyId, words)).operationId }; },
    'encryption.turnOff': async ({ decrypt }) => { await cloud.whenReady(); return { operationId: (await encryption.turnOff(decrypt))?.operationId ?? null }; },
    'encryption.unlock': async ({ phrase }) => { await cloud.whenReady(); return encryption.unlock(phrase); },
    'encryption.resume': async () => { await cloud.whenReady(); return { operationId: encryption.resume().operationId }; },
    'sync.now': async () => { await cloud.whenReady(); return sync.now(); },
    'sync.takeOver': async ({ projectId }) => { await cloud.whenReady(); await sync.takeOver(projectId); return ok; },
    'sync.resolve': async ({ projectId, keep }) => {
      const conflict = context.store.sync.get(projectId)?.conflict ?? null;
      if (conflict === null) throw new VesselError('NOT_FOUND', 'This project has no conflict', { details: { projectId } });
      const end = (): void => {
        const record = context.store.sync.get(projectId);
        if (record !== null) context.store.sync.put({ ...record, conflict: null });
        context.feed.project(projectId);
      };
      if (keep === 'theirs') { end(); return { operationId: null }; }
      if (conflict.theirs === null) throw new VesselError('BUSY', 'The other save has not come down yet', { hint: 'Close the environment of this project and let it sync first.' });
      const { operationId, done } = history.restore(projectId, conflict.ours);
      void done.then(({ state }) => { if (state === 'succeeded') end(); });
      return { operationId };
    },
    'projects.moveToStore': async ({ projectId, store }) => { await cloud.whenReady(); return { operationId: moveProject(cloud, projectId, store).operationId }; },
    'projects.exportAll': ({ path }, { signal }) => exportAll(context, path, signal),
  };
}
