#!/usr/bin/env python3
"""gentab.py [DIRECTORY]: write the constant tables of common, into common
itself or DIRECTORY: base/crc32c_table.h, parse/charset_table.h,
parse/charset_cjk_table.h, parse/fold_table.h and parse/casemap_table.h.  Its
output is committed; run again only to change it.  script/t_charset tells whether the committed tables
are what this writes, and compares what the decoder makes of them with the
codecs of the Python that is there.

Charsets come from Python's codecs, case folding from unicodedata."""

import os
import sys
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
    ("IBM775", "cp775", "cp775"),
    ("IBM855", "cp855", "cp855"),
    ("IBM857", "cp857", "cp857"),
    ("IBM00858", "cp858", "cp858 pc-multilingual-850+euro"),
    ("IBM862", "cp862", "cp862"),
    ("IBM869", "cp869", "cp869"),
    ("KOI8-T", "koi8-t", ""),
    ("x-mac-cyrillic", "mac_cyrillic", "x-mac-ukrainian"),
    ("x-mac-ce", "mac_latin2", "x-mac-centraleurroman"),
    ("x-mac-greek", "mac_greek", ""),
    ("x-mac-turkish", "mac_turkish", ""),
]

# Several octets a character, in the order of charset.c: name, aliases.  What
# is called GB2312, Shift_JIS or ks_c_5601 in mail is what Windows makes of it.
MULTI = [
    ("Shift_JIS", "shift-jis sjis x-sjis ms_kanji csshiftjis windows-31j "
     "cswindows31j cp932 ms932 windows-932 x-ms-cp932"),
    ("EUC-JP", "eucjp x-euc-jp x-euc ujis cseucpkdfmtjapanese "
     "extended_unix_code_packed_format_for_japanese eucjp-ms cp51932"),
    ("GB18030", "gb2312 gbk cp936 ms936 windows-936 x-gbk euc-cn euccn "
     "x-euc-cn gb_2312-80 gb2312-80 gb-2312 gb_2312 chinese csgb2312 csgbk "
     "csgb18030 iso-ir-58 csiso58gb231280 cn-gb"),
    ("Big5", "big5-hkscs big5hkscs csbig5 csbig5hkscs cp950 ms950 "
     "windows-950 x-x-big5 cn-big5 big5-eten big5-tw big-5"),
    ("EUC-KR", "euckr x-euc-kr ks_c_5601-1987 ks_c_5601-1989 ks_c_5601 "
     "ksc5601 ksc_5601 korean iso-ir-149 csksc56011987 cseuckr cp949 ms949 "
     "windows-949 x-windows-949 uhc"),
    ("ISO-2022-JP", "iso2022jp csiso2022jp iso-2022-jp-1 iso-2022-jp-2 "
     "csiso2022jp2 iso-2022-jp-ms cp50220 cp50221 x-iso-2022-jp"),
    ("ISO-2022-KR", "iso2022kr csiso2022kr"),
    ("HZ-GB-2312", "hz"),
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
    text += "};\n\n#define CHARSETS_8BIT\t%d\n" % len(CHARSETS)
    text += "\nstatic const struct {\n\tconst char *name;\n"
    text += "\tint id;\n} charset_names[] = {\n"
    text += "\t/* the preferred name of each id comes first, in order */\n"
    names = [("US-ASCII", 0), ("UTF-8", 1)]
    some = CHARSETS + [(c[0], None, c[1]) for c in MULTI]
    names += [(c[0], i + 2) for i, c in enumerate(some)]
    alias = [(a, 0) for a in
             "ascii ansi_x3.4-1968 iso646-us us iso_646.irv:1991".split()]
    alias += [("utf8", 1), ("unicode-1-1-utf-8", 1), ("utf-8-mac", 1)]
    for i, c in enumerate(some):
        alias += [(a, i + 2) for a in c[2].split()]
    for n, i in names + alias:
        text += '\t{ "%s", %d },\n' % (n, i)
    return text + "};\n\n#define CHARSETS\t%d\n" % len(names)


def cell(codec, *octets):
    """one or two characters as text, "" if there is none"""
    try:
        s = bytes(octets).decode(codec)
    except UnicodeDecodeError:
        return ""
    return s


def cells(codec, leads, trails):
    """a number for each pair, in order"""
    out = [cell(codec, a, b) for a in leads for b in trails]
    return [ord(s) if len(s) == 1 else 0 for s in out]


def table(name, values, note):
    return ("/* %s */\nstatic const uint16_t %s[%d] = {\n%s\n};\n\n"
            % (note, name, len(values), rows(values, "0x%04x", 9)))


def octets(*ranges):
    return [b for first, last in ranges for b in range(first, last + 1)]


# Windows' reading of Big5 where the two differ, but for what ETEN has there.
def big5_cell(a, b):
    hk, win = cell("big5hkscs", a, b), cell("cp950", a, b)
    if len(win) == 1 and not (0xc6a1 <= a << 8 | b <= 0xc8fe):
        return win
    return hk


def big5():
    cells = [big5_cell(a, b) for a in range(0x87, 0xff)
             for b in octets((0x40, 0x7e), (0xa1, 0xfe))]
    one = [ord(s) if len(s) == 1 else 0 for s in cells]
    assert all(u >> 16 in (0, 2) for u in one)
    bits = bytearray((len(one) + 7) // 8)
    for i, u in enumerate(one):
        bits[i // 8] |= (u >> 17) << i % 8
    text = table("big5", [u & 0xffff for u in one],
                 "Big5 with HKSCS: leads 87..FE, trails 40..7E and A1..FE")
    text += "/* Which of them are U+2xxxx. */\n"
    text += "static const uint8_t big5_high[%d] = {\n%s\n};\n\n" % (
        len(bits), rows(bits, "0x%02x", 12))
    return text


def gb18030():
    text = table("gb18030", cells("gb18030", range(0x81, 0xff),
                                  octets((0x40, 0x7e), (0x80, 0xfe))),
                 "GB 18030: leads 81..FE, trails 40..7E and 80..FE")
    runs, last = [], None
    for i in range(39420):          # four octets, up to U+FFFF
        s = cell("gb18030", 0x81 + i // 12600, 0x30 + i // 1260 % 10,
                 0x81 + i // 10 % 126, 0x30 + i % 10)
        u = ord(s) if s else 0
        if last is None or u != (last and last + 1):
            runs.append((i, u))
        last = u
    runs.append((39420, 0))
    text += "/* Four octets: the number from which on, its character or 0. */\n"
    text += "static const uint16_t gb18030_run[%d][2] = {\n" % len(runs)
    for i in range(0, len(runs), 4):
        text += "\t" + " ".join("{ %d, 0x%04x }," % r
                                for r in runs[i:i + 4]) + "\n"
    return text + "};\n\n"


def cjk():
    text = NOTE % "charset_cjk.c"
    text += table("jis0208", cells("cp932", octets((0x81, 0x9f), (0xe0, 0xfc)),
                                   octets((0x40, 0x7e), (0x80, 0xfc))),
                  "JIS X 0208 as Windows has it, 94 a row: 120 rows")
    text += table("jis0212", [
        ord(cell("euc_jp", 0x8f, a, b) or "\0")
        for a in range(0xa1, 0xff) for b in range(0xa1, 0xff)],
        "JIS X 0212: 94 rows")
    text += gb18030() + big5()
    text += table("ksc", cells("cp949", range(0x81, 0xfe),
                               octets((0x41, 0x5a), (0x61, 0x7a),
                                      (0x81, 0xfe))),
                  "KS X 1001 as Windows has it: leads 81..FD, trails "
                  "41..5A, 61..7A, 81..FE")
    return text.rstrip("\n") + "\n"


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
    text = NOTE % "fold.c"
    text += "#define FOLD_LOW\t0x%04x\n" % FOLD_END
    text += "#define FOLD_HIGH\t0x%04x\n#define FOLD_HIGH_END\t0x%04x\n" % EXTRA
    for name, a, b in (("low", 0, FOLD_END), ("high",) + EXTRA):
        text += "static const uint16_t fold_%s[] = {\n" % name
        text += rows([fold_one(u) for u in range(a, b)], "0x%04x", 8)
        text += "\n};\n"
    return text


def mapped(u):
    """i;unicode-casemap of one character (RFC 5051 2): simple title case, then taken apart as far as it goes."""
    def apart(c):
        parts = [p for p in unicodedata.decomposition(c).split() if p[0] != "<"]
        return "".join(apart(chr(int(p, 16))) for p in parts) or c
    title = chr(u).title()
    return apart(title if len(title) == 1 else chr(u))


CASEMAP_SHIFT = 7


def casemap():
    """Pages of places in a text of lengths and octets; page 0 and place 0: the character itself."""
    wide, places, octets = 1 << CASEMAP_SHIFT, {}, [0]
    pages, index = [[0] * wide], []
    for u in range(0x80, sys.maxunicode + 1):
        if 0xD800 <= u < 0xE000 or 0xAC00 <= u < 0xD7A4 or mapped(u) == chr(u):
            continue                    # Hangul is arithmetic
        text = mapped(u).encode()
        if text not in places:
            places[text] = len(octets)
            octets += [len(text), *text]
        page = u >> CASEMAP_SHIFT
        if page >= len(index):
            index += [0] * (page + 1 - len(index))
        if index[page] == 0:
            index[page] = len(pages)
            pages.append([0] * wide)
        pages[index[page]][u & (wide - 1)] = places[text]
    assert len(pages) < 256 and len(octets) < 65536
    text = NOTE % "casemap.c" + "#define CASEMAP_SHIFT\t%d\n" % CASEMAP_SHIFT
    text += "static const uint8_t casemap_page[] = {\n" + rows(index, "%d", 16) + "\n};\n"
    text += "static const uint16_t casemap_at[][1 << CASEMAP_SHIFT] = {\n"
    for page in pages:
        text += "{\n" + rows(page, "%d", 10) + "\n},\n"
    return text + "};\nstatic const unsigned char casemap_text[] = {\n" + rows(octets, "%d", 16) + "\n};\n"


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else
             os.path.dirname(os.path.abspath(__file__)))
    for name, make in (("base/crc32c", crc32c), ("parse/charset", charset),
                       ("parse/charset_cjk", cjk), ("parse/fold", fold),
                       ("parse/casemap", casemap)):
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name + "_table.h", "w") as f:
            f.write(make())


main()
