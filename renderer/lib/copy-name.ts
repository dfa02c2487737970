/** A path beside another one for a second text of the same file: `src/app.jsx` becomes `src/app.copy-120433.jsx`. */
export function copyName(path: string, at: Date): string {
  const time = at.toTimeString().slice(0, 8).replaceAll(':', '');
  const slash = path.lastIndexOf('/') + 1;
  const dot = path.lastIndexOf('.');
  // A leading dot is a name, not an ending.
  const end = dot > slash ? dot : path.length;
  return `${path.slice(0, end)}.copy-${time}${path.slice(end)}`;
}
