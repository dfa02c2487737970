import { afterAll, beforeAll } from 'vitest';
import { coldStoreContract } from '../cold-local/cold-store.contract.ts';
import { signedIn, type TestUser } from './testing/signed-in.ts';
import { overwriteObject, startStack, type Stack } from './testing/stack.ts';

let stack: Stack;
let user: TestUser;
const users: TestUser[] = [];
beforeAll(async () => { stack = await startStack(); });
afterAll(async () => { for (const one of users) await one.dispose(); await stack.stop(); });

coldStoreContract('Supabase Storage', {
  make: async () => { user = await signedIn(stack); users.push(user); return user.archives; },
  damage: (_store, projectId, sha256) => overwriteObject(stack, `${user.user.userId}/project-${projectId}.${sha256}.zip`, 'damaged'),
});
