"""The network layer: PROTOCOL.md sections 5.1 and 5.3 to 5.8.

In order: names and frames, LIONESS, packets and reply blocks, mailbox messages, and what the
directory sends.
"""

import hashlib
import ipaddress
import re

from primitives import (
    ZERO32, Reader, Refused, be, chacha20, cut, ed25519_public, ed25519_sign, ed25519_verify,
    hkdf, hmac, hpke_open, hpke_seal, need, random, sha256, x25519_check, xor)

# --- Names and frames (5.1) -----------------------------------------------------------------

FRAME = 2400
PACKET_FRAME, DROP, LIST_REQUEST, LIST_PAGE, HELLO = 1, 2, 3, 4, 5


def peer_id(node_id):
    return bytes.fromhex("002408011220") + node_id


def encode_frame(kind, body):
    need(len(body) <= FRAME - 3, "length")
    return be(kind, 1) + be(len(body), 2) + body + bytes(FRAME - 3 - len(body))


def decode_frame(frame):
    need(len(frame) == FRAME, "length")
    r = Reader(frame)
    kind, n = r.int(1), r.int(2)
    need(kind != 0, "type")
    body = r.take(n)
    r.zeros()
    return kind, body


def encode_hello(role, features, link, received, room):
    need(1 <= role <= 3 and len(link) == 16, "role or link")
    return be(1, 1) + be(role, 1) + be(features, 2) + link + be(received, 8) + be(room, 2)


def decode_hello(body):
    r = Reader(body)
    need(r.int(1) == 1, "version")
    role, features, link, received, room = r.int(1), r.int(2), r.take(16), r.int(8), r.int(2)
    r.done()
    need(1 <= role <= 3, "role")
    return role, features, link, received, room


# --- LIONESS (5.3) ----------------------------------------------------------------------------

_NONCE = b"chacha20_iv\x00"


def _round_keys(master):
    return cut(hashlib.shake_128(master).digest(128), 32, 32, 32, 32)


def _stream(key, data):
    return chacha20(key, 0, _NONCE, data)


def _mac(key, data):
    return hashlib.blake2b(data, digest_size=32, key=key).digest()


def encipher(master, block):
    k1, k2, k3, k4 = _round_keys(master)
    left, right = block[:32], block[32:]
    right = _stream(xor(left, k1), right)
    left = xor(left, _mac(k2, right))
    right = _stream(xor(left, k3), right)
    left = xor(left, _mac(k4, right))
    return left + right


def decipher(master, block):
    k1, k2, k3, k4 = _round_keys(master)
    left, right = block[:32], block[32:]
    left = xor(left, _mac(k4, right))
    right = _stream(xor(left, k3), right)
    left = xor(left, _mac(k2, right))
    right = _stream(xor(left, k1), right)
    return left + right


# --- Packets (5.3) ----------------------------------------------------------------------------

MESSAGE, PAYLOAD, BLOCK = 2032, 2048, 367
HEADERS = {1: 318, 2: 234, 3: 150, 4: 66}  # by layer
FORWARD, DELIVER, REPLY = 1, 2, 3
MAX_DELAY = 1000
SLOT, SLOTS, AHEAD, SKEW = 7200, 12, 4, 600  # seconds, slots of an epoch, slots ahead, seconds
OUTFOX = b"starling/outfox/2"


def slot_at(now):
    return now // SLOT


def epoch_of(slot):
    """The epoch byte of what expires in a slot."""
    return (slot - AHEAD) // SLOTS % 256


def opens(epoch, slot, now):
    """Whether a hop opens a packet of these two bytes at a time in seconds."""
    first, last = slot_at(now), slot_at(now + SKEW) + AHEAD
    return any(s % 256 == slot and epoch_of(s) == epoch for s in range(first, last + 1))


def _info(layer, epoch):
    return OUTFOX + bytes([layer, epoch])


def make_header(slot, hops, command, end, ephemerals=(None,) * 4):
    """slot: the one it expires in; hops: four of (node id, public mix key, delay in ms);
    command and end: of layer 4.

    Returns the header and the payload keys p1 … p4.
    """
    header, keys = b"", []
    for layer in (4, 3, 2, 1):
        _, public, delay = hops[layer - 1]
        plain = bytes([command, slot % 256]) + end
        if layer < 4:
            plain = bytes([FORWARD, slot % 256]) + be(delay, 2) + hops[layer][0] + header
        info = _info(layer, epoch_of(slot))
        header, context = hpke_seal(public, info, plain, ephemerals[layer - 1])
        keys.insert(0, context.export(b"payload", 32))
    return header, keys


