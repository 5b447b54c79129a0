#!/usr/bin/env python3
"""A second implementation of Starling's session layouts, in plain Python.

It was written from the package comments, shares no code with the Go packages,
and needs nothing but Python's standard library. It covers what is symmetric:
the link, what its secret gives, the cells of an invite, tag chains, the keys
of a message, the body, and a whole cell. It prints the vectors that the Go
tests check:

    python3 layout.py > testdata/layout.json

With a file as argument it opens the cells in it instead and checks them.
"""
import base64, hashlib, hmac, json, struct, sys


# AES-256 (FIPS 197), enough of it for CBC.
def _tables():
    p = q = 1
    sbox = [0] * 256
    while True:
        p ^= (p << 1 & 0xFF) ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1 & 0xFF
        q ^= q << 2 & 0xFF
        q ^= q << 4 & 0xFF
        if q & 0x80:
            q ^= 0x09
        rot = lambda n: (q << n | q >> 8 - n) & 0xFF
        sbox[p] = q ^ rot(1) ^ rot(2) ^ rot(3) ^ rot(4) ^ 0x63
        if p == 1:
            break
    sbox[0] = 0x63
    return sbox, [sbox.index(i) for i in range(256)]


SBOX, INVERSE = _tables()


def times(a, b):
    r = 0
    while b:
        if b & 1:
            r ^= a
        a = (a << 1 ^ (0x11B if a & 0x80 else 0)) & 0xFF
        b >>= 1
    return r


MUL = {k: [times(i, k) for i in range(256)] for k in (2, 3, 9, 11, 13, 14)}


