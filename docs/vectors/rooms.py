"""Rooms: PROTOCOL.md section 10. In order: entries and statements, which of them count, keys,
lanes, cells, joining, return."""

import base64
import hashlib

import mlkem
from primitives import (
    ZERO32, Reader, Refused, aead_open, aead_seal, agree, be, cut, ed25519_public, ed25519_sign,
    ed25519_verify, hkdf_expand, hkdf_extract, hmac, need, num, random, sha256, x25519_public)
from primitives import seal as cbchmac_seal, unseal as cbchmac_open
from session import derive, hash_, label

# --- Entries and statements (10.1) ------------------------------------------------------------

CREATE, ROLE, PACT, LEAVE = 1, 2, 3, 4
NONE, READER, MEMBER, ADMIN, OWNER = range(5)
REKEY, STEP, RETURN, SETTINGS, HEADS, NEED, CARD, TROUBLE = range(16, 24)


def member_id(key):
    return hash_("room: member", key)[:16]


def head(kind, group, author, counter, parents):
    return b"\x01" + bytes([kind]) + group + author + be(counter, 4) + bytes([len(parents)]) + b"".join(parents)


class Person:
    def __init__(self, seed=None, group=ZERO32, leaf=ZERO32, invite=bytes(16), name=b""):
        if seed:
            self.key, self.leaf, self.invite, self.name = ed25519_public(seed), leaf, invite, name
            self.signature = ed25519_sign(seed, self.said(group))

    def said(self, group):
        return label("signature: room person") + group + self.key + self.leaf + self.invite + self.name

    def encoded(self):
        return self.key + self.leaf + self.invite + self.signature + bytes([len(self.name)]) + self.name

    @classmethod
    def read(cls, r):
        p = cls()
        p.key, p.leaf, p.invite, p.signature = r.take(32), r.take(32), r.take(16), r.take(64)
        n = r.int(1)
        need(n <= 64, "name")
        p.name = r.take(n)
        try:
            p.name.decode()
        except UnicodeDecodeError:
            raise Refused("name")
        return p


class Entry:
    """One entry; its effects are what it gives to whom if it counts."""

    person, target, role, attached = None, None, NONE, b""

    def unsigned(self):
        b = head(self.kind, self.group, self.author, self.counter, self.parents)
        if self.kind == CREATE:
            b += self.nonce + self.person.encoded()
        elif self.kind == ROLE:
            b += self.target + bytes([self.role]) + be(len(self.attached), 2) + self.attached
            b += b"\x01" + self.person.encoded() if self.person else b"\x00"
        elif self.kind == PACT:
            b += self.target + bytes([self.role])
        return b

    def sign(self, seed, second=None):
        self.id = hash_("room: entry", self.unsigned())
        self.signature = ed25519_sign(seed, label("signature: room entry") + self.unsigned())
        if self.kind == PACT:
            self.second = ed25519_sign(second, label("signature: room pact") + self.unsigned())
        return self

    def encoded(self):
        return self.unsigned() + self.signature + (self.second if self.kind == PACT else b"")

    def effects(self):
        if self.kind == CREATE:
            return {self.author: OWNER}
        if self.kind == ROLE:
            return {self.target: self.role}
        if self.kind == PACT:
            return {self.target: OWNER, self.author: self.role}
        return {self.author: NONE}

    @classmethod
    def read(cls, data):
        e, r = cls(), Reader(data)
        need(r.int(1) == 1, "version")
        e.kind, e.group, e.author, e.counter = r.int(1), r.take(32), r.take(16), r.int(4)
        n = r.int(1)
        need(n <= 8, "parents")
        e.parents = [r.take(32) for _ in range(n)]
        need(all(a < b for a, b in zip(e.parents, e.parents[1:])), "order of parents")
        if e.kind == CREATE:
            e.nonce, e.person = r.take(32), Person.read(r)
            need(not n and not e.counter and e.group == ZERO32 and member_id(e.person.key) == e.author, "create")
        elif e.kind == ROLE:
            e.target, e.role, size = r.take(16), r.int(1), r.int(2)
            need(size <= 292, "attached")
            e.attached, introduced = r.take(size), r.int(1)
            need(introduced < 2, "introduced")
            e.person = Person.read(r) if introduced else None
            need(not introduced or member_id(e.person.key) == e.target and e.role > NONE, "person")
        elif e.kind == PACT:
            e.target, e.role = r.take(16), r.int(1)
        else:
            need(e.kind == LEAVE and n == 1 and not e.counter, "kind, or a leave")
        if e.kind in (ROLE, PACT):
            need(n and e.counter and e.role < OWNER and e.target != e.author, "entry")
        e.signature = r.take(64)
        e.second = r.take(64) if e.kind == PACT else None
        r.done()
        e.id = hash_("room: entry", e.unsigned())
        return e


