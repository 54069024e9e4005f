import { createHash } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { isSafekeepError } from '@safekeep/core';
import type { Actor } from '@safekeep/sdk';
import type { Clinic } from './database.ts';

/** Who works here: the SHA-256 of a bearer token (hex), and the login it stands for. */
export type Staff = ReadonlyMap<string, string>;

const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength });
const ssn = { type: 'string', pattern: '^[0-9]{3}-[0-9]{2}-[0-9]{4}$' };
const id = { type: 'object', required: ['id'], properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647 } } };
const body = (properties: object, required: readonly string[] = Object.keys(properties)) => ({
  body: { type: 'object', additionalProperties: false, minProperties: 1, required, properties },
});
/** A list is never longer: whoever looks for one person has no use for a thousand. */
const SHOWN_AT_MOST = 50;

type Patient = { readonly full_name: string; readonly email: string; readonly ssn?: string };
type ById = { readonly Params: { readonly id: number } };

/** The clinic's API. Personal values come in bodies and never in addresses, which proxies and browsers write down. */
export function clinicApp(clinic: Clinic, staff: Staff): FastifyInstance {
  const app = Fastify({ logger: false, bodyLimit: 100_000 });

  const whoOf = (request: FastifyRequest): Actor | undefined => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const actor = token === undefined ? undefined : staff.get(createHash('sha256').update(token).digest('hex'));
    return actor === undefined ? undefined : { actor, purpose: 'treatment', request: request.id };
  };
  const actorOf = (request: FastifyRequest): Actor => {
    const who = whoOf(request);
    if (who === undefined) throw Object.assign(new Error('Who are you?'), { statusCode: 401 });
    return who;
  };
  app.addHook('onRequest', async (request) => void actorOf(request));

  // What went wrong goes to whoever runs the clinic; the caller learns no more than a code.
  app.setErrorHandler((error: Error & { readonly statusCode?: number }, _request, reply) => {
    if (isSafekeepError(error)) return reply.code(error.status).send({ error: error.code });
    const code = error.statusCode ?? 500;
    return reply.code(code).send({ error: code < 500 ? error.message : 'internal' });
  });

  const patient = { full_name: text(200), email: text(254), ssn };
  app.post<{ Body: Patient }>('/patients', { schema: body(patient, ['full_name', 'email']) }, async (request, reply) => {
    const { ssn: number = null, ...rest } = request.body;
    const made = await clinic.as(actorOf(request), (transaction) =>
      transaction
        .insertInto('patients')
        .values({ ...rest, ssn: number })
        .returning('id')
        .executeTakeFirstOrThrow(),
    );
    return await reply.code(201).send(made);
  });

  // By the blind index: the database compares keyed hashes, the SDK leaves out whoever only shares one.
  app.post<{ Body: { email: string } }>('/patients/search', { schema: body({ email: text(254) }) }, async (request) => {
    const found = clinic.db.selectFrom('patients').select(['id', 'full_name', 'email']);
    return { patients: await found.where('email', '=', request.body.email).limit(SHOWN_AT_MOST).execute() };
  });

  app.get<ById>('/patients/:id', { schema: { params: id } }, async (request, reply) => {
    const columns = ['id', 'full_name', 'email', 'ssn'] as const;
    const found = await clinic.db.selectFrom('patients').select(columns).where('id', '=', request.params.id).executeTakeFirst();
    return found ?? (await reply.code(404).send({ error: 'there is no such patient' }));
  });

  app.patch<ById & { Body: Partial<Patient> }>(
    '/patients/:id',
    { schema: { params: id, ...body(patient, []) } },
    async (request, reply) => {
      const { numUpdatedRows } = await clinic.as(actorOf(request), (transaction) =>
        transaction.updateTable('patients').set(request.body).where('id', '=', request.params.id).executeTakeFirstOrThrow(),
      );
      return await (numUpdatedRows === 0n ? reply.code(404).send({ error: 'there is no such patient' }) : reply.code(204).send());
    },
  );

  const visit = { day: { type: 'string', format: 'date' }, note: text(10_000) };
  app.post<ById & { Body: { day: string; note: string } }>(
    '/patients/:id/visits',
    { schema: { params: id, ...body(visit) } },
    async (request, reply) => {
      const made = await clinic.as(actorOf(request), (transaction) =>
        transaction
          .insertInto('visits')
          .values({ patient_id: request.params.id, ...request.body })
          .returning('id')
          .executeTakeFirstOrThrow(),
      );
      return await reply.code(201).send(made);
    },
  );
  return app;
}
