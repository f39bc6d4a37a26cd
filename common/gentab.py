#!/usr/bin/env python3
"""Write the constant tables of common: base/crc32c_table.h,
parse/charset_table.h and parse/fold_table.h.  Their output is committed; run
again only to change them.

Charsets come from Python's codecs, case folding from unicodedata."""

import os
import unicodedata

NOTE = "/* Made by gentab.py.  Included by %s alone. */\n#include <stdint.h>\n\n"


def rows(values, fmt, per):
    out = []
    for i in range(0, len(values), per):
        out.append("\t" + ", ".join(fmt % v for v in values[i:i + per]) + ",")
    return "\n".join(out)


def crc32c():
    table = [[0] * 256 for _ in range(8)]
    for i in range(256):
        c = i
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
        table[0][i] = c
    for i in range(256):
        for k in range(1, 8):
            p = table[k - 1][i]
            table[k][i] = p >> 8 ^ table[0][p & 255]
    text = NOTE % "hash.c" + "static const uint32_t crc32c_table[8][256] = {\n"
    for t in table:
        text += "{\n" + rows(t, "0x%08x", 6) + "\n},\n"
    return text + "};\n"


# preferred MIME name, Python codec, aliases
CHARSETS = [
    ("ISO-8859-1", "iso8859-1",
     "latin1 l1 iso_8859-1 iso8859-1 cp819 iso-ir-100"),
    ("ISO-8859-2", "iso8859-2", "latin2 l2 iso_8859-2 iso8859-2"),
    ("ISO-8859-3", "iso8859-3", "latin3 iso_8859-3 iso8859-3"),
    ("ISO-8859-4", "iso8859-4", "latin4 iso_8859-4 iso8859-4"),
    ("ISO-8859-5", "iso8859-5", "cyrillic iso_8859-5 iso8859-5"),
    ("ISO-8859-6", "iso8859-6", "arabic iso_8859-6 iso8859-6 iso-8859-6-i"),
    ("ISO-8859-7", "iso8859-7", "greek iso_8859-7 iso8859-7"),
    ("ISO-8859-8", "iso8859-8", "hebrew iso_8859-8 iso8859-8 iso-8859-8-i"),
    ("ISO-8859-9", "iso8859-9", "latin5 l5 iso_8859-9 iso8859-9"),
    ("ISO-8859-10", "iso8859-10", "latin6 iso8859-10"),
    ("ISO-8859-11", "iso8859-11", "tis-620 iso8859-11"),
    ("ISO-8859-13", "iso8859-13", "latin7 iso8859-13"),
    ("ISO-8859-14", "iso8859-14", "latin8 iso8859-14"),
    ("ISO-8859-15", "iso8859-15", "latin9 latin-9 iso_8859-15 iso8859-15"),
    ("ISO-8859-16", "iso8859-16", "latin10 iso8859-16"),
    ("windows-1250", "cp1250", "cp1250 x-cp1250"),
    ("windows-1251", "cp1251", "cp1251 x-cp1251"),
    ("windows-1252", "cp1252", "cp1252 x-cp1252"),
    ("windows-1253", "cp1253", "cp1253"),
    ("windows-1254", "cp1254", "cp1254"),
    ("windows-1255", "cp1255", "cp1255"),
    ("windows-1256", "cp1256", "cp1256"),
    ("windows-1257", "cp1257", "cp1257"),
    ("windows-1258", "cp1258", "cp1258"),
    ("windows-874", "cp874", "cp874"),
    ("KOI8-R", "koi8-r", "koi8r koi8"),
    ("KOI8-U", "koi8-u", "koi8u"),
    ("IBM437", "cp437", "cp437"),
    ("IBM850", "cp850", "cp850"),
    ("IBM852", "cp852", "cp852"),
    ("IBM866", "cp866", "cp866"),
    ("macintosh", "mac_roman", "mac"),
]


def charset():
    text = NOTE % "charset.c"
    text += "/* Upper halves; 0 is no character. */\n"
    text += "static const uint16_t charset_high[][128] = {\n"
    for name, codec, _ in CHARSETS:
        high = []
        for b in range(128, 256):
            u = bytes([b]).decode(codec, "replace")
            high.append(0 if u == "\ufffd" else ord(u))
        text += "{ /* %s */\n%s\n},\n" % (name, rows(high, "0x%04x", 8))
    text += "};\n\nstatic const struct {\n\tconst char *name;\n"
    text += "\tint id;\n} charset_names[] = {\n"
    text += "\t/* the preferred name of each id comes first, in order */\n"
    names = [("US-ASCII", 0), ("UTF-8", 1)]
    names += [(c[0], i + 2) for i, c in enumerate(CHARSETS)]
    alias = [(a, 0) for a in
             "ascii ansi_x3.4-1968 iso646-us us iso_646.irv:1991".split()]
    alias += [("utf8", 1), ("unicode-1-1-utf-8", 1), ("utf-8-mac", 1)]
    for i, c in enumerate(CHARSETS):
        alias += [(a, i + 2) for a in c[2].split()]
    for n, i in names + alias:
        text += '\t{ "%s", %d },\n' % (n, i)
    return text + "};\n\n#define CHARSETS\t%d\n" % len(names)


def fold_one(u):
    """Simple folding: one character to one character."""
    f = chr(u).casefold()
    if len(f) != 1:
        f = chr(u).lower()
    if len(f) != 1:
        return u
    return ord(f)


FOLD_END = 0x0590           # Latin, Greek, Cyrillic, Armenian
EXTRA = (0x1E00, 0x2000)    # Latin Extended Additional, Greek Extended


def fold():
    text = NOTE % "search.c"
    text += "#define FOLD_LOW\t0x%04x\n" % FOLD_END
    text += "#define FOLD_HIGH\t0x%04x\n#define FOLD_HIGH_END\t0x%04x\n" % EXTRA
    for name, a, b in (("low", 0, FOLD_END), ("high",) + EXTRA):
        text += "static const uint16_t fold_%s[] = {\n" % name
        text += rows([fold_one(u) for u in range(a, b)], "0x%04x", 8)
        text += "\n};\n"
    return text


def main():
    assert unicodedata.unidata_version
    os.chdir(os.path.dirname(os.path.abspath(__file__)))
    for name, make in (("base/crc32c", crc32c), ("parse/charset", charset),
                       ("parse/fold", fold)):
        with open(name + "_table.h", "w") as f:
            f.write(make())


main()