class Statement:
    def __init__(self, topic, group, author, counter, parents, body):
        self.head = head(topic, group, author, counter, parents)
        self.topic, self.group, self.author, self.parents, self.body = topic, group, author, parents, body
        self.context = hash_("room: context", self.head)

    def unsigned(self):
        return self.head + be(len(self.body), 2) + self.body

    def sign(self, seed):
        self.signature = ed25519_sign(seed, label("signature: room statement") + self.unsigned())
        return self

    def encoded(self):
        return self.unsigned() + self.signature

    @classmethod
    def read(cls, data):
        r = Reader(data)
        need(r.int(1) == 1, "version")
        topic, group, author, counter, n = r.int(1), r.take(32), r.take(16), r.int(4), r.int(1)
        need(REKEY <= topic <= TROUBLE and 1 <= n <= 8, "topic or parents")
        parents = [r.take(32) for _ in range(n)]
        size = r.int(2)
        need(size <= 900, "body")
        s = cls(topic, group, author, counter, parents, r.take(size))
        s.signature = r.take(64)
        r.done()
        return s


# --- Which count (10.1) ------------------------------------------------------------------------

BY_ADMIN, BY_OWNER, BY_TWO, FIRST = 1, 2, 3, 4  # levels; leaving is 0


class Room:
    """All entries, parents first. A view is a set of their places."""

    def __init__(self, create):
        need(ed25519_verify(create.person.key, create.person.said(ZERO32), create.person.signature), "person")
        self.group, self.entries, self.pasts, self.levels = create.id, [], [], []
        self.place, self.keys = {}, {create.author: create.person.key}
        self.check(create, create.author, create.signature)
        self._put(create, frozenset(), FIRST)

    def _put(self, e, past, level):
        self.place[e.id] = len(self.entries)
        self.entries.append(e)
        self.pasts.append(past)
        self.levels.append(level)

    def check(self, e, who, signature, what="entry"):
        said = label("signature: room " + what) + e.unsigned()
        need(who in self.keys and ed25519_verify(self.keys[who], said, signature), "signature")

    def past(self, parents):
        need(all(p in self.place for p in parents), "a parent is missing")
        return frozenset().union(*(self.pasts[self.place[p]] | {self.place[p]} for p in parents))

    def concurrent(self, i, j):
        return i != j and i not in self.pasts[j] and j not in self.pasts[i]

    def role(self, who, counting):
        """The lowest of the last entries on somebody; None if there is none."""
        on = [i for i in counting if who in self.entries[i].effects()]
        last = [i for i in on if not any(i in self.pasts[j] for j in on)]
        return min((self.entries[i].effects()[who] for i in last), default=None)

    def rank(self, who, counting):
        return self.role(who, counting) or NONE

    def counting(self, view):
        """The three conditions, level by level."""
        counts = {0}
        pacts = sorted(i for i in view if self.levels[i] == BY_TWO)
        for i in pacts:
            a = self.entries[i]
            against = [j for j in pacts if self.concurrent(i, j)
                       and {a.author, a.target} & {self.entries[j].author, self.entries[j].target}
                       and (a.author, a.target, a.role) != (self.entries[j].author, self.entries[j].target, self.entries[j].role)]
            if not against and self.rank(a.author, counts & self.pasts[i]) == OWNER:
                counts.add(i)
        top = set(counts)
        for level, rank in ((BY_OWNER, OWNER), (BY_ADMIN, ADMIN), (0, READER)):
            higher = set(counts)
            for i in view:
                e = self.entries[i]
                if self.levels[i] != level:
                    continue
                target = e.author if e.kind == LEAVE else e.target
                beside = [self.entries[j].effects() for j in higher if self.concurrent(i, j)]
                if e.kind == LEAVE:
                    overruled = any(x.get(e.author) == OWNER for x in beside)
                else:
                    overruled = any(x.get(e.author, OWNER) < rank or x.get(target, NONE) >= rank for x in beside)
                if (self.rank(e.author, higher & self.pasts[i]) >= rank and not overruled
                        and self.rank(target, top & self.pasts[i]) != OWNER):
                    counts.add(i)
        return counts

    def take(self, e):
        need(e.group == self.group and e.kind != CREATE, "group")
        past = self.past(e.parents)
        counts = self.counting(past)
        author, target = self.rank(e.author, counts), self.role(e.target, counts)
        if e.kind == LEAVE:
            given = self.entries[self.place[e.parents[0]]].effects().get(e.author, NONE)
            need(given > NONE and NONE < author < OWNER, "leave")
            level = 0
        else:
            own = [self.entries[i].counter for i in past if self.entries[i].author == e.author]
            need(e.counter == max(own, default=0) + 1, "counter")
        if e.kind == PACT:
            need(author == OWNER and (target or NONE) > NONE, "pact")
            self.check(e, e.target, e.second, "pact")
            level = BY_TWO
        if e.kind == ROLE:
            need((target is None) == (e.person is not None), "introduction")
            need(target != OWNER and not (target == NONE and e.role > NONE), "target")
            need(author >= (OWNER if max(target or NONE, e.role) >= ADMIN else ADMIN), "rank")
            if e.person:
                need(ed25519_verify(e.person.key, e.person.said(self.group), e.person.signature), "person")
            level = BY_OWNER if author == OWNER else BY_ADMIN
        self.check(e, e.author, e.signature)
        if e.person:
            self.keys[e.target] = e.person.key
        self._put(e, past, level)

    def view(self):
        return frozenset(range(len(self.entries)))

    def heads(self):
        return sorted(e.id for i, e in enumerate(self.entries) if not any(i in p for p in self.pasts))

    def roles(self):
        counts = self.counting(self.view())
        return {who: role for who in self.keys if (role := self.rank(who, counts))}

    def judge(self, s):
        """Whether a statement counts."""
        need(s.group == self.group, "group")
        past = self.past(s.parents)
        self.check(s, s.author, s.signature, "statement")
        rank = {RETURN: READER, NEED: READER, TROUBLE: READER, HEADS: MEMBER}.get(s.topic, ADMIN)
        role = self.rank(s.author, self.counting(past))
        need(role >= rank, "rank")
        level = {OWNER: BY_OWNER, ADMIN: BY_ADMIN}.get(role, 0)
        counts = self.counting(self.view())
        known = {i for i in counts & past if self.levels[i] > level}
        beside = [self.entries[i] for i in counts - past if self.levels[i] > level or self.entries[i].kind == LEAVE]
        return self.rank(s.author, known) >= rank and not any(e.effects().get(s.author, OWNER) < rank for e in beside)


