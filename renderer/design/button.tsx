import type { ComponentProps, ReactNode } from 'react';
import { classes } from './classes.ts';

type Variant = 'primary' | 'secondary' | 'quiet' | 'quiet-danger' | 'danger' | 'terminal';
type Size = 'small' | 'medium' | 'large';

const VARIANTS: Readonly<Record<Variant, string>> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover shadow-card',
  secondary: 'bg-raised text-ink border border-line-strong/70 hover:border-line-strong hover:bg-sunken shadow-card',
  quiet: 'text-ink-soft hover:text-ink hover:bg-sunken',
  'quiet-danger': 'text-bad hover:bg-bad-soft',
  danger: 'bg-bad-soft text-bad border border-bad/35 hover:border-bad',
  terminal: 'border border-term-line bg-term-panel text-term-text hover:border-term-dim hover:text-term-bright',
};
const SIZES: Readonly<Record<Size, string>> = {
  small: 'h-7 px-2.5 gap-1.5 text-sm',
  medium: 'h-8 px-3 gap-2 text-base',
  large: 'h-10 px-4 gap-2 text-base',
};

export type ButtonProps = ComponentProps<'button'> & { readonly variant?: Variant; readonly size?: Size; readonly icon?: ReactNode; readonly pill?: boolean };

/** The one button. `type` is `button` unless the caller says `submit`: a stray Enter must not send a form. */
export function Button({ variant = 'secondary', size = 'medium', icon, pill = false, className, children, type = 'button', ...rest }: ButtonProps): ReactNode {
  return (
    <button
      type={type}
      className={classes('inline-flex shrink-0 items-center justify-center font-medium whitespace-nowrap transition-colors disabled:opacity-50', VARIANTS[variant], SIZES[size], pill ? 'rounded-full' : 'rounded-md', className)}
      {...rest}
    >
      {icon}
      {children}
    </button>
  );
}

export type IconButtonProps = Omit<ComponentProps<'button'>, 'aria-label'> & { readonly label: string; readonly size?: Size; readonly variant?: Variant; readonly pill?: boolean };

/** A button that shows an icon only; its label is its accessible name and its tooltip. */
export function IconButton({ label, size = 'medium', variant = 'quiet', pill = false, className, children, ...rest }: IconButtonProps): ReactNode {
  const box = size === 'small' ? 'size-7' : size === 'large' ? 'size-10' : 'size-8';
  return (
    <button type="button" aria-label={label} title={label} className={classes('inline-flex shrink-0 items-center justify-center transition-colors disabled:opacity-50', VARIANTS[variant], pill ? 'rounded-full' : 'rounded-md', box, className)} {...rest}>
      {children}
    </button>
  );
}
