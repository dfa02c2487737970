import { LoaderCircle } from 'lucide-react';
import { Fragment, type ReactNode, useEffect, useEffectEvent, useId, useRef, useState } from 'react';
import type { Host } from '#shared/contract.ts';
import { Button } from '../../design/button.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { ErrorPanel } from '../../design/error-panel.tsx';
import { judgeTyped } from '../../lib/fingerprint.ts';
import type { LoginFlow, LoginState } from '../../state/login-flow.ts';
import { useSealed } from '../../state/use-sealed.ts';
import { ChangedKey, isKeyAlarm } from './changed-key.tsx';
import { PromptForm, promptWords } from './prompt-form.tsx';
import { TrustKey } from './trust-key.tsx';

type Part = { readonly title: string; readonly description?: ReactNode; readonly body: ReactNode; readonly footer: ReactNode };

/**
 * One dialog for a whole way into a host; its content follows the login. `idle` is what stands there before it began (and
 * after a Back); a login without it ends with its dialog.
 */
export function LoginDialog({ flow, login, target, idle, onRetry, onDone, onClose }: {
  readonly flow: LoginFlow; readonly login: LoginState; readonly target: string; readonly idle: Part | null;
  readonly onRetry: () => void; readonly onDone: (host: Host) => void; readonly onClose: () => void;
}): ReactNode {
  const form = useId();
  const sealed = useSealed();
  const [typed, setTyped] = useState('');
  const done = login.phase === 'done' ? login.host : null;
  const end = useEffectEvent(onDone);
  useEffect(() => { if (done !== null) end(done); }, [done]);
  const leave = (): void => { flow.cancel(); onClose(); };
  const back = (): void => { flow.cancel(); if (idle === null) onClose(); };
  const cancel = <Button onClick={back} data-testid="login-cancel">Cancel</Button>;

  const part = ((): Part => {
    switch (login.phase) {
      case 'idle': if (idle !== null) return idle; return working(target, cancel);
      case 'working': case 'done': return working(target, cancel);
      case 'trusting': return {
        title: 'Is this the right machine?',
        body: <TrustKey key={login.key.fingerprint} seen={login.key} form={form} typed={typed} onTyped={setTyped} onTrust={() => { setTyped(''); flow.trust(); }} />,
        footer: <>{cancel}<Button type="submit" form={form} variant="primary" disabled={judgeTyped(typed, login.key.fingerprint) !== 'confirmed'} data-testid="trust">Trust this machine</Button></>,
      };
      case 'asking': return {
        title: promptWords(login.prompt).title,
        body: <PromptForm key={login.prompt.promptId} prompt={login.prompt} form={form} sealed={sealed} onAnswer={(answers, remember) => flow.answer(answers, remember)} />,
        footer: <>{cancel}<Button type="submit" form={form} variant="primary" autoFocus={login.prompt.fields.length === 0} data-testid="prompt-send">Continue</Button></>,
      };
      case 'failed': {
        const alarm = isKeyAlarm(login.error);
        return {
          title: alarm ? 'Stopped' : 'Couldn\'t connect', description: target,
          body: alarm ? <ChangedKey error={login.error} /> : <ErrorPanel error={login.error} />,
          footer: <>
            <Button onClick={back} autoFocus={alarm} data-testid="login-back">{idle === null ? 'Close' : 'Back'}</Button>
            {!alarm && <Button variant="primary" autoFocus onClick={onRetry} data-testid="login-retry">Try again</Button>}
          </>,
        };
      }
      default: return login satisfies never;
    }
  })();
  // Each step is new to the eye and to the focus, also where it looks like the one before.
  const step = login.phase === 'asking' ? login.prompt.promptId : login.phase;
  return <Dialog title={part.title} description={part.description} onClose={leave} footer={<Fragment key={step}>{part.footer}</Fragment>} testId="login-dialog">{part.body}</Dialog>;
}

const working = (target: string, footer: ReactNode): Part => ({ title: 'Connecting', body: <Working target={target} />, footer });

function Working({ target }: { readonly target: string }): ReactNode {
  const line = useRef<HTMLParagraphElement>(null);
  // What had the focus is gone; on Cancel an Enter too many would end what was just begun.
  useEffect(() => line.current?.focus(), []);
  return (
    <p ref={line} tabIndex={-1} role="status" data-testid="login-working" className="flex items-center gap-3 py-6 outline-none">
      <LoaderCircle aria-hidden="true" size={20} className="shrink-0 animate-spin text-accent" /><span className="min-w-0 break-words">Reaching <strong className="font-semibold">{target}</strong> and looking what it is. Nothing is installed there.</span>
    </p>
  );
}
