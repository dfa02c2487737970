import { dialog } from 'electron';
import { VesselError } from '#shared/errors.ts';

const TAIL_LINES = 8;

/** Title, reason, fix and evidence of a failure as one text for a message box. */
export function failureText(thrown: unknown): string {
  const error = VesselError.from(thrown);
  const tail = error.logTail.slice(-TAIL_LINES).join('\n');
  return [`${error.message} (${error.code})`, error.hint, tail].filter((part) => part !== '').join('\n\n');
}

/** Tells the person; also works before the app is ready. */
export function reportFailure(title: string, thrown: unknown, log: (line: string) => void): void {
  log(`${title}: ${thrown instanceof Error ? thrown.stack ?? thrown.message : String(thrown)}`);
  dialog.showErrorBox(title, failureText(thrown));
}
