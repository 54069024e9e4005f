import { Type } from '@safekeep/core/schema';
import { command } from '@safekeep/capabilities/capability';

export const url = command({
  name: 'url',
  summary: 'print the connection URL of the database in use, password included; an embedded server is left running',
  input: Type.Object({}),
  output: Type.Object({ url: Type.String() }),
  example: 'safekeep url',
  run: async (context) => ({ result: { url: (await context.databaseUrl({ keepRunning: true })).reveal() } }),
  render: (result) => result.url,
});
