/** A printed expression by its brackets: words, literals and commas, and what stands in parentheses or square brackets. */
type Piece = string | Group;
type Group = { readonly open: '(' | '['; readonly pieces: readonly Piece[] };

// A doubled quote inside a literal reads as two literals side by side, which prints back the same.
const TOKEN = /'[^']*'|"[^"]*"|[()[\],]|[^'"()[\],]+/g;
// Between a parenthesis and the `[]` of an array type: the cast and nothing else, e.g. `::character varying(20)`, `::app."Kind"`.
const CAST = /^::((?:[\w$. ]|"[^"]*")+(?:\([\d, -]+\))?(?: with(?:out)? time zone)?)$/u;

/**
 * Writes a printed expression in the form it takes after a dump and restore.
 *
 * `status IN ('a', 'b')` on a varchar column is printed as `ANY ((ARRAY['a'::character varying, …])::text[])`. Read back, the
 * cast moves into the elements, and from then on it is printed as `ANY (ARRAY[('a'::character varying)::text, …])`: the same
 * check, another text (PostgreSQL's parser hands the cast of an ARRAY[…] to its elements: transformTypeCast, parse_expr.c).
 * The second form is stable; every cast array is brought into it. All else comes back as it was.
 */
export function settleExpression(text: string): string {
  if (!text.includes('(ARRAY[')) return text;
  return print(parse(text.matchAll(TOKEN)));
}

function parse(tokens: Iterator<RegExpMatchArray>): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let next = tokens.next(); next.done !== true; next = tokens.next()) {
    const [token] = next.value;
    if (token === '(' || token === '[') pieces.push({ open: token, pieces: parse(tokens) });
    else if (token === ')' || token === ']') return pieces;
    else pieces.push(token);
  }
  return pieces;
}

function print(pieces: readonly Piece[]): string {
  let text = '';
  for (let at = 0; at < pieces.length; at += 1) {
    const cast = castArrayAt(pieces, at);
    text += cast === undefined ? printPiece(pieces[at]) : `ARRAY[${withCast(cast.elements, cast.elementType)}]`;
    if (cast !== undefined) at = cast.last;
  }
  return text;
}

function printPiece(piece: Piece | undefined): string {
  if (piece === undefined || typeof piece === 'string') return piece ?? '';
  return piece.open === '(' ? `(${print(piece.pieces)})` : `[${print(piece.pieces)}]`;
}

type CastArray = { readonly elements: readonly Piece[]; readonly elementType: string; readonly last: number };

/** `(ARRAY[elements])::elementType[]` beginning at a piece; `last` is the piece it ends with. */
function castArrayAt(pieces: readonly Piece[], at: number): CastArray | undefined {
  const elements = arrayIn(parenthesised(pieces[at]));
  if (elements === undefined) return undefined;
  const last = pieces.findIndex((piece, place) => place > at && typeof piece !== 'string' && piece.open === '[');
  const brackets = pieces[last];
  if (brackets === undefined || typeof brackets === 'string' || brackets.pieces.length > 0) return undefined;
  const [, elementType] = CAST.exec(print(pieces.slice(at + 1, last))) ?? [];
  return elementType === undefined ? undefined : { elements, elementType, last };
}

function parenthesised(piece: Piece | undefined): readonly Piece[] {
  return typeof piece === 'object' && piece.open === '(' ? piece.pieces : [];
}

/** What stands in `ARRAY[…]`, if that is all there is. */
function arrayIn(pieces: readonly Piece[]): readonly Piece[] | undefined {
  const [word, group] = pieces;
  const isArray = pieces.length === 2 && word === 'ARRAY' && typeof group === 'object' && group.open === '[';
  return isArray ? group.pieces : undefined;
}

function withCast(elements: readonly Piece[], type: string): string {
  return splitAtCommas(elements)
    .map((element) => {
      const inner = arrayIn(element);
      return inner === undefined ? `(${print(element)})::${type}` : `ARRAY[${withCast(inner, type)}]`;
    })
    .join(', ');
}

function splitAtCommas(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const parts: Piece[][] = [[]];
  for (const piece of pieces) {
    const part = parts.at(-1);
    if (piece === ',') parts.push([]);
    // The blank after a comma belongs to the list, not to the element.
    else part?.push(part.length === 0 && typeof piece === 'string' ? piece.trimStart() : piece);
  }
  return parts.map((part) => part.filter((piece) => piece !== ''));
}
