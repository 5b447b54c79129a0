"""The session layer: PROTOCOL.md sections 3.1 to 3.5 and 3.7 to 3.9.

In order: keys and bundle, invite, handshake, Double Ratchet with encrypted headers, cell,
the two parties of a conversation, and how a session follows on another.
"""

import base64
import copy

import spqr
from mlkem import KEM1024
from primitives import (
    ZERO32, Reader, Refused, agree, be, cut, ed25519_public, ed25519_sign, ed25519_verify, hkdf,
    hmac, need, random, seal, sha256, tag_is_right, unseal, x25519_check, x25519_public)

CELL = 1536


def label(text):
    return b"Starling v1 " + text.encode()


def derive(text, salt, ikm, n):
    return hkdf(salt or ZERO32, ikm, label(text), n)


def hash_(text, m):
    return sha256(label(text) + m)


# --- Keys (3.1) -----------------------------------------------------------------------------


def encode_ec(k):
    return b"\x05" + k


def encode_ed(k):
    return b"\x0e" + k


def encode_kem(k):
    return b"\x0a" + k


def _typed(r, kind, n):
    need(r.take(1) == kind, "type of a key")
    return r.take(n)


class Identity:
    """The public form; with the private keys if they are ours."""

    def __init__(self, signing=None, dh=None):
        if signing is None:
            return
        self.signing_private, self.dh_private = signing, dh
        self.signing, self.dh = ed25519_public(signing), x25519_public(dh)
        self.encoded = encode_ed(self.signing) + encode_ec(self.dh)
        self.encoded += self.sign("signature: identity DH key", encode_ec(self.dh))

    def sign(self, text, encoded):
        return ed25519_sign(self.signing_private, label(text) + encoded)

    def verify(self, text, encoded, signature):
        need(ed25519_verify(self.signing, label(text) + encoded, signature), "signature: " + text)

    @staticmethod
    def parse(data):
        i, r = Identity(), Reader(data)
        i.encoded = data
        i.signing, i.dh, signature = _typed(r, b"\x0e", 32), _typed(r, b"\x05", 32), r.take(64)
        r.done()
        x25519_check(i.dh)
        i.verify("signature: identity DH key", encode_ec(i.dh), signature)
        return i


class Bundle:
    """Prekeys; with the private keys if they are ours."""

    SIZE = 1957
    LABELS = ("signature: signed prekey", "signature: one-time prekey",
              "signature: one-time KEM prekey")

    @staticmethod
    def make(identity, spk, opk, kem):
        b = Bundle()
        b.identity, b.spk_private, b.opk_private, b.kem_private = identity, spk, opk, kem
        b.spk, b.opk, b.kem = x25519_public(spk), x25519_public(opk), KEM1024.public(kem)
        b.encoded = identity.encoded
        for text, key in zip(Bundle.LABELS, b.keys()):
            b.encoded += key + identity.sign(text, key)
        return b

    def keys(self):
        return encode_ec(self.spk), encode_ec(self.opk), encode_kem(self.kem)

    @staticmethod
    def parse(data):
        b, r = Bundle(), Reader(data)
        b.encoded = data
        b.identity = Identity.parse(r.take(130))
        b.spk, s1 = _typed(r, b"\x05", 32), r.take(64)
        b.opk, s2 = _typed(r, b"\x05", 32), r.take(64)
        b.kem, s3 = _typed(r, b"\x0a", 1568), r.take(64)
        r.done()
        x25519_check(b.spk)
        x25519_check(b.opk)
        need(KEM1024.vector_ok(b.kem[:-32]), "KEM key")
        for text, key, signature in zip(Bundle.LABELS, b.keys(), (s1, s2, s3)):
            b.identity.verify(text, key, signature)
        return b


# --- Invite (3.2) -----------------------------------------------------------------------------


def link_bytes(secret, bundle_hash, expiry, hints):
    data = b"\x01" + secret + bundle_hash + be(expiry, 4) + be(len(hints), 1)
    data += b"".join(be(len(h), 1) + h for h in hints)
    return data + hash_("hash: link", data)[:4]


def encode_link(*said):
    return "starling:" + base64.b32encode(link_bytes(*said)).decode().rstrip("=").lower()