def payload(message):
    need(len(message) == MESSAGE, "length")
    return bytes(16) + message


def message_of(block):
    need(not any(block[:16]), "payload was changed")
    return block[16:]


def make_packet(slot, hops, message, ephemerals=(None,) * 4):
    header, keys = make_header(slot, hops, DELIVER, bytes(16), ephemerals)
    block = payload(message)
    for key in reversed(keys):
        block = encipher(key, block)
    return bytes([epoch_of(slot)]) + header + block


class Opened:
    """What a hop finds: command, delay and next packet, or reply id, and the payload."""

    def __init__(self, private, packet):
        layers = {1 + size + PAYLOAD: layer for layer, size in HEADERS.items()}
        need(len(packet) in layers, "length")
        self.layer = layers[len(packet)]
        epoch, header, block = cut(packet, 1, HEADERS[self.layer], PAYLOAD)
        plain, context = hpke_open(private, _info(self.layer, epoch[0]), header)
        r = Reader(plain)
        self.command, self.slot = r.int(1), r.int(1)
        if self.layer < 4:
            need(self.command == FORWARD, "command")
            self.delay, self.next_id, inner = r.int(2), r.take(32), r.rest()
            need(self.delay <= MAX_DELAY, "delay")
        else:
            need(self.command in (DELIVER, REPLY), "command")
            self.reply_id = r.take(16)
            need(self.command == REPLY or not any(self.reply_id), "padding is not zero")
        self.payload_key = context.export(b"payload", 32)
        self.replay = context.export(b"replay", 16)
        self.payload = decipher(self.payload_key, block)
        if self.layer < 4:
            self.packet = epoch + inner + self.payload


def make_reply_block(slot, hops, reply_id, seed=None, ephemerals=(None,) * 4):
    """Returns the block and the payload keys p1 … p4, which the client keeps."""
    header, keys = make_header(slot, hops, REPLY, reply_id, ephemerals)
    return bytes([epoch_of(slot)]) + hops[0][0] + (seed or random(16)) + header, keys


def _reply_key(seed):
    return hkdf(ZERO32, seed, OUTFOX + b" reply", 32)


def use_reply_block(block, message):
    """Returns the first hop and the packet for it."""
    epoch, first, seed, header = cut(block, 1, 32, 16, 318)
    return first, epoch + header + encipher(_reply_key(seed), payload(message))


def open_reply(block, keys, opened):
    """The message, for the client who made the block and is layer 4."""
    data = opened.payload
    for key in reversed(keys):
        data = encipher(key, data)
    return message_of(decipher(_reply_key(block[33:49]), data))


# --- Mailbox (5.4) ----------------------------------------------------------------------------

PUT, FETCH, LIST, APPEND, FOLLOW = 1, 2, 3, 4, 5
STORED, TAKEN, FULL, BOX, EMPTY, LISTED, LOGGED, ENDED = 1, 2, 3, 4, 5, 6, 7, 8
NO_SEAT, MAX_PRICE = 255, 40


def _padded(message):
    need(len(message) <= MESSAGE, "too long")
    return message + bytes(MESSAGE - len(message))


def encode_put(block, tag, box):
    return _padded(be(PUT, 1) + block + tag + box)


def encode_fetch(stand, lease, stamp, tags, deleted, blocks):
    head = bytes([FETCH, stand, len(tags), len(deleted), len(blocks)]) + lease + be(stamp, 8)
    return _padded(head + b"".join(tags) + b"".join(deleted) + b"".join(blocks))


def encode_question(block, first):
    return _padded(be(LIST, 1) + block + be(first, 1))


def encode_append(block, key, tag, signature, box):
    return _padded(be(APPEND, 1) + block + key + tag + signature + box)


def encode_follow(mode, lease, stamp, logs, blocks):
    """logs: (name, after)."""
    head = bytes([FOLLOW, mode, len(logs), len(blocks)]) + lease + be(stamp, 8)
    return _padded(head + b"".join(name + be(after, 4) for name, after in logs) + b"".join(blocks))


