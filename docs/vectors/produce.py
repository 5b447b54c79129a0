"""Makes the sections of the vectors from fresh randomness, for the Go tests to open."""

import copy
import random as dice
import time

import content
import network
import rooms
import session
import spqr
from checks import address, equal, page, private_bundle, ratchet_pair, split_of
from primitives import be, ed25519_public, random, x25519_public


EXPIRY = 1_800_000_000  # what the Go tests take for now


def some(n):
    return dice.randrange(n)


def make_invite():
    secret, prekeys, expiry = random(32), random(192), EXPIRY
    hints = [random(39), random(51)]
    keys, bundle = session.InviteKeys(secret), private_bundle(prekeys)
    plain = session.bundle_plain(expiry, bundle.encoded)
    bundle_hash = session.bundle_hash(plain)
    hello = {"slot": some(8), "id": random(16), "plain": random(4413)}
    hello["cells"] = session.seal_hello(keys, hello["slot"], hello["id"], hello["plain"])
    return {
        "secret": secret, "expiry": expiry, "hints": hints, "bundle_hash": bundle_hash,
        "link": session.encode_link(secret, bundle_hash, expiry, hints), "id": keys.id,
        "bundle_tags": keys.bundle_tags, "bundle_key": keys.bundle_key,
        "hello_tags": keys.hello_tags, "hello_key": keys.hello_key,
        "prekeys": prekeys, "bundle": bundle.encoded,
        "bundle_cells": session.seal_bundle(keys, plain), "hello": hello,
    }


def make_handshake():
    alice, bob, ephemeral, invite_id, m = (random(n) for n in (64, 192, 32, 16, 32))
    bundle = private_bundle(bob)
    identity = session.Identity(alice[:32], alice[32:])
    initial, s = session.pqxdh_alice(identity, ephemeral, bundle, invite_id, m)
    return {"alice": alice, "ephemeral": ephemeral, "m": m, "bob": bob, "bundle": bundle.encoded,
            "invite_id": invite_id, "initial": initial, "dh": s.dhs, "ss": s.ss, "sk": s.sk,
            "ad": s.ad, "split": split_of(s)}


class Draws:
    """Randomness that is kept, to go into the vectors."""

    def __init__(self):
        self.drawn = []

    def __call__(self, n):
        self.drawn.append(random(n))
        return self.drawn[-1]


def converse(names, enough, send, receive):
    """Steps of a conversation over a network that loses and delays.

    send and receive return what else is to be kept of a step.
    """
    steps, waiting = [], []
    while not enough():
        who = dice.randrange(2)
        waiting.append((1 - who, len(steps)))
        steps.append({"who": names[who], "do": "send", **send(names[who])})
        dice.shuffle(waiting)
        while waiting and dice.random() < 0.6:
            to, of = waiting.pop()
            if dice.random() < 0.9:
                steps.append({"who": names[to], "do": "receive", "of": of,
                              **receive(names[to], steps[of])})
    return steps


def make_spqr():
    secret = random(32)
    ends = {"initiator": spqr.Ratchet(True, secret), "responder": spqr.Ratchet(False, secret)}

    def epochs(end):
        return len(end.sending) - 1

    def send(name):
        draw, before = Draws(), epochs(ends[name])
        message, key = ends[name].send(draw)
        step = {"message": message, "key": key}
        if draw.drawn:
            step["kem"] = draw.drawn[0]
        if epochs(ends[name]) != before:
            step["epoch"] = before + 1
        return step

    def receive(name, sent):
        before = epochs(ends[name])
        equal("key", ends[name].receive(sent["message"]), sent["key"])
        return {"epoch": before + 1} if epochs(ends[name]) != before else {}

    def enough():
        return min(map(epochs, ends.values())) >= 3

    return {"secret": secret, "steps": converse(list(ends), enough, send, receive)}


