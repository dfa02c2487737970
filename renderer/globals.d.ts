import type { VesselShell } from '#shared/shell.ts';

declare global {
  interface Window {
    /** Present in the Electron shell only. */
    readonly vessel?: VesselShell;
  }
}
