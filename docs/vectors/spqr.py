"""The post-quantum ratchet: PROTOCOL.md section 3.6.

Chunks, the ML-KEM Braid (a state machine that agrees on epoch keys K_1, K_2, …), the chains
made from them, and the ratchet that puts the two together.
"""

import hashlib

from mlkem import KEM768
from primitives import ZERO32, Reader, be, cut, hkdf, hmac, need, num, random, same

NONE, HDR, EK, EK_CT1_ACK, CT1, CT2 = 0, 1, 2, 3, 5, 6
LAST = 2**32 - 2  # the highest epoch and number

# --- Message ------------------------------------------------------------------------------


def encode_message(kind, epoch, n, previous, index, chunk):
    return be(kind, 1) + be(epoch, 4) + be(n, 4) + be(previous, 4) + be(index, 2) + chunk


def decode_message(data):
    need(len(data) == 47, "length")
    r = Reader(data)
    kind, epoch, n, previous, index, chunk = (
        r.int(1), r.int(4), r.int(4), r.int(4), r.int(2), r.take(32))
    need(kind in (NONE, HDR, EK, EK_CT1_ACK, CT1, CT2), "type")
    need(1 <= epoch <= LAST and 1 <= n <= LAST and previous <= LAST, "counter")
    need(epoch > 1 or previous == 0, "no chain before epoch 0")
    need(kind != NONE or (index == 0 and not any(chunk)), "None carries nothing")
    return kind, epoch, n, previous, index, chunk


# --- Chunks: GF(2^16) by tables; 2, the element x, generates the field ------------------------

_POWER, _LOG = [0] * 131070, [0] * 65536
_a = 1
for _i in range(65535):
    _POWER[_i] = _POWER[_i + 65535] = _a
    _LOG[_a] = _i
    _a = _a << 1 ^ (0x1100B if _a & 0x8000 else 0)
assert _a == 1 and len(set(_POWER)) == 65535


def _at(points, x):
    """The 16 polynomials through points {index: chunk}, at x."""
    if x in points:
        return points[x]
    out = [0] * 16
    for i, chunk in points.items():
        log = 0  # of the Lagrange coefficient: product of (x - j) / (i - j)
        for j in points:
            if j != i:
                log += _LOG[x ^ j] - _LOG[i ^ j]
        for place in range(16):
            value = num(chunk[2 * place : 2 * place + 2])
            if value:
                out[place] ^= _POWER[(_LOG[value] + log) % 65535]
    return b"".join(be(value, 2) for value in out)


