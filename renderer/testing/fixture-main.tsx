import { z } from 'zod';
import { startApp } from '../shell/start-app.tsx';
import { useStore } from '../state/store.ts';
import { createFixtureClient, type Scenario } from './fixture-client.ts';

z.config({ jitless: true });

const query = new URLSearchParams(window.location.search);
const scenario = (query.get('scenario') ?? 'full') as Scenario;
const offline = scenario === 'offline';
startApp(createFixtureClient(offline ? 'full' : scenario, query.get('theme') === 'dark' ? 'dark' : 'light'), () => undefined);
useStore.getState().setConnection(offline ? { phase: 'reconnecting', attempt: 4, retryAt: Date.now() + 4_000, otherProgram: false } : { phase: 'online' });