def decode_link(text):
    need(len(text) <= 1024, "length of the link")
    text = "".join(text.split()).lower()
    need(text.startswith("starling:"), "not a link")
    digits = text.removeprefix("starling:").upper()
    try:
        data = base64.b32decode(digits + "=" * (-len(digits) % 8))
    except ValueError:
        need(False, "not base32")
    said = parse_link_bytes(data)
    need(encode_link(*said) == text, "stray bits")
    return said


def parse_link_bytes(data):
    need(len(data) > 4 and hash_("hash: link", data[:-4])[:4] == data[-4:], "checksum")
    r = Reader(data[:-4])
    need(r.int(1) == 1, "version")
    secret, bundle_hash, expiry, count = r.take(32), r.take(32), r.int(4), r.int(1)
    need(count <= 3, "number of hints")
    hints = []
    for _ in range(count):
        n = r.int(1)
        need(1 <= n <= 128, "length of a hint")
        hints.append(r.take(n))
    r.done()
    return secret, bundle_hash, expiry, hints


BUNDLE_CELL, HELLO_CELL, KNOCK_CELL = 1, 2, 3  # purposes


class InviteKeys:
    def __init__(self, secret):
        self.id = derive("invite: id", None, secret, 16)
        self.bundle_tags = cut(derive("invite: bundle tags", None, secret, 48), *[16] * 3)
        self.bundle_key = derive("invite: bundle key", None, secret, 64)
        self.hello_tags = cut(derive("invite: hello tags", None, secret, 384), *[16] * 24)
        self.hello_key = derive("invite: hello key", None, secret, 64)


def seal_invite_cell(key, purpose, slot, index, plain, iv=None):
    iv = iv or random(16)
    return iv + seal(key, iv, bytes([purpose, slot, index]) + iv, plain)


def open_invite_cell(key, purpose, slot, index, cell):
    need(len(cell) == CELL, "length")
    iv = cell[:16]
    plain = unseal(key, iv, bytes([purpose, slot, index]) + iv, cell[16:])
    need(len(plain) == 1487, "length of the plaintext")
    return plain


def bundle_plain(expiry, bundle):
    return b"\x01" + be(expiry, 4) + bundle + bytes(2499)


def bundle_hash(plain):
    return hash_("hash: bundle", plain)


def seal_bundle(keys, plain, ivs=(None,) * 3):
    parts = cut(plain, 1487, 1487, 1487)
    return [seal_invite_cell(keys.bundle_key, BUNDLE_CELL, 0, i, part, iv)
            for i, (part, iv) in enumerate(zip(parts, ivs))]


def open_bundle(keys, expected_hash, expiry, cells):
    plain = b"".join(open_invite_cell(keys.bundle_key, BUNDLE_CELL, 0, i, cell)
                     for i, cell in enumerate(cells))
    need(len(cells) == 3 and bundle_hash(plain) == expected_hash, "bundle hash")
    r = Reader(plain)
    need(r.int(1) == 1, "version")
    need(r.int(4) == expiry, "expiry is not that of the link")
    bundle = Bundle.parse(r.take(Bundle.SIZE))
    r.zeros()
    return bundle


def hello_plain(initial, cell):
    return initial + cell + bytes(1145)


def seal_hello(keys, slot, hello_id, plain, ivs=(None,) * 3):
    parts = cut(plain, 1471, 1471, 1471)
    return [seal_invite_cell(keys.hello_key, HELLO_CELL, slot, i, hello_id + part, iv)
            for i, (part, iv) in enumerate(zip(parts, ivs))]


def open_hello_cell(keys, slot, index, cell):
    """Returns the hello id and this part of the hello."""
    return cut(open_invite_cell(keys.hello_key, HELLO_CELL, slot, index, cell), 16, 1471)


def parse_hello(plain):
    r = Reader(plain)
    initial, cell = r.take(1732), r.take(CELL)
    r.zeros()
    return initial, cell


# --- Handshake (3.3) ----------------------------------------------------------------------------


