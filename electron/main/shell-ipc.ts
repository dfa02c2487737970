import { BrowserWindow, Notification, dialog, ipcMain, type IpcMainInvokeEvent, type WebFrameMain } from 'electron';
import { z } from 'zod';
import { VesselError } from '#shared/errors.ts';
import { SHELL_CHANNELS } from '#shared/shell-channels.ts';
import { isAppUrl } from './origins.ts';

/** A notification is a line or two; longer texts are cut by every system anyway. */
const NoticeSchema = z.object({ title: z.string().min(1).max(200), body: z.string().max(1000) });
/** A name, not a path: the person chooses the folder. */
const SuggestedNameSchema = z.string().min(1).max(200).regex(/^[^/\\\0]+$/);
const KindSchema = z.enum(['zip', 'folder']);
const ZIP_FILTER = [{ name: 'Zip archive', extensions: ['zip'] }];

/** Throws FORBIDDEN_ORIGIN unless the message comes from the main frame of a page on the app's own origin. */
export function assertOwnFrame(frame: Pick<WebFrameMain, 'url' | 'parent'> | null, baseUrl: string): void {
  if (frame === null || frame.parent !== null || !isAppUrl(frame.url, baseUrl)) throw new VesselError('FORBIDDEN_ORIGIN', 'This page may not use the desktop shell');
}

function owner(event: IpcMainInvokeEvent): BrowserWindow {
  const window = BrowserWindow.fromWebContents(event.sender);
  if (window === null) throw new VesselError('FORBIDDEN_ORIGIN', 'This page has no window');
  return window;
}

/** Registers the channels of `window.vessel`. Every message is checked for its sender and parsed before it is acted on. */
export function registerShellIpc(baseUrl: () => string): void {
  const handle = <S extends z.ZodType, R>(channel: string, schema: S, work: (input: z.output<S>, event: IpcMainInvokeEvent) => Promise<R>): void => {
    ipcMain.handle(channel, async (event, input: unknown) => {
      assertOwnFrame(event.senderFrame, baseUrl());
      const parsed = schema.safeParse(input);
      if (!parsed.success) throw new VesselError('BAD_REQUEST', `${channel}: ${z.prettifyError(parsed.error)}`);
      return await work(parsed.data, event);
    });
  };
  handle(SHELL_CHANNELS.pickFile, KindSchema, async (kind, event) => {
    const chosen = await dialog.showOpenDialog(owner(event), kind === 'zip' ? { properties: ['openFile'], filters: ZIP_FILTER } : { properties: ['openDirectory'] });
    return chosen.canceled ? null : chosen.filePaths[0] ?? null;
  });
  handle(SHELL_CHANNELS.pickSaveFile, SuggestedNameSchema, async (defaultPath, event) => {
    const chosen = await dialog.showSaveDialog(owner(event), { defaultPath, filters: ZIP_FILTER });
    return chosen.canceled || chosen.filePath === '' ? null : chosen.filePath;
  });
  handle(SHELL_CHANNELS.notify, NoticeSchema, (notice) => {
    if (Notification.isSupported()) new Notification(notice).show();
    return Promise.resolve();
  });
}
