"""What contents say: PROTOCOL.md section 4."""

from primitives import Reader, be, need

PROFILE, TEXT, RECEIPT, MAILBOXES, ASK = 1, 2, 3, 4, 5
EDIT, DELETE, REACTION, PICTURE, TIMER, READ, TYPING, FILE = 6, 7, 8, 9, 10, 11, 12, 13
LOST, MISSED, ASIDE = 15, 16, 20
NAME, MAILBOX, TEXT_FIELD, TIME, IDS = 1, 2, 3, 4, 5
REF, FORWARDED, TIMER_FIELD, EMOJI, PICTURE_FIELD, PREVIOUS = 6, 7, 8, 9, 10, 11
FILE_FIELD, FILE_NAME = 12, 13
SEALED, CELLS = 20, 32
NEEDS = {PROFILE: {MAILBOX}, TEXT: {TEXT_FIELD}, RECEIPT: {IDS}, MAILBOXES: {MAILBOX}, ASK: {IDS},
         EDIT: {REF, TEXT_FIELD}, DELETE: {IDS}, REACTION: {REF}, PICTURE: {PICTURE_FIELD},
         READ: {IDS}, TYPING: {TIME}, FILE: {FILE_FIELD, FILE_NAME}, LOST: {IDS}, MISSED: {CELLS}, ASIDE: {SEALED}}
PICTURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
LATEST = 253_402_300_799_999


def encode(kind, fields):
    """fields: (number, value) in order."""
    return be(kind, 1) + b"".join(be(n, 1) + be(len(v), 2) + v for n, v in fields)


def _text(value, most):
    need(1 <= len(value) <= most, "length of a text")
    try:
        value.decode("utf-8", "strict")
    except UnicodeDecodeError:
        need(False, "not UTF-8")


def _cells(value):
    need(len(value) % 8 == 0 and 1 <= len(value) // 8 <= 64, "runs of cells")
    free = 0
    for at in range(0, len(value), 8):
        first, count = (int.from_bytes(value[i:i + 4], "big") for i in (at, at + 4))
        need(count > 0 and first >= free and first + count <= 2**31, "run of cells")
        free = first + count + 1


def decode(data):
    """Returns kind and fields, unknown ones too."""
    need(len(data) <= 65536, "too long")
    r = Reader(data)
    kind, fields, last = r.int(1), [], 0
    need(kind != 0, "kind 0")
    while r.at < len(r.data):
        number, value = r.int(1), r.take(r.int(2))
        need(number > last or number == last == MAILBOX, "order of fields")
        last = number
        fields.append((number, value))
    need(len(fields) <= 64, "number of fields")
    for number, value in fields:
        if number == NAME:
            _text(value, 64)
        elif number == MAILBOX:
            need(1 <= len(value) <= 128, "length of a hint")
        elif number == TEXT_FIELD:
            _text(value, 32768)
        elif number == TIME:
            need(len(value) == 8 and int.from_bytes(value, "big") <= LATEST, "time")
        elif number == IDS:
            need(len(value) % 16 == 0 and 1 <= len(value) // 16 <= 64, "ids")
        elif number in (REF, PREVIOUS):
            need(len(value) == 16 and any(value), "ref or previous")
        elif number == FORWARDED:
            need(not value, "forwarded")
        elif number == TIMER_FIELD:
            need(len(value) == 4 and 5 <= int.from_bytes(value, "big") <= 2_419_200, "timer")
        elif number == EMOJI:
            _text(value, 32)
        elif number == PICTURE_FIELD:
            need(len(value) <= 49152 and value.startswith(PICTURES), "picture")
        elif number == FILE_FIELD:
            need(len(value) <= 49152, "file")
        elif number == FILE_NAME:
            _text(value, 200)
        elif number == SEALED:
            need(1 <= len(value) <= 4096, "sealed")
        elif number == CELLS:
            _cells(value)
    numbers = [n for n, _ in fields]
    need(numbers.count(MAILBOX) <= 4, "number of mailboxes")
    need(NEEDS.get(kind, set()) <= set(numbers), "needed field")
    return kind, fields