class Secrets:
    """What both sides have after PQXDH: SK, AD, and the split."""

    def __init__(self, dhs, ss, a, b, kem, invite_id):
        self.dhs, self.ss = dhs, ss
        need(a.signing != b.signing and a.dh != b.dh, "identities share a key")
        ikm = b"\xff" * 32 + b"".join(dhs) + ss
        self.sk = derive("PQXDH X25519 ML-KEM-1024 SHA-256", None, ikm, 32)
        self.ad = hash_("hash: associated data", encode_ec(a.dh) + encode_ec(b.dh)
                        + encode_ed(a.signing) + encode_ed(b.signing)
                        + encode_kem(kem) + b"\x01" + invite_id)

        def split(text, n):
            return derive("split: " + text, None, self.sk, n)

        self.root = split("double ratchet root key", 32)
        self.pq = split("post-quantum ratchet secret", 32)
        self.header_a = split("header key of the initiator", 64)
        self.header_b = split("next header key of the responder", 64)
        self.tags_a = split("tags from the initiator", 32)
        self.tags_b = split("tags from the responder", 32)
        self.exporter = split("exporter", 32)

    def safety_number(self):
        b = derive("safety number", None, self.ad, 60)
        groups = cut(b, *[5] * 12)
        return " ".join(f"{int.from_bytes(g, 'big') % 100000:05}" for g in groups)

    def verification_code(self):
        code = base64.b32encode(derive("verification code", None, self.ad, 32))
        return "starling-verify:" + code.decode().rstrip("=").lower()

    def export(self, context, n=32):
        return derive("export", hash_("hash: export context", context), self.exporter, n)


def pqxdh_alice(identity, ephemeral, bundle, invite_id, m=None):
    """Returns the initial message and the secrets."""
    ciphertext, ss = KEM1024.encaps(bundle.kem, m)
    dhs = [agree(identity.dh_private, bundle.spk), agree(ephemeral, bundle.identity.dh),
           agree(ephemeral, bundle.spk), agree(ephemeral, bundle.opk)]
    initial = identity.encoded + encode_ec(x25519_public(ephemeral)) + b"\x0b" + ciphertext
    return initial, Secrets(dhs, ss, identity, bundle.identity, bundle.kem, invite_id)


def pqxdh_bob(bundle, initial, invite_id):
    r = Reader(initial)
    alice = Identity.parse(r.take(130))
    ephemeral = _typed(r, b"\x05", 32)
    ciphertext = _typed(r, b"\x0b", 1568)
    r.done()
    dhs = [agree(bundle.spk_private, alice.dh), agree(bundle.identity.dh_private, ephemeral),
           agree(bundle.spk_private, ephemeral), agree(bundle.opk_private, ephemeral)]
    ss = KEM1024.decaps(bundle.kem_private, ciphertext)
    return Secrets(dhs, ss, alice, bundle.identity, bundle.kem, invite_id)


# --- Double Ratchet (3.4) and message (3.5) -------------------------------------------------------


def kdf_root(root, dh):
    """Returns RK, CK, NHK."""
    return cut(derive("KDF_RK_HE", root, dh, 128), 32, 32, 64)


def kdf_chain(chain_key):
    """Returns the next chain key and the message key."""
    return hmac(chain_key, b"\x02"), hmac(chain_key, b"\x01")


def message_keys(mk, pq_key):
    """KDF_HYBRID and the expansion: key 64 and IV 16."""
    mixed = derive("KDF_HYBRID", pq_key, mk, 32)
    return cut(derive("message keys", None, mixed, 80), 64, 16)


def encode_header(ratchet_key, pn, n, pq_message):
    return ratchet_key + be(pn, 4) + be(n, 4) + pq_message


def decode_header(data):
    r = Reader(data)
    ratchet_key, pn, n, pq_message = r.take(32), r.int(4), r.int(4), r.take(47)
    r.done()
    x25519_check(ratchet_key)
    return ratchet_key, pn, n, pq_message


def seal_header(header_key, iv, header):
    return iv + seal(header_key, iv, iv, header)


def open_header(header_key, sealed):
    """The header, or None if the key is not this one."""
    iv, box = sealed[:16], sealed[16:]
    if not tag_is_right(header_key, iv, box):
        return None
    try:
        return decode_header(unseal(header_key, iv, iv, box))
    except Refused:
        return None


