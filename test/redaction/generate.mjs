// Makes the sets on which redaction is measured, out of generators and validators
// that are not Aval's (see package.json). The one rule that must not be broken:
// no rule is changed after looking at what the frozen set says about a value.
//
//   npm ci --ignore-scripts && node generate.mjs
//
// Writes dev.txt.gz and frozen.txt.gz with their hashes: one value a line, as
// kind, + (to be removed) or - (a number of the same form whose check digits the
// package calls wrong), number of the sentence, value; \n stands for a new line.
import { createRequire } from 'node:module';
import { createHash, createPrivateKey, createECDH } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { writeFileSync } from 'node:fs';
import { templates } from './templates.mjs';

const require = createRequire(import.meta.url);

// Every package draws from one seeded source. The committed files are the sets:
// packages keep state, so that another run makes other values of the same sort.
let state = 1;
function random() { // mulberry32
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
Math.random = random;
const nodeCrypto = require('node:crypto');
nodeCrypto.randomBytes = (n) => Buffer.from(Array.from({ length: n }, () => Math.floor(random() * 256)));

const faker = require('@faker-js/faker');
const br = require('@brazilian-utils/brazilian-utils');
const { cpf, cnpj } = require('cpf-cnpj-validator');
const { stdnum } = require('stdnum');
const nhs = require('nhs-number-validator');
const passwords = require('generate-password');
const forge = require('node-forge');

const int = (n) => Math.floor(random() * n);
const pick = (list) => list[int(list.length)];
const digits = (n) => Array.from({ length: n }, () => int(10)).join('');
const group = (s, ...sizes) => { let at = 0; return sizes.map((n) => s.slice(at, (at += n))); };
const en = faker.faker;
const locales = [faker.fakerPT_BR, faker.fakerEN_US, faker.fakerEN_GB, faker.fakerES, faker.fakerDE, faker.fakerFR, faker.fakerIT, faker.fakerNL, faker.fakerPL];

// until draws from make until the package says what is wanted of it.
function until(make, ok) {
  for (let i = 0; i < 1e6; i++) { const v = make(); if (ok(v)) return v; }
  throw new Error('the package accepts nothing');
}
const says = (validator) => (v) => validator.validate(v).isValid;
// broken changes digits of a good value until the package calls it wrong.
function broken(good, ok) {
  return until(() => {
    const at = [...good].map((c, i) => (/\d/.test(c) ? i : -1)).filter((i) => i >= 0);
    let v = good;
    for (let k = 0; k < 1 + int(3); k++) { const i = pick(at); v = v.slice(0, i) + int(10) + v.slice(i + 1); }
    return v;
  }, (v) => !ok(v));
}
const date = () => en.date.between({ from: '1940-01-01', to: '2010-12-31' }).toISOString().slice(0, 10).replaceAll('-', '');

// kinds with check digits: make, the package's opinion, the ways of writing.
const plain = (v) => v;
const checked = {
  cpf: [() => cpf.generate(), (v) => cpf.isValid(v), [plain, (v) => cpf.format(v), (v) => group(v, 3, 3, 3, 2).join(' ')]],
  cnpj: [() => until(() => br.generateCnpj(), (v) => /^\d+$/.test(v)), (v) => cnpj.isValid(v), [plain, (v) => br.formatCnpj(v)]],
  'cnpj-letters': [() => until(() => cnpj.generate(), (v) => /[A-Z]/.test(v)), (v) => cnpj.isValid(v), [plain, (v) => cnpj.format(v)]],
  card: [() => until(() => en.finance.creditCardNumber().replace(/\D/g, ''), (v) => br.isValidCreditCard(v) || luhn(v)), luhn, [plain, (v) => v.match(/.{1,4}/g).join(' '), (v) => v.match(/.{1,4}/g).join('-')]],
  iban: [() => en.finance.iban(), (v) => ibanOK(v), [plain, (v) => v.match(/.{1,4}/g).join(' ')]],
  pis: [() => br.generatePis(), (v) => br.isValidPis(v), [plain, (v) => br.formatPis(v)]],
  cnh: [() => br.generateCnh(), (v) => br.isValidCnh(v), [plain]],
  titulo: [() => br.generateVoterId(), (v) => br.isValidVoterId(v), [plain, (v) => br.formatVoterId(v), (v) => group(v, 4, 4, 4).join(' ')]],
  nhs: [() => until(() => digits(10), (v) => nhs.validate(v)), (v) => nhs.validate(v), [plain, (v) => group(v, 3, 3, 4).join(' ')]],
  dni: [() => until(() => digits(8) + pick([...'TRWAGMYFPDXBNJZSQVHLCKE']), says(stdnum.ES.dni)), says(stdnum.ES.dni), [plain, (v) => v.slice(0, 8) + '-' + v[8], (v) => v.toLowerCase()]],
  nie: [() => until(() => pick(['X', 'Y', 'Z']) + digits(7) + pick([...'TRWAGMYFPDXBNJZSQVHLCKE']), says(stdnum.ES.nie)), says(stdnum.ES.nie), [plain, (v) => v[0] + '-' + v.slice(1, 8) + '-' + v[8]]],
  steuer: [() => until(() => digits(11), (v) => says(stdnum.DE.idnr)(v) && oneTwin(v)), says(stdnum.DE.idnr), [plain, (v) => stdnum.DE.idnr.format(v)]],
  nir: [() => { const head = pick(['1', '2']) + digits(2) + pick(['01', '04', '06', '09', '12']) + String(1 + int(95)).padStart(2, '0').replace('20', '21') + digits(6); return until(() => head + digits(2), says(stdnum.FR.nir)); }, says(stdnum.FR.nir), [plain, (v) => stdnum.FR.nir.format(v)]],
  codicefiscale: [() => { const L = () => pick([...'BCDFGHLMNPRSTVZ']); const head = L() + L() + L() + L() + L() + L() + digits(2) + pick([...'ABCDEHLMPRST']) + String(pick([1, 41]) + int(28)).padStart(2, '0') + pick([...'ABCDEFGHIL']) + digits(3); return until(() => head + pick([...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']), says(stdnum.IT.codicefiscale)); }, says(stdnum.IT.codicefiscale), [plain, (v) => v.toLowerCase()]],
  bsn: [() => until(() => digits(9), says(stdnum.NL.bsn)), says(stdnum.NL.bsn), [plain, (v) => group(v, 4, 2, 3).join('.'), (v) => group(v, 3, 3, 3).join(' ')]],
  pesel: [() => until(() => { const d = date(); const y = +d.slice(0, 4); return d.slice(2, 4) + String(+d.slice(4, 6) + (y >= 2000 ? 20 : 0)).padStart(2, '0') + d.slice(6) + digits(5); }, says(stdnum.PL.pesel)), says(stdnum.PL.pesel), [plain]],
  nip: [() => until(() => digits(10), says(stdnum.PL.nip)), says(stdnum.PL.nip), [plain, (v) => group(v, 3, 3, 2, 2).join('-'), (v) => group(v, 3, 2, 2, 3).join('-')]],
  ric: [() => until(() => pick(['110105', '310101', '440106', '510104', '330102', '420102', '610102']) + date() + digits(3) + pick([...'0123456789X']), says(stdnum.CN.ric)), says(stdnum.CN.ric), [plain]],
};
// The package lets some numbers pass whose digits repeat otherwise than the tax
// office says: one digit stands two or three times, no other more than once.
function oneTwin(v) {
  const more = [...'0123456789'].map((d) => v.slice(0, 10).split(d).length - 1).filter((n) => n > 1);
  return more.length === 1 && more[0] <= 3;
}
function luhn(v) { // the package knows no issuer's test; its Luhn does not need one
  let sum = 0;
  [...v].reverse().forEach((c, i) => { let d = +c; if (i % 2) { d *= 2; if (d > 9) d -= 9; } sum += d; });
  return sum % 10 === 0;
}
function ibanOK(v) {
  let r = 0;
  for (const c of v.slice(4) + v.slice(0, 4)) r = Number(String(r) + (/\d/.test(c) ? c : c.charCodeAt(0) - 55)) % 97;
  return r === 1;
}

function pemKey(i) {
  const seed = nodeCrypto.randomBytes(32);
  if (i % 20 === 0) {
    const prng = forge.random.createInstance();
    prng.seedFileSync = (n) => nodeCrypto.randomBytes(n).toString('binary');
    const key = forge.pki.rsa.generateKeyPair({ bits: 1024, prng, algorithm: 'PRIMEINC' }).privateKey;
    return (i % 40 ? forge.pki.privateKeyToPem(key) : forge.pki.privateKeyInfoToPem(forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)))).replaceAll('\r', '').trim();
  }
  if (i % 2) {
    const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }).trim();
  }
  const ec = createECDH('prime256v1');
  ec.setPrivateKey(seed);
  const pub = ec.getPublicKey();
  const b64 = (b) => b.toString('base64url');
  const key = createPrivateKey({ format: 'jwk', key: { kty: 'EC', crv: 'P-256', d: b64(seed), x: b64(pub.subarray(1, 33)), y: b64(pub.subarray(33)) } });
  return key.export({ format: 'pem', type: i % 4 ? 'pkcs8' : 'sec1' }).trim();
}
// What people choose and what programs make: four sorts in equal parts.
function password(i) {
  switch (i % 4) {
    case 0: return en.internet.password({ length: 8 + int(8) });
    case 1: return passwords.generate({ length: 8 + int(8), numbers: true, symbols: '!@#$%*+?', strict: true });
    case 2: return pick(locales).person.firstName().replace(/[^A-Za-z]/g, '') + pick(['', '@', '#', '!']) + (1950 + int(76));
    default: return en.internet.password({ memorable: true, length: 8 + int(6) });
  }
}
// In commands nothing that a shell would take apart.
const word = (i) => until(() => password(i), (v) => /^[A-Za-z0-9@#!_+*.]+$/.test(v) && !/^[#!@]/.test(v));
const others = {
  ssn: () => until(() => { const v = digits(9); return pick([v, group(v, 3, 2, 4).join('-')]); }, says(stdnum.US.ssn)),
  nino: () => until(() => { const v = pick([...'ABCEGHJKLMNOPRSTWXYZ']) + pick([...'ABCEGHJKLMNPRSTWXYZ']) + digits(6) + pick([...'ABCD']); return pick([v, group(v, 2, 2, 2, 2, 1).join(' ')]); }, says(stdnum.GB.nino)),
  email: (i) => pick(locales).internet.email({ allowSpecialCharacters: i % 4 === 0 }),
  ipv4: () => en.internet.ipv4(),
  ipv6: () => en.internet.ipv6(),
  mac: (i) => en.internet.mac({ separator: i % 3 === 0 ? '-' : ':' }),
  jwt: () => en.internet.jwt(),
  pem: pemKey,
  phonebr: (i) => (i % 2 ? faker.fakerPT_BR.phone.number({ style: pick(['human', 'national', 'international']) }) : br.formatPhone(br.generatePhone())),
  phoneintl: () => pick(locales).phone.number({ style: 'international' }),
  urlcred: (i) => `${en.internet.username()}:${until(() => password(i), (v) => /^[A-Za-z0-9!_*.+$-]+$/.test(v))}`,
  secret_pt: (i) => password(i),
  secret_en: (i) => password(i),
  secret_es: (i) => password(i),
  secret_cmd: word,
  secret_chat: (i) => password(i),
};
const sentences = (kind) => templates[kind === 'cnpj-letters' ? 'cnpj' : kind];

function make(set, n, seed) {
  state = seed;
  for (const f of [faker.faker, ...locales]) f.seed(seed);
  const lines = [];
  const put = (kind, sign, value) => {
    const t = int(sentences(kind)[set].length);
    lines.push([kind, sign, t, value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')].join('\t'));
  };
  for (const [kind, [good, ok, ways]] of Object.entries(checked)) {
    for (let i = 0; i < n; i++) {
      const v = until(good, ok);
      put(kind, '+', pick(ways)(v));
      put(kind, '-', pick(ways)(broken(until(good, ok), ok)));
    }
  }
  for (const [kind, f] of Object.entries(others)) for (let i = 0; i < n; i++) put(kind, '+', f(i));
  const text = lines.join('\n') + '\n';
  writeFileSync(`${set}.txt.gz`, gzipSync(Buffer.from(text), { level: 9 }));
  const t = Object.entries(templates).flatMap(([kind, s]) => s[set].map((x, i) => [kind, i, x.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')].join('\t'))).join('\n') + '\n';
  writeFileSync(`${set}-sentences.txt`, t);
  writeFileSync(`${set}.sha256`, createHash('sha256').update(text).update(t).digest('hex') + '\n');
  console.log(set, lines.length, 'values');
}
if (process.argv[2] !== 'frozen') make('dev', 300, 20261101);
if (process.argv[2] !== 'dev') make('frozen', 2000, 20261122);
