// One end of a conversation, played by @signalapp/libsignal-client. Reads one
// JSON object a line from standard input and answers each with one.
//
// The package is AGPL-3.0: it runs here, in a process of its own, for tests
// only. It is neither linked into nor shipped with Starling.
'use strict';
const readline = require('readline');
const S = require('@signalapp/libsignal-client');

const hex = (b) => Buffer.from(b).toString('hex');
const bytes = (h) => new Uint8Array(Buffer.from(h, 'hex'));

// The two addresses, the initiator's first.
const addresses = [
  S.ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 1),
  S.ProtocolAddress.new('6838237d-02f6-4098-b110-698253d15961', 1),
];

function party(address) {
  const maps = { session: new Map(), identity: new Map(), pre: new Map(), signed: new Map(), kyber: new Map() };
  const identity = S.PrivateKey.generate();
  class Sessions extends S.SessionStore {
    async saveSession(name, record) { maps.session.set(name.toString(), record.serialize()); }
    async getSession(name) {
      const record = maps.session.get(name.toString());
      return record ? S.SessionRecord.deserialize(record) : null;
    }
    async getExistingSessions(names) { return Promise.all(names.map((n) => this.getSession(n))); }
  }
  class Identities extends S.IdentityKeyStore {
    async getIdentityKey() { return identity; }
    async getLocalRegistrationId() { return 5; }
    async saveIdentity(name, key) { maps.identity.set(name.toString(), key); return S.IdentityChange.NewOrUnchanged; }
    async isTrustedIdentity() { return true; }
    async getIdentity(name) { return maps.identity.get(name.toString()) || null; }
  }
  class PreKeys extends S.PreKeyStore {
    async savePreKey(id, record) { maps.pre.set(id, record); }
    async getPreKey(id) { return maps.pre.get(id); }
    async removePreKey(id) { maps.pre.delete(id); }
  }
  class SignedPreKeys extends S.SignedPreKeyStore {
    async saveSignedPreKey(id, record) { maps.signed.set(id, record); }
    async getSignedPreKey(id) { return maps.signed.get(id); }
  }
  class KyberPreKeys extends S.KyberPreKeyStore {
    async saveKyberPreKey(id, record) { maps.kyber.set(id, record); }
    async getKyberPreKey(id) { return maps.kyber.get(id); }
    async markKyberPreKeyUsed() {}
  }
  return {
    address, identity, maps,
    sessions: new Sessions(), identities: new Identities(),
    preKeys: new PreKeys(), signedPreKeys: new SignedPreKeys(), kyberPreKeys: new KyberPreKeys(),
  };
}

function preKeys(identity) {
  const one = S.PrivateKey.generate();
  const signed = S.PrivateKey.generate();
  const kem = S.KEMKeyPair.generate();
  return {
    one, signed, kem,
    signedSignature: identity.sign(signed.getPublicKey().serialize()),
    kemSignature: identity.sign(kem.getPublicKey().serialize()),
  };
}

let me, peer;

const commands = {
  // libsignal answers: publish a bundle for the other end to start from.
  async respond() {
    me = party(addresses[1]);
    peer = addresses[0];
    const k = preKeys(me.identity);
    await me.preKeys.savePreKey(31, S.PreKeyRecord.new(31, k.one.getPublicKey(), k.one));
    await me.signedPreKeys.saveSignedPreKey(32, S.SignedPreKeyRecord.new(32, 1, k.signed.getPublicKey(), k.signed, k.signedSignature));
    await me.kyberPreKeys.saveKyberPreKey(33, S.KyberPreKeyRecord.new(33, 1, k.kem, k.kemSignature));
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
    const bundle = S.PreKeyBundle.new(7, 1, 31, k.one.getPublicKey(), 32, k.signed.getPublicKey(), k.signedSignature,
      identity.getPublicKey(), 33, k.kem.getPublicKey(), k.kemSignature);
    await S.processPreKeyBundle(bundle, peer, me.address, me.sessions, me.identities);
    return {
      identity: hex(identity.serialize()),
      one: hex(k.one.serialize()),
      signed: hex(k.signed.serialize()),
      kem: hex(k.kem.getSecretKey().serialize()),
    };
  },
  async encrypt({ text }) {
    const c = await S.signalEncrypt(bytes(text), peer, me.address, me.sessions, me.identities);
    return { prekey: c.type() === S.CiphertextMessageType.PreKey, message: hex(c.serialize()) };
  },
  async decrypt({ prekey, message }) {
    const text = prekey
      ? await S.signalDecryptPreKey(S.PreKeySignalMessage.deserialize(bytes(message)), peer, me.address,
        me.sessions, me.identities, me.preKeys, me.signedPreKeys, me.kyberPreKeys)
      : await S.signalDecrypt(S.SignalMessage.deserialize(bytes(message)), peer, me.address, me.sessions, me.identities);
    return { text: hex(text) };
  },
  // Which of these byte strings occur in the stored session?
  async holds({ keys }) {
    const record = Buffer.from(me.maps.session.get(peer.toString()));
    return { holds: keys.map((k) => record.includes(Buffer.from(k, 'hex'))), size: record.length };
  },
};

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = await commands[request.do](request);
    } catch (e) {
      answer = { refused: true };
      if (process.env.ORACLE_DEBUG) console.error(request.do, e.message);
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
})();
