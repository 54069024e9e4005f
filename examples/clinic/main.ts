import { clinicApp } from './app.ts';
import { openClinic } from './database.ts';

// Secrets come from the environment and are in no argument, which every user of the machine could read.
const { CLINIC_ACTOR_KEY_ID: keyId, CLINIC_ACTOR_SECRET: secret, CLINIC_STAFF: staff, PORT: port = '7400' } = process.env;
if (keyId === undefined || secret === undefined || staff === undefined)
  throw new Error('Set CLINIC_ACTOR_KEY_ID and CLINIC_ACTOR_SECRET (safekeep audit actor-key) and CLINIC_STAFF (SHA256=login,…)');

const clinic = await openClinic(process.env, { keyId, secret: Buffer.from(secret, 'hex') });
const logins = staff.split(',').map((each): [string, string] => {
  const [hash = '', login = ''] = each.split('=');
  return [hash, login];
});
const app = clinicApp(clinic, new Map(logins));
app.addHook('onClose', () => clinic.close());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void app.close());
process.stdout.write(`The clinic is at ${await app.listen({ host: '127.0.0.1', port: Number(port) })}\n`);
