// People for @signalapp/libsignal-client, with everything in memory.
//
// The package is AGPL-3.0: it runs here, in a process of its own, for tests and
// measurements only. It is neither linked into nor shipped with Starling.
'use strict';
const S = require('@signalapp/libsignal-client');

// The two addresses, the initiator's first.
const addresses = [
  S.ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 1),
  S.ProtocolAddress.new('6838237d-02f6-4098-b110-698253d15961', 1),
];

// A party keeps its sessions as bytes, as an app with a database does, or, with
// inMemory, as the objects that they are.
function party(address, { inMemory = false } = {}) {
  const maps = { session: new Map(), identity: new Map(), pre: new Map(), signed: new Map(), kyber: new Map() };
  const identity = S.PrivateKey.generate();
  class Sessions extends S.SessionStore {
    async saveSession(name, record) { maps.session.set(name.toString(), inMemory ? record : record.serialize()); }
    async getSession(name) {
      const record = maps.session.get(name.toString());
      return !record || inMemory ? record || null : S.SessionRecord.deserialize(record);
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

// Prekeys, signed with an identity.
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

// Keep the private halves of prekeys with their owner.
async function publish(p, k) {
  await p.preKeys.savePreKey(31, S.PreKeyRecord.new(31, k.one.getPublicKey(), k.one));
  await p.signedPreKeys.saveSignedPreKey(32, S.SignedPreKeyRecord.new(32, 1, k.signed.getPublicKey(), k.signed, k.signedSignature));
  await p.kyberPreKeys.saveKyberPreKey(33, S.KyberPreKeyRecord.new(33, 1, k.kem, k.kemSignature));
}

// Start a session with someone from their prekeys.
async function start(p, peer, identity, k) {
  const bundle = S.PreKeyBundle.new(7, 1, 31, k.one.getPublicKey(), 32, k.signed.getPublicKey(), k.signedSignature,
    identity.getPublicKey(), 33, k.kem.getPublicKey(), k.kemSignature);
  await S.processPreKeyBundle(bundle, peer, p.address, p.sessions, p.identities);
}

// The bytes of one message, and whether it is a pre-key message.
async function encrypt(p, peer, text) {
  const c = await S.signalEncrypt(text, peer, p.address, p.sessions, p.identities);
  return { prekey: c.type() === S.CiphertextMessageType.PreKey, message: c.serialize() };
}

function decrypt(p, peer, { prekey, message }) {
  return prekey
    ? S.signalDecryptPreKey(S.PreKeySignalMessage.deserialize(message), peer, p.address,
      p.sessions, p.identities, p.preKeys, p.signedPreKeys, p.kyberPreKeys)
    : S.signalDecrypt(S.SignalMessage.deserialize(message), peer, p.address, p.sessions, p.identities);
}

// The bytes of the session with someone.
function stored(p, peer) {
  const record = p.maps.session.get(peer.toString());
  return Buffer.from(record instanceof S.SessionRecord ? record.serialize() : record);
}

// Read one JSON object a line, and answer each with one.
async function serve(answer) {
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await answer(JSON.parse(line))) + '\n');
  }
}

module.exports = { S, addresses, party, preKeys, publish, start, encrypt, decrypt, stored, serve };
