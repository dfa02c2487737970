export type BuildStage = 'system' | 'ide' | 'assemble';

/** Progress of the whole build, 0–1, with what is being done in words. */
export type BuildProgress = { readonly stage: BuildStage; readonly progress: number; readonly message: string };

/** Share of each stage in a build from nothing, from measured times (45 s and 150 s, side by side, then 15 s). */
const WEIGHTS: Readonly<Record<BuildStage, number>> = { system: 0.22, ide: 0.7, assemble: 0.08 };

/** Build scripts print `VESSEL <percent of their stage> <message>` lines among their tools' own. */
const MARK = /^VESSEL (\d+) (.+)$/;

/** Turns marked lines into progress and passes the rest to the log. */
export function buildProgress(onProgress: ((progress: BuildProgress) => void) | undefined, log: (line: string) => void): { stage(name: BuildStage): (line: string) => void } {
  /** Percent of each stage: two of them run side by side. */
  const done: Record<BuildStage, number> = { system: 0, ide: 0, assemble: 0 };
  return {
    stage(name) {
      const report = (percent: number, message: string): void => {
        // The last stage begins when the layers are there, made or found.
        if (name === 'assemble') done.system = done.ide = 100;
        done[name] = Math.max(done[name], percent);
        const sum = done.system * WEIGHTS.system + done.ide * WEIGHTS.ide + done.assemble * WEIGHTS.assemble;
        onProgress?.({ stage: name, progress: Math.min(1, sum / 100), message });
      };
      report(0, TITLES[name]);
      return (line) => {
        const mark = MARK.exec(line);
        if (mark?.[1] !== undefined && mark[2] !== undefined) {
          report(Number(mark[1]), mark[2]);
          log(mark[2]);
        } else log(line);
      };
    },
  };
}

const TITLES: Readonly<Record<BuildStage, string>> = { system: 'making the guest\'s system', ide: 'building VS Code', assemble: 'putting the image together' };