def make_ratchet():
    v = {"root": random(32), "pq": random(32), "ad": random(32), "header_a": random(64),
         "header_b": random(64), "spk": random(32), "dh": random(32)}
    ends = ratchet_pair(v)

    def send(name):
        draw, plain = Draws(), random(some(40))
        step = {"plain": plain, "message": ends[name].send(plain, draw)}
        if len(draw.drawn) == 2:
            step["kem"] = draw.drawn[0]
        return step | {"iv": draw.drawn[-1]}

    def receive(name, sent):
        draw = Draws()
        equal("plaintext", ends[name].receive(sent["message"], draw), sent["plain"])
        return {"dh": draw.drawn[0]} if draw.drawn else {}

    first = [{"who": "a", "do": "send", **send("a")}]
    first.append({"who": "b", "do": "receive", "of": 0, **receive("b", first[0])})
    rest = converse(list(ends), lambda: ends["a"].pq.braid.epoch > 2, send, receive)
    for step in rest:
        if "of" in step:
            step["of"] += 2
    return v | {"steps": first + rest}


def make_cell():
    v = {"tag_key": random(32), "bodies": [], "refused": []}
    cells, flares, answers = session.chains(v["tag_key"])
    v["tags"] = [cells[n] for n in range(40)]
    v["flares"], v["answers"] = [[t[n] for n in range(3)] for t in (flares, answers)]
    for n in (0, 1, 1291, 1292, 4000, 65536):
        data, content_id = random(n), random(16)
        parts = session.fragments(data)
        i = some(len(parts))
        fields = {"word": some(256), "number": some(2**31 - 1) + 1, "heard": some(2**32),
                  "flare": some(2**32), "previous": random(32), "id": content_id,
                  "index": i, "count": len(parts), "data": parts[i]}
        v["bodies"].append(fields | {"body": session.encode_body(*fields.values())})
    return v


def make_session():
    prekeys = random(192)
    bob = session.Invite(EXPIRY, [random(39)], private_bundle(prekeys))
    v = {"link": bob.link, "prekeys": prekeys, "bundle_cells": [box for _, box in bob.cells],
         "id": random(16), "first": random(100)}
    alice, hello = session.join(bob.link, v["bundle_cells"], v["id"], v["first"])
    v["hello"] = [{"tag": tag, "box": box} for tag, box in hello]
    v["safety_number"], v["export"] = alice.safety_number, alice.export(b"starling vectors")
    v["verification_code"] = alice.verification_code
    cells = [c for n in (0, 10, 3000) for c in alice.seal(random(16), random(n), some(256))]
    for _ in range(8):  # lost
        alice.seal(random(16), b"")
    cells += alice.signals()
    dice.shuffle(cells)
    done = [done for tag, box in hello if (done := bob.accept(tag, box))]
    peer, v["cells"] = done[0][0], []
    for tag, box in cells:
        word, number, content_id, index, count, data = peer.open(tag, box)
        v["cells"].append({"tag": tag, "box": box, "word": word, "number": number,
                           "id": content_id, "index": index, "count": count, "data": data,
                           "window": peer.window()})
    return v


