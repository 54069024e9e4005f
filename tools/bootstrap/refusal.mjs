/** An expected end with one line for a person: what happened, and what to do next. */
export class Refusal extends Error {
  constructor(message, exitCode = 2) {
    super(message);
    this.exitCode = exitCode;
  }
}
