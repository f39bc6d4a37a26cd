"""Messages that show what MIME and header parsers make of them: hand-made ones, well-formed and broken, and generated
ones.  MESSAGES is name -> octets, the same in every run.  The answers that IMAP gives about them are in answers.json,
compared with Dovecot's once and looked at wherever the two differ; t_imap_structure asks for them.
"""

CR = "\r\n"
MESSAGES = {}


class Random:
    """the same numbers with every Python"""
    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = (self.x * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.x >> 33) % n

    def random(self):
        return self.below(1000) / 1000

    def randint(self, a, b):
        return a + self.below(b - a + 1)

    def choice(self, v):
        return v[self.below(len(v))]

    def shuffle(self, v):
        for i in range(len(v) - 1, 0, -1):
            j = self.below(i + 1)
            v[i], v[j] = v[j], v[i]


def hand(name, text):
    MESSAGES[name] = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")

H = ("From: Ann <ann@x.test>\r\nTo: bob@y.test\r\nSubject: s\r\nDate: Fri, 20 Nov 2026 23:30:00 -0500\r\n"
     "Message-ID: <1@x>\r\n")
hand("plain", H + "\r\nHello\r\nWorld\r\n")
hand("no-mime-version-multipart", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n"
     "--b\r\n\r\ntwo\r\n--b--\r\n")
hand("noeol", H + "\r\nHello")
hand("nobody", H + "\r\n")
hand("nobody-noblank", H)
hand("header-only-no-final-crlf", H[:-2])
hand("empty-header", "\r\nbody only\r\n")
hand("only-crlf", "\r\n")
hand("no-header", "just some text\r\nmore: text\r\n")
hand("mbox-from", "From ann@x Fri Nov 20 2026\r\n" + H + "\r\nx\r\n")
hand("body-blank-lines", H + "\r\n\r\n\r\n")
for ct in [
        "text/plain; charset=us-ascii", "text/plain; charset=\"utf-8\"; format=flowed", "TEXT/PLAIN; CHARSET=UTF-8",
        "text/html", "text", "text/", "/plain", "", ";", "text/plain;", "text/plain; ;charset=x",
        "text/plain; charset", "text/plain; charset=", "text/plain; charset=\"\"", "text/plain charset=utf-8",
        "text / plain; charset = utf-8", "text/plain (comment); charset=(c)utf-8(d)",
        "text/x-y+z; a=b; c=\"d e\\\"f\\\\g\"", "text/plain; name*=utf-8''na%C3%AFve.txt",
        "text/plain; name*0=one; name*1=two; name*2*=th%20ree", "text/plain; name*0*=utf-8'en'one%20; name*1*=two",
        "text/plain; name=\"=?utf-8?q?na=C3=AFve?=\"", "application/octet-stream; name=a;b=c",
        "image/png; name=x y z.png", "image/png; name=x@y.png", "application/pdf; name=\"un closed", "foo/bar/baz",
        "text/plain; a=b; a=c", "text/plain; charset=utf-8; charset=latin1", "text/plain; =x",
        "text/plain; a=b, c=d", "text/plain;\r\n\tcharset=utf-8;\r\n name=\"folded\r\n name\"", "multipart/mixed",
        "multipart/mixed; boundary=\"\"", "message/rfc822x", "message/partial; number=1; total=2; id=\"x\"",
        "message/delivery-status", "message/external-body; access-type=URL", "model/vrml",
        "text/plain; charset='utf-8'", "text/plain; charset=utf-8 (c)", "text/plain; x=\"\"", "text/plain; x= ",
        "text/plain; 8bit=\u00e4"]:
    hand("type %d" % len(MESSAGES), H + "MIME-Version: 1.0\r\nContent-Type: " + ct + "\r\n\r\nbody\r\n")
for cte in [
        "7bit", "8BIT", "base64", "Quoted-Printable", "binary", "x-uuencode", "", "7 bit", "base64 (c)",
        "base64; x=y", "\"base64\"", "foo"]:
    hand("encoding %d" % len(MESSAGES), H + "MIME-Version: 1.0\r\nContent-Transfer-Encoding: " + cte + "\r\n\r\n"
     "Ym9keQ==\r\n")
