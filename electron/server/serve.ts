import type { Core, CoreOptions } from '../core/create-core.ts';
import { createAppDoor } from './app-door.ts';
import { removeServerRecord, writeServerRecord } from './server-record.ts';

export type Served = {
  /** The address a person opens first: with a one-time ticket. */
  readonly url: string;
  readonly baseUrl: string;
  readonly port: number;
  /** Closes every door and then core. Running environments stay. Idempotent. */
  stop(): Promise<void>;
};
export type ServeOptions = CoreOptions & { readonly createCore: (options: CoreOptions) => Promise<Core>; readonly rendererDirectory: string; readonly version: string };

/** Starts core, opens the HTTP door on its gateway, and records where it answers. */
export async function serve({ createCore, rendererDirectory, version, ...options }: ServeOptions): Promise<Served> {
  const core = await createCore(options);
  const { gateway } = core;
  const door = createAppDoor({ core, rendererDirectory, log: options.log });
  gateway.mount(door);
  await writeServerRecord(options.home, { pid: process.pid, port: gateway.port, movedFrom: gateway.movedFrom, secret: gateway.bearer, baseUrl: gateway.baseUrl, version, startedAt: Date.now() });
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    await removeServerRecord(options.home);
    door.close();
    await core.dispose();
  };
  return { url: gateway.appUrl(), baseUrl: gateway.baseUrl, port: gateway.port, stop: () => stopping ??= stop() };
}