def decode_request(message):
    """Returns ("put", block, tag, box), ("list", block, first),
    ("fetch", stand, lease, stamp, tags, deleted, blocks), ("append", block, key, tag,
    signature, box) or ("follow", mode, lease, stamp, [(name, after)], blocks).
    """
    need(len(message) == MESSAGE, "length")
    r = Reader(message)
    kind = r.int(1)
    need(PUT <= kind <= FOLLOW, "type")
    if kind == PUT:
        request = "put", r.take(BLOCK), r.take(16), r.take(1536)
    elif kind == LIST:
        request = "list", r.take(BLOCK), r.int(1)
    elif kind == APPEND:
        request = "append", r.take(BLOCK), r.take(32), r.take(16), r.take(64), r.take(1536)
    elif kind == FOLLOW:
        mode, n, b = r.int(1), r.int(1), r.int(1)
        need(mode <= 2 and 1 <= n <= 8 and 1 <= b <= 5, "counts")
        lease, stamp = r.take(8), r.int(8)
        need(any(lease) if mode else not any(lease) and stamp == 0, "lease")
        logs = [(r.take(16), r.int(4)) for _ in range(n)]
        need(len({name for name, _ in logs}) == n, "a log twice")
        request = "follow", mode, lease, stamp, logs, [r.take(BLOCK) for _ in range(b)]
    else:
        stand, t, a, b = r.int(1), r.int(1), r.int(1), r.int(1)
        need(stand <= 1 and t <= 32 and a <= 32 and 1 <= b <= 5, "counts")
        lease, stamp = r.take(8), r.int(8)
        need(any(lease) if stand else not any(lease) and stamp == 0, "lease")
        request = ("fetch", stand, lease, stamp, [r.take(16) for _ in range(t)],
                   [r.take(16) for _ in range(a)], [r.take(BLOCK) for _ in range(b)])
    r.zeros()
    return request


BOX_ANSWER = {"here": 0, "pending": 0, "blocks": 0, "seat": 0, "tag": b"", "box": b"",
              "time": 0, "relays": 0, "digest": b"", "entries": []}
ANSWER = BOX_ANSWER | {"name": b"", "instance": 0, "position": 0, "signature": b"", "sent": 0, "ends": []}


def encode_answer(kind, a):
    """a: what ANSWER has, entries as (known, descriptor)."""
    message = be(kind, 1)
    if kind in (BOX, EMPTY):
        message += be(a["pending"], 2) + be(a["blocks"], 1) + be(a["seat"], 1) + a["tag"] + a["box"]
    elif kind == TAKEN:
        message += be(int(a["here"]), 1) + a["box"]
    elif kind == LISTED:
        message += be(a["time"], 8) + be(a["relays"], 2) + a["digest"] + be(len(a["entries"]), 1)
        for known, descriptor in a["entries"]:
            message += be(len(descriptor), 2) + be(known, 2) + descriptor
    elif kind == LOGGED:
        message += be(a["pending"], 2) + be(a["blocks"], 1) + be(a["seat"], 1) + a["name"]
        message += be(a["instance"], 4) + be(a["position"], 4) + a["tag"] + a["signature"] + a["box"]
    elif kind == ENDED:
        message += bytes([a["blocks"], a["seat"], a["sent"], len(a["ends"])])
        for e in a["ends"]:
            message += e["name"] + be(e["instance"], 4) + be(e["count"], 2) + be(e["last"], 4) + e["digest"]
    return _padded(message)