def make_reset():
    v = {"exporter": random(32), "initiator": False, "last": some(10**6), "waiting": 10**12 + some(10**6),
         "now": 10**12 + 10**6, "proofs": [random(32), random(32)]}
    former = random(32)
    r = session.Reset(v["exporter"], v["initiator"], v["proofs"], v["waiting"], (former, v["last"]))
    for name, secret in (("own", r.own), ("peer", r.peer), ("former", former)):
        v[name] = {"secret": secret, "tags": session.Knock(secret).tags}

    def offer(secret, slot, time):
        prekeys = random(192)
        made = session.Invite(session.OFFER_EXPIRY, [random(39)], private_bundle(prekeys))
        said = session.decode_link(made.link)
        knock = session.knock_plain(1 + some(2), time, said, v["proofs"][some(2)])
        return prekeys, made, knock, [session.Knock(secret).seal(slot, knock), *made.cells]

    *_, future = offer(r.peer, 0, v["now"] + session.SKEW + 1)
    *_, early = offer(r.peer, 0, v["waiting"] - 1)
    *_, old = offer(former, some(3), v["last"] + 1)
    prekeys, made, knock, cells = offer(r.peer, some(3), v["waiting"])
    *_, late = offer(r.peer, some(3), v["waiting"])
    v["steps"] = [
        {"about": about, "tag": cell[0], "box": cell[1], "then": then} for about, cell, then in (
            ("from the future", future[0], "early"),
            ("earlier than an own offer", early[0], "ignored"),
            ("under what the session came of", old[0], "new"),
            ("its bundle", old[3], "new"),
            ("at the time of an own offer, by the initiator", cells[0], "new"),
            ("overtaken", old[1], "refused"),
            ("bundle", cells[3], "new"),
            ("bundle again", cells[3], "ignored"),
            ("wrong part", (cells[1][0], cells[2][1]), "refused"),
            ("bundle", cells[1], "new"),
            ("bundle", cells[2], "offered"),
            ("another of the same time", late[0], "ignored"))]
    v["id"], v["first"] = random(16), random(100)
    alice, hello = session.join_bundle(made.keys, made.bundle, v["id"], v["first"])
    v["hello"] = [{"tag": tag, "box": box} for tag, box in hello]
    reason, time, _ = session.parse_knock(knock)
    cut_off, other = knock[:42] + bytes([knock[42] - 1]) + knock[43:], b"\x04" + knock[1:]
    return v | {"reason": reason, "proven": True, "time": time, "link": made.link, "prekeys": prekeys, "knock": knock,
                "safety_number": alice.safety_number, "refused": [cut_off, other]}


def make_content():
    hint, ids, now = random(39), random(48), be(int(time.time() * 1000), 8)
    contents = []
    for kind, fields in (
        (content.PROFILE, [(1, "Ada ✨".encode()), (2, hint), (2, random(51))]),
        (content.TEXT, [(3, ("text " * some(100) + "!").encode()), (4, now), (200, b"later")]),
        (content.RECEIPT, [(5, ids)]),
        (content.MAILBOXES, [(2, random(64))]),
        (content.ASK, [(5, ids[:16])]),
        (99, [(77, b"")]),
        (content.TEXT, [(3, b"answer"), (6, random(16)), (7, b""), (8, be(5, 4))]),
        (content.EDIT, [(3, "née".encode()), (4, now), (6, random(16))]),
        (content.DELETE, [(5, ids)]),
        (content.REACTION, [(6, random(16)), (9, "❤️".encode())]),
        (content.PICTURE, [(3, b"caption"), (4, now), (10, content.PICTURES[some(4)] + random(some(1000)))]),
        (content.TIMER, [(8, be(2_419_200, 4))]),
        (content.TIMER, []),
        (content.READ, [(4, now), (5, ids)]),
        (content.TYPING, [(4, now)]),
        (content.PICTURE, [(10, content.PICTURES[some(4)]), (11, random(16))]),
        (content.LOST, [(5, ids)]),
        (content.FILE, [(12, random(some(99))), (13, b"notes.txt")]),
        (content.ASIDE, [(20, random(1 + some(4096)))]),
        (content.MISSED, [(32, be(some(9), 4) + be(1, 4) + be(11, 4) + be(1 + some(700), 4))]),
    ):
        made = [{"number": n, "value": v} for n, v in fields]
        contents.append({"kind": kind, "fields": made, "content": content.encode(kind, fields)})
    return {"contents": contents, "refused": []}


def _route():
    private = [random(32) for _ in range(4)]
    hops = [(random(32), x25519_public(k), some(300)) for k in private]
    return private, hops


def _hops(private, hops, packet):
    made = []
    for i, key in enumerate(private):
        opened = network.Opened(key, packet)
        made.append({"id": hops[i][0], "private": key, "public": hops[i][1],
                     "delay_ms": hops[i][2] if i < 3 else 0, "packet": packet,
                     "payload_key": opened.payload_key, "replay": opened.replay})
        packet = opened.packet if i < 3 else b""
    return {"hops": made, "final": opened.payload}


