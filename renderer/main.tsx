import { z } from 'zod';
import type { Channel } from '#shared/wire.ts';
import { startApp } from './shell/start-app.tsx';
import { connect, OtherProgramError } from './state/connection.ts';
import { keepRenewalKey } from './state/renewal-key.ts';
import { useStore } from './state/store.ts';
import { openWebSocketChannel } from './state/web-socket-channel.ts';

// The page's content security policy forbids eval; zod must not even try it.
z.config({ jitless: true });

/** What Vessel answers about a session: yes, or why not. */
const SessionAnswerSchema = z.union([z.object({ ok: z.literal(true) }), z.object({ error: z.object({ code: z.string(), hint: z.string() }) })]);

/** Opens the socket; when Vessel answers but does not know this page any more, loads the page anew, which then says how to get in. */
async function open(): Promise<Channel> {
  try {
    const channel = await openWebSocketChannel(window.location);
    void keepRenewalKey();
    return channel;
  } catch (error) {
    // Fails while nothing answers. Another program at our port must not be given the page.
    const answer = await fetch('/api/session', { cache: 'no-store' });
    const answered = SessionAnswerSchema.safeParse(await answer.json().catch(() => null));
    if (!answered.success) throw new OtherProgramError('Another program answers here', { cause: error });
    if (answer.status === 401) window.location.reload();
    throw error;
  }
}

const connection = connect(open, useStore.getState().setConnection);
window.addEventListener('online', () => connection.retryNow());
document.addEventListener('visibilitychange', () => { if (!document.hidden) connection.retryNow(); });
startApp(connection.client, () => connection.retryNow());
