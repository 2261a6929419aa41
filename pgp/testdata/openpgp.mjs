// What the interop tests ask of OpenPGP.js. Usage: node openpgp.mjs MODULE VERB, JSON in and out; octets are base64.
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [module, verb] = process.argv.slice(2);
const openpgp = await import(pathToFileURL(module));

const base64 = octets => Buffer.from(octets).toString('base64');

// keys makes one private key of each kind.
async function keys() {
  const kinds = {
    'Curve25519': { type: 'ecc', curve: 'curve25519Legacy' },
    'Curve25519, AEAD': { type: 'ecc', curve: 'curve25519Legacy', config: { aeadProtect: true } },
    'RSA': { type: 'rsa', rsaBits: 3072 },
    'P-256': { type: 'ecc', curve: 'nistP256' },
    'version 6': { type: 'curve25519', config: { v6Keys: true, aeadProtect: true } },
  };
  const made = {};
  for (const [kind, options] of Object.entries(kinds)) {
    const { privateKey } = await openpgp.generateKey({ userIDs: [{ email: 'bob@js.example' }], ...options });
    made[kind] = privateKey;
  }
  return made;
}

// open decrypts each message and insists on a good signature.
async function open({ name, key, certs, in: message }) {
  const { data, signatures } = await openpgp.decrypt({
    message: await openpgp.readMessage({ armoredMessage: Buffer.from(message, 'base64').toString() }),
    decryptionKeys: await openpgp.readPrivateKey({ armoredKey: key }),
    verificationKeys: await openpgp.readKey({ armoredKey: certs[0] }),
    format: 'binary',
  });
  if (signatures.length !== 1) throw new Error(`${name}: ${signatures.length} signatures`);
  await signatures[0].verified;
  return base64(data);
}

// seal signs and encrypts, in the format that follows from what the recipients read.
async function seal({ key, certs, in: text }) {
  const message = await openpgp.encrypt({
    message: await openpgp.createMessage({ binary: Buffer.from(text, 'base64') }),
    encryptionKeys: await Promise.all(certs.map(armoredKey => openpgp.readKey({ armoredKey }))),
    signingKeys: await openpgp.readPrivateKey({ armoredKey: key }),
  });
  return base64(message);
}

async function each(f, jobs) {
  const out = [];
  for (const job of jobs) {
    try {
      out.push(await f(job));
    } catch (e) {
      throw new Error(`${job.name}: ${e.message}`);
    }
  }
  return out;
}

const input = JSON.parse(readFileSync(0));
const verbs = { version: () => openpgp.config.versionString, keys, open: () => each(open, input), seal: () => each(seal, input) };
process.stdout.write(JSON.stringify(await verbs[verb]()));
