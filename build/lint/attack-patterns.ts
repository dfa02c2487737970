import { RegExpParser, visitRegExpAST, type AST } from '@eslint-community/regexpp';

/** The last is long enough that quadratic work takes a tenth of a second, and short enough that linear work takes none. */
const ATTACK_CHARACTERS = [16, 20, 24, 28, 32, 40, 48, 64, 96, 128, 256, 1024, 4096, 12_000];
/** A linear pattern needs well under one millisecond for an attack; this is for a machine that does other things meanwhile. */
const LIMIT_MS = 25;
/** Stands in no pattern. */
const REFUSED = '\u0000';
/** A machine may stall once or twice in a row; a slow pattern is slow each time. */
const TRIES = 3;
/** Characters of a class that are tried; more of one kind behave alike. */
const MAX_REPRESENTATIVES = 6;
/** Tried for classes that only say what they exclude. */
const ORDINARY = ['a', '1', ' ', '.', '-', ':', '/', '\n', '"', '='];

type Attack = { readonly prefix: string; readonly pump: string };
type Element = AST.Element | AST.QuantifiableElement;

/** Texts that a pattern has most trouble with: each of its endless parts fed with what it takes, then refused. */
function attacksOn(pattern: AST.Pattern): readonly Attack[] {
  const attacks = new Map<string, Attack>();
  const literals: string[] = [];
  visitRegExpAST(pattern, { onCharacterEnter(character) {
    const text = String.fromCodePoint(character.value);
    if (character.parent.type === 'Alternative' && literals.length < MAX_REPRESENTATIVES && !literals.includes(text)) literals.push(text);
  } });
  visitRegExpAST(pattern, {
    onQuantifierEnter(quantifier) {
      if (quantifier.max !== Infinity) return;
      const own = representatives(quantifier.element);
      // What stands elsewhere in the pattern may also stand in here, and then each place of it is a new beginning.
      const single = [...own, ...literals.filter((character) => !own.includes(character) && takes(quantifier.element, character))];
      const pairs = single.flatMap((first) => single.filter((second) => second !== first).map((second) => first + second));
      const prefix = textBefore(quantifier);
      for (const pump of [...single, ...pairs]) {
        if (pump === '') continue;
        for (const start of new Set(['', REFUSED, prefix])) attacks.set(JSON.stringify([start, pump]), { prefix: start, pump });
      }
    },
  });
  return [...attacks.values()];
}

/** Something that everything in front of `node` matches. */
function textBefore(node: AST.Node): string {
  const parent = node.parent;
  if (parent === null || parent.type === 'Pattern' || parent.type === 'RegExpLiteral') return '';
  if (parent.type !== 'Alternative') return textBefore(parent);
  const earlier = parent.elements.slice(0, parent.elements.indexOf(node as AST.Element));
  return textBefore(parent) + earlier.map((element) => representatives(element)[0] ?? '').join('');
}

/** Short texts that one element matches. */
function representatives(element: Element): readonly string[] {
  switch (element.type) {
    case 'Character': return [String.fromCodePoint(element.value)];
    case 'CharacterSet': return element.kind === 'digit' ? [element.negate ? 'a' : '1'] : element.kind === 'space' ? (element.negate ? ['a', '.', ':'] : [' ', '\n']) : element.kind === 'word' ? (element.negate ? [' ', '.'] : ['a', '1', '_']) : ['a', ' ', '.', '/'];
    case 'CharacterClass': {
      if (element.negate) return ORDINARY.filter((character) => new RegExp(`^${element.raw}$`, 'u').test(character));
      return element.elements.flatMap((member) => (member.type === 'Character' ? [String.fromCodePoint(member.value)] : member.type === 'CharacterClassRange' ? [String.fromCodePoint(member.min.value)] : member.type === 'CharacterSet' ? representatives(member) : [])).slice(0, MAX_REPRESENTATIVES);
    }
    case 'Group': case 'CapturingGroup': return element.alternatives.map(textOf).slice(0, MAX_REPRESENTATIVES);
    case 'Quantifier': return representatives(element.element).map((text) => text.repeat(Math.max(1, Math.min(element.min, 64))));
    default: return [''];
  }
}

const takes = (element: Element, character: string): boolean => (element.type === 'CharacterSet' || element.type === 'CharacterClass') && new RegExp(`^${element.raw}$`, 'u').test(character);

const textOf = (alternative: AST.Alternative): string => alternative.elements.map((element) => representatives(element)[0] ?? '').join('');

function isSlow(pattern: RegExp, attack: Attack): boolean {
  // From short to long, so that a pattern with exponential time is found before it takes a day.
  for (const characters of ATTACK_CHARACTERS) {
    const text = attack.prefix + attack.pump.repeat(Math.ceil(characters / attack.pump.length)) + REFUSED;
    let quickest = Infinity;
    for (let attempt = 0; attempt < TRIES && quickest > LIMIT_MS; attempt += 1) {
      // Of the processor, not of the clock: a busy machine makes no pattern slow.
      const before = process.threadCpuUsage();
      text.replace(pattern, '');
      const { user, system } = process.threadCpuUsage(before);
      quickest = Math.min(quickest, (user + system) / 1000);
    }
    if (quickest > LIMIT_MS) return true;
  }
  return false;
}

/** The beginning of a text on which the pattern needs more than linear time, or null when none was found. */
export function slowText(source: string, flags: string): string | null {
  const ast = new RegExpParser().parsePattern(source, undefined, undefined, { unicode: flags.includes('u'), unicodeSets: flags.includes('v') });
  const pattern = new RegExp(source, `${flags.replace(/[gy]/g, '')}g`);
  const found = attacksOn(ast).find((attack) => isSlow(pattern, attack));
  return found === undefined ? null : found.prefix + found.pump.repeat(8);
}