def make_packet():
    lioness = []
    for _ in range(2):
        key, plain = random(32), random(2048)
        lioness.append({"key": key, "plain": plain, "cipher": network.encipher(key, plain)})

    slot, message = 249_000 + some(500), random(2032)
    private, hops = _route()
    packet = network.make_packet(slot, hops, message)
    said = {"epoch": network.epoch_of(slot), "slot": slot % 256}
    forward = said | {"message": message} | _hops(private, hops, packet)

    private, hops = _route()
    reply_id, message = random(16), random(2032)
    block, _ = network.make_reply_block(slot, hops, reply_id)
    _, packet = network.use_reply_block(block, message)
    reply = said | {"message": message, "block": block, "reply_id": reply_id}
    return {"lioness": lioness, "forward": forward, "times": _times(slot),
            "reply": reply | _hops(private, hops, packet)}


def _times(slot):
    """What a hop opens, around the slots of a day."""
    times = []
    for around in range(slot, slot + 12):
        now = around * network.SLOT + some(network.SLOT)
        for ahead in range(-2, 8):
            epoch, byte = network.epoch_of(around + ahead - some(2)), (around + ahead) % 256
            times.append({"time": now, "epoch": epoch, "slot": byte,
                          "opens": network.opens(epoch, byte, now)})
    return times


def make_mailbox():
    def block():
        return random(network.BLOCK)

    def tags(n):
        return [random(16) for _ in range(n)]

    put = {"block": block(), "tag": random(16), "box": random(1536)}
    fetches = []
    for stand, t, a, b in ((0, 1, 0, 1), (1, 32, 24, 3), (1, 0, 32, 1), (0, 11, 0, 5)):
        f = {"stand": stand, "lease": random(8) if stand else bytes(8), "stamp": stand * some(2**62),
             "tags": tags(t), "deleted": tags(a), "blocks": [block() for _ in range(b)]}
        fetches.append(f | {"stand": bool(stand), "message": network.encode_fetch(*f.values())})
    question = {"block": block(), "first": some(256)}
    question["message"] = network.encode_question(*question.values())
    stamp = {"mailbox": random(32), "day": some(30_000), "lease": random(8), "stamp": some(2**62)}
    stamp["bits"] = network.stamp_bits(*stamp.values())
    answers = []
    for kind, said in (
        (network.STORED, {}), (network.TAKEN, {}), (network.FULL, {}),
        (network.TAKEN, {"here": True, "box": random(1536)}),
        (network.BOX, {"pending": 32, "blocks": 5, "tag": random(16), "box": random(1536)}),
        (network.EMPTY, {"blocks": 3}), (network.EMPTY, {"seat": 255}), (network.EMPTY, {"seat": 23}),
        (network.LISTED, {"time": EXPIRY, "relays": some(65536), "digest": random(32),
                          "entries": [(some(65536), random(1 + some(600))) for _ in range(3)]}),
    ):
        a = dict(network.ANSWER, here=False) | said
        message = network.encode_answer(kind, a)
        a["known"] = [known for known, _ in a["entries"]]
        a["entries"] = [descriptor for _, descriptor in a["entries"]]
        answers.append({"kind": kind, "message": message} | {field: a[field] for field in network.BOX_ANSWER | {"known": 0}})
    return {"puts": [put | {"message": network.encode_put(*put.values())}], "fetches": fetches,
            "questions": [question], "stamps": [stamp],
            "answers": answers, "refused_requests": [], "refused_answers": []}


def tcp(ip):
    return {"kind": 2 if ":" in ip else 1, "ip": ip, "port": 4001}


def _ranking():
    secret, relays = random(32), []
    for ips in (["192.0.2.7"], ["192.0.3.7"], ["198.51.100.1", "2001:db8::1"], ["2001:db8:5::1"], ["203.0.113.1"],
                ["11.0.0.1"], ["12.0.0.1"], ["13.0.0.1"]):
        node_id = random(32)
        relays.append({"node_id": node_id, "score": network.score(secret, node_id),
                       "addresses": [tcp(ip) for ip in ips], "family": []})
    # Two name each other, a third names both, and nobody it.
    for liar, named in ((5, 6), (6, 5), (7, 5), (7, 6)):
        relays[liar]["family"].append(relays[named]["node_id"][:8])
    places = [(r["node_id"], list(map(address, r["addresses"]))) for r in relays]
    return {"secret": secret, "relays": relays, "ranking": network.rendezvous(secret, places, {r["node_id"]: r["family"] for r in relays})}