class DoubleRatchet:
    SKIP, KEPT, AGE = 1000, 2000, 256

    def __init__(self, s, alice, spk_private=None, spk=None, dh=None):
        self.ad, self.root = s.ad, s.root
        self.pq = spqr.Ratchet(alice, s.pq)
        self.ns = self.nr = self.pn = 0
        self.hkr = self.ckr = self.cks = self.hks = None
        self.skipped = {}  # (header key, n): (message key, DH steps when its chain ended)
        self.steps = 0  # DH steps of the peer
        if alice:
            self.dhs, self.dhr = dh or random(32), spk
            self.hks, self.nhkr = s.header_a, s.header_b
            self.root, self.cks, self.nhks = kdf_root(self.root, agree(self.dhs, self.dhr))
        else:
            self.dhs, self.dhr = spk_private, None
            self.nhkr, self.nhks = s.header_a, s.header_b

    def send(self, plain, draw=random):
        need(self.cks is not None, "has not received yet")
        need(self.ns < 2**32 - 1, "chain is used up")
        self.cks, mk = kdf_chain(self.cks)
        pq_message, pq_key = self.pq.send(draw)
        header = encode_header(x25519_public(self.dhs), self.pn, self.ns, pq_message)
        self.ns += 1
        sealed = seal_header(self.hks, draw(16), header)
        key, iv = message_keys(mk, pq_key)
        return sealed + seal(key, iv, self.ad + sealed, plain)

    def receive(self, message, draw=random):
        """On error the state must be thrown away."""
        sealed, body = message[:144], message[144:]
        mk, pq_message = self.message_key(sealed, draw)
        key, iv = message_keys(mk, self.pq.receive(pq_message))
        return unseal(key, iv, self.ad + sealed, body)

    def message_key(self, sealed, draw):
        header = self.hkr and open_header(self.hkr, sealed)
        if header:
            ratchet_key, _, n, pq_message = header
            need(ratchet_key == self.dhr, "another ratchet key under this header key")
            if n < self.nr:
                return self.take_skipped(self.hkr, n), pq_message
            return self.chain_key(n), pq_message
        header = open_header(self.nhkr, sealed)
        if header:
            ratchet_key, pn, n, pq_message = header
            self.skip(pn)
            self.dh_step(ratchet_key, draw)
            return self.chain_key(n), pq_message
        for header_key in reversed(list(dict.fromkeys(k for k, _ in self.skipped))):
            header = header_key != self.hkr and open_header(header_key, sealed)
            if header:
                return self.take_skipped(header_key, header[2]), header[3]
        need(False, "no header key opens it")

    def take_skipped(self, header_key, n):
        need((header_key, n) in self.skipped, "key was used, or given up")
        return self.skipped.pop((header_key, n))[0]

    def chain_key(self, n):
        self.skip(n)
        self.ckr, mk = kdf_chain(self.ckr)
        self.nr += 1
        return mk

    def skip(self, to):
        if self.ckr is None:
            need(to == 0, "there was no chain")
            return
        need(self.nr <= to, "chain is longer than it is said to be")
        need(to - self.nr <= self.SKIP and to < 2**32 - 1, "too many skipped")
        while self.nr < to:
            self.ckr, mk = kdf_chain(self.ckr)
            self.skipped[self.hkr, self.nr] = mk, self.steps
            self.nr += 1
        while len(self.skipped) > self.KEPT:
            del self.skipped[next(iter(self.skipped))]

    def dh_step(self, ratchet_key, draw):
        self.steps += 1
        self.skipped = {at: (k, step) for at, (k, step) in self.skipped.items()
                        if self.steps - step <= self.AGE}
        self.pn, self.ns, self.nr = self.ns, 0, 0
        self.hks, self.hkr, self.dhr = self.nhks, self.nhkr, ratchet_key
        self.root, self.ckr, self.nhkr = kdf_root(self.root, agree(self.dhs, self.dhr))
        self.dhs = draw(32)
        self.root, self.cks, self.nhks = kdf_root(self.root, agree(self.dhs, self.dhr))


# --- Cell (3.7) -----------------------------------------------------------------------------------

DATA = 1291


def encode_body(word, number, heard, flare, previous, content_id, index, count, data):
    body = b"\x02" + be(word, 1) + be(number, 4) + be(heard, 4) + be(flare, 4) + previous
    body += content_id + be(index, 2) + be(count, 2) + be(len(data), 2)
    return body + data + bytes(DATA - len(data))


