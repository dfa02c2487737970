import { CircleAlert } from 'lucide-react';
import { type FormEvent, type ReactNode, useState } from 'react';
import type { Prompt } from '#shared/contract.ts';
import { Checkbox, Field, SecretInput, TextInput } from '../../design/field.tsx';
import { printable } from '../../lib/evidence.ts';

/** How core names a password that is not for the login. */
const SUDO = 'sudo ';

type Words = { readonly title: string; readonly about: ReactNode };

/** What is wanted, in a title and a sentence. The host's own words are shown apart from Vessel's. */
export function promptWords({ kind: asked, subject }: Prompt): Words {
  const kind = asked === 'password' && subject.startsWith(SUDO) ? 'sudo' : asked;
  const who = <strong className="font-semibold break-words">{printable(kind === 'sudo' ? subject.slice(SUDO.length) : subject)}</strong>;
  const words: Readonly<Record<string, Words>> = {
    passphrase: { title: 'Unlock your key', about: <>The key {who} is encrypted. Its passphrase stays on this computer; the host only sees that you have the key.</> },
    password: { title: 'Password', about: <>{who} takes none of your keys and wants a password.</> },
    sudo: { title: 'Administrator password', about: <>{who} wants your password again before it lets you act as root.</> },
  };
  return words[kind] ?? { title: 'The host asks', about: <>{who} has a question before it lets you in.</> };
}

/** Vessel's own questions name the subject above already. */
const LABELS: Readonly<Record<string, string>> = { passphrase: 'Passphrase', password: 'Password', sudo: 'Password' };

/** One round of questions. What is not to be echoed is hidden; nothing of it is kept in the page after it was sent. */
export function PromptForm({ prompt, form, sealed, onAnswer }: { readonly prompt: Prompt; readonly form: string; readonly sealed: boolean; readonly onAnswer: (answers: readonly string[], remember: boolean) => void }): ReactNode {
  const [answers, setAnswers] = useState<readonly string[]>(() => prompt.fields.map(() => ''));
  const [remember, setRemember] = useState(false);
  const submit = (event: FormEvent): void => { event.preventDefault(); onAnswer(answers, remember); };
  const instructions = printable(prompt.instructions).trim();
  return (
    <form id={form} onSubmit={submit} className="flex flex-col gap-5" data-testid="prompt" data-kind={prompt.kind} data-attempt={prompt.attempt}>
      <p>{promptWords(prompt).about}</p>
      {prompt.attempt > 1 && <p role="alert" data-testid="prompt-wrong" className="flex items-center gap-2 rounded-md bg-bad-soft px-3 py-2 font-medium text-bad"><CircleAlert aria-hidden="true" size={16} />That was not right. Try again.</p>}
      {instructions !== '' && <pre data-testid="prompt-instructions" className="max-h-40 overflow-auto rounded-lg border border-line bg-canvas px-4 py-3 font-mono text-sm whitespace-pre-wrap">{instructions}</pre>}
      {prompt.fields.map((field, index) => {
        const Input = field.echo ? TextInput : SecretInput;
        const label = LABELS[prompt.kind] ?? (printable(field.label).trim().replace(/:$/, '') || 'Answer');
        return (
          <Field key={`${index}${field.label}`} label={label}>
            {(ids) => <Input {...ids} autoFocus={index === 0} {...(index === 0 ? { 'data-autofocus': '' } : {})} value={answers[index] ?? ''} onChange={(event) => setAnswers(answers.map((value, at) => (at === index ? event.target.value : value)))} data-testid={`prompt-field-${index}`} />}
          </Field>
        );
      })}
      {prompt.mayRemember && <Checkbox checked={remember} onChecked={setRemember} testId="prompt-remember" label="Keep it for the next time" hint={sealed ? 'Sealed with the keychain of this computer.' : "In Vessel's own file, which only your account can read. Otherwise until Vessel ends."} />}
    </form>
  );
}