def make_log():
    append = {"seed": random(32), "block": random(network.BLOCK), "tag": random(16), "box": random(1536)}
    key = ed25519_public(append["seed"])
    append["signature"] = network.sign_entry(append["seed"], append["tag"], append["box"])
    append["name"] = network.log_name(key)
    append["message"] = network.encode_append(append["block"], key, append["tag"], append["signature"], append["box"])
    follows = []
    for mode, n, b in ((0, 1, 5), (1, 8, 5), (2, 3, 1)):
        f = {"mode": mode, "lease": random(8) if mode else bytes(8), "stamp": some(2**62) if mode else 0,
             "logs": [{"name": random(16), "after": some(2**32)} for _ in range(n)],
             "blocks": [random(network.BLOCK) for _ in range(b)]}
        logs = [(log["name"], log["after"]) for log in f["logs"]]
        f["message"] = network.encode_follow(mode, f["lease"], f["stamp"], logs, f["blocks"])
        follows.append(f)
    ends = [{"name": random(16), "instance": 1 + some(2**32 - 1), "count": n, "last": n + some(2**30), "digest": random(32)}
            for n in (0, 1, 8192)]
    ends.append({"name": random(16), "instance": 0, "count": 0, "last": 0, "digest": network.log_digest([])})
    answers = []
    for kind, said in (
        (network.LOGGED, {"pending": 65535, "blocks": 10, "name": random(16), "instance": 7, "position": 2**32 - 2,
                          "tag": random(16), "signature": random(64), "box": random(1536)}),
        (network.ENDED, {"blocks": 4, "sent": 1, "ends": ends}), (network.ENDED, {"seat": 23, "ends": ends[:1]}),
    ):
        message = network.encode_answer(kind, dict(network.ANSWER) | said)
        fields = ("pending", "blocks", "seat", "name", "instance", "position", "tag", "signature", "box", "sent", "ends")
        answers.append({"kind": kind, "message": message} | {f: said.get(f, network.ANSWER[f]) for f in fields})
    digests = []
    for n in (0, 3):
        entries = [{"tag": random(16), "box": random(1536)} for _ in range(n)]
        digests.append({"entries": entries, "digest": network.log_digest([(e["tag"], e["box"]) for e in entries])})
    return {"appends": [append], "follows": follows, "answers": answers, "digests": digests,
            "refused_requests": [], "refused_answers": []}


def make_directory():
    descriptors, now = [], int(time.time())
    for more in ([], [tcp("2001:db8::1"), {"kind": 3, "ip": "192.0.2.9", "port": 443, "host": "a.example"}],
                 [{"kind": 5, "onion": random(32), "port": 1 + some(65535)}]):
        seed, salt = random(32), random(16)
        d = {"seed": seed, "node_id": ed25519_public(seed), "sequence": now * 1000, "issued": now,
             "expires": now + 3 * 3600, "capacity": some(65536), "features": some(65536),
             "epoch": (now - 8 * 3600) // 86400, "keys": b"".join(x25519_public(random(32)) for _ in range(3)),
             "salt": random(16), "commitment": network.commitment(salt), "next_salt": salt,
             "family": [random(8) for _ in range(some(9))], "addresses": [tcp("198.51.100.1"), *more]}
        fields = d | {"addresses": [address(a) for a in d["addresses"]]}
        d["descriptor"] = network.encode_descriptor(seed, fields)
        d["hint"] = network.encode_hint(d["node_id"], fields["addresses"])
        d["peer_id"] = network.peer_id(d["node_id"])
        descriptors.append(d)
    r = {"nonce": be(1 + some(2**60), 8), "instance": random(8), "after": some(2**40),
         "digest": network.digest(descriptors), "pages": 1 + some(32), "stamp": some(2**64),
         "whole": some(2**64), "names": some(2)}
    narrow = 1 + some(2**40 - 1), network.sketch(descriptors)
    requests = [
        r | {"request": network.encode_list_request(*r.values())},
        r | {"request": network.encode_list_request(*r.values(), narrow),
             "issued": narrow[0], "sketch": narrow[1]},
    ]
    renewals = [_renewal(d, of, later) for of, d in enumerate(descriptors) for later in (60, 86400, 4 * 86400, 16 * 86400)]
    p = {"nonce": r["nonce"], "instance": random(8), "stamp": some(2**40), "time": some(2**40), "state": some(3),
         "entries": [{"known": some(65536), "descriptor": d["descriptor"]} for d in descriptors]
         + [{"renewal": n["renewal"]} for n in renewals[:6]] + [{"name": n["renewal"][:8]} for n in renewals[6:]]}
    return {"descriptors": descriptors, "digest": r["digest"], "refused": [], "refused_requests": [],
            "renewals": renewals, "refused_renewals": [], "rendezvous": _ranking(),
            "requests": requests, "page": p | {"page": network.encode_page(*page(p))}}


