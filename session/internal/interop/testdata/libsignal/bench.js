// What a message costs with @signalapp/libsignal-client. Each request
// {inMemory, pingpong, size, messages} is answered with {nanoseconds, wire,
// state}: the processor time of all messages, each encrypted and decrypted, all
// threads counted; the bytes of one on the wire; those of the larger session.
'use strict';
const { addresses, party, preKeys, publish, start, encrypt, decrypt, stored, serve } = require('./parties');

// Two people who have heard from each other.
async function pair(inMemory) {
  const [alice, bob] = addresses.map((a) => party(a, { inMemory }));
  const k = preKeys(bob.identity);
  await publish(bob, k);
  await start(alice, bob.address, bob.identity, k);
  for (const [from, to] of [[alice, bob], [bob, alice]]) {
    await decrypt(to, from.address, await encrypt(from, to.address, new Uint8Array(8)));
  }
  return [alice, bob];
}

const pairs = new Map();

serve(async ({ inMemory, pingpong, size, messages }) => {
  const name = `${inMemory} ${pingpong} ${size}`;
  if (!pairs.has(name)) pairs.set(name, await pair(inMemory));
  const people = pairs.get(name);
  const text = new Uint8Array(size).fill(7);
  let wire = 0;
  let [from, to] = people;
  const begin = process.cpuUsage();
  for (let i = 0; i < messages; i++) {
    const c = await encrypt(from, to.address, text);
    const p = await decrypt(to, from.address, c);
    if (p.length !== size) throw new Error('wrong length');
    wire = c.message.length;
    if (pingpong) [from, to] = [to, from];
  }
  const { user, system } = process.cpuUsage(begin);
  if (pingpong && messages % 2) throw new Error('an odd number of turns');
  const [a, b] = people;
  const state = Math.max(stored(a, b.address).length, stored(b, a.address).length);
  return { nanoseconds: (user + system) * 1000, wire, state };
});