# --- X-Wing and HPKE (10.2) --------------------------------------------------------------------

_SUITE = b"HPKE" + be(0x647A, 2) + be(0x0001, 2) + be(0x0003, 2)


def _leaf_keys(private):
    return cut(hashlib.shake_256(private).digest(96), 64, 32)


def leaf_public(private):
    pq, curve = _leaf_keys(private)
    return mlkem.KEM768.public(pq) + x25519_public(curve)


def _combine(ss_pq, ss_curve, ct_curve, public):
    return hashlib.sha3_256(ss_pq + ss_curve + ct_curve + public[-32:] + b"\\.//^\\").digest()


def _schedule(shared, info):
    def extract(salt, name, ikm):
        return hkdf_extract(salt, b"HPKE-v1" + _SUITE + name + ikm)

    def expand(prk, name, n):
        context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
        return hkdf_expand(prk, be(n, 2) + b"HPKE-v1" + _SUITE + name + context, n)

    secret = extract(shared, b"secret", b"")
    return expand(secret, b"key", 32), expand(secret, b"base_nonce", 12)


def seal_to_leaf(public, info, plain):
    ephemeral = random(32)
    ct_pq, ss_pq = mlkem.KEM768.encaps(public[:1184])
    ct_curve = x25519_public(ephemeral)
    key, nonce = _schedule(_combine(ss_pq, agree(ephemeral, public[1184:]), ct_curve, public), info)
    return ct_pq + ct_curve + aead_seal(key, nonce, b"", plain)


