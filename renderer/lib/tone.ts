/** How something stands, as the color of its dot. */
export type Tone = 'idle' | 'busy' | 'live' | 'warn' | 'bad';