def _renewal(d, of, later):
    """The descriptor that follows another after some seconds."""
    issued = d["issued"] + later
    epoch = (issued - 8 * 3600) // 86400
    gone = min(epoch - d["epoch"], 3)
    after = d | {"sequence": issued * 1000 + some(1000), "issued": issued, "expires": d["expires"] + later, "epoch": epoch,
                 "keys": d["keys"][32 * gone :] + b"".join(x25519_public(random(32)) for _ in range(gone)),
                 "addresses": [address(a) for a in d["addresses"]]}
    if later // 86400 >= 16:
        after |= {"salt": d["next_salt"], "commitment": network.commitment(random(16))}
    descriptor = network.encode_descriptor(d["seed"], after)
    return {"of": of, "descriptor": descriptor, "renewal": network.encode_renewal(d["descriptor"], descriptor)}


def make_frame():
    frames = [{"type": kind, "body": random(n)} for kind, n in ((1, 2367), (2, 0), (3, 57), (4, 2397))]
    hellos = [{"role": role, "features": 3 * role, "id": random(16), "received": 1 << 40, "room": role} for role in (1, 2, 3)]
    return {
        "frames": [f | {"frame": network.encode_frame(*f.values())} for f in frames], "refused": [],
        "hellos": [h | {"body": network.encode_hello(*h.values())} for h in hellos], "refused_hellos": [],
    }


class Writer:
    """Somebody who knows a part of a room and writes entries on it."""

    def __init__(self, seed, room):
        self.seed, self.room, self.id = seed, copy.deepcopy(room), rooms.member_id(ed25519_public(seed))

    def write(self, kind, target=None, role=0, person=None, heir=None, parents=None):
        e = rooms.Entry()
        e.kind, e.group, e.author = kind, self.room.group, self.id
        e.target, e.role, e.person, e.attached = target, role, person, random(some(20))
        e.parents, e.counter = parents or self.room.heads(), 0
        if kind != rooms.LEAVE:
            e.counter = 1 + max((x.counter for x in self.room.entries if x.author == self.id), default=0)
        self.room.take(e.sign(self.seed, heir))
        return e


