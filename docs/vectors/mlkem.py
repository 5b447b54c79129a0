"""ML-KEM-768 and ML-KEM-1024 (FIPS 203), with encapsulation also in two parts.

The two parts are those of PROTOCOL.md section 3.6: u needs only ρ and SHA3-256(ek), v also
the vector t. A private key is its 64-byte seed d ‖ z.
"""

import hashlib

from primitives import need, random, same

Q = 3329


def _reverse7(i):
    return int(f"{i:07b}"[::-1], 2)


_ZETAS = [pow(17, _reverse7(i), Q) for i in range(128)]
_GAMMAS = [pow(17, 2 * _reverse7(i) + 1, Q) for i in range(128)]


def _ntt(f):
    f, i, length = list(f), 1, 128
    while length >= 2:
        for start in range(0, 256, 2 * length):
            zeta, i = _ZETAS[i], i + 1
            for j in range(start, start + length):
                t = zeta * f[j + length] % Q
                f[j + length], f[j] = (f[j] - t) % Q, (f[j] + t) % Q
        length //= 2
    return f


def _inverse_ntt(f):
    f, i, length = list(f), 127, 2
    while length <= 128:
        for start in range(0, 256, 2 * length):
            zeta, i = _ZETAS[i], i - 1
            for j in range(start, start + length):
                t = f[j]
                f[j], f[j + length] = (t + f[j + length]) % Q, zeta * (f[j + length] - t) % Q
        length *= 2
    return [x * 3303 % Q for x in f]


def _product(f, g):
    out = []
    for i, gamma in enumerate(_GAMMAS):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        out += [(a0 * b0 + a1 * b1 * gamma) % Q, (a0 * b1 + a1 * b0) % Q]
    return out


def _sum(*polynomials):
    return [sum(c) % Q for c in zip(*polynomials)]


def _dot(v, w):
    return _sum(*(_product(f, g) for f, g in zip(v, w)))


def _encode(f, d):
    n = sum(x << d * i for i, x in enumerate(f))
    return n.to_bytes(32 * d, "little")


def _decode(b, d):
    n = int.from_bytes(b, "little")
    mask = (1 << d) - 1
    return [n >> d * i & mask for i in range(256)]


def _compress(f, d):
    return [((x << d) + Q // 2) // Q % (1 << d) for x in f]


def _decompress(f, d):
    return [(x * Q + (1 << d - 1)) >> d for x in f]


def _sample_ntt(seed):
    n, out = 672, []
    while len(out) < 256:
        stream, out = hashlib.shake_128(seed).digest(n), []
        for i in range(0, n, 3):
            a = stream[i] | (stream[i + 1] & 15) << 8
            b = stream[i + 1] >> 4 | stream[i + 2] << 4
            out += [x for x in (a, b) if x < Q]
        n += 168
    return out[:256]


def _noise(seed, n):
    """SamplePolyCBD with η = 2, which both parameter sets have throughout."""
    bits = int.from_bytes(hashlib.shake_256(seed + bytes([n])).digest(128), "little")
    out = []
    for i in range(256):
        b = bits >> 4 * i & 15
        out.append(((b & 1) + (b >> 1 & 1) - (b >> 2 & 1) - (b >> 3)) % Q)
    return out


def _h(m):
    return hashlib.sha3_256(m).digest()


def _g(m):
    out = hashlib.sha3_512(m).digest()
    return out[:32], out[32:]


class MLKEM:
    def __init__(self, k, du, dv):
        self.k, self.du, self.dv = k, du, dv
        self.vector_size = 384 * k
        self.ek_size = self.vector_size + 32
        self.u_size, self.v_size = 32 * du * k, 32 * dv

    def _matrix(self, rho, transposed):
        def at(i, j):
            return _sample_ntt(rho + bytes([i, j] if transposed else [j, i]))

        return [[at(i, j) for j in range(self.k)] for i in range(self.k)]

    def _noises(self, seed, first):
        return [_noise(seed, first + i) for i in range(self.k)]

    def _keys(self, seed):
        rho, sigma = _g(seed[:32] + bytes([self.k]))
        s = [_ntt(f) for f in self._noises(sigma, 0)]
        e = [_ntt(f) for f in self._noises(sigma, self.k)]
        t = [_sum(_dot(row, s), noise) for row, noise in zip(self._matrix(rho, False), e)]
        return s, b"".join(_encode(f, 12) for f in t) + rho

    def public(self, seed):
        return self._keys(seed)[1]

    def vector_ok(self, vector):
        """The modulus check of FIPS 203 section 7.2."""
        return len(vector) == self.vector_size and all(
            x < Q for i in range(self.k) for x in _decode(vector[384 * i : 384 * i + 384], 12))

    def _u(self, rho, r):
        y = [_ntt(f) for f in self._noises(r, 0)]
        e1 = self._noises(r, self.k)
        u = [_sum(_inverse_ntt(_dot(row, y)), e) for row, e in zip(self._matrix(rho, True), e1)]
        return b"".join(_encode(_compress(f, self.du), self.du) for f in u)

    def _v(self, vector, m, r):
        t = [_decode(vector[384 * i : 384 * i + 384], 12) for i in range(self.k)]
        y = [_ntt(f) for f in self._noises(r, 0)]
        e2 = _noise(r, 2 * self.k)
        v = _sum(_inverse_ntt(_dot(t, y)), e2, _decompress(_decode(m, 1), 1))
        return _encode(_compress(v, self.dv), self.dv)

    def encaps1(self, rho, ek_hash, m):
        """First part: ciphertext part u, and the shared secret."""
        secret, r = _g(m + ek_hash)
        return self._u(rho, r), secret

    def encaps2(self, vector, ek_hash, m):
        """Second part: ciphertext part v."""
        return self._v(vector, m, _g(m + ek_hash)[1])

    def encaps(self, ek, m=None):
        """Returns the ciphertext and the shared secret."""
        need(len(ek) == self.ek_size and self.vector_ok(ek[:-32]), "encapsulation key")
        m = m or random(32)
        u, secret = self.encaps1(ek[-32:], _h(ek), m)
        return u + self.encaps2(ek[:-32], _h(ek), m), secret

    def decaps(self, seed, ciphertext):
        need(len(ciphertext) == self.u_size + self.v_size, "ciphertext length")
        s, ek = self._keys(seed)
        size = 32 * self.du
        u = [_decompress(_decode(ciphertext[i : i + size], self.du), self.du)
             for i in range(0, self.u_size, size)]
        v = _decompress(_decode(ciphertext[self.u_size :], self.dv), self.dv)
        noise = _inverse_ntt(_dot(s, [_ntt(f) for f in u]))
        m = _encode(_compress([(a - b) % Q for a, b in zip(v, noise)], 1), 1)
        secret, r = _g(m + _h(ek))
        again = self._u(ek[-32:], r) + self._v(ek[:-32], m, r)
        if not same(again, ciphertext):
            return hashlib.shake_256(seed[32:] + ciphertext).digest(32)
        return secret


KEM768 = MLKEM(3, 10, 4)
KEM1024 = MLKEM(4, 11, 5)
