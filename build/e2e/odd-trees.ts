/**
 * Trees of every sort that Linux allows, made and listed inside a guest by a program of its own: nothing of it knows how Vessel saves. Python's own
 * generator draws from `seed/number`, so a tree comes again from those two. `make` builds the trees below folders named by their numbers, `list`
 * prints for each of them, as a line of JSON, all that must survive; `describe` prints how one was meant to be made. Runs as root.
 */
const PROGRAM = String.raw`
import sys, os, json, random, stat, hashlib, resource
verb, seed, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
OWNERS = [0, 1, 999, 1000, 1001, 65534, 4000000000]
ODD = [b'C:\\temp\\log.txt', b'..\\x', b'new\nline', b'-rf', b' ', b'...', b'\xff\xfe', b'a\\b', b'caf\xc3\xa9', b'\xe9', b'"q"', b'*', b'CON', b'a:b', b'\x01', b'\xef\xbf\xbd']
SIZES = [0, 1, 63, 64, 65, 100, 1000, 4095, 4096, 4097, 16384, 16385, 65536]
RARE = [1048575, 1048576, 1048577, 4194304, 4194305]

def plan(number):
    r = random.Random(seed + '/' + str(number))
    entries, folders = [], ['']
    def name():
        kind = r.random()
        if kind < 0.2: return r.choice(ODD)
        if kind < 0.3: return bytes(r.choice([c for c in range(1, 256) if c != 47]) for _ in range(r.randint(1, 40)))
        if kind < 0.33: return ('%05d' % r.randrange(99999)).encode() * 51
        return ('n%d' % r.randrange(10**6)).encode()
    def free(folder):
        while True:
            n = name()
            if n not in (b'.', b'..', b'.vesselignore') and not any(e['in'] == folder and e['name'] == n for e in entries): return n
    def times():
        k = r.random()
        s = r.randrange(0, 2**31) if k < 0.8 else r.randrange(2**31, 2**32) if k < 0.9 else -r.randrange(1, 10**6)
        return s * 10**9 + (0 if r.random() < 0.3 else r.randrange(10**9))
    def common(e):
        e['owner'] = [r.choice(OWNERS), r.choice(OWNERS)] if r.random() < 0.4 else [1000, 1000]
        e['mode'] = r.randrange(0o10000) if r.random() < 0.5 else 0o644
        e['time'] = times()
        e['xattrs'] = [['user.' + ''.join(chr(r.randrange(33, 127)) for _ in range(r.randint(1, 20))), r.randbytes(r.choice([0, 1, 20, 600])).hex()] for _ in range(r.choice([0, 0, 0, 1, 3]))] if e['kind'] in ('file', 'dir') else []
        entries.append(e)
    deep = number % 100
    if deep == 7 or deep == 8:
        at = ''
        for level in range(15 if deep == 7 else 500):
            n = (b'x' * 255) if deep == 7 else b'folder-%03d' % level
            entries.append({'in': at, 'name': n, 'kind': 'dir', 'owner': [1000, 1000], 'mode': 0o755, 'time': times(), 'xattrs': []})
            at = at + '/' + n.decode('latin1') if at else n.decode('latin1')
        folders = [at]
    for _ in range(r.randint(1, 14)):
        where = r.choice(folders)
        kind = r.choice(['file'] * 6 + ['dir'] * 4 + ['link', 'sparse', 'hard', 'socket', 'fifo'])
        e = {'in': where, 'name': free(where), 'kind': kind}
        if kind == 'dir':
            common(e)
            folders.append(where + '/' + e['name'].decode('latin1') if where else e['name'].decode('latin1'))
        elif kind == 'link':
            e['target'] = r.choice([b'x', b'/etc/passwd', b'../..', b'\xff', b't' * r.choice([1, 1000, 4095])]).hex()
            common(e)
        elif kind == 'hard':
            others = [o for o in entries if o['kind'] == 'file']
            if others: e['to'] = entries.index(r.choice(others)); entries.append(e)
        elif kind in ('socket', 'fifo'): entries.append(e)
        else:
            e['kind'] = 'file'
            e['size'] = r.choice(RARE) if r.random() < 0.01 else r.choice(SIZES)
            e['parts'] = [[0, e['size']]]
            if kind == 'sparse':
                e['size'] = 300000000 if number % 100 == 11 else r.choice([4096, 8192, 100000, 1048576, 5000001])
                e['parts'] = sorted([r.randrange(e['size']), r.choice([1, 100, 4096, 9000])] for _ in range(r.randrange(4)))
            e['letters'] = r.random() < 0.7
            e['seed'] = r.randrange(2**30)
            common(e)
    return entries

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
held = {}
def enter(root, path):
    if path not in held:
        folder, _, name = path.rpartition('/')
        held[path] = os.open(name.encode('latin1'), os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=enter(root, folder)) if path else os.dup(root)
    return held[path]

def here(fd, name): return b'/proc/self/fd/%d/' % fd + name

def make(number, base):
    os.mkdir(b'%05d' % number, 0o755, dir_fd=base)
    root = os.open(b'%05d' % number, os.O_RDONLY | os.O_DIRECTORY, dir_fd=base)
    entries = plan(number)
    for e in entries:
        fd = enter(root, e['in'])
        kind = e['kind']
        if kind == 'dir': os.mkdir(e['name'], 0o700, dir_fd=fd)
        elif kind == 'link': os.symlink(bytes.fromhex(e['target']), e['name'], dir_fd=fd)
        elif kind == 'fifo': os.mkfifo(e['name'], dir_fd=fd)
        elif kind == 'socket': os.mknod(e['name'], 0o600 | stat.S_IFSOCK, dir_fd=fd)
        elif kind == 'hard':
            to = entries[e['to']]
            source = enter(root, to['in'])
            os.link(to['name'], e['name'], src_dir_fd=source, dst_dir_fd=fd)
        else:
            file = os.open(e['name'], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=fd)
            r = random.Random(e['seed'])
            os.ftruncate(file, e['size'])
            for at, length in e['parts']:
                length = min(length, e['size'] - at)
                os.pwrite(file, (b'the same words again and again ' * (length // 31 + 1))[:length] if e['letters'] else r.randbytes(length), at)
            os.close(file)
    for e in reversed(entries):
        if 'time' not in e: continue
        fd = enter(root, e['in'])
        os.chown(e['name'], e['owner'][0], e['owner'][1], dir_fd=fd, follow_symlinks=False)
        if e['kind'] != 'link':
            os.chmod(e['name'], e['mode'], dir_fd=fd)
            for key, value in e['xattrs']: os.setxattr(here(fd, e['name']), key, bytes.fromhex(value))
        os.utime(e['name'], ns=(e['time'], e['time']), dir_fd=fd, follow_symlinks=False)
    os.utime(b'%05d' % number, ns=(10**18, 10**18), dir_fd=base)
    os.chown(b'%05d' % number, 1000, 1000, dir_fd=base)
    os.close(root)
    for fd in held.values(): os.close(fd)
    held.clear()

def listing(number, base):
    found, special, files = {}, [], {}
    def visit(fd, path):
        for entry in sorted(os.listdir(fd)):
            name = os.fsencode(entry)
            s = os.stat(name, dir_fd=fd, follow_symlinks=False)
            key = path + name.decode('latin1')
            if stat.S_ISSOCK(s.st_mode) or stat.S_ISFIFO(s.st_mode): special.append(key); continue
            row = {'mode': oct(s.st_mode), 'owner': [s.st_uid, s.st_gid], 'us': (s.st_mtime_ns + 500) // 1000}
            if stat.S_ISLNK(s.st_mode):
                row['target'] = os.readlink(name, dir_fd=fd).hex(); row['mode'] = 'link'
            else:
                row['xattrs'] = sorted([k, os.getxattr(here(fd, name), k).hex()] for k in os.listxattr(here(fd, name)))
            if stat.S_ISREG(s.st_mode):
                h = hashlib.sha256()
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
                at = 0
                while at < s.st_size:
                    # What is zeros is not hashed, a hole or not: the same content has the same hash wherever its holes are.
                    try: at = max(at, os.lseek(file, at, os.SEEK_DATA) >> 20 << 20)
                    except OSError: break
                    block = os.pread(file, min(1 << 20, s.st_size - at), at)
                    if block.count(0) < len(block): h.update(b'%d ' % at); h.update(block)
                    at += 1 << 20
                os.close(file)
                row['size'] = s.st_size; row['sha256'] = h.hexdigest(); row['blocks'] = s.st_blocks
                if s.st_nlink > 1: files.setdefault(s.st_ino, []).append(key)
            found[key] = row
            if stat.S_ISDIR(s.st_mode):
                inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=fd)
                visit(inner, key + '/')
                os.close(inner)
    root = os.open(b'%05d' % number, os.O_RDONLY | os.O_DIRECTORY, dir_fd=base)
    visit(root, '')
    os.close(root)
    return {'tree': number, 'entries': found, 'special': special, 'links': sorted(files.values())}

sys.setrecursionlimit(5000)
base = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
for number in range(first, last):
    if verb == 'make': make(number, base)
    elif verb == 'list': print(json.dumps(listing(number, base)))
    else: print(json.dumps(plan(number), default=repr))
`;

