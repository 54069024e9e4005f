/** Lower case without marks: what `Größe`, `GRÖSSE` and `grosse` have in common. For comparing, never for showing. */
export function fold(text: string): string {
  // Plain letters are most of what comes; the rest is slower by an order.
  if (PLAIN.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[øłđðþæœßıʻ’]/g, (letter) => FOLDED[letter] ?? letter);
}

const PLAIN = /^[\u0020-\u007E]*$/;
const FOLDED: Readonly<Record<string, string>> = {
  'ø': 'o',
  'ł': 'l',
  'đ': 'd',
  'ð': 'd',
  'þ': 'th',
  'æ': 'ae',
  'œ': 'oe',
  'ß': 'ss',
  'ı': 'i',
  'ʻ': "'",
  '’': "'",
};