def open_at_leaf(private, info, sealed):
    pq, curve = _leaf_keys(private)
    r = Reader(sealed)
    ct_pq, ct_curve = r.take(1088), r.take(32)
    ss_pq = mlkem.KEM768.decaps(pq, ct_pq)
    key, nonce = _schedule(_combine(ss_pq, agree(curve, ct_curve), ct_curve, leaf_public(private)), info)
    return aead_open(key, nonce, b"", r.rest())


# --- Keys (10.2) -------------------------------------------------------------------------------


def leaf_hash(public):
    return hash_("room: leaf", public)


def rekey_id(group, author, context, body):
    return hash_("room: rekey", group + author + context + body[:-32])


def read_rekey(body):
    r = Reader(body)
    previous = r.take(32)
    heads = [r.take(32) for _ in range(r.int(1))]
    members = [r.take(16) for _ in range(r.int(2))]
    confirm = r.take(32)
    r.done()
    need(members and heads == sorted(set(heads)) and members == sorted(set(members)), "order")
    need(32 * len(heads) + 16 * len(members) <= 833, "too many")
    return previous, heads, members, confirm


def make_rekey(previous, heads, members):
    """The body without the confirmation."""
    return previous + bytes([len(heads)]) + b"".join(heads) + be(len(members), 2) + b"".join(members)


def seed_info(group, id, member, leaf):
    return label("room: seed") + group + id + member + leaf_hash(leaf)


def of_seed(seed, id):
    """confirm, place, μ0."""
    return tuple(derive("room: " + what, id, seed, 32) for what in ("confirm", "place", "chain"))


def generation(mu):
    """e, m and the next μ."""
    return cut(derive("room: generation", None, mu, 96), 32, 32, 32)


def read_step(body):
    r = Reader(body)
    receiver, n = r.take(16), r.int(1)
    heads = [(r.take(32), r.int(2), r.take(16)) for _ in range(n)]
    r.done()
    need(1 <= n <= 17 and all(1 <= g <= 4096 for _, g, _ in heads), "step")
    need([h[0] for h in heads] == sorted({h[0] for h in heads}), "order")
    return receiver, heads


def make_step(receiver, heads):
    return receiver + bytes([len(heads)]) + b"".join(id + be(g, 2) + print_ for id, g, print_ in heads)


def fingerprint(id, mu):
    return derive("room: next confirmed", id, mu, 32)[:16]


def step_info(group, context, body, receiver, leaf):
    id = hash_("room: step", group + context + body)
    return label("room: handed over") + group + id + receiver + leaf_hash(leaf)


def list_hash(heads):
    need(heads and [h[0] for h in heads] == sorted({h[0] for h in heads}), "order")
    return hash_("room: list", b"".join(id + be(g, 2) for id, g in heads))


def root(hashed, secrets):
    return derive("room: root", hashed, b"".join(secrets), 32)


def chain(node, member):
    path = num(member[:8])
    for bit in range(63, -1, -1):
        node = cut(derive("room: node", None, node, 64), 32, 32)[path >> bit & 1]
    return derive("room: sender", member, node, 32)


def cell_keys(at, n):
    keys = []
    for _ in range(n):
        keys.append(derive("room: message keys", None, hmac(at, b"\x01"), 80))
        at = hmac(at, b"\x02")
    return keys


def chain_after(node, member, nonce):
    path = num(member[:8])
    for bit in range(63, -1, -1):
        node = cut(derive("room: node", None, node, 64), 32, 32)[path >> bit & 1]
    return derive("room: returned", nonce, derive("room: after a return", member, node, 32), 32)


# --- Lanes (10.3) ------------------------------------------------------------------------------

