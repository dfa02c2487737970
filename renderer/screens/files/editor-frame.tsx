import { type ReactNode, type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import type { FromEditor, ToEditor } from '../../editor/protocol.ts';

export type EditorHandle = { send(message: ToEditor): void };
type Props = { readonly handle: RefObject<EditorHandle | null>; readonly title: string; readonly hidden: boolean; readonly onMessage: (message: FromEditor) => void };

const themeNow = (): 'light' | 'dark' => (document.documentElement.dataset['theme'] === 'dark' ? 'dark' : 'light');

/** The text editor, loaded when a file is first shown. It lives in a frame with a policy of its own; see editor/protocol.ts. */
export function EditorFrame({ handle, title, hidden, onMessage }: Props): ReactNode {
  const frame = useRef<HTMLIFrameElement>(null);
  const waiting = useRef<ToEditor[]>([]);
  const [ready, setReady] = useState(false);
  const readyNow = useRef(false);
  const listener = useRef(onMessage);
  useEffect(() => { listener.current = onMessage; });

  const post = useCallback((message: ToEditor): void => { frame.current?.contentWindow?.postMessage(message, window.location.origin); }, []);
  useEffect(() => {
    handle.current = { send: (message) => { if (readyNow.current) post(message); else waiting.current.push(message); } };
    return () => { handle.current = null; };
  }, [handle, post]);

  useEffect(() => {
    const onWindowMessage = (event: MessageEvent<FromEditor>): void => {
      if (event.origin !== window.location.origin || event.source !== frame.current?.contentWindow) return;
      if (event.data.type === 'ready') {
        readyNow.current = true;
        setReady(true);
        post({ type: 'theme', theme: themeNow() });
        for (const message of waiting.current.splice(0)) post(message);
      }
      listener.current(event.data);
    };
    window.addEventListener('message', onWindowMessage);
    const observer = new MutationObserver(() => { if (readyNow.current) post({ type: 'theme', theme: themeNow() }); });
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    return () => { window.removeEventListener('message', onWindowMessage); observer.disconnect(); };
  }, [post]);

  return (
    <>
      <iframe ref={frame} src="/editor.html" title={title} data-testid="editor-frame" data-ready={ready} className={hidden || !ready ? 'invisible absolute inset-0 size-full' : 'absolute inset-0 size-full'} />
      {!ready && !hidden && <p role="status" className="absolute inset-0 flex items-center justify-center text-sm text-ink-faint">Loading the editor…</p>}
    </>
  );
}
