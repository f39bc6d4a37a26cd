#!/usr/bin/python3
"""Mail and flags of an account out of `journal` and `mail.NNNN` alone.

recover.py DIR [OUT]: one line a message, "MAILBOX UID flags= size= crc= ok";
with OUT, each message is also written to OUT/MAILBOX/UID.  Uses nothing of
maild; maild-store(5) has the formats.
"""
import os, struct, sys

T = [0] * 256
for i in range(256):
    c = i
    for _ in range(8):
        c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    T[i] = c

def crc32c(data, crc=0):
    crc ^= 0xffffffff
    for b in data:
        crc = crc >> 8 ^ T[(crc ^ b) & 255]
    return crc ^ 0xffffffff

root = sys.argv[1]
log = open(os.path.join(root, "journal"), "rb").read()
seed, at = crc32c(log[16:32]), 64
boxes = {}      # id: [name, {uid: [flags, where, size, crc]}]
u32 = lambda p, o: struct.unpack_from("<I", p, o)[0]
u64 = lambda p, o: struct.unpack_from("<Q", p, o)[0]

def uids(box, p, o, n):
    for k in range(n):
        a, b = u32(p, o + 8 * k), u32(p, o + 8 * k + 4)
        yield from [u for u in sorted(boxes[box][1]) if a <= u <= b]

def record(kind, p):
    if kind == 1:
        boxes[u32(p, 0)] = [p[16:].decode("utf-8", "replace"), {}]
    elif kind == 2:
        boxes.pop(u32(p, 0), None)
    elif kind == 3:
        old, new = boxes[u32(p, 0)][0], p[8:].decode("utf-8", "replace")
        for b in boxes.values():
            if b[0] == old or b[0].startswith(old + "/"):
                b[0] = new + b[0][len(old):]
    elif kind == 6:
        boxes[u32(p, 0)][1][u32(p, 4)] = [u32(p, 8), (u32(p, 52), u64(p, 32)), u32(p, 12), u32(p, 60)]
    elif kind == 7:
        for u in list(uids(u32(p, 0), p, 24, u32(p, 12))):
            m, f = boxes[u32(p, 0)][1][u], u32(p, 8)
            m[0] = [f, m[0] | f, m[0] & ~f][u32(p, 4)]
    elif kind == 8:
        for u in list(uids(u32(p, 0), p, 8, u32(p, 4))):
            del boxes[u32(p, 0)][1][u]
    elif kind in (9, 10):
        for k, u in enumerate(list(uids(u32(p, 0), p, 88, u32(p, 16)))):
            boxes[u32(p, 4)][1][u32(p, 8) + k] = list(boxes[u32(p, 0)][1][u])
            if kind == 10:
                del boxes[u32(p, 0)][1][u]
    elif kind == 15:
        for b in boxes.values():
            for u in [u for u, m in b[1].items() if m[1] == (u32(p, 0), u64(p, 8))]:
                del b[1][u]

while at + 96 <= len(log):
    n = u32(log, at + 4)
    if log[at:at + 4] != b"mGRP" or crc32c(log[at:at + n - 4], seed) != u32(log, at + n - 4):
        print("journal: no valid group at %d" % at, file=sys.stderr)
        break
    r = at + 32
    while r < at + n - 64:
        kind, size = u32(log, r) & 0xffff, u32(log, r + 4)
        record(kind, log[r + 8:r + 8 + size])
        r += 8 + (size + 7 & ~7)
    at += n

bad = 0
for name, msgs in sorted(boxes.values(), key=lambda b: b[0]):
    for uid, (flags, (seg, off), size, crc) in sorted(msgs.items()):
        with open(os.path.join(root, "mail.%04d" % seg), "rb") as f:
            f.seek(off)
            data = f.read(size)
        ok = crc32c(data) == crc
        bad += not ok
        print("%s %d flags=%x size=%d crc=%08x %s" % (name, uid, flags, size, crc, "ok" if ok else "BAD"))
        if len(sys.argv) > 2:
            os.makedirs(os.path.join(sys.argv[2], name), exist_ok=True)
            with open(os.path.join(sys.argv[2], name, str(uid)), "wb") as f:
                f.write(data)
sys.exit(bad > 0)
