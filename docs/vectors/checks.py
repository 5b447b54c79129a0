"""Checks every section of the vectors. README.md says what is in each."""

import copy

import content
import network
import rooms
import session
import spqr
from primitives import Refused, agree, cut, ed25519_public, need, x25519_public


def unhex(value):
    """The section with bytes in place of text that is hexadecimal: all but what is in TEXT."""
    if isinstance(value, dict):
        return {k: v if k in TEXT else unhex(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unhex(v) for v in value]
    return bytes.fromhex(value) if isinstance(value, str) else value


TEXT = {"about", "why", "link", "safety_number", "verification_code", "who", "do", "then", "ip", "host", "title", "compared"}


def equal(what, have, want):
    if have != want:
        raise AssertionError(f"{what}: {show(have)}, want {show(want)}")


def show(value):
    return value.hex() if isinstance(value, bytes) else repr(value)


def refused(what, function, *arguments):
    try:
        function(*arguments)
    except Refused:
        return
    raise AssertionError(what + ": not refused")


class Tape:
    """Randomness that was drawn before."""

    def __init__(self, *draws):
        self.draws = [d for d in draws if d]

    def __call__(self, n):
        equal("size of what is drawn", len(self.draws[0]), n)
        return self.draws.pop(0)

    def end(self):
        equal("what is left to draw", self.draws, [])


def private_bundle(keys):
    """Signing seed, DH key, SPK, OPK and KEM seed, one behind the other."""
    signing, dh, spk, opk, kem = cut(keys, 32, 32, 32, 32, 64)
    return session.Bundle.make(session.Identity(signing, dh), spk, opk, kem)


def check_invite(v):
    keys = session.InviteKeys(v["secret"])
    equal("id", keys.id, v["id"])
    equal("bundle tags", list(keys.bundle_tags), v["bundle_tags"])
    equal("bundle key", keys.bundle_key, v["bundle_key"])
    equal("hello tags", list(keys.hello_tags), v["hello_tags"])
    equal("hello key", keys.hello_key, v["hello_key"])

    bundle = private_bundle(v["prekeys"])
    equal("bundle", bundle.encoded, v["bundle"])
    plain = session.bundle_plain(v["expiry"], bundle.encoded)
    equal("bundle hash", session.bundle_hash(plain), v["bundle_hash"])
    opened = session.open_bundle(keys, v["bundle_hash"], v["expiry"], v["bundle_cells"])
    equal("bundle in the cells", opened.encoded, v["bundle"])
    ivs = [cell[:16] for cell in v["bundle_cells"]]
    equal("bundle cells", session.seal_bundle(keys, plain, ivs), v["bundle_cells"])

    said = v["secret"], v["bundle_hash"], v["expiry"], v["hints"]
    equal("link", session.encode_link(*said), v["link"])
    equal("what the link says", session.decode_link(v["link"]), said)
    equal("link in capitals", session.decode_link(" " + v["link"].upper() + "\n"), said)
    refused("cut link", session.decode_link, v["link"][:-1])

    h = v["hello"]
    parts = [session.open_hello_cell(keys, h["slot"], i, c) for i, c in enumerate(h["cells"])]
    equal("hello", b"".join(part for _, part in parts), h["plain"])
    equal("hello id", {hello_id for hello_id, _ in parts}, {h["id"]})
    ivs = [cell[:16] for cell in h["cells"]]
    equal("hello cells", session.seal_hello(keys, h["slot"], h["id"], h["plain"], ivs), h["cells"])
    refused("another slot", session.open_hello_cell, keys, h["slot"] ^ 1, 0, h["cells"][0])
    return "link, keys, bundle and 6 cells"


def split_of(s):
    return {"root": s.root, "pq": s.pq, "header_a": s.header_a, "header_b": s.header_b,
            "tags_a": s.tags_a, "tags_b": s.tags_b, "exporter": s.exporter}


def check_handshake(v):
    bob = private_bundle(v["bob"])
    equal("bundle", bob.encoded, v["bundle"])
    equal("bundle that comes back", session.Bundle.parse(v["bundle"]).keys(), bob.keys())
    alice = session.Identity(*cut(v["alice"], 32, 32))
    equal("identity of A", v["initial"][:130], alice.encoded)
    secrets = [session.pqxdh_bob(bob, v["initial"], v["invite_id"])]
    if "m" in v:
        initial, s = session.pqxdh_alice(
            alice, v["ephemeral"], session.Bundle.parse(v["bundle"]), v["invite_id"], v["m"])
        equal("initial message", initial, v["initial"])
        secrets.append(s)
    for s in secrets:
        equal("DH", s.dhs, v["dh"])
        equal("SS", s.ss, v["ss"])
        equal("SK", s.sk, v["sk"])
        equal("AD", s.ad, v["ad"])
        equal("split", split_of(s), v["split"])
    changed = bytearray(v["bundle"])
    changed[-1] ^= 1
    refused("changed signature", session.Bundle.parse, bytes(changed))
    return "PQXDH"


def ratchet_pair(v):
    class Split:
        root, pq, ad = v["root"], v["pq"], v["ad"]
        header_a, header_b = v["header_a"], v["header_b"]

    spk = x25519_public(v["spk"])
    return {"a": session.DoubleRatchet(Split, True, spk=spk, dh=v["dh"]),
            "b": session.DoubleRatchet(Split, False, spk_private=v["spk"])}


def check_ratchet(v):
    ends = ratchet_pair(v)
    for i, step in enumerate(v["steps"]):
        end = ends[step["who"]]
        if step["do"] == "send":
            tape = Tape(step.get("kem"), step["iv"])
            equal(f"step {i}: message", end.send(step.get("plain", b""), tape), step["message"])
        else:
            sent = v["steps"][step.get("of", 0)]
            tape = Tape(step.get("dh"))
            equal(f"step {i}: plaintext", end.receive(sent["message"], tape), sent.get("plain", b""))
            refused(f"step {i}: again", copy.deepcopy(end).receive, sent["message"])
        tape.end()
    return f"{len(v['steps'])} steps, {end.steps} DH steps, epoch {end.pq.braid.epoch}"


def check_spqr(v):
    ends = {"initiator": spqr.Ratchet(True, v["secret"]), "responder": spqr.Ratchet(False, v["secret"])}
    for i, step in enumerate(v["steps"]):
        end = ends[step["who"]]
        if step["do"] == "send":
            tape = Tape(step.get("kem"))
            equal(f"step {i}", end.send(tape), (step["message"], step["key"]))
            tape.end()
        elif step.get("refused"):
            refused(f"step {i}", copy.deepcopy(end).receive, v["steps"][step["of"]]["message"])
        else:
            sent = v["steps"][step.get("of", 0)]
            equal(f"step {i}", end.receive(sent["message"]), sent["key"])
        if "epoch" in step:
            equal(f"step {i}: epoch", len(end.sending) - 1, step["epoch"])
    return f"{len(v['steps'])} steps to epoch {end.braid.epoch}"


def check_cell(v):
    for name, tags in zip(("tags", "flares", "answers"), session.chains(v["tag_key"])):
        equal(name, [tags[n] for n in range(len(v[name]))], v[name])
    for b in v["bodies"]:
        fields = [b[k] for k in ("word", "number", "heard", "flare", "previous", "id", "index",
                                "count", "data")]
        equal("body", session.encode_body(*fields), b["body"])
        equal("body that comes back", list(session.decode_body(b["body"])), fields)
    for b in v["refused"]:
        refused(b["why"], session.decode_body, b["body"])
    return f"{len(v['tags'])} tags, {len(v['bodies'])} bodies, {len(v['refused'])} refused"


def check_session(v):
    secret, bundle_hash, expiry, hints = session.decode_link(v["link"])
    keys = session.InviteKeys(secret)
    session.open_bundle(keys, bundle_hash, expiry, v["bundle_cells"])
    bob = session.Invite.restore(secret, private_bundle(v["prekeys"]))
    for i, c in enumerate(v["hello"]):
        done = bob.accept(c["tag"], c["box"])
        equal("accepted", done is not None, i == 2)
    bob, part = done
    equal("safety number", bob.safety_number, v["safety_number"])
    equal("verification code", bob.verification_code, v["verification_code"])
    equal("export", bob.export(b"starling vectors"), v["export"])
    equal("first content", (part[2], part[5]), (v["id"], v["first"]))
    for c in v["cells"]:
        part = bob.open(c["tag"], c["box"])
        equal("fragment", list(part), [c[k] for k in ("word", "number", "id", "index", "count", "data")])
        refused("again", bob.open, c["tag"], c["box"])
        equal("window", bob.window(), c["window"])
    return f"first contact and {len(v['cells'])} cells"


def check_reset(v):
    r = session.Reset(v["exporter"], v["initiator"], v["proofs"], v["waiting"], (v["former"]["secret"], v["last"]))
    equal("own secret", r.own, v["own"]["secret"])
    equal("peer's secret", r.peer, v["peer"]["secret"])
    for door in (v["own"], v["peer"], v["former"]):
        equal("tags", list(session.Knock(door["secret"]).tags), door["tags"])
    for step in v["steps"]:
        try:
            then = r.take(step["tag"], step["box"], v["now"])
        except Refused:
            then = "refused"
        if isinstance(then, session.Bundle):
            offered, then = then, "offered"
        equal(step["about"], then, step["then"])
    bob, said = private_bundle(v["prekeys"]), session.decode_link(v["link"])
    equal("bundle that was offered", offered.encoded, bob.encoded)
    equal("link", r.link, said)
    equal("proven", r.proven, v["proven"])
    knocks = [session.knock_plain(v["reason"], v["time"], said, key) for key in v["proofs"]]
    need(v["knock"] in knocks, "knock")
    equal("knock that comes back", session.parse_knock(v["knock"]), (v["reason"], v["time"], said))
    for plain in v["refused"]:
        refused("knock", session.parse_knock, plain)
    maker = session.Invite.restore(said[0], bob)
    for c in v["hello"]:
        done = maker.accept(c["tag"], c["box"])
    maker, part = done
    equal("first content", (part[2], part[5]), (v["id"], v["first"]))
    equal("safety number", maker.safety_number, v["safety_number"])
    return f"{len(v['steps'])} steps, {len(v['refused'])} refused, and the next session"


def check_content(v):
    for c in v["contents"]:
        fields = [(f["number"], f["value"]) for f in c["fields"]]
        equal("content", content.encode(c["kind"], fields), c["content"])
        equal("content that comes back", content.decode(c["content"]), (c["kind"], fields))
    for c in v["refused"]:
        refused(c["why"], content.decode, c["content"])
    return f"{len(v['contents'])} contents, {len(v['refused'])} refused"


def check_route(v, first):
    """Peels a packet and returns the payload keys and what the last hop found."""
    packet, keys = first, []
    for i, hop in enumerate(v["hops"]):
        equal(f"packet for hop {i}", packet, hop["packet"])
        equal(f"public key of hop {i}", x25519_public(hop["private"]), hop["public"])
        opened = network.Opened(hop["private"], packet)
        equal(f"payload key of hop {i}", opened.payload_key, hop["payload_key"])
        equal(f"replay tag of hop {i}", opened.replay, hop["replay"])
        equal(f"epoch and slot of hop {i}", (packet[0], opened.slot), (v["epoch"], v["slot"]))
        refused(f"hop {i}, wrong key", network.Opened, bytes(31) + b"\x40", packet)
        keys.append(opened.payload_key)
        if i < 3:
            next_hop = opened.next_id, opened.delay
            equal(f"after hop {i}", next_hop, (v["hops"][i + 1]["id"], hop["delay_ms"]))
            packet = opened.packet
    equal("payload at the end", opened.payload, v["final"])
    return keys, opened


def check_packet(v):
    for block in v["lioness"]:
        equal("enciphered", network.encipher(block["key"], block["plain"]), block["cipher"])
        equal("deciphered", network.decipher(block["key"], block["cipher"]), block["plain"])
    for t in v["times"]:
        equal("opens", network.opens(t["epoch"], t["slot"], t["time"]), t["opens"])
    f = v["forward"]
    _, opened = check_route(f, f["hops"][0]["packet"])
    equal("command", opened.command, network.DELIVER)
    equal("message", network.message_of(opened.payload), f["message"])

    r = v["reply"]
    equal("epoch", r["block"][0], r["epoch"])
    first, packet = network.use_reply_block(r["block"], r["message"])
    equal("first hop", first, r["hops"][0]["id"])
    keys, opened = check_route(r, packet)
    equal("reply id", (opened.command, opened.reply_id), (network.REPLY, r["reply_id"]))
    equal("reply", network.open_reply(r["block"], keys, opened), r["message"])
    return "LIONESS, a packet and a reply over 4 hops each"


def check_mailbox(v):
    for p in v["puts"]:
        equal("put", network.encode_put(p["block"], p["tag"], p["box"]), p["message"])
        equal("put that comes back", network.decode_request(p["message"]),
              ("put", p["block"], p["tag"], p["box"]))
    for f in v["fetches"]:
        fields = int(f["stand"]), f["lease"], f["stamp"], f["tags"], f["deleted"], f["blocks"]
        equal("fetch", network.encode_fetch(*fields), f["message"])
        equal("fetch that comes back", network.decode_request(f["message"]), ("fetch", *fields))
    for q in v["questions"]:
        fields = q["block"], q["first"]
        equal("question", network.encode_question(*fields), q["message"])
        equal("question that comes back", network.decode_request(q["message"]), ("list", *fields))
    for s in v["stamps"]:
        bits = network.stamp_bits(s["mailbox"], s["day"], s["lease"], s["stamp"])
        equal("bits of a stamp", bits, s["bits"])
    for a in v["answers"]:
        said = dict(network.ANSWER) | {field: a[field] for field in network.BOX_ANSWER if field != "entries"}
        said["entries"] = list(zip(a["known"] or [], a["entries"] or []))
        equal("answer", network.encode_answer(a["kind"], said), a["message"])
        equal("answer that comes back", network.decode_answer(a["message"]), (a["kind"], said))
    for m in v["refused_requests"]:
        refused(m["why"], network.decode_request, m["message"])
    for m in v["refused_answers"]:
        refused(m["why"], network.decode_answer, m["message"])
    return f"{len(v['puts'] + v['fetches'])} requests, {len(v['answers'])} answers"


def check_log(v):
    for a in v["appends"]:
        fields = a["block"], ed25519_public(a["seed"]), a["tag"], a["signature"], a["box"]
        equal("name", network.log_name(fields[1]), a["name"])
        equal("signature", network.sign_entry(a["seed"], a["tag"], a["box"]), a["signature"])
        network.verify_entry(*fields[1:])
        refused("another box", network.verify_entry, *fields[1:4], a["box"][:-1] + b"?")
        equal("append", network.encode_append(*fields), a["message"])
        equal("append that comes back", network.decode_request(a["message"]), ("append", *fields))
    for f in v["follows"]:
        logs = [(log["name"], log["after"]) for log in f["logs"]]
        fields = f["mode"], f["lease"], f["stamp"], logs, f["blocks"]
        equal("follow", network.encode_follow(*fields), f["message"])
        equal("follow that comes back", network.decode_request(f["message"]), ("follow", *fields))
    for a in v["answers"]:
        said = dict(network.ANSWER, entries=[]) | {field: a[field] for field in a if field not in ("kind", "message")}
        said["ends"] = said["ends"] or []
        equal("answer", network.encode_answer(a["kind"], said), a["message"])
        equal("answer that comes back", network.decode_answer(a["message"]), (a["kind"], said))
    for d in v["digests"]:
        equal("digest", network.log_digest([(e["tag"], e["box"]) for e in d["entries"] or []]), d["digest"])
    for m in v["refused_requests"]:
        refused(m["why"], network.decode_request, m["message"])
    for m in v["refused_answers"]:
        refused(m["why"], network.decode_answer, m["message"])
    return f"{len(v['appends'] + v['follows'])} requests, {len(v['answers'])} answers, {len(v['digests'])} digests"


def address(a):
    ip = a["onion"] if a["kind"] == 5 else bytes(network.ip_bytes(a["ip"]))
    return a["kind"], ip, a["port"], a.get("host", "")


def page(p):
    """The fields of a page."""
    head = tuple(p[k] for k in ("nonce", "instance", "stamp", "time", "state"))
    return *head, [
        (e.get("known", 0), e["descriptor"]) if "descriptor" in e else (None, e.get("renewal") or e["name"])
        for e in p["entries"]]


def check_directory(v):
    decoded = []
    for d in v["descriptors"]:
        fields = {f: d[f] for f in (*network.FIELDS, "family")}
        equal("commitment", network.commitment(d["next_salt"]), d["commitment"])
        fields["addresses"] = [address(a) for a in d["addresses"]]
        equal("descriptor", network.encode_descriptor(d["seed"], fields), d["descriptor"])
        equal("descriptor that comes back", network.decode_descriptor(d["descriptor"]), fields)
        hint = network.encode_hint(d["node_id"], fields["addresses"])
        equal("hint", hint, d["hint"])
        equal("hint that comes back", network.decode_hint(hint), (d["node_id"], fields["addresses"]))
        equal("peer id", network.peer_id(d["node_id"]), d["peer_id"])
        decoded.append(fields)
    equal("digest", network.digest(decoded), v["digest"])
    for r in v["requests"]:
        narrow = (r["issued"], r["sketch"]) if "sketch" in r else None
        if narrow:
            equal("sketch", network.sketch(decoded), r["sketch"])
        fields = *(r[k] for k in ("nonce", "instance", "after", "digest", "pages", "stamp", "whole", "names")), narrow
        equal("request", network.encode_list_request(*fields), r["request"])
        equal("request that comes back", network.decode_list_request(r["request"]), fields)
    p = v["page"]
    fields = page(p)
    equal("page", network.encode_page(*fields), p["page"])
    equal("page that comes back", network.decode_page(p["page"]), fields)
    for r in v["renewals"]:
        before = v["descriptors"][r["of"]]["descriptor"]
        equal("renewal", network.encode_renewal(before, r["descriptor"]), r["renewal"])
        equal("descriptor of a renewal", network.decode_renewal(before, r["renewal"]), r["descriptor"])
    for r in v["refused_renewals"]:
        refused(r["why"], network.decode_renewal, v["descriptors"][0]["descriptor"], r["renewal"])
    for d in v["refused"]:
        refused(d["why"], network.decode_descriptor, d["descriptor"])
    for r in v["refused_requests"]:
        refused(r["why"], network.decode_list_request, r["request"])
    m = v["rendezvous"]
    relays = [(r["node_id"], [address(a) for a in r["addresses"]]) for r in m["relays"]]
    for r in m["relays"]:
        equal("score", network.score(m["secret"], r["node_id"]), r["score"])
    equal("ranking", network.rendezvous(m["secret"], relays, {r["node_id"]: r["family"] for r in m["relays"]}), m["ranking"])
    return (f"{len(decoded)} descriptors, {len(v['refused'])} refused, {len(v['requests'])} requests, {len(v['renewals'])} renewals, "
            f"a page and a ranking of {len(relays)}")


def check_frame(v):
    for f in v["frames"]:
        equal("frame", network.encode_frame(f["type"], f["body"]), f["frame"])
        equal("frame that comes back", network.decode_frame(f["frame"]), (f["type"], f["body"]))
    for f in v["refused"]:
        refused(f["why"], network.decode_frame, f["frame"])
    for h in v["hellos"]:
        hello = h["role"], h["features"], h["id"], h["received"], h["room"]
        equal("hello", network.encode_hello(*hello), h["body"])
        equal("hello that comes back", network.decode_hello(h["body"]), hello)
    for h in v["refused_hellos"]:
        refused(h["why"], network.decode_hello, h["body"])
    return f"{len(v['frames'])} frames, {len(v['hellos'])} hellos, {len(v['refused']) + len(v['refused_hellos'])} refused"


def check_members(v):
    keys = {rooms.member_id(ed25519_public(seed)): ed25519_public(seed) for seed in v["people"]}
    room, entries = None, []
    for x in v["entries"]:
        e = rooms.Entry.read(x["entry"])
        equal("entry", e.encoded(), x["entry"])
        equal("id", e.id, x["id"])
        if room is None:
            room = rooms.Room(e)
        else:
            room.take(e)
        entries.append(e)
    counts = room.counting(room.view())
    for i, x in enumerate(v["entries"]):
        equal(f"whether entry {i} counts", i in counts, x["counts"])
    equal("roles", [{"member": who, "role": role} for who, role in sorted(room.roles().items())], v["roles"])
    equal("keys", {who: keys[who] for who in room.keys}, room.keys)
    for x in v["statements"]:
        s = rooms.Statement.read(x["statement"])
        equal("statement", s.encoded(), x["statement"])
        equal("context", s.context, x["context"])
        equal("whether it counts", room.judge(s), x["counts"])
    for x in v["refused"]:
        refused(x["why"], lambda: room.take(rooms.Entry.read(x["entry"])))
    return f"{len(entries)} entries, {len(counts)} count, {len(v['statements'])} statements, {len(v['refused'])} refused"


def check_keys(v):
    group, leaf = v["group"], rooms.leaf_public(v["leaf"])
    equal("leaf", leaf, v["leaf_public"])
    secrets, ids, places = {}, [], []
    for x in v["rekeys"]:
        id = rooms.rekey_id(group, x["author"], x["context"], x["body"])
        equal("id", id, x["id"])
        previous, heads, members, confirm = rooms.read_rekey(x["body"])
        equal("body", rooms.make_rekey(previous, heads, members) + confirm, x["body"])
        place, sealed = x["sealed"][:3], x["sealed"][3:]
        equal("place among the members", int.from_bytes(place[:2], "big"), members.index(v["member"]))
        plain = rooms.open_at_leaf(v["leaf"], rooms.seed_info(group, id, v["member"], leaf), sealed)
        equal("seed and lane", plain, x["seed"] + x["lane"])
        *said, mu = rooms.of_seed(x["seed"], id)
        equal("confirm and place", said, [confirm, x["place"]])
        for g, m in enumerate(x["generations"]):
            e, beside, after = rooms.generation(mu)
            secrets[id, g] = e, beside, mu
            equal("generation", beside, m)
            mu = after
        ids.append(id)
        places.append(x["place"])
    step = v["step"]
    receiver, heads = rooms.read_step(step["body"])
    equal("step", rooms.make_step(receiver, heads), step["body"])
    info = rooms.step_info(group, step["context"], step["body"], receiver, leaf)
    handed = b"".join(secrets[id, g][2] + places[ids.index(id)] for id, g, _ in heads) + step["lane"]
    equal("handed over", rooms.open_at_leaf(v["leaf"], info, step["sealed"][3:]), handed)
    for id, g, print_ in heads:
        equal("fingerprint", rooms.fingerprint(id, secrets[id, g][2]), print_)
    for x in v["lists"]:
        heads = [(h["rekey"], h["generation"]) for h in x["heads"]]
        hashed = rooms.list_hash(heads)
        equal("digest", hashed[:8], x["digest"])
        parts = [secrets[h][0] for h in heads] if len(heads) == 1 else [secrets[h][1] for h in heads]
        for c in x["senders"]:
            keys = rooms.cell_keys(rooms.chain(rooms.root(hashed, parts), c["sender"]), len(c["cells"]))
            equal("keys of cells", keys, c["cells"])
    return f"{len(ids)} rekeys, a step, {len(v['lists'])} lists"


def check_room(v):
    group, place, lanes = v["group"], v["place"], v["lanes"]
    equal("where to meet", rooms.meeting(place), v["meet"])
    for x in v["logs"]:
        secret = place if x["lane"] > 7 else rooms.open_lane(place) if x["lane"] == 7 else rooms.lane_secret(lanes, x["lane"])
        equal("secret of a lane", secret, x["secret"])
        seed = rooms.log_seed(secret, x["lane"], x["segment"])
        equal("key of a log", ed25519_public(seed), x["key"])
        equal("name of a log", rooms.log_name(x["key"]), x["name"])
        equal("entry", rooms.sign_entry(seed, x["tag"], x["box"]), x["signature"])
        equal("control data", rooms.read_control(rooms.open_cell(group, place, x["lane"], x["tag"], x["box"])), x["data"])
    m = v["message"]
    plain = rooms.open_cell(group, place, m["lane"], m["tag"], m["box"])
    number, list_, body = rooms.read_message(plain, ed25519_public(m["sender"]), group, m["nonce"], m["key"])
    equal("number and list", [number, list_], [m["number"], m["list"]])
    previous, id, index, count, causes, data = rooms.read_body(body)
    equal("body", [previous, id, index, count, causes, data], [m["previous"], m["id"], m["index"], m["count"], m["causes"], m["data"]])
    equal("message", rooms.make_message(m["sender"], group, list_, m["nonce"], number, m["key"],
                                        rooms.make_body(previous, id, index, count, causes, data)), plain)
    author = rooms.member_id(ed25519_public(m["sender"]))
    equal("ref", rooms.content_ref(group, author, id, m["content"]), m["ref"])
    c = v["chain"]
    equal("chain after a return", rooms.cell_keys(rooms.chain_after(c["root"], c["member"], c["nonce"]), len(c["cells"])), c["cells"])
    c = v["card"]
    mailboxes = [(x["node"], x["hint"]) for x in v["mailboxes"]]
    names, door, read = rooms.read_card(rooms.open_card(group, place, c["context"], c["body"]))
    equal("card", rooms.encode_card(lanes, door, read), names + door + rooms.encode_mailboxes(mailboxes))
    equal("door", door, c["door"])
    equal("sealed card", rooms.seal_card(group, c["body"][:32], place, c["context"], names + door + rooms.encode_mailboxes(read)), c["body"])
    x = v["way"]
    said = rooms.decode_link(x["link"])
    equal("link", list(said), [x["asked"], x["uses"], x["expiry"], x["secret"], group, x["card"], x["title"].encode(), mailboxes])
    invite = rooms.invite_id(x["secret"])
    equal("invite id", invite, x["id"])
    leaf = rooms.leaf_public(x["leaf"])
    equal("card of the link", rooms.hash_("room: author of a link", rooms.link_card(leaf, x["author"])), x["card"])
    q = v["request"]
    equal("pieces", q["pieces"], rooms.request_pieces(q["pieces"][0][1:17], q["pieces"][0][18:] + q["pieces"][1][18:]))
    plain = rooms.open_at_leaf(x["leaf"], rooms.request_info(group, invite, leaf), q["pieces"][0][18:] + q["pieces"][1][18:])
    r = rooms.Reader(plain)
    person = r.take(r.int(2))
    record, answer = r.take(1300), r.take(32)
    r.done()
    equal("request", [person, record, answer], [q["person"], q["record"], q["answer"]])
    key = person[:32]
    counter, of = rooms.check_leaf_record(record, key, group)
    equal("leaf in the person", [counter, rooms.leaf_hash(of)], [0, person[32:64]])
    equal("invite in the person", person[64:80], invite)
    k = v["knock"]
    equal("knock", rooms.make_knock(k["seed"], group, k["record"], k["answer"]), k["data"])
    own = rooms.leaf_public(k["leaf"])
    equal("leaf of the knock", rooms.check_leaf_record(k["record"], key, group), (77, own))
    info = rooms.answer_info(group, rooms.member_id(key), own)
    equal("type of a secret", k["cell"][:1], b"\x17")
    equal("secret of an answer", rooms.open_at_leaf(k["leaf"], info, k["cell"][1:]),
          rooms.answer_secret(k["admin"], group, k["answer"], k["secret"]))
    equal("number to compare", rooms.compared(group, ed25519_public(m["sender"]), key), v["compared"])
    return f"{len(v['logs'])} logs, a message, a card, a link, a request, a knock, the secret of its answer"


SECTIONS = {
    name.removeprefix("check_"): function
    for name, function in list(globals().items()) if name.startswith("check_") and name != "check_route"
}