def decode_body(body):
    need(len(body) == 1359, "length")
    r = Reader(body)
    need(r.int(1) == 2, "version")
    word, number, heard, flare, previous = r.int(1), r.int(4), r.int(4), r.int(4), r.take(32)
    content_id, index, count, n = r.take(16), r.int(2), r.int(2), r.int(2)
    need(number > 0 or not any(previous), "something before the first")
    if count == 0:
        need(not any((word, index, n)) and not any(content_id), "signal with a content")
    else:
        need(number < 2**31 and n <= DATA and count <= 51 and index < count, "fragment")
        last = index == count - 1
        need(n == DATA or last, "fragment before the last is not full")
        need(n > 0 or count == 1, "last fragment is empty")
        need(DATA * (count - 1) + n <= 65536 or not last, "content is too long")
    data = r.take(n)
    r.zeros()
    return word, number, heard, flare, previous, content_id, index, count, data


def fragments(content):
    need(len(content) <= 65536, "content is too long")
    return [content[i : i + DATA] for i in range(0, len(content) or 1, DATA)]


class Tags:
    """A chain of tags, each made when it is asked for."""

    def __init__(self, key):
        self.key, self.made = key, []

    def __getitem__(self, n):
        while len(self.made) <= n:
            self.made.append(hmac(self.key, label("tag: value"))[:16])
            self.key = hmac(self.key, label("tag: next"))
        return self.made[n]


def chains(key):
    """The tags of a direction's cells, flares and answers."""
    return Tags(key), Tags(hmac(key, label("tag: flares"))), Tags(hmac(key, label("tag: answers")))


# --- Parties --------------------------------------------------------------------------------------


class Session:
    AHEAD, GAPS, GAP_AGE, GAP_STEPS, UNHEARD, FLARE_AT = 32, 768, 1024, 256, 768, 12

    def __init__(self, secrets, ratchet, tags_out, tags_in):
        self.safety_number, self.export = secrets.safety_number(), secrets.export
        self.verification_code = secrets.verification_code()
        self.ratchet = ratchet
        # Out: the next cell, the MAC of the last, how far the peer has come, our flare.
        self.cells_out, self.flares_out, self.answers_out = chains(tags_out)
        self.sent, self.last_mac, self.heard = 0, ZERO32, 0
        self.flare_number, self.flare = 0, None  # (sent when it was made, tag, box)
        self.answered, self.answer = 0, None  # the flares below are; (tag, box)
        # In: one more than the highest number known, what is missing, the peer's flare.
        self.cells_in, self.flares_in, self.answers_in = chains(tags_in)
        self.number, self.missing = 0, {}  # number: DH steps when it was passed over
        self.macs = {-1: ZERO32}  # number: MAC, as it came or was named
        self.next_flare = 0

    def calls(self):
        tags = [self.flares_in[self.next_flare], self.flares_in[self.next_flare + 1]]
        return tags + [self.answers_in[self.flare_number]] if self.flare else tags

    def numbers(self):
        return sorted(self.missing) + list(range(self.number, self.number + self.AHEAD))

    def window(self):
        """The tags to ask for, those of signals and then of older cells first."""
        return self.calls() + [self.cells_in[n] for n in self.numbers()]

    def seal_body(self, word, content_id, index, count, data):
        return self.ratchet.send(encode_body(
            word, self.sent, self.number, self.flare_number, self.last_mac,
            content_id, index, count, data))

    def seal(self, content_id, content, word=0):
        """Returns cells: (tag, box)."""
        cells, parts = [], fragments(content)
        need(self.sent - self.heard + len(parts) <= self.UNHEARD, "waits for the peer")
        for i, part in enumerate(parts):
            box = self.seal_body(word, content_id, i, len(parts), part)
            cells.append((self.cells_out[self.sent], box))
            self.sent, self.last_mac = self.sent + 1, box[-32:]
        self.light()
        return cells

    def signal(self):
        return self.seal_body(0, bytes(16), 0, 0, b"")

    def light(self):
        if not self.flare and self.sent - self.heard >= self.FLARE_AT:
            self.flare = self.sent, self.flares_out[self.flare_number], self.signal()

    def signals(self):
        return [c for c in (self.flare and self.flare[1:], self.answer) if c]

    def open(self, tag, box):
        """Returns word, number, content id, index, count, data; count 0 is a signal."""
        need(tag in self.window() and len(box) == CELL, "not waited for")
        at = self.window().index(tag) - len(self.calls())
        return self.open_number(self.numbers()[at] if at >= 0 else None, tag, box)

    def open_number(self, number, tag, box):
        ratchet = copy.deepcopy(self.ratchet)
        word, n, heard, flare, previous, content_id, index, count, data = decode_body(ratchet.receive(box))
        is_answer = self.flare is not None and tag == self.answers_in[self.flare_number]
        is_flare = number is None and not is_answer

        # It is what its tag says.
        need((count > 0) == (number is not None) and number in (None, n), "number is not the tag's")
        need(not is_flare or flare <= self.next_flare + 1 and self.flares_in[flare] == tag,
             "flare is not the tag's")
        need(not is_answer or heard >= self.flare[0], "the answer has not heard")

        # It counts no more than there can be, and continues the history that is here.
        need(heard <= self.sent and flare <= self.next_flare + 1, "one of us has gone back")
        need(count > 0 or n <= self.number + self.UNHEARD, "one of us has gone back")
        need(self.macs.get(n - 1) in (None, previous), "another history before")
        need(count == 0 or self.macs.get(n) in (None, box[-32:]), "another history after")

        steps, self.ratchet = self.ratchet.steps, ratchet
        self.macs[n - 1] = previous
        self.missing |= {m: steps for m in range(self.number, n)}
        if count > 0:
            self.macs[n] = box[-32:]
            self.missing.pop(n, None)
        self.number = max(self.number, n + (count > 0))
        self.give_up()

        self.heard = max(self.heard, heard)
        if self.flare and (is_answer or heard > self.flare[0]):
            self.flare, self.flare_number = None, self.flare_number + 1
        self.next_flare = max(self.next_flare, flare + is_flare)
        if flare >= self.answered:
            self.answer = None
        if is_flare:
            self.answered, self.answer = flare + 1, (self.answers_out[flare], self.signal())
        self.light()
        return word, n, content_id, index, count, data

    def give_up(self):
        for i, n in enumerate(sorted(self.missing, reverse=True)):
            if (i >= self.GAPS or self.number - n > self.GAP_AGE
                    or self.ratchet.steps - self.missing[n] > self.GAP_STEPS):
                del self.missing[n]