LINK, ANSWER, DOOR = 8, 9, 10


def open_lane(place):
    return derive("room: open to all", None, place, 32)


def meeting(place):
    """The secret that ranks relays while all mailboxes of a log are gone."""
    return derive("room: where to meet", None, place, 32)


def lane_secret(all_lanes, lane):
    return derive("room: writers of a lane", bytes([lane]), all_lanes, 32)


def log_seed(secret, lane, segment):
    return derive("room: log", bytes([lane, segment]), secret, 32)


def log_name(public):
    return sha256(b"starling/log/1\x00" + public)[:16]


def sign_entry(seed, tag, box):
    return ed25519_sign(seed, b"starling/log-entry/1\x00" + ed25519_public(seed) + tag + box)


def encode_mailboxes(mailboxes):
    return bytes([len(mailboxes)]) + b"".join(node + bytes([len(hint)]) + hint for node, hint in mailboxes)


def read_mailboxes(r):
    all_ = []
    for _ in range(r.int(1)):
        node, n = r.take(32), r.int(1)
        need(n <= 128, "hint")
        all_.append((node, r.take(n)))
    need(1 <= len(all_) <= 2 and len({node for node, _ in all_}) == len(all_), "mailboxes")
    return all_


def encode_card(all_lanes, door, mailboxes):
    names = b""
    for lane in range(7):
        for segment in range(4):
            names += log_name(ed25519_public(log_seed(lane_secret(all_lanes, lane), lane, segment)))
    return names + door + encode_mailboxes(mailboxes)


def read_card(data):
    r = Reader(data)
    names, door, mailboxes = r.take(448), r.take(32), read_mailboxes(r)
    r.done()
    return names, door, mailboxes


def _keyed(text, salt, secret):
    return cut(derive(text, salt, secret, 80), 64, 16)


def seal_card(group, rekey, place, context, card):
    key, iv = _keyed("room: card", context, place)
    return rekey + cbchmac_seal(key, iv, group + rekey, card)


def open_card(group, place, context, body):
    key, iv = _keyed("room: card", context, place)
    return cbchmac_open(key, iv, group + body[:32], body[32:])


# --- Cells (10.4) ------------------------------------------------------------------------------


def seal_cell(group, place, lane, plain):
    need(len(plain) == 1503, "plaintext")
    tag = hmac(derive("room: tags", None, place, 32), group + bytes([lane]) + plain)[:16]
    key, iv = _keyed("room: cell", tag, place)
    return tag, cbchmac_seal(key, iv, group + bytes([lane]) + tag, plain)


def open_cell(group, place, lane, tag, box):
    key, iv = _keyed("room: cell", tag, place)
    plain = cbchmac_open(key, iv, group + bytes([lane]) + tag, box)
    need(seal_cell(group, place, lane, plain) == (tag, box), "tag")
    return plain


def control(data):
    need(1 <= len(data) <= 1500, "length")
    return b"\x02" + be(len(data), 2) + data + bytes(1500 - len(data))


def read_control(plain):
    r = Reader(plain)
    need(r.int(1) == 2, "kind")
    data = r.take(r.int(2))
    r.zeros()
    return data


def content_ref(group, author, id, content):
    return hash_("room: content", group + author + id + hash_("room: body", content))[:16]


def make_body(previous, id, index, count, causes, data):
    b = b"\x01" + previous + id + be(index, 2) + be(count, 2) + bytes([len(causes)]) + be(len(data), 2) + b"".join(causes) + data
    return b + bytes(1375 - len(b))


def read_body(plain):
    r = Reader(plain)
    need(r.int(1) == 1 and len(plain) == 1375, "version")
    previous, id, index, count, n, size = r.take(16), r.take(16), r.int(2), r.int(2), r.int(1), r.int(2)
    full = 1335 - 16 * n
    need(n <= 47 and not (n and index) and 1 <= count <= 50 and index < count and size <= full, "body")
    need(size == full if index < count - 1 else size > 0 or count == 1, "length")
    causes = [r.take(16) for _ in range(n)]
    data = r.take(size)
    r.zeros()
    return previous, id, index, count, causes, data


