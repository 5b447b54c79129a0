"""The primitives of PROTOCOL.md section 1, from their public specifications.

Python's standard library has SHA-2, SHA-3, SHAKE, BLAKE2b and HMAC; the rest is here.
Nothing runs in constant time: this is for test vectors and for nothing else.
"""

import hashlib
import hmac as _hmac
import os


class Refused(Exception):
    """The one error for whatever cannot be used. The text is for whoever debugs."""


def need(condition, why):
    if not condition:
        raise Refused(why)


def random(n):
    return os.urandom(n)


def be(n, size):
    return n.to_bytes(size, "big")


def num(b):
    return int.from_bytes(b, "big")


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


class Reader:
    """Cuts a message into fields; done() refuses bytes behind the end."""

    def __init__(self, data):
        self.data, self.at = bytes(data), 0

    def take(self, n):
        need(self.at + n <= len(self.data), "too short")
        self.at += n
        return self.data[self.at - n : self.at]

    def int(self, n):
        return num(self.take(n))

    def rest(self):
        return self.take(len(self.data) - self.at)

    def zeros(self):
        need(not any(self.rest()), "padding is not zero")

    def done(self):
        need(self.at == len(self.data), "bytes behind the end")


# --- Hashes ------------------------------------------------------------------------------

ZERO32 = bytes(32)


def sha256(m):
    return hashlib.sha256(m).digest()


def hmac(key, m):
    return _hmac.digest(key, m, "sha256")


def same(a, b):
    return _hmac.compare_digest(a, b)


def hkdf_extract(salt, ikm):
    return hmac(salt, ikm)


def hkdf_expand(prk, info, n):
    out, block, i = b"", b"", 1
    while len(out) < n:
        block = hmac(prk, block + info + bytes([i]))
        out, i = out + block, i + 1
    return out[:n]


def hkdf(salt, ikm, info, n):
    """RFC 5869."""
    return hkdf_expand(hkdf_extract(salt, ikm), info, n)


def cut(data, *sizes):
    """Several outputs of one derivation, in order."""
    r = Reader(data)
    parts = tuple(r.take(n) for n in sizes)
    r.done()
    return parts


# --- Curve25519: RFC 7748 and RFC 8032 ------------------------------------------------------

P = 2**255 - 19