for d in [
        "inline", "attachment; filename=x.txt", "ATTACHMENT; FILENAME=\"X Y.txt\"",
        "attachment; filename*=utf-8''%e2%82%ac",
        "attachment; size=5; creation-date=\"Wed, 12 Feb 1997 16:29:51 -0500\"", "", ";filename=x", "attachment;",
        "attachment; filename", "(c) inline", "inline (c)", "\"attachment\"; filename=x", "foo bar; x=y"]:
    hand("disposition %d" % len(MESSAGES), H + "Content-Disposition: " + d + "\r\n\r\nbody\r\n")
for l in ["en", "en, de", "en,de,fr", "en (english), de", "", ",", "\"en\"", "en de"]:
    hand("language %d" % len(MESSAGES), H + "Content-Language: " + l + "\r\n\r\nbody\r\n")
for n, v in [
        ("Content-MD5", "Q2hlY2sgSW50ZWdyaXR5IQ=="), ("Content-MD5", ""), ("Content-Location", "http://x/y"),
        ("Content-Location", "\"http://x/\r\n y\""), ("Content-ID", "<a@b>"), ("Content-ID", "a@b"),
        ("Content-ID", ""), ("Content-Description", "a  b\tc"), ("Content-Description", "=?utf-8?q?=C3=A4?="),
        ("Content-Description", ""), ("Content-ID", "<a\r\n @b> (c)"), ("Content-Description", "a\r\n b"),
        ("Content-Location", "a (c) b")]:
    hand("field %d" % len(MESSAGES), H + n + ": " + v + "\r\n\r\nbody\r\n")
ADDR = [
        "a@b", "<a@b>", "Ann <a@b>", "\"Ann B\" <a@b>", "Ann B. Cee <a@b>", "a@b (Ann)", "(Ann) a@b",
        "(c1) Ann (c2) <a@b> (c3)", "a@b, c@d", "a@b,c@d,", ",a@b", ",,", "Group: a@b, c@d;", "Group:;",
        "Group: Ann <a@b>;, c@d", "undisclosed-recipients:;", "a@b, Group: c@d;, e@f", "\"G r\": a@b;", "Group: a@b",
        "a", "Ann", "Ann Bee", "<>", "", "<a>", "a@", "@b", "<@r1,@r2:a@b>", "Ann <@r:a@b>",
        "=?utf-8?q?J=C3=BCrgen?= <j@x>", "\"=?utf-8?q?J=C3=BCrgen?=\" <j@x>",
        "=?utf-8?b?w6Q=?= =?utf-8?b?w6Q=?= <j@x>", "\"quoted local\"@x", "\"a\\\"b\"@x", "a.b.c@d.e.f",
        "a . b @ c . d", "a@[1.2.3.4]", "<a@[IPv6:::1]>", "Ann <a@b", "Ann a@b>", "Ann <a@b> Bee <c@d>", "a@b c@d",
        "a@b; c@d", "\"unclosed <a@b>", "(unclosed <a@b>", "Ann\r\n <a@b>", "Ann\r\n\t<a@b>,\r\n c@d",
        "J\u00fcrgen <j@x>", "j\u00fc@x", "Ann \"Q\" Bee <a@b>", "A\\B <a@b>", "\"A\\B\" <a@b>",
        "Ann (nested (c) d) <a@b>", "a@b (c (d) e)", "a@b (c\\)d)", "a(c)@b", "a@(c)b", "Ann <a@b (c)>",
        "Ann <(c)a@b>", "A:B <a@b>", "a@b@c", "a b c", "a%b@c", "a!b!c", "Ann, Bee <a@b>", "\"Ann, Bee\" <a@b>",
        "Ann  Bee <a@b>", "\"Ann  Bee\" <a@b>", " a@b ", "<a@b>,", "\"\" <a@b>", "\"\"@b", "a@b.", ".a@b",
        "Ann. <a@b>", "g: <a@b>, h: <c@d>;;", "Group: Inner: a@b;;", "mailto:a@b", "[a@b]", "<mailto:a@b>",
        "a@b <c@d>", "\"a@b\" <c@d>", "a@b <>", "Ann <>", "Ann <> , b@c", "x" * 300 + "@b",
        "\"" + "n" * 900 + "\" <a@b>", "'Ann' <a@b>", "Ann <a@b>; Bee <c@d>", "=?utf-8?q?a=2Cb?= <a@b>"]
