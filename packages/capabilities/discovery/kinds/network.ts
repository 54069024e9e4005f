import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import { luhn } from './check-digits.ts';
import type { KindFacts } from './model.ts';

const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)';
const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Base58Check: the last four bytes are the double SHA-256 of the rest. Of fixed work: at most 35 letters. */
function base58Check(value: string): boolean {
  let number = 0n;
  for (const letter of value) {
    const digit = BASE58.indexOf(letter);
    if (digit < 0) return false;
    number = number * 58n + BigInt(digit);
  }
  const bytes = Buffer.from(number.toString(16).padStart(50, '0'), 'hex');
  if (bytes.length !== 25) return false;
  const twice = createHash('sha256')
    .update(createHash('sha256').update(bytes.subarray(0, 21)).digest())
    .digest();
  return twice.subarray(0, 4).equals(bytes.subarray(21));
}

const BECH32 = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';

/** BIP 173 and BIP 350. */
function bech32(value: string): boolean {
  const text = value.toLowerCase();
  const values = [3, 3, 0, 2, 3, ...Array.from(text.slice(3), (letter) => BECH32.indexOf(letter))];
  if (values.includes(-1)) return false;
  let check = 1;
  for (const item of values) {
    const top = check >>> 25;
    check = ((check & 0x1ff_ff_ff) << 5) ^ item;
    for (const [bit, generator] of [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3].entries()) {
      if (((top >>> bit) & 1) === 1) check ^= generator;
    }
  }
  return check === 1 || check === 0x2bc830a3;
}

/** Addresses that name no machine of a person: unspecified, broadcast, documentation, and the versions people write like them. */
function ipv4Sureness(value: string): number {
  if (/^(?:0\.|255\.255\.|127\.)/.test(value) || value.split('.').some((part) => part.length > 1 && part.startsWith('0')))
    return 0.2;
  return 0.7;
}

export const networkKinds: readonly KindFacts[] = [
  {
    name: 'IP_ADDRESS',
    title: 'IP address, version 4 or 6',
    family: 'network',
    category: 'user.device.ip_address',
    hipaa: 'O',
    source: 'RFC 791, RFC 4291; CJEU C-582/14 (Breyer)',
    examples: ['192.0.2.17', '2001:db8::8a2e:370:7334'],
    counterExamples: ['256.1.1.1', '1.2.3', '12:30:45'],
    pattern: new RegExp(`^(?:${OCTET}(?:\\.${OCTET}){3}|[0-9A-Fa-f:]{2,39}(?:${OCTET}(?:\\.${OCTET}){3})?)$`),
    validators: ['ip'],
    validate: (value) =>
      value.includes(':') ? (isIPv6(value) && value.length > 4 ? 0.9 : 0) : isIPv4(value) ? ipv4Sureness(value) : 0,
    chance: 1,
    cues: 'ip|address|host|client|remote|from|addr',
  },
  {
    name: 'MAC_ADDRESS',
    title: 'MAC address',
    family: 'network',
    category: 'user.device.device_id',
    hipaa: 'M',
    source: 'IEEE 802',
    examples: ['00:1B:44:11:3A:B7', '00-1b-44-11-3a-b7', '001b.4411.3ab7'],
    counterExamples: ['00:00:00:00:00:00', 'FF:FF:FF:FF:FF:FF', '00:1B:44:11:3A'],
    pattern:
      /^(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})$/,
    validators: ['not-reserved'],
    validate: (value) =>
      /^(?:0[0:.-]{0,1}0?[:.-]?){4,}0+$|^(?:ff[:.-]?){6}$/i.test(value) || /^(?:00[:-]){5}00$/.test(value) ? 0 : 0.9,
    chance: 1,
  },
  {
    name: 'IMEI',
    title: 'mobile equipment identity',
    family: 'network',
    category: 'user.device.device_id',
    hipaa: 'M',
    source: '3GPP TS 23.003',
    examples: ['490154203237518', '49-015420-323751-8'],
    counterExamples: ['490154203237519'],
    pattern: /^\d{2}-?\d{6}-?\d{6}-?\d$/,
    validators: ['luhn'],
    validate: (value) => (luhn(value.replaceAll('-', '')) ? 0.5 : 0),
    chance: 0.1,
    cues: 'imei',
    needsCue: true,
  },
  {
    name: 'URL',
    title: 'web address',
    family: 'network',
    category: 'user.contact.url',
    hipaa: 'N',
    source: 'RFC 3986',
    examples: ['https://www.example.org/anna?id=7', 'http://example.com', 'www.example.de'],
    counterExamples: ['http:/', 'example', 'e.g.'],
    pattern:
      /^(?:(?:https?|ftp):\/\/[^\s<>"']{3,2000}|www\.[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}(?:\/[^\s<>"']{0,2000})?)$/iu,
    validate: () => 0.9,
    chance: 1,
  },
  {
    name: 'CRYPTO',
    title: 'wallet address (Bitcoin, Ethereum)',
    family: 'network',
    category: 'user.financial',
    hipaa: 'J',
    source: 'BIP 173, BIP 350; Base58Check; EIP-55',
    examples: [
      '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa',
      'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4',
      '0x52908400098527886E0F7030069857D2E4169EE7',
    ],
    counterExamples: ['1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb', 'bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5'],
    pattern: /^(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71}|0x[0-9a-fA-F]{40})$/,
    validators: ['base58check', 'bech32'],
    validate: (value) => {
      if (value.startsWith('0x')) return /^0x(?:[0-9a-f]{40}|0{20})/.test(value) ? 0.4 : 0.75;
      return (value.startsWith('bc1') ? bech32(value) : base58Check(value)) ? 0.98 : 0;
    },
    chance: 1e-9,
    cues: 'wallet|btc|bitcoin|eth|ethereum|crypto',
  },
];
