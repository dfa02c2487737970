/**
 * Program text: a function that calls back once its process has had time to spare, or after a while in any case. In a workbench's first seconds
 * VS Code's server is asked for everything at once; what nobody waits for then leaves the processor to what somebody does. Where the processor is fast,
 * the first look finds it calm.
 */
export const WHEN_CALM = `
/** Part of its time that a process may be busy to be called calm. */
const CALM = 0.5;

function whenCalm(lookMs, longestMs, go) {
  const began = performance.now();
  let before = performance.eventLoopUtilization();
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    if (utilization < CALM || performance.now() - began > longestMs) go();
    else setTimeout(look, lookMs);
  };
  setTimeout(look, lookMs);
}
`;
