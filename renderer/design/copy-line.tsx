import { Check, Copy } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { IconButton } from './button.tsx';

/** A command or a value to take along, with its copy button. */
export function CopyLine({ text, label }: { readonly text: string; readonly label: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 2_000);
  };
  return (
    <div className="flex items-center gap-1 rounded-md border border-line bg-sunken py-0.5 pr-0.5 pl-3">
      <code className="min-w-0 flex-1 overflow-x-auto py-1 font-mono text-sm whitespace-nowrap">{text}</code>
      {/* Without a clipboard (denied, or an old browser) the text can still be selected. */}
      <IconButton label={copied ? 'Copied' : label} size="small" onClick={() => void copy().catch(() => undefined)}>{copied ? <Check aria-hidden="true" size={14} /> : <Copy aria-hidden="true" size={14} />}</IconButton>
    </div>
  );
}