for i, a in enumerate(ADDR):
    hand("address %02d" % i, "From: " + a + "\r\nTo: " + a + "\r\nCc: x@y, " + a + "\r\nSubject: addr\r\n\r\nx\r\n")
hand("sender-replyto", "From: a@b\r\nSender: s@t\r\nReply-To: Ann <r@s>, q@r\r\nBcc: z@z\r\n"
     "In-Reply-To: <a@b> <c@d>\r\nReferences: <e@f>\r\nMessage-ID:  <x@y> \r\nDate: not a date\r\n"
     "Subject:  two  blanks \r\n\r\nx\r\n")
hand("sender-empty", "From: a@b\r\nSender:\r\nReply-To: \r\nTo:\r\nSubject:\r\nDate:\r\nMessage-ID:\r\n"
     "In-Reply-To:\r\n\r\nx\r\n")
hand("no-from", "To: a@b\r\n\r\nx\r\n")
hand("no-from-sender", "Sender: a@b\r\nReply-To: c@d\r\n\r\nx\r\n")
hand("dup", "From: a@b\r\nFrom: c@d\r\nTo: a@b\r\nTo: c@d\r\nSubject: one\r\nSubject: two\r\n"
     "Date: 1 Jan 2020 00:00:00 +0000\r\nDate: 2 Jan 2020 00:00:00 +0000\r\nMessage-ID: <1@x>\r\n"
     "Message-ID: <2@x>\r\nContent-Type: text/html\r\nContent-Type: text/plain\r\n\r\nx\r\n")
hand("folded", "From: Ann\r\n  Bee\r\n\t<a@b>\r\nSubject: a\r\n b\r\n\tc\r\n  d\r\nMessage-ID:\r\n <a@b>\r\n"
     "Date: Fri,\r\n 20 Nov 2026 23:30:00 -0500\r\n\r\nx\r\n")
hand("subject8", "From: a@b\r\nSubject: \u00e4\u00f6\r\n\r\nx\r\n")
hand("subjectL1", b"From: a@b\r\nSubject: \xe4\xf6\r\n\r\nx\r\n")
hand("subjectQ", "From: a@b\r\nSubject: a \"b\" \\c\r\n\r\nx\r\n")
hand("subject-ctl", "From: a@b\r\nSubject: a\tb\x01c\x7fd\r\n\r\nx\r\n")
hand("space-colon", "From : a@b\r\nSubject : x y\r\nTo\t: c@d\r\n\r\nx\r\n")
hand("lower", "from: a@b\r\nSUBJECT: x\r\nto: c@d\r\ncontent-type: TEXT/HTML; CHARSET=X\r\n\r\nx\r\n")
hand("badline", "From: a@b\r\nthis is no field\r\nSubject: x\r\n\r\nx\r\n")
hand("cont-first", " cont\r\nFrom: a@b\r\n\r\nx\r\n")
hand("blank-ws-line", "From: a@b\r\nSubject: x\r\n \r\nTo: c@d\r\n\r\nx\r\n")
hand("longline", "From: a@b\r\nSubject: " + "x" * 5000 + "\r\n\r\n" + "y" * 5000 + "\r\n")
hand("manyto", "From: a@b\r\nTo: " + ",\r\n ".join("u%d <u%d@x>" % (i, i) for i in range(300)) + "\r\n\r\nx\r\n")
def mp(sub, b, *parts, pre="", post="", end=True, extra="", h=H, sep="\r\n"):
    s = (h or "") + "Content-Type: multipart/%s; boundary=\"%s\"%s\r\n\r\n" % (sub, b, extra) + pre
    for p in parts:
        s += "--" + b + "\r\n" + p + sep
    return s + ("--" + b + "--\r\n" + post if end else "")