export type ListedEntry = { readonly mode: string; readonly owner: readonly [number, number]; readonly us: number; readonly size?: number; readonly sha256?: string; readonly blocks?: number };
export type ListedTree = { readonly tree: number; readonly entries: Readonly<Record<string, ListedEntry>>; readonly special: readonly string[]; readonly links: readonly (readonly string[])[] };

/** The command that does it in a guest, for the trees from `first` up to and without `last`. */
export const oddTrees = (verb: 'make' | 'list' | 'describe', seed: string, first: number, last: number): readonly string[] => ['sudo', 'python3', '-c', PROGRAM, verb, seed, String(first), String(last)];

/** A file of so many blocks more is no less sparse: the map of its pieces may take a block or two itself. */
const SLACK_BLOCKS = 16;

/** What differs between two listings of one tree, in words. */
export function differences(before: ListedTree, after: ListedTree): readonly string[] {
  const found: string[] = [];
  for (const path of new Set([...Object.keys(before.entries), ...Object.keys(after.entries)])) {
    const { blocks: blocksBefore = 0, us: timeBefore = 0, ...was } = before.entries[path] ?? { mode: 'missing' };
    const { blocks: blocksAfter = 0, us: timeAfter = 0, ...is } = after.entries[path] ?? { mode: 'missing' };
    // Times go through a double on their way.
    if (Math.abs(timeBefore - timeAfter) > 1) found.push(`${JSON.stringify(path.slice(-60))} was of ${timeBefore} and is of ${timeAfter} µs`);
    if (JSON.stringify(was) !== JSON.stringify(is)) found.push(`${JSON.stringify(path.slice(-60))} was ${JSON.stringify(was)} and is ${JSON.stringify(is)}`);
    if (blocksAfter > blocksBefore + SLACK_BLOCKS) found.push(`${JSON.stringify(path.slice(-60))} took ${blocksBefore} blocks and takes ${blocksAfter}`);
  }
  if (JSON.stringify(before.links) !== JSON.stringify(after.links)) found.push(`hard links were ${JSON.stringify(before.links)} and are ${JSON.stringify(after.links)}`);
  if (after.special.length > 0) found.push(`special files came back: ${JSON.stringify(after.special)}`);
  return found;
}
