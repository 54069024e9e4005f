/** One after the other, whatever is asked for at once: a connection answers one question at a time. */
export function inTurn<Asked, Answer>(ask: (asked: Asked) => Promise<Answer>): (asked: Asked) => Promise<Answer> {
  let before: Promise<unknown> = Promise.resolve();
  return (asked) => {
    const answer = before.then(() => ask(asked));
    // Whoever asked is told of a failure; the next one asks all the same.
    before = answer.catch(() => undefined);
    return answer;
  };
}