P = "Content-Type: text/plain\r\n\r\npart text"
Q = ("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <q@x>\r\n"
     "Content-Disposition: inline\r\n\r\nPGI+\r\n")
hand("mp-simple", mp("mixed", "b", P, Q))
hand("mp-pre-post", mp("mixed", "b", P, Q, pre="preamble\r\nmore\r\n", post="epilogue\r\nmore"))
hand("mp-noend", mp("mixed", "b", P, Q, end=False))
hand("mp-noend2", mp("mixed", "b", P, Q, end=False)[:-2])
hand("mp-empty", mp("mixed", "b"))
hand("mp-none", mp("mixed", "b", end=False, pre="no boundary here\r\n"))
hand("mp-none-empty", mp("mixed", "b", end=False))
hand("mp-emptypart", mp("mixed", "b", "\r\n", "", P))
hand("mp-emptypart2", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n--b--\r\n")
hand("mp-emptypart3", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b--\r\n")
hand("mp-hdronly", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n"
     "--b\r\nContent-Type: image/png\r\n\r\n--b--\r\n")
hand("mp-trailing-ws", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b \r\n\r\none\r\n--b\t\r\n\r\n"
     "two\r\n--b-- \r\n")
hand("mp-prefix", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--bb\r\n\r\ntwo\r\n"
     "--b-\r\n\r\n--b--x\r\nthree\r\n--b--\r\n")
hand("mp-dashes", H + "Content-Type: multipart/mixed; boundary=\"--b--\"\r\n\r\n----b--\r\n\r\none\r\n----b----\r\n")
hand("mp-spaceb", H + "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\n--a b\r\n\r\none\r\n--a b--\r\n")
hand("mp-space-end", H + "Content-Type: multipart/mixed; boundary=\"ab \"\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n")
hand("mp-unq", H + "Content-Type: multipart/mixed; boundary==_x=y\r\n\r\n--=_x=y\r\n\r\none\r\n--=_x=y--\r\n")
hand("mp-unq2", H + "Content-Type: multipart/mixed; boundary=a:b/c?d\r\n\r\n--a:b/c?d\r\n\r\none\r\n--a:b/c?d--\r\n")
hand("mp-digest", mp("digest", "b", "\r\nFrom: i@n\r\nSubject: in\r\n\r\ninner", "Content-Type: text/plain\r\n"
     "\r\nnot a message", "\r\n" + P))
inner = "From: i@n\r\nSubject: inner\r\nTo: x@y\r\n"
RF = "Content-Type: message/rfc822\r\n\r\n"
hand("rfc822", H + RF + inner + "\r\ntext\r\n")
hand("rfc822-mp", H + RF + mp("mixed", "c", P, Q, h=inner))
hand("rfc822-empty", H + RF)
hand("rfc822-empty2", H + RF + "\r\n")
hand("rfc822-b64", H + "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
     "RnJvbTogYUBiDQoNCng=\r\n")
hand("rfc822-in", mp("mixed", "b", P, RF + inner + "\r\ntext", Q))
hand("rfc822-in-mp", mp("mixed", "b", P, RF + mp("alternative", "c", P, Q, h=inner), Q))
hand("rfc822-in-rfc822", H + RF + inner + RF + "From: d@e\r\nSubject: deep\r\n\r\ndeep\r\n")
hand("rfc822-in-noend", mp("mixed", "b", P, RF + mp("alternative", "c", P, end=False, h=inner), Q))
hand("rfc822-hdr-cut", mp("mixed", "b", RF + "From: i@n\r\nSubject: cut", P))
hand("rfc822-nothing-in", mp("mixed", "b", RF[:-2], P))
hand("rfc822-disp", mp("mixed", "b", "Content-Type: message/rfc822; name=\"m.eml\"\r\n"
     "Content-Disposition: attachment; filename=m.eml\r\nContent-Description: desc\r\n\r\n" + inner + "\r\ntext"))
hand("message-global", mp("mixed", "b", "Content-Type: message/global\r\n\r\n" + inner + "\r\ntext"))
hand("dsn", mp("report", "b", "\r\nhuman", "Content-Type: message/delivery-status\r\n\r\n"
     "Reporting-MTA: dns; x\r\n\r\nAction: failed", "Content-Type: text/rfc822-headers\r\n\r\n"
     "From: a@b", extra="; report-type=delivery-status"))
hand("nest", mp("mixed", "b", mp("alternative", "c", P, mp("related", "d", Q, "Content-Type: image/png; name=x.png\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <i@x>\r\n\r\nAAAA", h=""), h=""), "Content-Type: application/pdf; name=x.pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\nContent-Language: en, de\r\nContent-Location: http://x\r\nContent-MD5: abc=\r\n\r\nx"))
hand("nest-same-boundary", mp("mixed", "b", mp("alternative", "b", P, Q, h=""), P))
hand("nest-noend", mp("mixed", "b", mp("alternative", "c", P, end=False, h=""), Q))
hand("nest-prefix", mp("mixed", "bb", mp("alternative", "b", P, Q, h=""), P))
hand("nest-prefix2", mp("mixed", "b", mp("alternative", "bb", P, Q, h=""), P))
hand("mp-disp-lang", H + "Content-Disposition: inline; a=b\r\nContent-Language: en\r\nContent-Location: loc\r\n"
     "Content-Type: multipart/mixed; boundary=b; charset=x\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n")
hand("mp-cte", H + "Content-Transfer-Encoding: base64\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
     "--b\r\n\r\nx\r\n--b--\r\n")
hand("mp-8bit", mp("mixed", "b", "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
     "\r\nK\u00f6ln", Q))
hand("mp-longb", mp("mixed", "x" * 70, P, Q))
hand("mp-longb2", mp("mixed", "x" * 120, P, Q))
hand("mp-first-noblank", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nno header here\r\n"
     "more text\r\n--b\r\n:x\r\n\r\ny\r\n--b--\r\n")
hand("mp-after-end", H + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\n"
     "y\r\n--b--\r\n")
hand("mp-header-cut-by-boundary", mp("mixed", "b", "Content-Type: text/plain; charset=utf-8\r\nX-A: b", Q))
def nest(i):
    return mp("mixed", "b%d" % i, nest(i + 1), h="") if i < 20 else P


hand("deep20", H + nest(0))
hand("parts60", mp("mixed", "b", *["Content-Type: text/plain; name=%d\r\n\r\n%d" % (i, i) for i in range(60)]))
hand("boundary-in-header", "From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\nX: y\r\n--b\r\n\r\nx\r\n"
     "--b--\r\n")
hand("utf16ish", H + "Content-Type: text/plain; charset=utf-16\r\n\r\nx\r\n")
hand("qp", H + "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n"
     "\r\nK=F6ln=\r\n am Rhein\r\n")
hand("b64text", H + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n"
     "S8O2bG4gYW0gUmhlaW4=\r\n")
hand("date-odd", "From: a@b\r\nDate: 20 Nov 26 23:30 EST\r\n\r\nx\r\n")
hand("date-comment", "From: a@b\r\nDate: Fri, 20 Nov 2026 23:30:00 -0500 (EST)\r\n\r\nx\r\n")
hand("date-jan", "From: a@b\r\nDate: 1 Jan 2020 00:30:00 +0200\r\n\r\nx\r\n")
hand("msgid-odd", "From: a@b\r\nMessage-ID: no brackets\r\nIn-Reply-To: your message of \"Fri\" <a@b>\r\n\r\nx\r\n")
hand("barecr", "From: a@b\r\nSubject: a\rb\r\n\r\nx\ry\r\n")
hand("encsubj", "From: a@b\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?= =?iso-8859-1?q?_K=F6ln?=\r\n\r\nx\r\n")

R = Random(20261121)
def rhead():
    h = ["MIME-Version: 1.0"] if R.random() < .8 else []
    for name in ("From", "To", "Cc", "Sender", "Reply-To", "Bcc"):
        if R.random() < (.9 if name in ("From", "To") else .3):
            h.append(name + ": " + ", ".join(R.choice(ADDR[:20]) for _ in range(R.randint(1, 3))))
    h.append("Subject: " + " ".join(R.choice(["=?utf-8?q?=C3=A4?=", "word", "Re:", "\"q\"", "K\u00f6ln", "(c)"]) for _ in range(R.randint(0, 5))))
    if R.random() < .7:
        h.append("Date: %d Nov 2026 %02d:00:00 %+05d" % (R.randint(1, 30), R.randint(0, 23), R.choice([0, 100, -500, 930])))
    if R.random() < .7:
        h.append("Message-ID: <%d@x>" % R.randint(1, 99))
    R.shuffle(h)
    return CR.join(h) + CR
def rtext():
    return CR.join(R.choice(["", "line", "--", "--b", "-- ", ".", "K\u00f6ln", "a" * 80, "--x--"]) for _ in range(R.randint(0, 6)))
def rext():
    s = ""
    for n, vs in (("Content-ID", ["<a@b>", "x"]), ("Content-Description", ["d", "=?utf-8?q?=C3=A4?="]), ("Content-MD5", ["abc=="]), ("Content-Disposition", ["inline", "attachment; filename=\"x y\"", "attachment; filename*=utf-8''x%20y"]), ("Content-Language", ["en", "en, de"]), ("Content-Location", ["http://x/"]), ("Content-Transfer-Encoding", ["7bit", "8bit", "base64", "quoted-printable", "BINARY"])):
        if R.random() < .25:
            s += n + ": " + R.choice(vs) + CR
    return s
def rbody(d):
    """header lines and body of a part"""
    k = R.random()
    if d < 4 and k < .4:
        b = R.choice(["b", "x", "=_a", "a b", "bb", "n%d" % R.randint(1, 99)])
        n = R.choice([0, 1, 2, 2, 3, 4])
        s = R.choice(["", "", "pre\r\n", "\r\n"])
        for _ in range(n):
            h, t = rbody(d + 1)
            s += "--" + b + R.choice([CR, CR, CR, " \r\n"]) + R.choice(["", h, h, h]) + CR + t + CR
        s += R.choice(["--" + b + "--" + CR, "--" + b + "--", "--" + b + "--" + CR + "post" + CR, ""])
        return "Content-Type: multipart/%s; boundary=\"%s\"%s\r\n" % (R.choice(["mixed", "alternative", "related", "digest", "X-y"]), b, R.choice(["", "; type=\"text/html\""])) + rext(), s
    if d < 4 and k < .55:
        h, t = rbody(d + 1)
        return "Content-Type: message/rfc822" + R.choice(["", "; name=x.eml"]) + CR + rext(), rhead() + h + CR + t
    if k < .8:
        return R.choice(["", "Content-Type: text/plain" + CR, "Content-Type: text/html; charset=\"utf-8\"" + CR, "Content-Type: text/plain; format=flowed; delsp=yes\r\n"]) + rext(), rtext()
    return "Content-Type: " + R.choice(["application/pdf; name=x.pdf", "image/png", "audio/x-y; a=b; c=\"d\"", "message/delivery-status"]) + CR + rext(), rtext()
for i in range(50):
    h, t = rbody(0)
    MESSAGES["gen-%03d" % i] = (rhead() + h + CR + t).encode()
hand("comments-alone", "From: Ann <a@b>\r\nTo: undisclosed-recipients: (none);\r\nCc: g: (a), c@d (e), (f) ;, (h)\r\n"
     "Bcc: (i)\r\n\r\nx\r\n")
