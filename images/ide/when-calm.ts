/**
 * Program text: a function that calls back once its process has had time to spare at so many looks on end, or after a while in any case. In a workbench's first seconds
 * VS Code's server is asked for everything at once; what nobody waits for then leaves the processor to what somebody does. Where the processor is fast,
 * the first looks find it calm.
 */
export const WHEN_CALM = `
/** Part of its time that a process may be busy to be called calm. */
const CALM = 0.5;

function whenCalm(lookMs, looks, longestMs, go) {
  const began = performance.now();
  let calm = 0;
  let before = performance.eventLoopUtilization();
  const look = () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, before);
    before = now;
    calm = utilization < CALM ? calm + 1 : 0;
    if (calm === looks || performance.now() - began > longestMs) go();
    else setTimeout(look, lookMs);
  };
  setTimeout(look, lookMs);
}
`;