class Stream:
    """A stream being sent."""

    def __init__(self, data):
        self.points = {i // 32: data[i : i + 32] for i in range(0, len(data), 32)}
        self.next = 0

    def chunk(self):
        index = self.next
        self.next = (index + 1) % 65536
        return index, _at(self.points, index)


class Collector:
    """A stream being received: k chunks of different index give it."""

    def __init__(self, size):
        self.k, self.points = size // 32, {}

    def add(self, index, chunk):
        if self.complete():
            need(_at(self.points, index) == chunk, "chunk contradicts the others")
            return
        need(self.points.get(index, chunk) == chunk, "chunk contradicts another")
        self.points[index] = chunk

    def complete(self):
        return len(self.points) == self.k

    def data(self):
        return b"".join(_at(self.points, i) for i in range(self.k))


# --- Authenticator ----------------------------------------------------------------------------

_P = b"Starling_MLKEM768_HMAC-SHA256"


def epoch_key(epoch, shared):
    return hkdf(ZERO32, shared, _P + b":SCKA Key" + be(epoch, 8), 32)


class Authenticator:
    def __init__(self, secret):
        self.root = ZERO32
        self.update(1, secret)

    def update(self, epoch, key):
        out = hkdf(self.root, key, _P + b":Authenticator Update" + be(epoch, 8), 64)
        self.root, self.mac_key = cut(out, 32, 32)

    def header(self, epoch, rho_and_hash):
        return hmac(self.mac_key, _P + b":ekheader" + be(epoch, 8) + rho_and_hash)

    def ciphertext(self, epoch, ciphertext):
        return hmac(self.mac_key, _P + b":ciphertext" + be(epoch, 8) + ciphertext)


# --- Braid --------------------------------------------------------------------------------------


class Braid:
    def __init__(self, initiator, secret):
        self.epoch, self.auth = 1, Authenticator(secret)
        if initiator:
            self.state = "KeysUnsampled"
        else:
            self.wait_for_header()

    def wait_for_header(self):
        self.state, self.collector = "NoHeaderReceived", Collector(96)

    def send(self, draw):
        """Returns type, index, chunk, and the key of this epoch if it is known now."""
        key = None
        if self.state == "KeysUnsampled":
            self.seed = draw(64)
            self.ek = KEM768.public(self.seed)
            header = self.ek[-32:] + hashlib.sha3_256(self.ek).digest()
            self.stream = Stream(header + self.auth.header(self.epoch, header))
            self.state = "KeysSampled"
        elif self.state == "HeaderReceived":
            self.m = draw(32)
            self.ct1, shared = KEM768.encaps1(self.rho, self.ek_hash, self.m)
            key = epoch_key(self.epoch, shared)
            self.auth.update(self.epoch, key)
            self.stream, self.collector = Stream(self.ct1), Collector(1152)
            self.state = "Ct1Sampled"
        kind = {
            "KeysSampled": HDR, "HeaderSent": EK, "Ct1Received": EK_CT1_ACK,
            "Ct1Sampled": CT1, "EkReceivedCt1Sampled": CT1, "Ct2Sampled": CT2,
        }.get(self.state, NONE)
        index, chunk = self.stream.chunk() if kind != NONE else (0, bytes(32))
        return kind, index, chunk, key

    def receive(self, kind, epoch, index, chunk):
        """Returns the key of this epoch if it is known now."""
        if self.state == "Ct2Sampled" and epoch == self.epoch + 1:
            self.epoch, self.state = epoch, "KeysUnsampled"
            return None
        need(epoch <= self.epoch, "epoch is ahead")
        if epoch < self.epoch:
            return None
        return getattr(self, "in_" + self.state, lambda *_: None)(kind, index, chunk)

    # The key side.

    def in_KeysSampled(self, kind, index, chunk):
        if kind == CT1:
            self.collector = Collector(960)
            self.collector.add(index, chunk)
            self.stream = Stream(self.ek[:1152])
            self.state = "HeaderSent"

    def in_HeaderSent(self, kind, index, chunk):
        if kind == CT1:
            self.collector.add(index, chunk)
            if self.collector.complete():
                self.ct1 = self.collector.data()
                self.state = "Ct1Received"

    def in_Ct1Received(self, kind, index, chunk):
        if kind == CT2:
            self.collector = Collector(160)
            self.collector.add(index, chunk)
            self.state = "EkSentCt1Received"

    def in_EkSentCt1Received(self, kind, index, chunk):
        if kind != CT2:
            return None
        self.collector.add(index, chunk)
        if not self.collector.complete():
            return None
        ct2, mac = cut(self.collector.data(), 128, 32)
        key = epoch_key(self.epoch, KEM768.decaps(self.seed, self.ct1 + ct2))
        self.auth.update(self.epoch, key)
        need(same(self.auth.ciphertext(self.epoch, self.ct1 + ct2), mac), "wrong MAC_ct")
        self.epoch += 1
        self.wait_for_header()
        return key

    # The ciphertext side.

    def in_NoHeaderReceived(self, kind, index, chunk):
        if kind != HDR:
            return
        self.collector.add(index, chunk)
        if self.collector.complete():
            header, mac = cut(self.collector.data(), 64, 32)
            need(same(self.auth.header(self.epoch, header), mac), "wrong MAC_hdr")
            self.rho, self.ek_hash = cut(header, 32, 32)
            self.state = "HeaderReceived"

    def collect_vector(self, index, chunk):
        self.collector.add(index, chunk)
        if not self.collector.complete():
            return False
        self.vector = self.collector.data()
        announced = hashlib.sha3_256(self.vector + self.rho).digest()
        need(same(announced, self.ek_hash), "vector is not the announced one")
        need(KEM768.vector_ok(self.vector), "vector is not canonical")
        return True

    def send_ct2(self):
        ct2 = KEM768.encaps2(self.vector, self.ek_hash, self.m)
        self.stream = Stream(ct2 + self.auth.ciphertext(self.epoch, self.ct1 + ct2))
        self.state = "Ct2Sampled"

    def in_Ct1Sampled(self, kind, index, chunk):
        if kind not in (EK, EK_CT1_ACK):
            return
        complete = self.collect_vector(index, chunk)
        if kind == EK_CT1_ACK and complete:
            self.send_ct2()
        elif kind == EK_CT1_ACK:
            self.state = "Ct1Acknowledged"
        elif complete:
            self.state = "EkReceivedCt1Sampled"

    def in_Ct1Acknowledged(self, kind, index, chunk):
        if kind in (EK, EK_CT1_ACK) and self.collect_vector(index, chunk):
            self.send_ct2()

    def in_EkReceivedCt1Sampled(self, kind, index, chunk):
        if kind == EK_CT1_ACK:
            self.send_ct2()


# --- Chains -------------------------------------------------------------------------------------

_C = b"Starling_SPQR_MLKEM768_SHA-256_"


class Chain:
    def __init__(self, key):
        self.key, self.n = key, 0  # the key is None when the chain is closed

    def step(self):
        need(self.key is not None, "chain is closed")
        need(self.n < LAST, "chain is used up")
        self.n += 1
        out = hkdf(ZERO32, self.key, be(self.n, 4) + _C + b"Chain Next", 64)
        self.key, message_key = cut(out, 32, 32)
        return message_key


class Ratchet:
    SKIP, ASIDE, AGE = 1000, 2000, 32

    def __init__(self, initiator, secret):
        self.initiator, self.braid = initiator, Braid(initiator, secret)
        self.sending, self.receiving = [], []  # by epoch
        self.aside = {}  # (epoch, n): key, in the order in which they came
        self.latest = -1  # the newest chain that something was received on
        self.open(hkdf(ZERO32, secret, _C + b"Chain Start", 96))

    def open(self, keys):
        self.root, a, b = cut(keys, 32, 32, 32)
        mine, theirs = (a, b) if self.initiator else (b, a)
        self.sending.append(Chain(mine))
        self.receiving.append(Chain(theirs))

    def add_epoch(self, key):
        self.open(hkdf(self.root, key, _C + b"Chain Add Epoch", 96))
        oldest = len(self.sending) - self.AGE
        self.aside = {at: k for at, k in self.aside.items() if at[0] >= oldest}

    def send(self, draw=random):
        """Returns the message of 47 bytes and the key for KDF_HYBRID."""
        kind, index, chunk, new = self.braid.send(draw)
        epoch = self.braid.epoch
        chain = self.sending[epoch - 1]
        key = chain.step()
        previous = 0
        if epoch > 1:
            previous = self.sending[epoch - 2].n
            self.sending[epoch - 2].key = None
        if epoch > 2:
            self.receiving[epoch - 3].key = None
        message = encode_message(kind, epoch, chain.n, previous, index, chunk)
        if new:
            self.add_epoch(new)
        return message, key

    def receive(self, message):
        """Returns the key for KDF_HYBRID. On error the state must be thrown away."""
        kind, epoch, n, previous, index, chunk = decode_message(message)
        new = self.braid.receive(kind, epoch, index, chunk)
        if new:
            self.add_epoch(new)
        c = epoch - 1
        need(c < len(self.receiving), "chain is not open yet")
        if c > self.latest:
            if c > 0:
                self.skip(c - 1, previous)
                self.receiving[c - 1].key = None
            self.latest = c
        chain = self.receiving[c]
        if n <= chain.n or chain.key is None:
            need((c, n) in self.aside, "key was used, or given up")
            return self.aside.pop((c, n))
        self.skip(c, n - 1)
        key = chain.step()
        return key

    def skip(self, c, to):
        chain = self.receiving[c]
        if chain.key is None:
            return
        need(chain.n <= to, "chain is longer than it is said to be")
        need(to - chain.n <= self.SKIP, "too many skipped")
        while chain.n < to:
            key = chain.step()
            self.aside[c, chain.n] = key
        while len(self.aside) > self.ASIDE:
            del self.aside[next(iter(self.aside))]
