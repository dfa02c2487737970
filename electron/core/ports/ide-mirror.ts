import type { RemoteHost } from './remote-host.ts';

/** What facts say about a host's golden image. */
export type HostImage = { readonly key: string; readonly ideStaticDir: string | null };

/** This computer's copy of the IDE's static files of hosts over SSH, so that a workbench there loads as quickly as one here. */
export type IdeMirror = {
  /** The folder that stands for the host's own `ideStaticDir` here; null while there is none. Never waits. */
  directoryOf(hostId: string, image: HostImage): string | null;
  /** Fetches what is missing, once for each image. Rejects with SSH_…, ARCHIVE_CORRUPT when the host does not give what its manifest promises. */
  fetch(host: RemoteHost, image: HostImage): Promise<void>;
};
