#!/usr/bin/env python3
"""A second implementation of Starling's formats, written from docs/PROTOCOL.md alone.

    starling.py                               check every *.json beside this file
    starling.py --check FILE                  check one file of many sections, as --produce writes it
    starling.py --produce FILE [SECTION...]   write sections anew, from fresh randomness
    starling.py --talk                        be one party of a conversation: JSON lines in, JSON lines out

Only Python 3.11 and its standard library. README.md says what each section is.
"""

import argparse
import json
import pathlib
import sys

import checks
import produce
import session
from primitives import Refused


def check(sections):
    """Says what is right and what is wrong, and reports whether all is right."""
    right = True
    for name in sorted(sections):
        try:
            print(f"{name}: {checks.SECTIONS[name](checks.unhex(sections[name]))}")
        except (AssertionError, Refused) as wrong:
            print(f"{name} is wrong: {wrong}")
            right = False
    return right


def beside():
    here = pathlib.Path(__file__).resolve().parent
    return {f.stem: json.loads(f.read_text()) for f in here.glob("*.json")}


class Party:
    """Either side of a conversation, by lines such as {"do": "seal", "id": …, "content": …}."""

    def invite(self, expires, hints):
        self.invited = session.Invite(expires, [bytes.fromhex(h) for h in hints])
        return {"link": self.invited.link, "cells": cells_json(self.invited.cells)}

    def accept(self, tag, box):
        done = self.invited.accept(bytes.fromhex(tag), bytes.fromhex(box))
        if done is None:
            return {"part": None}
        self.session, part = done
        return {"part": part_json(part)}

    def join(self, link, bundle, id, first):
        bundle = [bytes.fromhex(c["box"]) for c in bundle]
        self.session, hello = session.join(link, bundle, bytes.fromhex(id), bytes.fromhex(first))
        return {"cells": cells_json(hello)}

    def seal(self, id, content, word=0):
        cells = self.session.seal(bytes.fromhex(id), bytes.fromhex(content), word)
        return {"cells": cells_json(cells)}

    def open(self, tag, box):
        return {"part": part_json(self.session.open(bytes.fromhex(tag), bytes.fromhex(box)))}

    def signals(self):
        return {"cells": cells_json(self.session.signals())}

    def window(self):
        return {"tags": [tag.hex() for tag in self.session.window()]}

    def epoch(self):
        return {"epoch": self.session.ratchet.pq.braid.epoch}

    def safety_number(self):
        return {"safety_number": self.session.safety_number}


def cells_json(cells):
    return [{"tag": tag.hex(), "box": box.hex()} for tag, box in cells]


def part_json(part):
    word, number, content_id, index, count, data = part
    return {"word": word, "number": number, "id": content_id.hex(), "index": index, "count": count,
            "data": data.hex()}


def talk():
    party = Party()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = getattr(party, request.pop("do"))(**request)
        except Refused as refused:
            answer = {"refused": str(refused)}
        print(json.dumps(answer), flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--check", metavar="FILE")
    p.add_argument("--produce", metavar="FILE")
    p.add_argument("--talk", action="store_true")
    p.add_argument("section", nargs="*", help="what to produce; all if nothing is said")
    args = p.parse_args()
    if args.talk:
        talk()
    elif args.produce:
        names = args.section or produce.SECTIONS
        sections = {name: produce.tohex(produce.SECTIONS[name]()) for name in names}
        pathlib.Path(args.produce).write_text(json.dumps(sections, indent=1))
    elif args.check:
        sys.exit(not check(json.loads(pathlib.Path(args.check).read_text())))
    else:
        sys.exit(not check(beside()))


if __name__ == "__main__":
    main()
