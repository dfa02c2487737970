/** One field of a question. `echo` false hides what is typed. */
export type PromptField = { readonly label: string; readonly echo: boolean };

export type PromptQuestion = {
  /** `questions` are the host's own words (keyboard-interactive); the others are Vessel's. */
  readonly kind: 'passphrase' | 'password' | 'questions';
  /** Who wants to know: `ada@build.example`, or the path of a key. */
  readonly subject: string;
  /** What the host says above its questions, possibly several lines, possibly empty. */
  readonly instructions: string;
  readonly fields: readonly PromptField[];
  /** Whether the answer may be kept for longer than this session. One-time codes may not. */
  readonly mayRemember: boolean;
  /** 1 for the first time, more after wrong answers. */
  readonly attempt: number;
};

export type PromptAnswer = { readonly answers: readonly string[]; readonly remember: boolean };

/** Asks a person: in the window, or in the terminal of a command. Where nobody can be asked there is no prompter at all (null). */
export type Prompter = {
  /** Resolves to null when the person declined. Rejects with CANCELLED when the signal aborts. */
  ask(question: PromptQuestion, signal: AbortSignal): Promise<PromptAnswer | null>;
};
