import { CircleAlert, CircleCheck, Info, X } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { type Toast, useStore } from '../state/store.ts';
import { IconButton } from './button.tsx';
import { classes } from './classes.ts';

/** Long enough to read two lines; an error stays until it is read and closed. */
const SHOWN_MS = 6_000;
const ICONS = { info: Info, ok: CircleCheck, bad: CircleAlert } as const;
const INKS = { info: 'text-info', ok: 'text-ok', bad: 'text-bad' } as const;

export function Toasts(): ReactNode {
  const toasts = useStore((state) => state.toasts);
  return (
    <div role="status" aria-live="polite" data-testid="toasts" className="pointer-events-none fixed right-5 bottom-5 z-50 flex w-96 max-w-[calc(100vw-40px)] flex-col gap-2">
      {toasts.map((toast) => <ToastCard key={toast.id} toast={toast} />)}
    </div>
  );
}

function ToastCard({ toast }: { readonly toast: Toast }): ReactNode {
  const dismiss = useStore((state) => state.dismissToast);
  useEffect(() => {
    if (toast.tone === 'bad') return;
    const timer = setTimeout(() => dismiss(toast.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [toast, dismiss]);
  const Icon = ICONS[toast.tone];
  return (
    <div className="pointer-events-auto flex animate-[vessel-enter_140ms_ease-out] items-start gap-3 rounded-lg border border-line bg-raised py-3 pr-2 pl-4 shadow-raised">
      <Icon aria-hidden="true" size={18} className={classes('mt-0.5 shrink-0', INKS[toast.tone])} />
      <div className="min-w-0 flex-1">
        <p className="font-medium break-words">{toast.text}</p>
        {toast.detail !== '' && <p className="text-sm break-words text-ink-soft">{toast.detail}</p>}
      </div>
      <IconButton label="Dismiss" size="small" onClick={() => dismiss(toast.id)}><X size={14} /></IconButton>
    </div>
  );
}
