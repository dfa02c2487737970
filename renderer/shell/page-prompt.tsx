import { type ReactNode, useId } from 'react';
import { Button } from '../design/button.tsx';
import { Dialog } from '../design/dialog.tsx';
import { PromptForm, promptWords } from '../screens/hosts/prompt-form.tsx';
import { useClient } from '../state/client-context.ts';
import { answerPagePrompt } from '../state/page-prompts.ts';
import { useStore } from '../state/store.ts';
import { useSealed } from '../state/use-sealed.ts';

/** A question that some work of this page has, over whatever is shown: a password for sudo before a host is changed. */
export function PagePrompt(): ReactNode {
  const client = useClient();
  const form = useId();
  const sealed = useSealed();
  const prompt = useStore((state) => state.prompts[0]);
  if (prompt === undefined) return null;
  const decline = (): void => answerPagePrompt(client, prompt.promptId, null, false);
  return (
    <Dialog
      key={prompt.promptId} title={promptWords(prompt).title} width="narrow" onClose={decline} testId="page-prompt"
      footer={<><Button onClick={decline}>Cancel</Button><Button type="submit" form={form} variant="primary" data-testid="prompt-send">Continue</Button></>}
    >
      <PromptForm prompt={prompt} form={form} sealed={sealed} onAnswer={(answers, remember) => answerPagePrompt(client, prompt.promptId, answers, remember)} />
    </Dialog>
  );
}
