import { compose, readSentences, type Passage, type Scene } from '../passage.ts';
import { noteElsewhere, noteFindings, noteHistories, noteOpenings, notePlans, noteRemarks } from '../words/phrases.ts';

const OPENINGS = readSentences(noteOpenings);
const FINDINGS = readSentences(noteFindings);
const HISTORIES = readSentences(noteHistories);
const PLANS = readSentences(notePlans);
const REMARKS = readSentences(noteRemarks);
const ELSEWHERE = readSentences(noteElsewhere);

/** A note of two to six sentences, with most of what one should not write into free text. */
export function composeNote(scene: Scene): Passage {
  const { random } = scene;
  const sentences = [random.chance(6) ? random.pick(ELSEWHERE) : random.pick(OPENINGS), random.pick(FINDINGS)];
  if (random.chance(60)) sentences.push(random.pick(FINDINGS));
  if (random.chance(60)) sentences.push(random.pick(HISTORIES));
  if (random.chance(85)) sentences.push(random.pick(PLANS));
  if (random.chance(45)) sentences.push(random.pick(REMARKS));
  return compose(sentences, scene);
}
