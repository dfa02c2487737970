import { VesselError } from '#shared/errors.ts';
import { openPrivately } from '../core/open-privately.ts';
import type { Runtime } from './runtime.ts';

/** Shows an address in the person's browser; its ticket appears in no argument list. Throws EXEC_FAILED when this computer has no opener. */
export async function openInBrowser(runtime: Runtime, home: string, url: string): Promise<void> {
  try {
    await openPrivately(url, home, runtime.platform);
  } catch (cause) {
    throw new VesselError('EXEC_FAILED', 'Cannot open a browser', { cause, hint: 'Open the printed address yourself.' });
  }
}
