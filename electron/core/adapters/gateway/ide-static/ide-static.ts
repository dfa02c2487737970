import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RunningRoute } from '../upstream.ts';

export type IdeStatic = {
  /** True when the request was for a static IDE file that is kept on the desktop, and has been answered. */
  serve(request: IncomingMessage, response: ServerResponse, route: RunningRoute): Promise<boolean>;
};

export function createIdeStatic(_options: { readonly cache: string; readonly log: (line: string) => void }): IdeStatic {
  return { serve: () => Promise.resolve(false) };
}
