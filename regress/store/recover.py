#!/usr/bin/python3
"""recover.py DIR [OUT]: the mail of an account by its `journal` and `mail.NNNN` alone, a line for each message; with OUT
also as a Maildir++ there, flags in the names.  Uses nothing of maild; maild-store(5) has the formats."""
import functools, os, struct, sys
T = [functools.reduce(lambda c, _: c >> 1 ^ (0x82f63b78 if c & 1 else 0), range(8), c) for c in range(256)]
def crc32c(data, crc=0):
    return functools.reduce(lambda c, b: c >> 8 ^ T[(c ^ b) & 255], data, crc ^ 0xffffffff) ^ 0xffffffff
u32, u64 = [lambda p, o, f=f: struct.unpack_from(f, p, o)[0] for f in ("<I", "<Q")]
root, out, pad = sys.argv[1], (sys.argv + [None])[2], lambda n: n + 7 & ~7
log = open(os.path.join(root, "journal"), "rb").read()
boxes, bad, at = {}, 0, u32(log, 12)    # id: [name, {uid: [flags, (segment, offset), size, crc, date]}]
def uids(p, o, n):
    runs = [(u32(p, o + 8 * k), u32(p, o + 8 * k + 4)) for k in range(n)]
    return [u for u in sorted(boxes[u32(p, 0)][1]) if any(a <= u <= b for a, b in runs)]
def record(kind, p):
    box = boxes.get(u32(p, 0)) if len(p) >= 4 else None
    if kind == 1:                       # CREATE
        boxes[u32(p, 0)] = [p[16:].decode("utf-8", "replace"), {}]
    elif kind == 2:                     # DELETE
        del boxes[u32(p, 0)]
    elif kind == 3:                     # RENAME, names below follow
        for b in [b for b in boxes.values() if b[0].startswith(box[0] + "/")] + [box]:
            b[0] = p[8:].decode("utf-8", "replace") + b[0][len(box[0]):]
    elif kind in (6, 19) and not u32(p, 8) & 0x100:     # ADD, MSG
        date, seg, off, crc = (24, 52, 32, 60) if kind == 6 else (16, 64, 24, 80)
        box[1][u32(p, 4)] = [u32(p, 8), (u32(p, seg), u64(p, off)), u32(p, 12), u32(p, crc), u64(p, date)]
    elif kind in (7, 20):               # FLAGS
        for m in [box[1][u] for u in uids(p, 24 + (pad(2 * u32(p, 16)) if kind == 20 else 0), u32(p, 12))]:
            m[0] = [u32(p, 8), m[0] | u32(p, 8), m[0] & ~u32(p, 8)][u32(p, 4)]
    elif kind in (8, 9, 10, 21, 22):    # EXPUNGE, COPY, MOVE
        first = 8 if kind == 8 else 88 if kind < 21 else 24 + pad(4 * u32(p, 20))
        for k, u in enumerate(uids(p, first, u32(p, 4 if kind == 8 else 16))):
            if kind != 8:
                boxes[u32(p, 4)][1][u32(p, 8) + k] = list(box[1][u])
            if kind in (8, 10, 22):
                del box[1][u]
    elif kind == 15:                    # LOST
        for b in boxes.values():
            b[1] = {u: m for u, m in b[1].items() if m[1] != (u32(p, 0), u64(p, 8))}
    elif kind == 18:                    # COMPACT
        to = {(u32(p, o), u64(p, o + 8)): (u32(p, 4), u64(p, o + 16)) for o in range(16, len(p), 32) if u32(p, o) == u32(p, 0)}
        for m in [m for b in boxes.values() for m in b[1].values()]:
            m[1] = to.get(m[1], m[1])
while at + 96 <= len(log) and crc32c(log[at:at + u32(log, at + 4) - 4], crc32c(log[16:32])) == u32(log, at + u32(log, at + 4) - 4):
    at, end, r = at + u32(log, at + 4), at + u32(log, at + 4) - 64, at + 32
    while r < end:
        record(u32(log, r) & 0xffff, log[r + 8:r + 8 + u32(log, r + 4)])
        r += 8 + pad(u32(log, r + 4))
for name, msgs in sorted(boxes.values(), key=lambda b: b[0]):
    folder = os.path.join(out or "", "" if name == "INBOX" else "." + name.replace(".", "_").replace("/", "."))
    [os.makedirs(os.path.join(folder, d), exist_ok=True) for d in ("cur", "new", "tmp") if out]
    for uid, (flags, (seg, off), size, crc, date) in sorted(msgs.items()):
        data = os.pread(fd := os.open(os.path.join(root, f"mail.{seg:04d}"), os.O_RDONLY), size, off) + (os.close(fd) or b"")
        bad += crc32c(data) != crc
        print(f"{name} {uid} flags={flags & 31:x} size={size} crc={crc:08x} {'ok' if crc32c(data) == crc else 'BAD'}")
        if out:
            info = "".join(c for c, bit in zip("DFRST", (16, 4, 2, 1, 8)) if flags & bit)
            open(os.path.join(folder, "cur", f"{date}.{uid}.maild:2,{info}"), "wb").write(data)
sys.exit(bad > 0)