def make_members():
    people = [random(32) for _ in range(7)]
    ids = [rooms.member_id(ed25519_public(seed)) for seed in people]
    create = rooms.Entry()
    create.kind, create.group, create.author, create.counter, create.parents = rooms.CREATE, bytes(32), ids[0], 0, []
    create.nonce, create.person = random(32), rooms.Person(people[0], name=b"owner")
    room = rooms.Room(create.sign(people[0]))

    def writer(n):
        return Writer(people[n], room)

    def person(n):
        return rooms.Person(people[n], room.group, random(32), random(16), f"person {n} \U0001f426".encode())

    added = {}
    for by, n, role in (0, 1, rooms.ADMIN), (0, 2, rooms.ADMIN), (1, 3, rooms.MEMBER), (2, 4, rooms.READER):
        added[n] = writer(by).write(rooms.ROLE, ids[n], role, person(n))
        room.take(added[n])
    beside = [  # written by people who do not know of each other
        writer(0).write(rooms.ROLE, ids[1], rooms.MEMBER),
        writer(1).write(rooms.ROLE, ids[5], rooms.MEMBER, person(5)),
        writer(1).write(rooms.ROLE, ids[3], rooms.READER),
        writer(2).write(rooms.ROLE, ids[3], rooms.NONE),
        writer(2).write(rooms.ROLE, ids[6], rooms.READER, person(6)),
        writer(0).write(rooms.PACT, ids[2], rooms.MEMBER, heir=people[2]),
        writer(4).write(rooms.LEAVE, parents=[added[4].id]),
    ]
    dice.shuffle(beside)
    old = writer(1)
    for e in beside:
        room.take(e)
    statements = []
    for who, topic in (writer(2), rooms.REKEY), (old, rooms.STEP), (writer(1), rooms.HEADS):
        s = rooms.Statement(topic, room.group, who.id, some(9), who.room.heads(), random(some(50))).sign(who.seed)
        statements.append({"statement": s.encoded(), "context": s.context, "counts": room.judge(s)})
    counts = room.counting(room.view())
    return {"people": people, "entries": [{"entry": e.encoded(), "id": e.id, "counts": i in counts} for i, e in enumerate(room.entries)],
            "statements": statements, "roles": [{"member": who, "role": role} for who, role in sorted(room.roles().items())],
            "refused": []}


def make_keys():
    group, leaf, member = random(32), random(32), random(16)
    public = rooms.leaf_public(leaf)
    rekeys, secrets = [], {}
    for _ in range(2):
        members = sorted([member, random(16), random(16)])
        author = next(m for m in members if m != member)
        x = {"author": author, "context": random(32), "seed": random(32), "lane": random(32)}
        body = rooms.make_rekey(bytes(32), [], members)
        x["id"] = rooms.rekey_id(group, author, x["context"], body + bytes(32))
        confirm, x["place"], mu = rooms.of_seed(x["seed"], x["id"])
        x["body"] = body + confirm
        x["sealed"] = members.index(member).to_bytes(2, "big") + b"\x01"
        x["sealed"] += rooms.seal_to_leaf(public, rooms.seed_info(group, x["id"], member, public), x["seed"] + x["lane"])
        x["generations"] = []
        for g in range(3):
            e, beside, after = rooms.generation(mu)
            secrets[x["id"], g] = e, beside, mu, x["place"]
            x["generations"].append(beside)
            mu = after
        rekeys.append(x)
    heads = sorted((x["id"], 1) for x in rekeys)
    body = rooms.make_step(member, [(*h, rooms.fingerprint(h[0], secrets[h][2])) for h in heads])
    step = {"context": random(32), "body": body, "lane": random(32)}
    plain = b"".join(secrets[h][2] + secrets[h][3] for h in heads) + step["lane"]
    info = rooms.step_info(group, step["context"], body, member, public)
    step["sealed"] = bytes(3) + rooms.seal_to_leaf(public, info, plain)
    lists = []
    for heads in [(rekeys[0]["id"], 0)], [(rekeys[1]["id"], 2)], sorted([(rekeys[0]["id"], 1), (rekeys[1]["id"], 1)]):
        hashed = rooms.list_hash(heads)
        parts = [secrets[h][0 if len(heads) == 1 else 1] for h in heads]
        senders = [{"sender": s, "cells": rooms.cell_keys(rooms.chain(rooms.root(hashed, parts), s), 3)} for s in (member, random(16))]
        lists.append({"heads": [{"rekey": id, "generation": g} for id, g in heads], "digest": hashed[:8], "senders": senders})
    return {"group": group, "leaf": leaf, "leaf_public": public, "member": member, "rekeys": rekeys, "step": step, "lists": lists}


