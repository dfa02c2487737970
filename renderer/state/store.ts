import { create } from 'zustand';
import { ERROR_CODES, type ErrorShape, VesselError } from '#shared/errors.ts';
import type { Operation } from '#shared/operation.ts';
import type { SortOrder } from '../lib/project-status.ts';
import { HOME, parseRoute, type Route } from '../lib/routes.ts';
import { type AppData, applyStateEvent, EMPTY, withOperation } from './app-state.ts';
import type { ConnectionState } from './connection.ts';
import type { Prompt, StateEvent } from '#shared/contract.ts';

export type Toast = { readonly id: number; readonly tone: 'info' | 'ok' | 'bad'; readonly text: string; readonly detail: string };
/** A modal that belongs to no address. */
export type Modal =
  | { readonly kind: 'palette' } | { readonly kind: 'shortcuts' }
  | { readonly kind: 'discard'; readonly projectId: string }
  | { readonly kind: 'import'; readonly file: File }
  | { readonly kind: 'connect'; readonly hostId: string } | { readonly kind: 'remove-host'; readonly hostId: string }
  | { readonly kind: 'open-on'; readonly projectId: string }
  | { readonly kind: 'conflict' | 'take-over'; readonly projectId: string }
  | null;

/** VS Code's frame of one project, perhaps still behind the console. */
export type IdeFrame = { readonly projectId: string; /** Carries a ticket for one entry: a later one would load the frame again. */ readonly url: string; readonly askedAt: number; readonly shown: boolean; /** Where it waits, when it was loaded before anybody opened its project. */ readonly gate: string | null };

export type AppStore = AppData & {
  readonly connection: ConnectionState;
  readonly route: Route;
  readonly modal: Modal;
  readonly ideFrame: IdeFrame | null;
  /** The project that somebody points at to open it. */
  readonly expected: string | null;
  readonly toasts: readonly Toast[];
  /** Open questions of this page's calls, oldest first. */
  readonly prompts: readonly Prompt[];
  readonly query: string;
  readonly sort: SortOrder;
  apply(event: StateEvent): void;
  addOperation(operation: Operation): void;
  setConnection(connection: ConnectionState): void;
  setRoute(hash: string): void;
  setModal(modal: Modal): void;
  setIdeFrame(frame: IdeFrame | null): void;
  expect(projectId: string): void;
  setPrompts(prompts: readonly Prompt[]): void;
  setQuery(query: string): void;
  setSort(sort: SortOrder): void;
  toast(tone: Toast['tone'], text: string, detail?: string): void;
  dismissToast(id: number): void;
};

let lastToast = 0;
/** More than this at once is noise, not information. */
const MAX_TOASTS = 4;

export const useStore = create<AppStore>()((set) => ({
  ...EMPTY,
  connection: { phase: 'connecting' },
  route: HOME,
  modal: null,
  ideFrame: null,
  expected: null,
  toasts: [],
  prompts: [],
  query: '',
  sort: 'recent',
  apply: (event) => set((state) => applyStateEvent(dataOf(state), event)),
  addOperation: (operation) => set((state) => ({ operations: withOperation(state.operations, operation) })),
  setConnection: (connection) => set({ connection }),
  setRoute: (hash) => set({ route: parseRoute(hash), modal: null }),
  setModal: (modal) => set({ modal }),
  setIdeFrame: (ideFrame) => set({ ideFrame }),
  expect: (expected) => set({ expected }),
  setPrompts: (prompts) => set({ prompts }),
  setQuery: (query) => set({ query }),
  setSort: (sort) => set({ sort }),
  toast: (tone, text, detail = '') => set((state) => {
    lastToast += 1;
    return { toasts: [...state.toasts, { id: lastToast, tone, text, detail }].slice(-MAX_TOASTS) };
  }),
  dismissToast: (id) => set((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) })),
}));

/** Says in a toast what went wrong and what to do. */
export function toastError(error: unknown): void {
  const shape = toShape(error);
  if (shape.code === 'CANCELLED') return;
  useStore.getState().toast('bad', shape.message, shape.hint);
}

export function toShape(error: unknown): ErrorShape {
  return VesselError.from(error).toShape();
}

/** The one line that names an error code for people. */
export function errorTitle(shape: ErrorShape): string {
  return ERROR_CODES[shape.code].title;
}

function dataOf(state: AppData): AppData {
  const { loaded, projects, hosts, operations, orphans, settings, drafts } = state;
  return { loaded, projects, hosts, operations, orphans, settings, drafts };
}