def x25519(k, u):
    """The ladder, without the refusals of section 1."""
    n = int.from_bytes(k, "little")
    n = (n & ((1 << 254) - 8)) | (1 << 254)
    x1 = int.from_bytes(u, "little") & ((1 << 255) - 1)
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in range(254, -1, -1):
        bit = (n >> t) & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        x3 = (da + cb) ** 2 % P
        z3 = x1 * (da - cb) ** 2 % P
        x2 = aa * bb % P
        e = aa - bb
        z2 = e * (aa + 121665 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


def x25519_public(private):
    return x25519(private, (9).to_bytes(32, "little"))


def x25519_check(public):
    need(int.from_bytes(public, "little") < P, "u-coordinate is not canonical")
    return public


def agree(private, public):
    """X25519 with the refusals of section 1."""
    secret = x25519(private, x25519_check(public))
    need(any(secret), "agreement is all zero")
    return secret


L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


def _add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _mul(n, p):
    q = (0, 1, 1, 0)
    while n:
        if n & 1:
            q = _add(q, p)
        p, n = _add(p, p), n >> 1
    return q


def _recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P:
        return None
    return P - x if (x & 1) != sign else x


def _compress(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | ((x & 1) << 255)).to_bytes(32, "little")


def _decompress(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


_BASE_Y = 4 * pow(5, P - 2, P) % P
_BASE_X = _recover_x(_BASE_Y, 0)
BASE = (_BASE_X, _BASE_Y, 1, _BASE_X * _BASE_Y % P)


def _sha512_int(m):
    return int.from_bytes(hashlib.sha512(m).digest(), "little")


def _ed_expand(seed):
    h = hashlib.sha512(seed).digest()
    a = int.from_bytes(h[:32], "little")
    return (a & ((1 << 254) - 8)) | (1 << 254), h[32:]


def ed25519_public(seed):
    return _compress(_mul(_ed_expand(seed)[0], BASE))


def ed25519_sign(seed, m):
    a, prefix = _ed_expand(seed)
    public = _compress(_mul(a, BASE))
    r = _sha512_int(prefix + m) % L
    big_r = _compress(_mul(r, BASE))
    s = (r + _sha512_int(big_r + public + m) * a) % L
    return big_r + s.to_bytes(32, "little")


def ed25519_verify(public, m, signature):
    a = _decompress(public)
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or s >= L:
        return False
    h = _sha512_int(signature[:32] + public + m) % L
    minus_a = (P - a[0], a[1], 1, P - a[3])
    return _compress(_add(_mul(s, BASE), _mul(h, minus_a))) == signature[:32]


# --- ChaCha20 and Poly1305: RFC 8439 --------------------------------------------------------

_MASK = 0xFFFFFFFF


def _chacha20_block(key, counter, nonce):
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    start += [int.from_bytes(key[i : i + 4], "little") for i in range(0, 32, 4)]
    start += [counter]
    start += [int.from_bytes(nonce[i : i + 4], "little") for i in range(0, 12, 4)]
    s = list(start)

    def quarter(a, b, c, d):
        x, y, z, w = s[a], s[b], s[c], s[d]
        x = (x + y) & _MASK
        w ^= x
        w = (w << 16 | w >> 16) & _MASK
        z = (z + w) & _MASK
        y ^= z
        y = (y << 12 | y >> 20) & _MASK
        x = (x + y) & _MASK
        w ^= x
        w = (w << 8 | w >> 24) & _MASK
        z = (z + w) & _MASK
        y ^= z
        y = (y << 7 | y >> 25) & _MASK
        s[a], s[b], s[c], s[d] = x, y, z, w

    for _ in range(10):
        for i in range(4):
            quarter(i, i + 4, i + 8, i + 12)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return b"".join(((x + y) & _MASK).to_bytes(4, "little") for x, y in zip(s, start))


def chacha20(key, counter, nonce, data):
    blocks = range((len(data) + 63) // 64)
    stream = b"".join(_chacha20_block(key, counter + i, nonce) for i in blocks)
    return xor(data, stream[: len(data)])


def _poly1305(key, m):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    a = 0
    for i in range(0, len(m), 16):
        block = m[i : i + 16] + b"\x01"
        a = (a + int.from_bytes(block, "little")) * r % (2**130 - 5)
    a += int.from_bytes(key[16:], "little")
    return (a & (2**128 - 1)).to_bytes(16, "little")


def _aead_tag(key, nonce, aad, c):
    def padded(b):
        return b + bytes(-len(b) % 16)

    m = padded(aad) + padded(c)
    m += len(aad).to_bytes(8, "little") + len(c).to_bytes(8, "little")
    return _poly1305(_chacha20_block(key, 0, nonce)[:32], m)


def aead_seal(key, nonce, aad, plain):
    c = chacha20(key, 1, nonce, plain)
    return c + _aead_tag(key, nonce, aad, c)


def aead_open(key, nonce, aad, sealed):
    need(len(sealed) >= 16, "too short")
    c, tag = sealed[:-16], sealed[-16:]
    need(same(_aead_tag(key, nonce, aad, c), tag), "wrong AEAD tag")
    return chacha20(key, 1, nonce, c)


# --- HPKE base mode, X25519 / HKDF-SHA256 / ChaCha20-Poly1305: RFC 9180 -----------------------

_KEM_SUITE = b"KEM" + be(0x0020, 2)
_HPKE_SUITE = b"HPKE" + be(0x0020, 2) + be(0x0001, 2) + be(0x0003, 2)


def _labeled_extract(suite, salt, label, ikm):
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + ikm)


def _labeled_expand(suite, prk, label, info, n):
    return hkdf_expand(prk, be(n, 2) + b"HPKE-v1" + suite + label + info, n)


class HPKE:
    """A context after the key schedule; good for one box, so the sequence number is 0."""

    def __init__(self, dh, enc, public, info):
        prk = _labeled_extract(_KEM_SUITE, b"", b"eae_prk", dh)
        shared = _labeled_expand(_KEM_SUITE, prk, b"shared_secret", enc + public, 32)
        context = b"\x00" + _labeled_extract(_HPKE_SUITE, b"", b"psk_id_hash", b"")
        context += _labeled_extract(_HPKE_SUITE, b"", b"info_hash", info)
        secret = _labeled_extract(_HPKE_SUITE, shared, b"secret", b"")
        self.key = _labeled_expand(_HPKE_SUITE, secret, b"key", context, 32)
        self.nonce = _labeled_expand(_HPKE_SUITE, secret, b"base_nonce", context, 12)
        self.exporter = _labeled_expand(_HPKE_SUITE, secret, b"exp", context, 32)

    def export(self, context, n):
        return _labeled_expand(_HPKE_SUITE, self.exporter, b"sec", context, n)


def hpke_seal(public, info, plain, ephemeral=None):
    """Returns enc ‖ box, and the context for exports."""
    ephemeral = ephemeral or random(32)
    enc = x25519_public(ephemeral)
    context = HPKE(agree(ephemeral, public), enc, public, info)
    return enc + aead_seal(context.key, context.nonce, b"", plain), context


def hpke_open(private, info, sealed):
    enc, box = sealed[:32], sealed[32:]
    context = HPKE(agree(private, enc), enc, x25519_public(private), info)
    return aead_open(context.key, context.nonce, b"", box), context


# --- AES-256-CBC (FIPS 197) and CBC-HMAC (section 1) ------------------------------------------


def _aes_tables():
    def times2(a):
        return (a << 1) ^ (0x11B if a & 0x80 else 0)

    power, log, a = [0] * 256, [0] * 256, 1
    for i in range(255):
        power[i], log[a] = a, i
        a = times2(a) ^ a  # 3 generates the field
    def times(a, b):
        return power[(log[a] + log[b]) % 255] if a and b else 0

    sbox = []
    for a in range(256):
        b = power[-log[a] % 255] if a else 0
        s = 0x63
        for shift in range(5):
            s ^= (b << shift | b >> (8 - shift)) & 0xFF
        sbox.append(s)
    inverse = [0] * 256
    for a, s in enumerate(sbox):
        inverse[s] = a

    def columns(box, coefficients):
        """For each byte of a column what it adds to the column, as a 32-bit word."""
        first = [num(bytes(times(c, box[a]) for c in coefficients)) for a in range(256)]
        return [[(w >> 8 * i | w << (32 - 8 * i)) & _MASK for w in first] for i in range(4)]

    return sbox, inverse, columns(sbox, (2, 1, 1, 3)), columns(inverse, (14, 9, 13, 11)), \
        columns(range(256), (14, 9, 13, 11))


_SBOX, _INVERSE, _ENC, _DEC, _UNMIX = _aes_tables()


def _sub_word(w, box):
    return num(bytes(box[b] for b in be(w, 4)))


def _aes_keys(key):
    w, rcon = [num(key[i : i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        t = w[i - 1]
        if i % 8 == 0:
            t = _sub_word((t << 8 | t >> 24) & _MASK, _SBOX) ^ rcon << 24
            rcon <<= 1
        elif i % 8 == 4:
            t = _sub_word(t, _SBOX)
        w.append(w[i - 8] ^ t)
    return [w[i : i + 4] for i in range(0, 60, 4)]


def _aes_decryption_keys(key):
    """The round keys of the equivalent inverse cipher, FIPS 197 section 5.3.5."""
    keys = _aes_keys(key)[::-1]
    for r in range(1, 14):
        keys[r] = [
            _UNMIX[0][w >> 24] ^ _UNMIX[1][w >> 16 & 255] ^ _UNMIX[2][w >> 8 & 255] ^ _UNMIX[3][w & 255]
            for w in keys[r]
        ]
    return keys


def _aes_block(keys, block, tables, box, shift):
    """shift is 1 to encrypt, -1 to decrypt: which way ShiftRows goes."""
    s = [num(block[i : i + 4]) ^ k for i, k in zip(range(0, 16, 4), keys[0])]
    t0, t1, t2, t3 = tables
    for key in keys[1:14]:
        s = [
            t0[s[i] >> 24] ^ t1[s[(i + shift) % 4] >> 16 & 255]
            ^ t2[s[(i + 2) % 4] >> 8 & 255] ^ t3[s[(i + 3 * shift) % 4] & 255] ^ key[i]
            for i in range(4)
        ]
    out = b""
    for i in range(4):
        w = bytes((box[s[i] >> 24], box[s[(i + shift) % 4] >> 16 & 255],
                   box[s[(i + 2) % 4] >> 8 & 255], box[s[(i + 3 * shift) % 4] & 255]))
        out += be(num(w) ^ keys[14][i], 4)
    return out


def cbc_encrypt(key, iv, plain):
    keys, out = _aes_keys(key), [iv]
    for i in range(0, len(plain), 16):
        out.append(_aes_block(keys, xor(plain[i : i + 16], out[-1]), _ENC, _SBOX, 1))
    return b"".join(out[1:])


def cbc_decrypt(key, iv, c):
    keys, out, last = _aes_decryption_keys(key), b"", iv
    for i in range(0, len(c), 16):
        block = c[i : i + 16]
        out += xor(_aes_block(keys, block, _DEC, _INVERSE, -1), last)
        last = block
    return out


def seal(key, iv, ad, plain):
    """CBC-HMAC."""
    pad = 16 - len(plain) % 16
    c = cbc_encrypt(key[:32], iv, plain + bytes([pad]) * pad)
    return c + hmac(key[32:], ad + c)


def tag_is_right(key, ad, sealed):
    return same(hmac(key[32:], ad + sealed[:-32]), sealed[-32:])


def unseal(key, iv, ad, sealed):
    """CBC-HMAC: length, tag, padding, in this order."""
    need(len(sealed) >= 48 and len(sealed) % 16 == 0, "length")
    need(tag_is_right(key, ad, sealed), "wrong MAC")
    plain = cbc_decrypt(key[:32], iv, sealed[:-32])
    pad = plain[-1]
    need(1 <= pad <= 16 and plain[-pad:] == bytes([pad]) * pad, "padding")
    return plain[:-pad]