def make_room():
    group, place, lanes, sender = random(32), random(32), random(32), random(32)
    mailboxes = [(random(32), random(some(129))), (random(32), random(39))]
    v = {"group": group, "place": place, "meet": rooms.meeting(place), "lanes": lanes, "logs": [],
         "mailboxes": [{"node": node, "hint": hint} for node, hint in mailboxes]}
    for lane in (0, 3, 7, rooms.LINK, rooms.ANSWER, rooms.DOOR):
        segment = some(4)
        secret = place if lane > 7 else rooms.open_lane(place) if lane == 7 else rooms.lane_secret(lanes, lane)
        seed, data = rooms.log_seed(secret, lane, segment), random(1 + some(1500))
        tag, box = rooms.seal_cell(group, place, lane, rooms.control(data))
        key = ed25519_public(seed)
        v["logs"].append({"lane": lane, "segment": segment, "secret": secret, "key": key, "name": rooms.log_name(key),
                          "data": data, "tag": tag, "box": box, "signature": rooms.sign_entry(seed, tag, box)})
    content = random(1300 + some(2000))
    causes = [random(16) for _ in range(some(9))]
    m = {"sender": sender, "lane": 2, "key": random(80), "nonce": random(16), "number": some(1 << 20), "list": random(8),
         "previous": random(16), "id": random(16), "index": 0, "causes": causes, "content": content}
    first = min(len(content), 1335 - 16 * len(causes))
    m["count"], m["data"] = 1 + -(-(len(content) - first) // 1335), content[:first]
    body = rooms.make_body(m["previous"], m["id"], 0, m["count"], causes, m["data"])
    plain = rooms.make_message(sender, group, m["list"], m["nonce"], m["number"], m["key"], body)
    m["tag"], m["box"] = rooms.seal_cell(group, place, m["lane"], plain)
    m["ref"] = rooms.content_ref(group, rooms.member_id(ed25519_public(sender)), m["id"], content)
    v["message"] = m
    c = {"root": random(32), "member": random(16), "nonce": random(16)}
    c["cells"] = rooms.cell_keys(rooms.chain_after(c["root"], c["member"], c["nonce"]), 2)
    v["chain"] = c
    door, context, rekey = random(32), random(32), random(32)
    v["card"] = {"context": context, "door": door,
                 "body": rooms.seal_card(group, rekey, place, context, rooms.encode_card(lanes, door, mailboxes))}
    x = {"asked": some(2), "uses": 1 + some(1000), "expiry": EXPIRY, "secret": random(32), "leaf": random(32), "author": random(16), "title": "a room \U0001f426"}
    leaf = rooms.leaf_public(x["leaf"])
    x["card"] = rooms.hash_("room: author of a link", rooms.link_card(leaf, x["author"]))
    x["id"] = rooms.invite_id(x["secret"])
    x["link"] = rooms.encode_link(x["asked"], x["uses"], x["expiry"], x["secret"], group, x["card"], x["title"].encode(), mailboxes)
    v["way"] = x
    guest, private = random(32), random(32)
    own = rooms.leaf_public(private)
    person = rooms.Person(guest, group, rooms.leaf_hash(own), x["id"], b"guest").encoded()
    record, answer = rooms.leaf_record(guest, group, 0, own), random(32)
    plain = be(len(person), 2) + person + record + answer
    pieces = rooms.request_pieces(random(16), rooms.seal_to_leaf(leaf, rooms.request_info(group, x["id"], leaf), plain))
    v["request"] = {"person": person, "record": record, "answer": answer, "pieces": pieces}
    record, answer = rooms.leaf_record(guest, group, 77, own), random(32)
    k = {"seed": guest, "record": record, "answer": answer, "data": rooms.make_knock(guest, group, record, answer),
         "leaf": private, "admin": random(32), "secret": random(32)}
    info = rooms.answer_info(group, rooms.member_id(ed25519_public(guest)), own)
    k["cell"] = b"\x17" + rooms.seal_to_leaf(own, info, rooms.answer_secret(k["admin"], group, answer, k["secret"]))
    v["knock"] = k
    v["compared"] = rooms.compared(group, ed25519_public(sender), ed25519_public(guest))
    return v


def tohex(value):
    if isinstance(value, dict):
        return {k: tohex(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [tohex(v) for v in value]
    return value.hex() if isinstance(value, bytes) else value


SECTIONS = {
    name.removeprefix("make_"): function
    for name, function in list(globals().items()) if name.startswith("make_")
}
