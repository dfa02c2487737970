import { afterAll, describe, expect, it } from 'vitest';
import { coldStoreContract } from '../cold-local/cold-store.contract.ts';
import { makeSupabaseIndex } from './index-tables.ts';
import { BUCKET } from './storage-api.ts';
import { signedIn, type TestUser } from './testing/signed-in.ts';

/** A hosted project with the migrations applied, and a user of it made for tests whose password is the one of the tests. Everything below this user's folder may be removed. */
const { VESSEL_TEST_SUPABASE_URL: url, VESSEL_TEST_SUPABASE_KEY: publishableKey, VESSEL_TEST_SUPABASE_EMAIL: email } = process.env;
const users: TestUser[] = [];
afterAll(async () => { for (const user of users) await user.dispose(); });

if (url === undefined || publishableKey === undefined || email === undefined) {
  describe('a hosted Supabase project', () => {
    it('cannot run here', (context) => context.skip('needs VESSEL_TEST_SUPABASE_URL, VESSEL_TEST_SUPABASE_KEY and VESSEL_TEST_SUPABASE_EMAIL'));
  });
} else {
  const fresh = async (): Promise<TestUser> => {
    const user = await signedIn({ url, publishableKey }, email);
    users.push(user);
    await user.archives.removeProject('p');
    return user;
  };
  let user: TestUser;
  coldStoreContract('a hosted Supabase project', {
    make: async () => { user = await fresh(); return user.archives; },
    // Its owner may not overwrite an object either: it is removed and another one takes its name.
    damage: async (store, projectId, sha256) => {
      await store.remove(projectId, sha256);
      const answer = await fetch(`${url}/storage/v1/object/${BUCKET}/${user.user.userId}/project-${projectId}.${sha256}.zip`, {
        method: 'POST', body: 'damaged', headers: { apikey: publishableKey, authorization: `Bearer ${await user.session.token()}`, 'content-type': 'application/zip' },
      });
      if (!answer.ok) throw new Error(await answer.text());
    },
  });
  describe('the rows of a hosted Supabase project', () => {
    it('move by compare-and-swap, and carry a lease', async () => {
      const { session } = await fresh();
      const index = makeSupabaseIndex(session, { id: crypto.randomUUID(), name: 'test' });
      await index.removeProject('p');
      await index.insertProject({ id: 'p', name: 'P', template: null, settings: {}, createdAt: Date.now() });
      const answers = await Promise.all(Array.from({ length: 5 }, (_, at) => index.swapProject('p', 1, { name: `writer ${at}` })));
      expect(answers.filter((answer) => answer !== null)).toHaveLength(1);
      expect(await index.claim('p', false)).toMatchObject({ held: true });
      await index.removeProject('p');
    });
  });
}
