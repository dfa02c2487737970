import { type ReactNode, useState } from 'react';
import type { ExcludeConfig } from '#shared/archive-rules.ts';
import { Choice, Field, TextArea } from '../../design/field.tsx';
import { useClient } from '../../state/client-context.ts';
import { useCall } from '../../state/use-call.ts';

const PRESETS: readonly { readonly value: ExcludeConfig['preset']; readonly title: string; readonly text: string }[] = [
  { value: 'safe', title: 'Safe', text: 'Leaves out only what can be made again: node_modules beside package.json, .venv, target beside Cargo.toml, tool caches.' },
  { value: 'lean', title: 'Lean', text: 'Also leaves out build output, .git and .env files. Smaller, but history and secrets stay behind.' },
  { value: 'everything', title: 'Nothing', text: 'Saves every file of the workspace.' },
];

const SAMPLE = ['package.json', 'node_modules/react/index.js', 'src/main.ts', 'dist/main.js', '.git/HEAD', '.env', 'debug.log'].join('\n');
const lines = (text: string): readonly string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');

/** What a save leaves out: a preset, rules of one's own, and a place to try them. */
export function ExcludeFields({ value, onValue }: { readonly value: ExcludeConfig; readonly onValue: (value: ExcludeConfig) => void }): ReactNode {
  const [rules, setRules] = useState(value.rules.join('\n'));
  return (
    <div className="flex flex-col gap-5">
      <Choice label="Excluded from saves" value={value.preset} options={PRESETS} onValue={(preset) => onValue({ ...value, preset })} />
      <Field label="Rules of your own" hint={<>One pattern a line, as in .gitignore; <code className="font-mono">!</code> brings something back. A <code className="font-mono">.vesselignore</code> in the workspace works the same way. What Git tracks is kept all the same.</>}>
        {(ids) => <TextArea {...ids} rows={3} placeholder={'*.log\n!important.log'} value={rules} onChange={(event) => { setRules(event.target.value); onValue({ ...value, rules: [...lines(event.target.value)] }); }} data-testid="exclude-rules" />}
      </Field>
      <TryRules exclude={value} />
    </div>
  );
}

function TryRules({ exclude }: { readonly exclude: ExcludeConfig }): ReactNode {
  const client = useClient();
  const [paths, setPaths] = useState(SAMPLE);
  const asked = [...lines(paths)];
  const { loaded } = useCall((signal) => client.call('exclude.preview', { exclude, paths: asked }, { signal }), JSON.stringify([exclude, asked]));
  const left = new Map(loaded.value?.leftOut.map((item) => [item.path, item.reason]));
  return (
    <details className="rounded-lg border border-line bg-canvas px-4 py-3" data-testid="try-rules">
      <summary className="font-medium">Try the rules on some paths</summary>
      <div className="mt-3 grid grid-cols-2 gap-4">
        <TextArea aria-label="Paths to try" rows={7} value={paths} onChange={(event) => setPaths(event.target.value)} />
        <ul className="text-sm leading-6" aria-live="polite">
          {asked.map((path) => {
            const reason = left.get(path);
            return <li key={path} className="truncate" title={reason ?? 'saved'}>{reason === undefined ? <span className="text-ok">saved</span> : <span className="text-warn">left out</span>} <code className="font-mono text-xs">{path}</code>{reason !== undefined && <span className="text-ink-soft"> {reason}</span>}</li>;
          })}
        </ul>
      </div>
      {loaded.state === 'failed' && <p className="mt-2 text-sm text-bad">{loaded.error.message}</p>}
    </details>
  );
}
