/** Names of the few messages between preload and main; free of zod, because the sandboxed preload is kept tiny. */
export const SHELL_CHANNELS = {
  pickFile: 'vessel:pick-file',
  pickSaveFile: 'vessel:pick-save-file',
  notify: 'vessel:notify',
} as const;