class Invite:
    """The inviter, Bob."""

    def __init__(self, expiry, hints, bundle=None):
        secret = random(32)
        self.remember(secret, bundle or Bundle.make(
            Identity(random(32), random(32)), random(32), random(32), random(64)))
        plain = bundle_plain(expiry, self.bundle.encoded)
        self.link = encode_link(secret, bundle_hash(plain), expiry, hints)
        self.cells = list(zip(self.keys.bundle_tags, seal_bundle(self.keys, plain)))

    def remember(self, secret, bundle):
        self.keys, self.bundle = InviteKeys(secret), bundle
        self.hellos = {}  # (slot, hello id): {index: part}

    @staticmethod
    def restore(secret, bundle):
        i = Invite.__new__(Invite)
        i.remember(secret, bundle)
        return i

    def accept(self, tag, box):
        """Returns None, or the session and the first fragment."""
        need(tag in self.keys.hello_tags, "not waited for")
        slot, index = divmod(self.keys.hello_tags.index(tag), 3)
        hello_id, part = open_hello_cell(self.keys, slot, index, box)
        parts = self.hellos.setdefault((slot, hello_id), {})
        parts[index] = part
        if len(parts) < 3:
            return None
        initial, cell = parse_hello(b"".join(parts[i] for i in range(3)))
        s = pqxdh_bob(self.bundle, initial, self.keys.id)
        ratchet = DoubleRatchet(s, False, spk_private=self.bundle.spk_private)
        session = Session(s, ratchet, s.tags_b, s.tags_a)
        return session, session.open_number(0, session.cells_in[0], cell)


def join(link, bundle_cells, content_id, first):
    """The invitee, Alice. Returns the session and the hello cells."""
    secret, expected_hash, expiry, _ = decode_link(link)
    keys = InviteKeys(secret)
    return join_bundle(keys, open_bundle(keys, expected_hash, expiry, bundle_cells), content_id, first)


