// One end of a conversation, played by @signalapp/libsignal-client.
'use strict';
const { S, addresses, party, preKeys, publish, start, encrypt, decrypt, stored, serve } = require('./parties');

const hex = (b) => Buffer.from(b).toString('hex');
const bytes = (h) => new Uint8Array(Buffer.from(h, 'hex'));

let me, peer;

const commands = {
  // libsignal answers: publish a bundle for the other end to start from.
  async respond() {
    me = party(addresses[1]);
    peer = addresses[0];
    const k = preKeys(me.identity);
    await publish(me, k);
    return {
      identity: hex(me.identity.getPublicKey().serialize()),
      one: hex(k.one.getPublicKey().serialize()),
      signed: hex(k.signed.getPublicKey().serialize()),
      kem: hex(k.kem.getPublicKey().serialize()),
    };
  },
  // libsignal starts: it makes the other end's keys too, signs them for it, and
  // hands them over.
  async initiate() {
    me = party(addresses[0]);
    peer = addresses[1];
    const identity = S.PrivateKey.generate();
    const k = preKeys(identity);
    await start(me, peer, identity, k);
    return {
      identity: hex(identity.serialize()),
      one: hex(k.one.serialize()),
      signed: hex(k.signed.serialize()),
      kem: hex(k.kem.getSecretKey().serialize()),
    };
  },
  async encrypt({ text }) {
    const { prekey, message } = await encrypt(me, peer, bytes(text));
    return { prekey, message: hex(message) };
  },
  async decrypt({ prekey, message }) {
    return { text: hex(await decrypt(me, peer, { prekey, message: bytes(message) })) };
  },
  // Which of these byte strings occur in the stored session?
  async holds({ keys }) {
    const record = stored(me, peer);
    return { holds: keys.map((k) => record.includes(Buffer.from(k, 'hex'))), size: record.length };
  },
};

serve(async (request) => {
  try {
    return await commands[request.do](request);
  } catch (e) {
    if (process.env.ORACLE_DEBUG) console.error(request.do, e.message);
    return { refused: true };
  }
});