def round_keys(key):
    w = [list(key[i:i + 4]) for i in range(0, 32, 4)]
    rcon = 1
    for i in range(8, 60):
        t = list(w[i - 1])
        if i % 8 == 0:
            t = [SBOX[b] for b in t[1:] + t[:1]]
            t[0] ^= rcon
            rcon = times(rcon, 2)
        elif i % 8 == 4:
            t = [SBOX[b] for b in t]
        w.append([a ^ b for a, b in zip(w[i - 8], t)])
    return [sum(w[i:i + 4], []) for i in range(0, 60, 4)]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def encrypt_block(rk, block):
    s = xor(block, rk[0])
    for r in range(1, 15):
        s = [SBOX[b] for b in s]
        s = [s[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if r < 14:
            t = []
            for c in range(0, 16, 4):
                for i in range(4):
                    t.append(MUL[2][s[c + i]] ^ MUL[3][s[c + (i + 1) % 4]] ^ s[c + (i + 2) % 4] ^ s[c + (i + 3) % 4])
            s = t
        s = xor(s, rk[r])
    return bytes(s)


def decrypt_block(rk, block):
    s = xor(block, rk[14])
    for r in range(13, -1, -1):
        s = [s[(i - 4 * (i % 4)) % 16] for i in range(16)]
        s = xor([INVERSE[b] for b in s], rk[r])
        if r > 0:
            t = []
            for c in range(0, 16, 4):
                for i in range(4):
                    t.append(MUL[14][s[c + i]] ^ MUL[11][s[c + (i + 1) % 4]]
                             ^ MUL[13][s[c + (i + 2) % 4]] ^ MUL[9][s[c + (i + 3) % 4]])
            s = t
    return bytes(s)


# Package cbchmac.
def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def seal(key, iv, plaintext, *ad):
    pad = 16 - len(plaintext) % 16
    plaintext += bytes([pad]) * pad
    rk, out, last = round_keys(key[:32]), b"", iv
    for i in range(0, len(plaintext), 16):
        last = encrypt_block(rk, xor(plaintext[i:i + 16], last))
        out += last
    return out + mac(key[32:], *ad, out)


def open_(key, iv, sealed, *ad):
    ciphertext, tag = sealed[:-32], sealed[-32:]
    assert hmac.compare_digest(tag, mac(key[32:], *ad, ciphertext))
    rk, out, last = round_keys(key[:32]), b"", iv
    for i in range(0, len(ciphertext), 16):
        out += xor(decrypt_block(rk, ciphertext[i:i + 16]), last)
        last = ciphertext[i:i + 16]
    pad = out[-1]
    assert 1 <= pad <= 16 and out.endswith(bytes([pad]) * pad)
    return out[:-pad]


# Package kdf.
def hkdf(label, salt, secret, n):
    prk = mac(salt or bytes(32), secret)
    t = okm = b""
    i = 1
    while len(okm) < n:
        t = mac(prk, t, label, bytes([i]))
        okm += t
        i += 1
    return okm[:n]


# Package invite.
def link(secret, bundle_hash, expiry, hints):
    b = b"\x01" + secret + bundle_hash + struct.pack(">I", expiry) + bytes([len(hints)])
    for h in hints:
        b += bytes([len(h)]) + h
    b += hashlib.sha256(b"Starling v1 hash: link" + b).digest()[:4]
    return "starling:" + base64.b32encode(b).decode().lower().rstrip("=")


def invite_keys(secret):
    d = lambda name, n: hkdf(b"Starling v1 invite: " + name, None, secret, n)
    cut = lambda b: [b[i:i + 16] for i in range(0, len(b), 16)]
    return {"id": d(b"id", 16), "bundle_tags": cut(d(b"bundle tags", 48)), "hello_tags": cut(d(b"hello tags", 384)),
            "bundle_key": d(b"bundle key", 64), "hello_key": d(b"hello key", 64)}


def invite_cell(key, iv, purpose, slot, index, part):
    assert len(part) == 1487
    return iv + seal(key, iv, part, bytes([purpose, slot, index]), iv)


# Packages envelope and ratchet.
def body(seq, previous, id_, index, count, data):
    b = struct.pack(">BQ", 1, seq) + previous + id_ + struct.pack(">HHH", index, count, len(data)) + data
    return b + bytes(1359 - len(b))


def tags(key, n):
    out = []
    for _ in range(n):
        out.append(mac(key, b"Starling v1 tag: value")[:16])
        key = mac(key, b"Starling v1 tag: next")
    return out


def message_key(ec, pq):
    mk = hkdf(b"Starling v1 KDF_HYBRID", pq, ec, 32)
    k = hkdf(b"Starling v1 message keys", None, mk, 80)
    return k[:64], k[64:]


def message(hk, iv, dh, pn, n, pq_message, ec, pq, ad, plaintext):
    header = dh + struct.pack(">II", pn, n) + pq_message
    assert len(header) == 87
    head = iv + seal(hk, iv, header, iv)
    key, body_iv = message_key(ec, pq)
    return head + seal(key, body_iv, plaintext, ad, head)


def open_message(hk, ec, pq, ad, cell):
    head, sealed = cell[:144], cell[144:]
    header = open_(hk, head[:16], head[16:], head[:16])
    key, iv = message_key(ec, pq)
    return header, open_(key, iv, sealed, ad, head)


def stuff(name, n):
    """n bytes that look random and are not."""
    return hkdf(name.encode(), None, b"layout.py", n)


def vectors():
    assert encrypt_block(round_keys(bytes(range(32))), bytes.fromhex("00112233445566778899aabbccddeeff")).hex() == \
        "8ea2b7ca516745bfeafc49904b496089"  # FIPS 197, C.3
    v = {}
    l = {"secret": stuff("secret", 32), "bundle_hash": stuff("bundle hash", 32), "expiry": 1800000000,
         "hints": [b"a", stuff("hint", 64)]}
    l["text"] = link(**l)
    l.update(invite_keys(l["secret"]))
    part = stuff("part", 1487)
    l["bundle_part"], l["hello_part"] = part, part
    l["bundle_cell"] = invite_cell(l["bundle_key"], stuff("bundle iv", 16), 1, 0, 2, part)
    l["hello_slot"], l["hello_index"] = 5, 1
    l["hello_cell"] = invite_cell(l["hello_key"], stuff("hello iv", 16), 2, 5, 1, part)
    v["invite"] = l
    b = {"seq": 7, "previous": stuff("previous", 32), "id": stuff("id", 16), "index": 1, "count": 3, "data": stuff("data", 1296)}
    b["body"] = body(b["seq"], b["previous"], b["id"], b["index"], b["count"], b["data"])
    v["body"] = b
    dh = bytearray(stuff("dh", 32))
    dh[31] &= 0x3F
    m = {"header_key": stuff("hk", 64), "iv": stuff("iv", 16), "dh": bytes(dh), "pn": 3, "n": 0x01020304,
         "pq_message": stuff("pq message", 47), "ec": stuff("ec", 32), "pq": stuff("pq", 32), "ad": stuff("ad", 32)}
    m["cell"] = message(m["header_key"], m["iv"], m["dh"], m["pn"], m["n"], m["pq_message"], m["ec"], m["pq"], m["ad"], b["body"])
    assert len(m["cell"]) == 1536 and open_message(m["header_key"], m["ec"], m["pq"], m["ad"], m["cell"])[1] == b["body"]
    v["message"] = m
    t = {"key": stuff("tags", 32)}
    t["tags"] = tags(t["key"], 40)
    v["tags"] = t
    return v


def jsonable(x):
    if isinstance(x, bytes):
        return x.hex()
    if isinstance(x, dict):
        return {k: jsonable(y) for k, y in x.items()}
    if isinstance(x, list):
        return [jsonable(y) for y in x]
    return x


def check(name):
    """Opens the cells that a Go test wrote."""
    cells = json.load(open(name))
    for c in cells:
        b = {k: bytes.fromhex(x) for k, x in c.items()}
        header, plaintext = open_message(b["header_key"], b["ec"], b["pq"], b["ad"], b["cell"])
        assert header == b["header"] and plaintext == b["body"], "a cell opens to something else"
    print(len(cells), "cells open")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        check(sys.argv[1])
    else:
        json.dump(jsonable(vectors()), sys.stdout, indent=1)
        print()
