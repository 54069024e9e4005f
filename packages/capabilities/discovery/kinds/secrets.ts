import type { KindFacts } from './model.ts';

const CREDENTIALS = 'user.authorization.credentials';
const PASSWORD = 'user.authorization.password';

/** Both of the first two parts of a JWS are JSON in base64url: what begins with `{"` begins with `eyJ`. */
function jwtSureness(value: string): number {
  const header = Buffer.from(value.slice(0, value.indexOf('.')), 'base64url').toString('utf8');
  return /^\{.*"(?:alg|typ|enc)"/s.test(header) ? 0.99 : 0;
}

/** Shannon's entropy in bits a letter. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

/** RFC 7468, with headers as RFC 1421 has them (`Proc-Type: 4,ENCRYPTED`): up to its end, which a key that was cut off has not. */
export const PEM_SOURCE = String.raw`-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:(?:[^-]|-(?!----(?:BEGIN|END) )){0,15900}-----END (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----|[^-]{0,8000})`;

export const secretKinds: readonly KindFacts[] = [
  {
    name: 'JWT',
    title: 'JSON Web Token',
    family: 'secret',
    category: CREDENTIALS,
    source: 'RFC 7519',
    examples: ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl'],
    counterExamples: ['eyJub3RoaW5n.eyJzdWIiOiIxIn0.c2ln', 'a.b.c'],
    pattern: /^eyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{0,2000}){1,3}$/,
    validators: ['jose-header'],
    validate: jwtSureness,
    chance: 0.001,
  },
  {
    name: 'API_KEY',
    title: 'key of a known issuer',
    family: 'secret',
    category: CREDENTIALS,
    source: 'published prefixes of AWS, GitHub, Google, Slack, Stripe, GitLab, npm, SendGrid, Twilio, OpenAI, Anthropic, Azure',
    examples: ['AKIAIOSFODNN7EXAMPLE', `ghp_${'x8Kd02mPqR'.repeat(3)}abcdef`, ['sk_live', '4eC39HqLyjWDarjtT1zdp7dc'].join('_')],
    counterExamples: ['AKIA', 'ghp_short'],
    pattern:
      /^(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z2-7]{12}(?:[A-Z0-9]{4})|gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{22,251}|AIza[\w-]{35}|xox[abprs]-[A-Za-z0-9-]{10,250}|(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{16,99}|glpat-[\w-]{20,50}|npm_[A-Za-z0-9]{36}|SG\.[\w-]{22}\.[\w-]{43}|SK[0-9a-f]{32}|sk-(?:ant-|proj-)?[\w-]{20,200}|dop_v1_[0-9a-f]{64}|hf_[A-Za-z0-9]{34}|shpat_[0-9a-fA-F]{32})$/,
    validators: ['issuer-prefix'],
    validate: () => 0.95,
    chance: 1,
  },
  {
    name: 'PASSWORD_HASH',
    title: 'hash of a password (bcrypt, argon2, scrypt, crypt, PBKDF2)',
    family: 'secret',
    category: PASSWORD,
    source: 'Modular Crypt Format; PHC string format',
    examples: [
      '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW',
      '$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b6dWRWJTmaaJObG',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    counterExamples: ['$2b$12$short', '$100'],
    pattern:
      /^(?:\$2[abxy]\$\d{2}\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$v=\d{1,3}\$[a-z0-9,=]{5,60}\$[A-Za-z0-9+/=]{4,128}\$[A-Za-z0-9+/=]{16,256}|\$(?:1|5|6|y|7|scrypt|pbkdf2(?:-sha(?:1|256|512))?)\$[^\s$]{1,64}\$(?:[^\s$]{1,64}\$)?[./A-Za-z0-9+=]{16,256}|pbkdf2_sha(?:1|256)\$\d{1,8}\$[A-Za-z0-9]{1,64}\$[A-Za-z0-9+/=]{20,128}|scrypt:\d{1,8}:\d{1,3}:\d{1,3}\$[^\s$]{1,64}\$[0-9a-f]{64,256}|\{S?SHA(?:256|512)?\}[A-Za-z0-9+/=]{20,128}|SCRAM-SHA-256\$\d{1,8}:[A-Za-z0-9+/=]{8,64}\$[A-Za-z0-9+/=]{30,60}:[A-Za-z0-9+/=]{30,60})$/,
    validate: () => 0.99,
    chance: 1,
  },
  {
    name: 'PRIVATE_KEY',
    title: 'private key',
    family: 'secret',
    category: CREDENTIALS,
    source: 'RFC 7468; OpenSSH PROTOCOL.key; age',
    examples: ['-----BEGIN PRIVATE KEY-----', '-----BEGIN OPENSSH PRIVATE KEY-----'],
    counterExamples: ['-----BEGIN PUBLIC KEY-----', '-----BEGIN CERTIFICATE-----'],
    pattern: new RegExp(`^(?:${PEM_SOURCE}|AGE-SECRET-KEY-1[A-Z0-9]{58})$`),
    validate: () => 0.99,
    chance: 1,
  },
  {
    name: 'SECRET',
    title: 'password or other secret written down beside its name',
    family: 'secret',
    category: PASSWORD,
    source: 'OWASP ASVS 5.0, V13',
    examples: ['hunter2!', 'Tr0ub4dor&3'],
    counterExamples: ['password', 'a'],
    pattern: /^[^\s"'`,;<>]{6,128}$/,
    validators: ['entropy'],
    validate: (value) => (/\d/.test(value) && /\p{L}/u.test(value) && entropy(value) > 2.2 ? 0.2 : 0),
    chance: 0.8,
    cues: 'password|passwd|pwd|secret|passphrase|passwort|kennwort|mot de passe|contraseña|api[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret',
    needsCue: true,
  },
];