def said_of(group, list_, sender, nonce, number):
    return group + list_ + sender + nonce + be(number, 4)


def make_message(seed, group, list_, nonce, number, key, body):
    sender = member_id(ed25519_public(seed))
    said = said_of(group, list_, sender, nonce, number)
    sealed = cbchmac_seal(key[:64], key[64:], said, body)
    signature = ed25519_sign(seed, label("signature: room cell") + said + hash_("room: body", sealed))
    return b"\x01" + sender + be(number, 4) + list_ + signature + sealed + bytes(2)


def read_message(plain, public, group, nonce, key):
    r = Reader(plain)
    need(r.int(1) == 1, "kind")
    sender, number, list_, signature, sealed = r.take(16), r.int(4), r.take(8), r.take(64), r.take(1408)
    r.zeros()
    said = said_of(group, list_, sender, nonce, number)
    need(sender == member_id(public), "sender")
    need(ed25519_verify(public, label("signature: room cell") + said + hash_("room: body", sealed), signature), "signature")
    return number, list_, cbchmac_open(key[:64], key[64:], said, sealed)


def leaf_record(seed, group, counter, leaf):
    said = member_id(ed25519_public(seed)) + be(counter, 4) + leaf
    return said + ed25519_sign(seed, label("signature: room leaf") + group + said)


def check_leaf_record(record, public, group):
    need(len(record) == 1300 and record[:16] == member_id(public), "record")
    need(ed25519_verify(public, label("signature: room leaf") + group + record[:-64], record[-64:]), "signature")
    return num(record[16:20]), record[20:1236]


def compared(group, one, two):
    h = hash_("room: number to compare", group + min(one, two) + max(one, two))
    wide = derive("room: number to compare", None, h, 60)
    return "".join(f"{num(wide[i:i + 5]) % 100000:05}" for i in range(0, 60, 5))


# --- Joining, return (10.5, 10.6) --------------------------------------------------------------


def encode_link(asked, uses, expiry, secret, group, card, title, mailboxes):
    b = b"\x01" + bytes([asked]) + be(uses, 2) + be(expiry, 4) + secret + group + card + bytes([len(title)]) + title
    b += encode_mailboxes(mailboxes)
    b += hash_("hash: link", b)[:4]
    return "starling-room:" + base64.b32encode(b).decode().rstrip("=").lower()


def decode_link(text):
    text = "".join(text.split()).lower()
    need(text.startswith("starling-room:"), "prefix")
    digits = text.removeprefix("starling-room:").upper()
    try:
        b = base64.b32decode(digits + "=" * (-len(digits) % 8))
    except ValueError:
        raise Refused("base32")
    need(len(b) > 4 and hash_("hash: link", b[:-4])[:4] == b[-4:], "checksum")
    r = Reader(b[:-4])
    need(r.int(1) == 1, "version")
    asked, uses, expiry, secret, group, card = r.int(1), r.int(2), r.int(4), r.take(32), r.take(32), r.take(32)
    n = r.int(1)
    need(asked < 2 and 1 <= uses <= 1000 and n <= 64, "link")
    title = r.take(n)
    said = asked, uses, expiry, secret, group, card, title, read_mailboxes(r)
    r.done()
    need(encode_link(*said) == text, "stray bits")
    return said


def invite_id(secret):
    return derive("room: invite", None, secret, 16)


def link_card(leaf, author):
    return b"\x10" + leaf + author


def request_info(group, invite, leaf):
    return label("room: request") + group + invite + leaf_hash(leaf)


def request_pieces(id, sealed):
    return [b"\x11" + id + bytes([i]) + piece for i, piece in enumerate((sealed[:1482], sealed[1482:]))]


def make_knock(seed, group, record, answer):
    said = b"\x13" + record + answer
    return said + ed25519_sign(seed, label("signature: room knock") + group + said)


def answer_info(group, member, leaf):
    return label("room: answer to a knock") + group + member + leaf_hash(leaf)


def answer_secret(seed, group, knock, secret):
    """The plaintext of the first cell of an answer to a knock."""
    signature = ed25519_sign(seed, label("signature: room answer") + group + knock + secret)
    return secret + member_id(ed25519_public(seed)) + signature