def decode_answer(message):
    """Returns kind and a dict like ANSWER."""
    need(len(message) == MESSAGE, "length")
    r, a = Reader(message), dict(ANSWER, entries=[], ends=[])
    kind = r.int(1)
    need(STORED <= kind <= ENDED, "type")
    if kind == TAKEN:
        a["here"] = r.int(1)
        need(a["here"] <= 1, "here")
        a["box"] = r.take(1536) if a["here"] else b""
    elif kind in (BOX, EMPTY):
        a["pending"], a["blocks"], a["seat"] = r.int(2), r.int(1), r.int(1)
        need(a["pending"] <= 32 and a["blocks"] <= 5, "counts")
        need(kind == BOX or a["pending"] == 0, "counts")
        need(a["seat"] <= MAX_PRICE or a["seat"] == NO_SEAT, "seat")
        need(a["seat"] == 0 or a["blocks"] == 0, "blocks without a seat")
    elif kind == LISTED:
        a["time"], a["relays"], a["digest"] = r.int(8), r.int(2), r.take(32)
        need(a["time"] <= 2**40, "time")
        for _ in range(r.int(1)):
            size, known = r.int(2), r.int(2)
            need(size > 0, "entry")
            a["entries"].append((known, r.take(size)))
    elif kind == LOGGED:
        a["pending"], a["blocks"], a["seat"] = r.int(2), r.int(1), r.int(1)
        a["name"], a["instance"], a["position"] = r.take(16), r.int(4), r.int(4)
        a["tag"], a["signature"], a["box"] = r.take(16), r.take(64), r.take(1536)
        need(a["instance"] > 0 and 0 < a["position"] < 2**32 - 1, "place")
    elif kind == ENDED:
        a["blocks"], a["seat"], a["sent"] = r.int(1), r.int(1), r.int(1)
        n = r.int(1)
        need(1 <= n <= 8 and a["sent"] <= 5, "counts")
        for _ in range(n):
            e = {"name": r.take(16), "instance": r.int(4), "count": r.int(2), "last": r.int(4), "digest": r.take(32)}
            need(e["count"] <= 8192 and e["count"] <= e["last"] < 2**32 - 1, "counts")
            need(e["instance"] > 0 or e["last"] == 0, "no instance")
            a["ends"].append(e)
    if kind in (LOGGED, ENDED):
        need(a["blocks"] <= 10, "counts")
        need(a["seat"] <= MAX_PRICE or a["seat"] == NO_SEAT, "seat")
        need(a["seat"] == 0 or a["blocks"] == 0, "blocks without a seat")
    if kind == BOX:
        a["tag"], a["box"] = r.take(16), r.take(1536)
    r.zeros()
    return kind, a


def log_name(key):
    return sha256(b"starling/log/1\0" + key)[:16]


def _entry(key, tag, box):
    return b"starling/log-entry/1\0" + key + tag + box


def sign_entry(seed, tag, box):
    return ed25519_sign(seed, _entry(ed25519_public(seed), tag, box))


def verify_entry(key, tag, signature, box):
    need(ed25519_verify(key, _entry(key, tag, box), signature), "signature")


def log_digest(entries):
    """entries: (tag, box)."""
    return sha256(b"".join(sorted(tag + sha256(box)[:16] for tag, box in entries)))


def stamp_bits(mailbox, day, lease, stamp):
    base = sha256(b"starling/lease/2\0" + mailbox + be(day, 4) + lease)
    return 256 - int.from_bytes(sha256(base + be(stamp, 8)), "big").bit_length()


# --- Directory (5.6 to 5.8) -------------------------------------------------------------------

_SIGNED = b"starling/relay-descriptor/2\x00"


def ip_bytes(text):
    return ipaddress.ip_address(text).packed


# An address is (kind, ip, port, host): of an onion (kind 5) ip is its key; host is "" but for
# the web (kinds 3 and 4).
_IP = {1: 4, 2: 16, 3: 4, 4: 16}


def encode_address(kind, ip, port, host=""):
    body = be(kind, 1) + ip + be(port, 2) + host.encode()
    return be(len(body), 1) + body


def decode_address(r):
    """None for a kind that is not known."""
    length = r.int(1)
    need(length > 0, "empty address")
    a = Reader(r.take(length))
    kind = a.int(1)
    if kind not in (1, 2, 3, 4, 5):
        return None
    ip, port = a.take(_IP.get(kind, 32)), a.int(2)
    need(port != 0 and any(ip), "port 0, or unspecified")
    if kind != 5:
        need(not 224 <= ip[0] <= 239 if len(ip) == 4 else ip[0] != 255, "multicast")
        need(ip[:12] != bytes(10) + b"\xff\xff", "IPv4 in IPv6")
    host = a.rest().decode() if kind in (3, 4) else ""
    a.done()
    need(len(host) <= 63, "length of a host name")
    label = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    need(not host or re.fullmatch(rf"{label}(\.{label})*", host), "host name")
    return kind, ip, port, host


def encode_hint(node_id, addresses):
    return node_id + b"".join(encode_address(*a) for a in addresses)


def decode_hint(hint):
    need(len(hint) <= 128, "length")
    r = Reader(hint)
    node_id, addresses = r.take(32), []
    while r.at < len(hint):
        addresses.append(decode_address(r))
    need(1 <= len(addresses) <= 4 and any(addresses), "number of addresses")
    return node_id, [a for a in addresses if a]