def join_bundle(keys, bundle, content_id, first):
    identity = Identity(random(32), random(32))
    initial, s = pqxdh_alice(identity, random(32), bundle, keys.id)
    session = Session(s, DoubleRatchet(s, True, spk=bundle.spk), s.tags_a, s.tags_b)
    cells = session.seal(content_id, first)
    need(len(cells) == 1, "the first content has one cell")
    slot = random(1)[0] % 8
    hello = seal_hello(keys, slot, random(16), hello_plain(initial, cells[0][1]))
    return session, list(zip(keys.hello_tags[3 * slot : 3 * slot + 3], hello))


# --- Reset (3.9) ----------------------------------------------------------------------------------

OFFER_EXPIRY, LAST_TIME, SKEW = 2**32 - 1, 253_402_300_799_999, 600_000


def reset_secrets(exporter):
    """R_A and R_B."""
    return [derive(f"reset: offer of the {role}", None, exporter, 32) for role in ("initiator", "responder")]


class Knock:
    """Where, and under which key, R has a knock lie."""

    def __init__(self, secret):
        self.tags = cut(derive("reset: tags", None, secret, 48), *[16] * 3)
        self.key = derive("reset: key", None, secret, 64)

    def seal(self, slot, plain):
        return self.tags[slot], seal_invite_cell(self.key, KNOCK_CELL, slot, 0, plain)

    def open(self, tag, box):
        return open_invite_cell(self.key, KNOCK_CELL, self.tags.index(tag), 0, box)


def proof(header_key):
    """What a knock is proven by: from HKs of its maker; HKr and NHKr of the other side."""
    return derive("reset: proof", None, header_key, 32)


def knock_plain(reason, time, link, proof_key):
    """link: what it says."""
    link = link_bytes(*link)
    link = be(len(link), 2) + link + bytes(1487 - 43 - len(link))
    head = be(reason, 1) + be(time, 8)
    return head + hmac(proof_key, head + link) + link


def parse_knock(plain):
    need(len(plain) == 1487, "length")
    r = Reader(plain)
    reason, time, _ = r.int(1), r.int(8), r.take(32)
    link = parse_link_bytes(r.take(r.int(2)))
    r.zeros()
    need(reason in (1, 2) and 1 <= time <= LAST_TIME, "reason or time")
    need(link[2] == OFFER_EXPIRY and link[3], "expiry, or no hint")
    return reason, time, link


class Reset:
    """Somebody to whom the peer may come with an offer.

    proofs: what the peer's state may have; waiting: the time of an own offer that waits, if there is one; former: R by which the
    session was offered, and the time of that offer, if it was.
    """

    def __init__(self, exporter, initiator, proofs, waiting=None, former=None):
        r_a, r_b = reset_secrets(exporter)
        self.own, self.peer = (r_a, r_b) if initiator else (r_b, r_a)
        self.initiator, self.proofs, self.waiting = initiator, proofs, waiting
        self.proven = False
        self.doors = [[Knock(self.peer), 0]]  # where the peer may knock, and the last time
        if former:
            self.doors.append([Knock(former[0]), former[1]])
        self.link = self.keys = self.bundle = None  # of the offer that is not whole

    def take(self, tag, box, now):
        """Returns "ignored", "early", "new", or the bundle of an offer that is whole."""
        for door in self.doors:
            if tag in door[0].tags:
                return self.take_knock(door, now, door[0].open(tag, box))
        need(self.keys and tag in self.keys.bundle_tags, "not waited for")
        i = self.keys.bundle_tags.index(tag)
        open_invite_cell(self.keys.bundle_key, BUNDLE_CELL, 0, i, box)
        if i in self.bundle:
            return "ignored"
        self.bundle[i] = box
        if len(self.bundle) < 3:
            return "new"
        _, expected_hash, expiry, _ = self.link
        bundle = open_bundle(self.keys, expected_hash, expiry, [self.bundle[i] for i in range(3)])
        self.keys = self.waiting = None
        return bundle

    def take_knock(self, door, now, plain):
        reason, time, link = parse_knock(plain)
        if time > now + SKEW:
            return "early"
        if time <= door[1]:
            return "ignored"
        if door is self.doors[0] and self.waiting and (
                time < self.waiting or time == self.waiting and self.initiator):
            return "ignored"
        door[1] = time
        proofs = self.proofs if door is self.doors[0] else []
        self.proven = any(hmac(key, plain[:9] + plain[41:]) == plain[9:41] for key in proofs)
        self.link, self.keys, self.bundle = link, InviteKeys(link[0]), {}
        return "new"
