import { ChevronDown, Eye, EyeOff } from 'lucide-react';
import { type ComponentProps, type ReactNode, useId, useState } from 'react';
import { IconButton } from './button.tsx';
import { classes } from './classes.ts';

const BOX = 'w-full rounded-md border border-line-strong/80 bg-surface px-3 text-base text-ink hover:border-line-strong focus-visible:border-accent focus-visible:outline-offset-0';

/** A labelled control. `hint` and `error` are tied to it, so screen readers read them with it. */
export function Field({ label, hint, error, children }: {
  readonly label: string; readonly hint?: ReactNode; readonly error?: string | null;
  readonly children: (ids: { readonly id: string; readonly 'aria-describedby': string | undefined; readonly 'aria-invalid': boolean }) => ReactNode;
}): ReactNode {
  const id = useId();
  const noteId = `${id}-note`;
  const note = error ?? hint;
  return (
    <div>
      <label htmlFor={id} className="mb-1.5 block font-medium">{label}</label>
      {children({ id, 'aria-describedby': note === undefined ? undefined : noteId, 'aria-invalid': typeof error === 'string' })}
      {note !== undefined && <p id={noteId} className={classes('mt-1.5 text-sm', typeof error === 'string' ? 'text-bad' : 'text-ink-soft')}>{note}</p>}
    </div>
  );
}

export function TextInput({ className, ...rest }: ComponentProps<'input'>): ReactNode {
  return <input type="text" autoComplete="off" spellCheck={false} className={classes(BOX, 'h-9', className)} {...rest} />;
}

export function TextArea({ className, ...rest }: ComponentProps<'textarea'>): ReactNode {
  return <textarea spellCheck={false} className={classes(BOX, 'py-2 font-mono text-sm', className)} {...rest} />;
}

export function NumberInput({ value, onValue, className, ...rest }: Omit<ComponentProps<'input'>, 'value' | 'onChange'> & { readonly value: number; readonly onValue: (value: number) => void }): ReactNode {
  return (
    <input
      type="number" inputMode="numeric" className={classes(BOX, 'tabular h-9', className)} value={Number.isNaN(value) ? '' : value}
      onChange={(event) => onValue(event.target.valueAsNumber)} {...rest}
    />
  );
}

export function Select<T extends string>({ value, options, onValue, className, ...rest }: Omit<ComponentProps<'select'>, 'value' | 'onChange'> & {
  readonly value: T; readonly options: readonly { readonly value: T; readonly label: string }[]; readonly onValue: (value: T) => void;
}): ReactNode {
  return (
    <span className={classes('relative inline-block', className)}>
      <select
        className={classes(BOX, 'h-full min-h-8 appearance-none pr-8')} value={value}
        onChange={(event) => { const found = options.find((option) => option.value === event.target.value); if (found !== undefined) onValue(found.value); }} {...rest}
      >
        {options.map((option) => <option key={option.value} value={option.value}>{option.label}</option>)}
      </select>
      <ChevronDown aria-hidden="true" size={14} className="pointer-events-none absolute top-1/2 right-2.5 -translate-y-1/2 text-ink-faint" />
    </span>
  );
}

/** On or off at once, without a Save button. */
export function Switch({ checked, onChecked, label, disabled }: { readonly checked: boolean; readonly onChecked: (checked: boolean) => void; readonly label: string; readonly disabled?: boolean }): ReactNode {
  return (
    <button
      type="button" role="switch" aria-checked={checked} aria-label={label} disabled={disabled} onClick={() => onChecked(!checked)}
      className={classes('relative h-5 w-9 shrink-0 rounded-full transition-colors disabled:opacity-50', checked ? 'bg-accent' : 'bg-line-strong')}
    >
      <span className={classes('absolute top-0.5 left-0.5 size-4 rounded-full bg-white shadow-card transition-transform', checked && 'translate-x-4')} />
    </button>
  );
}

/** One of a few, all visible; arrow keys move as in any radio group. */
export function Choice<T extends string>({ label, value, options, onValue, columns = 3 }: {
  readonly label: string; readonly value: T; readonly columns?: 2 | 3 | 5; readonly onValue: (value: T) => void;
  readonly options: readonly { readonly value: T; readonly title: string; readonly text: string; readonly icon?: ReactNode }[];
}): ReactNode {
  const name = useId();
  const grid = { 2: 'grid-cols-2', 3: 'grid-cols-3', 5: 'grid-cols-5' }[columns];
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">{label}</legend>
      <div className={classes('grid gap-2', grid)}>
        {options.map((option) => (
          <label
            key={option.value} data-testid={`choice-${option.value}`}
            className="relative flex cursor-pointer flex-col gap-1 rounded-lg border border-line bg-surface p-3 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input type="radio" name={name} value={option.value} checked={value === option.value} onChange={() => onValue(option.value)} className="absolute size-px opacity-0" />
            {option.icon !== undefined && <span aria-hidden="true" className="mb-1 text-accent">{option.icon}</span>}
            <span className="font-medium">{option.title}</span>
            <span className="text-sm leading-snug text-ink-soft">{option.text}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** A yes or no that counts when its form is sent. */
export function Checkbox({ checked, onChecked, label, hint, testId }: { readonly checked: boolean; readonly onChecked: (checked: boolean) => void; readonly label: string; readonly hint?: string; readonly testId?: string }): ReactNode {
  const id = useId();
  const hintId = `${id}-hint`;
  return (
    <div className="flex items-start gap-2.5">
      <input id={id} type="checkbox" checked={checked} aria-describedby={hint === undefined ? undefined : hintId} onChange={(event) => onChecked(event.target.checked)} data-testid={testId} className="mt-[3px] size-4 shrink-0 accent-accent" />
      <div><label htmlFor={id} className="font-medium">{label}</label>{hint !== undefined && <p id={hintId} className="text-sm text-ink-soft">{hint}</p>}</div>
    </div>
  );
}

/** What must not be read over a shoulder; the eye shows it for as long as its owner wants. */
export function SecretInput({ className, ...rest }: ComponentProps<'input'>): ReactNode {
  const [shown, setShown] = useState(false);
  const Icon = shown ? EyeOff : Eye;
  return (
    <div className="relative">
      <input type={shown ? 'text' : 'password'} autoComplete="off" spellCheck={false} autoCapitalize="off" className={classes(BOX, 'h-9 pr-10', shown && 'font-mono', className)} {...rest} />
      <IconButton label={shown ? 'Hide what is typed' : 'Show what is typed'} aria-pressed={shown} size="small" className="absolute top-1 right-1" onClick={() => setShown(!shown)}><Icon aria-hidden="true" size={15} /></IconButton>
    </div>
  );
}