FIELDS = ("node_id", "sequence", "issued", "expires", "capacity", "features", "epoch", "keys",
          "salt", "commitment")
_SIZES = (32, 8, 8, 8, 2, 2, 4, 96, 16, 32)


def commitment(salt):
    return sha256(b"starling/route-salt/2\0" + salt)


def encode_descriptor(seed, d):
    """d: a value for each of FIELDS (node_id is filled in), family and addresses."""
    d = dict(d, node_id=ed25519_public(seed))
    data = b"\x02"
    for field, size in zip(FIELDS, _SIZES):
        data += be(d[field], size) if isinstance(d[field], int) else d[field]
    data += be(len(d["family"]), 1) + b"".join(d["family"])
    data += be(len(d["addresses"]), 1) + b"".join(encode_address(*a) for a in d["addresses"])
    return data + ed25519_sign(seed, _SIGNED + data)


def decode_descriptor(data):
    need(len(data) <= 640, "length")
    r = Reader(data)
    need(r.int(1) == 2, "version")
    d = {field: r.take(size) for field, size in zip(FIELDS, _SIZES)}
    for field in ("sequence", "issued", "expires", "capacity", "features", "epoch"):
        d[field] = int.from_bytes(d[field], "big")
    need(d["issued"] < d["expires"] <= d["issued"] + 48 * 3600, "lifetime")
    need(d["expires"] <= 2**40, "time")
    need(d["epoch"] == (d["issued"] - 8 * 3600) // 86400, "epoch")
    for i in range(3):
        x25519_check(d["keys"][32 * i : 32 * i + 32])
    count = r.int(1)
    need(count <= 8, "size of the family")
    d["family"] = [r.take(8) for _ in range(count)]
    count = r.int(1)
    need(1 <= count <= 4, "number of addresses")
    d["addresses"] = [a for a in (decode_address(r) for _ in range(count)) if a]
    signed, signature = r.data[: r.at], r.take(64)
    r.done()
    need(ed25519_verify(d["node_id"], _SIGNED + signed, signature), "signature")
    return d


# Where the parts of a descriptor that a renewal changes begin.
_SEQUENCE, _ISSUED, _EPOCH, _KEYS, _SALTS = 33, 41, 61, 65, 161


def _renewal_form(length):
    """Keys, and bytes of salt and commitment, of a renewal so long."""
    for keys in range(4):
        for salts in (0, 48):
            if length == 72 + 32 * keys + salts:
                return keys, salts
    raise Refused("length of a renewal")


def decode_renewal(before, renewal):
    """Returns the descriptor, encoded and verified."""
    keys, salts = _renewal_form(len(renewal))
    r = Reader(renewal)
    need(r.take(4) == before[1:5], "another relay")
    held = int.from_bytes(before[_SEQUENCE:_ISSUED], "big")
    ahead = (r.int(4) - held) % 2**32
    need(0 < ahead < 2**31, "not newer")
    issued = (held + ahead) // 1000
    was, until = (int.from_bytes(before[at : at + 8], "big") for at in (_ISSUED, _ISSUED + 8))
    epoch, first = (issued - 8 * 3600) // 86400, int.from_bytes(before[_EPOCH:_KEYS], "big")
    need(epoch >= first, "a day before")
    kept = before[_KEYS + 32 * (epoch - first) : _SALTS][: 96 - 32 * keys]
    need(len(kept) == 96 - 32 * keys, "a key that is lacking")
    data = before[:_SEQUENCE] + be(held + ahead, 8) + be(issued, 8) + be(issued + until - was, 8)
    data += before[_EPOCH - 4 : _EPOCH] + be(epoch, 4) + kept + r.take(32 * keys)
    data += (r.take(48) if salts else before[_SALTS : _SALTS + 48]) + before[_SALTS + 48 : -64] + r.take(64)
    r.done()
    decode_descriptor(data)
    return data


def encode_renewal(before, after):
    """The shortest one, or None."""
    for salts in (b"", after[_SALTS : _SALTS + 48]):
        for keys in range(4):
            renewal = after[1:5] + after[_ISSUED - 4 : _ISSUED] + after[_SALTS - 32 * keys : _SALTS] + salts + after[-64:]
            try:
                if decode_renewal(before, renewal) == after:
                    return renewal
            except Refused:
                pass
    return None


def digest(descriptors):
    """descriptors: decoded ones, in any order."""
    known = sorted((d["node_id"], d["sequence"]) for d in descriptors)
    return sha256(b"".join(node_id + be(sequence, 8) for node_id, sequence in known))


def sketch(descriptors):
    """descriptors: decoded ones, in any order."""
    out = b""
    for first in range(256):
        known = [d for d in descriptors if d["node_id"][0] == first]
        out += digest(known)[:8] if known else bytes(8)
    return out


def score(secret, node_id):
    return hmac(secret, b"starling/rendezvous/2" + b"\0" + node_id)


def networks(addresses, v4=2, v6=4):
    """The /16 of IPv4 and /32 of IPv6 addresses, given as bytes. An onion has none."""
    return {(len(ip), ip[: v4 if len(ip) == 4 else v6]) for kind, ip, *_ in addresses if kind != 5}


def uncrowded(relays):
    """Of each /24 (/48) the 2 lowest node ids, of each /16 (/32) max(4, 2 % of all)."""
    some, held = [], {}
    for node_id, addresses in sorted(relays):
        near, wide = networks(addresses, 3, 6), networks(addresses)
        if all(held.get(n, 0) < 2 for n in near) and all(held.get(n, 0) < max(4, len(relays) * 2 // 100) for n in wide):
            held |= {n: held.get(n, 0) + 1 for n in near | wide}
            some.append((node_id, addresses))
    return some


def kin(a, b, families):
    """families: the prefixes that a node id names. It counts when both name each other."""
    return b[:8] in families.get(a, ()) and a[:8] in families.get(b, ())


def rendezvous(secret, relays, families):
    """relays: (node id, addresses). Returns the node ids, highest first."""
    ranking, used = [], set()
    relays = uncrowded(relays)
    for node_id, addresses in sorted(relays, key=lambda r: score(secret, r[0]), reverse=True):
        if not used & networks(addresses) and not any(kin(node_id, other, families) for other in ranking):
            used |= networks(addresses)
            ranking.append(node_id)
    return ranking


def encode_list_request(nonce, instance, after, have, pages, stamp, whole, names, narrow=None):
    """narrow: issued and sketch."""
    request = nonce + instance + be(after, 8) + have + be(pages, 1) + be(stamp, 8)
    request += be(whole, 8) + be(names, 1)
    return request + be(narrow[0], 8) + narrow[1] if narrow else request


def decode_list_request(data):
    r = Reader(data)
    nonce, instance, after, have, pages = r.take(8), r.take(8), r.int(8), r.take(32), r.int(1)
    stamp, whole, names = r.int(8), r.int(8), r.int(1)
    narrow = (r.int(8), r.take(2048)) if r.at < len(data) else None
    r.done()
    need(any(nonce) and 1 <= pages <= 32 and names <= 1, "nonce, pages or names")
    return nonce, instance, after, have, pages, stamp, whole, names, narrow


def encode_page(nonce, instance, stamp, time, state, entries):
    """entries: (known, descriptor), (None, renewal) or (None, name); in state 4 the price."""
    if state == 4:
        return nonce + instance + be(stamp, 8) + be(time, 8) + be(state, 1) + be(entries, 1)
    data = nonce + instance + be(stamp, 8) + be(time, 8) + be(state, 1)
    data += b"".join(be(len(d), 2) + (b"" if known is None else be(known, 2)) + d for known, d in entries)
    need(len(data) <= FRAME - 3, "length")
    return data


def decode_page(data):
    need(len(data) <= FRAME - 3, "length")
    r = Reader(data)
    nonce, instance, stamp, time, state = r.take(8), r.take(8), r.int(8), r.int(8), r.int(1)
    need(state <= 4 and time <= 2**40, "state or time")
    if state == 4:
        price = r.int(1)
        r.done()
        return nonce, instance, stamp, time, state, price
    entries = []
    while r.at < len(data):
        length = r.int(2)
        if length < 283 and length != 8:
            _renewal_form(length)
        entries.append((None if length < 283 else r.int(2), r.take(length)))
    need(state != 3 or not entries, "entries although nothing is new")
    need(state not in (0, 2) or entries, "an empty page, and more to come")
    for known, d in entries:
        if known is not None:
            decode_descriptor(d)
    return nonce, instance, stamp, time, state, entries


def relay_cid():
    """CIDv1, codec raw, multihash sha2-256."""
    return bytes.fromhex("01551220") + sha256(b"starling/relays/1")
