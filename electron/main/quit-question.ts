import { dialog, type BrowserWindow, type MessageBoxOptions } from 'electron';
import type { RunningEnvironment } from './server-watch.ts';

export type QuitAnswer = 'quit' | 'hide' | 'stay';

const NAMES_SHOWN = 3;

/** The question as data. `canHide` is false where there is no tray to come back from. */
export function quitQuestion(running: readonly RunningEnvironment[], canHide: boolean): { readonly options: MessageBoxOptions; readonly answers: readonly QuitAnswer[] } {
  const names = running.slice(0, NAMES_SHOWN).map(({ name }) => name).join(', ') + (running.length > NAMES_SHOWN ? ` and ${running.length - NAMES_SHOWN} more` : '');
  const answers: readonly QuitAnswer[] = canHide ? ['hide', 'quit', 'stay'] : ['quit', 'stay'];
  const labels = { hide: 'Keep Vessel in the tray', quit: 'Quit Vessel', stay: 'Cancel' } as const;
  return {
    answers,
    options: {
      type: 'warning',
      title: 'Quit Vessel?',
      message: running.length === 1 ? `${names} keeps running` : `${running.length} environments keep running: ${names}`,
      detail: 'Quitting does not stop them. Until you start Vessel again nothing saves them automatically and nothing ends them when they are idle. Save & Exit ends an environment with a verified copy.',
      buttons: answers.map((answer) => labels[answer]),
      defaultId: 0,
      cancelId: answers.indexOf('stay'),
      noLink: true,
    },
  };
}

/** Asks only when something runs. */
export async function askBeforeQuit(window: BrowserWindow | null, running: readonly RunningEnvironment[], canHide: boolean): Promise<QuitAnswer> {
  if (running.length === 0) return 'quit';
  const { options, answers } = quitQuestion(running, canHide);
  const { response } = window === null ? await dialog.showMessageBox(options) : await dialog.showMessageBox(window, options);
  return answers[response] ?? 'stay';
}
