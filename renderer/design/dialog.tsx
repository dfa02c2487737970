import { X } from 'lucide-react';
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { IconButton } from './button.tsx';
import { classes } from './classes.ts';

type DialogProps = {
  readonly title: string;
  readonly description?: ReactNode;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly footer?: ReactNode;
  readonly width?: 'narrow' | 'medium' | 'wide';
  /** A drawer stands at the right edge, full height. */
  readonly kind?: 'dialog' | 'drawer';
  readonly testId?: string;
};

const WIDTHS = { narrow: 'w-[440px]', medium: 'w-[600px]', wide: 'w-[760px]' } as const;

/** A modal on the browser's own <dialog>: it traps the focus, gives it back, and closes with Escape or a click beside it. */
export function Dialog({ title, description, onClose, children, footer, width = 'medium', kind = 'dialog', testId }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (dialog === null) return;
    if (!dialog.open) dialog.showModal();
    // React sets no autofocus attribute, so the browser would choose the close button.
    dialog.querySelector<HTMLElement>('[data-autofocus]')?.focus();
    return () => dialog.close();
  }, []);
  const shape = kind === 'drawer'
    ? 'ml-auto mr-0 my-0 h-dvh max-h-dvh rounded-none border-y-0 border-r-0 animate-[vessel-slide_160ms_ease-out]'
    : 'm-auto max-h-[min(760px,calc(100dvh-48px))] rounded-xl animate-[vessel-enter_140ms_ease-out]';
  return (
    <dialog
      ref={ref} aria-labelledby={titleId} data-testid={testId}
      className={classes('max-w-[calc(100vw-32px)] overflow-hidden border border-line bg-surface p-0 text-ink shadow-overlay', WIDTHS[width], shape)}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => { if (event.target === ref.current) onClose(); }}
    >
      <div className={classes('flex flex-col', kind === 'drawer' ? 'h-full' : 'max-h-[min(758px,calc(100dvh-50px))]')}>
        <header className="flex shrink-0 items-start justify-between gap-4 border-b border-line px-6 py-4">
          <div className="min-w-0">
            <h2 id={titleId} className="truncate text-lg font-semibold tracking-tight">{title}</h2>
            {description !== undefined && <div className="text-sm text-ink-soft">{description}</div>}
          </div>
          <IconButton label="Close" size="small" onClick={onClose}><X size={16} /></IconButton>
        </header>
        <div tabIndex={-1} data-autofocus={kind === 'drawer' ? '' : undefined} className="min-h-0 flex-1 overflow-y-auto px-6 py-5 outline-none">{children}</div>
        {footer !== undefined && <footer className="flex shrink-0 items-center justify-end gap-2 border-t border-line bg-canvas/60 px-6 py-3">{footer}</footer>}
      </div>
    </dialog>
  );
}
