/** Where a link of an archive leads: `inside` also when it dangles, `out` of the archive's folder, or `endless` in circles. */
export type LinkEnd = 'inside' | 'out' | 'endless';

/** Most links the kernel follows in one path (path_resolution(7)). */
const MAX_HOPS = 40;

/** A link, or a folder on the way to one. */
type Node = { readonly parent: Node | null; readonly children: Map<string, Node>; target: string | null; end: End | 'busy' | null };
/** A place in the tree: a known folder, and how many unknown ones below it. */
type Place = { node: Node; below: number };
type End = { readonly kind: LinkEnd; readonly place: Place; readonly hops: number };
type Frame = { readonly link: Node; readonly parts: readonly string[]; next: number; readonly place: Place; hops: number };

/**
 * Says where the links of one archive lead, followed through each other as the kernel would follow them, without a file system: counting
 * dots is not enough, because a folder on the way may itself be a link (`a/s` to `..`, then `up` to `a/s/../..`). `targets` maps paths to
 * targets, both byte text (see archive-names.ts). Takes time in proportion to the targets' length, whatever they are.
 */
export function linkEnds(targets: ReadonlyMap<string, string>): ReadonlyMap<string, LinkEnd> {
  const root: Node = { parent: null, children: new Map(), target: null, end: null };
  const links: (readonly [string, Node])[] = [];
  for (const [path, target] of targets) {
    const link = insert(root, path);
    link.target = target;
    links.push([path, link]);
  }
  return new Map(links.map(([path, link]) => [path, endOf(link).kind]));
}

function insert(root: Node, path: string): Node {
  let node = root;
  for (const part of path.split('/')) {
    let child = node.children.get(part);
    if (child === undefined) {
      child = { parent: node, children: new Map(), target: null, end: null };
      node.children.set(part, child);
    }
    node = child;
  }
  return node;
}

/** No recursion: an archive may chain half a million links. */
function endOf(link: Node): End {
  const frames: Frame[] = [];
  const enter = (node: Node): void => {
    node.end = 'busy';
    const target = node.target ?? '';
    // A link lies in a folder, so it has a parent.
    frames.push({ link: node, parts: target.split('/'), next: target.startsWith('/') ? Infinity : 0, place: { node: node.parent ?? node, below: 0 }, hops: 1 });
  };
  if (link.end === null) enter(link);
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const end = walk(frame);
    if (end === null) { const next = blocking(frame); if (next !== null) enter(next); continue; }
    frame.link.end = end;
    frames.pop();
  }
  if (link.end === null || link.end === 'busy') throw new Error('a link without an end');
  return link.end;
}

/** The link that the frame waits for. */
function blocking({ parts, next, place }: Frame): Node | null { return place.node.children.get(parts[next] ?? '') ?? null; }

/** Walks on until the end, or null at a link that was not followed yet. */
function walk(frame: Frame): End | null {
  const { parts, place } = frame;
  const ended = (kind: LinkEnd): End => ({ kind, place, hops: frame.hops });
  if (frame.next === Infinity) return ended('out');
  for (; frame.next < parts.length; frame.next += 1) {
    const part = parts[frame.next] ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (place.below > 0) place.below -= 1;
      else if (place.node.parent === null) return ended('out');
      else place.node = place.node.parent;
      continue;
    }
    const child = place.below > 0 ? undefined : place.node.children.get(part);
    if (child === undefined) { place.below += 1; continue; }
    if (child.target === null) { place.node = child; continue; }
    if (child.end === null) return null;
    if (child.end === 'busy') return ended('endless');
    frame.hops += child.end.hops;
    if (child.end.kind !== 'inside') return ended(child.end.kind);
    if (frame.hops > MAX_HOPS) return ended('endless');
    place.node = child.end.place.node;
    place.below = child.end.place.below;
  }
  return ended('inside');
}
