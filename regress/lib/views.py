"""Clients that change one mailbox at random, each with a model of what it was told.

A client believes its server nothing: sequence numbers, UIDs, flags and mod-sequences have to follow from each other, and
what all clients saw together has to be one history (Truth): a message has the same flags for everybody at one MODSEQ, a
UID names one message for ever, what was answered OK is there, and nothing goes that nobody wanted to go.  A QRESYNC
client that was cut off computes the mailbox from what it knew and from what SELECT tells it, and only then looks.
"""
import bisect
import collections
import random
import re
import smtplib
import threading

from talk import PASSWORD, Line

BOX, OTHER = "INBOX", "Archive"
FLAGS = [r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "$Work", "later", "x-1", "x-2"]
MODES = ("qresync", "plain", "condstore", "qresync", "uidonly", "qresync")


class Wrong(AssertionError):
    """the server told what cannot be"""


def uids_of(text):
    out = []
    for part in text.split(","):
        lo, _, hi = part.partition(":")
        if int(hi or lo) - int(lo) > 100000:
            raise Wrong(f"a range as long as {part}")
        out += range(int(lo), int(hi or lo) + 1)
    return out


def set_of(numbers):
    """as short as it can be written"""
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in out)


class Truth:
    """what all clients know together"""

    def __init__(self):
        self.lock = threading.Lock()
        self.flags, self.token = {}, {}     # (uid, modseq): flags; uid: whose message it is
        self.there, self.doomed, self.gone = set(), set(), set()
        self.copying = set()                # they must not be doomed: a copy would have \Deleted too
        self.stores = []                    # (uid, since, modseq) of UNCHANGEDSINCE that were taken
        self.validity, self.serial, self.ops, self.cuts, self.resyncs = None, 0, 0, 0, 0

    def see(self, uid, modseq, flags):
        """one that is to go may be gone already: its last flags come with what the client was told before"""
        with self.lock:
            had = self.flags.setdefault((uid, modseq), flags) if uid not in self.doomed else flags
        if had != flags:
            raise Wrong(f"UID {uid} has {sorted(had)} and {sorted(flags)} at MODSEQ {modseq}")

    def doom(self, uids):
        """those of uids that may go"""
        with self.lock:
            uids = [u for u in uids if u not in self.copying]
            self.doomed |= set(uids)
            return uids

    def copy(self, uids, move):
        """those of uids that may be copied"""
        with self.lock:
            uids = [u for u in uids if u not in self.doomed and not (move and u in self.copying)]
            self.copying |= set(uids)
            self.doomed |= set(uids if move else [])
            return uids

    def is_token(self, uid, token):
        with self.lock:
            had = self.token.setdefault(uid, token)
        if had != token:
            raise Wrong(f"UID {uid} is message {had} and {token}")

    def new_token(self, who):
        with self.lock:
            self.serial += 1
            return f"{who}-{self.serial}"

    def count(self, name):
        with self.lock:
            setattr(self, name, getattr(self, name) + 1)

    def shown(self, uids, before):
        """uids: of a view that was opened after `before`, a copy of (there, gone), was taken"""
        there, gone = before
        with self.lock:
            lost = (there - set(uids)) - self.doomed
            back = gone & set(uids)
        if lost or back:
            raise Wrong(f"lost: {sorted(lost)}, came back: {sorted(back)}")

    def now(self):
        with self.lock:
            return set(self.there), set(self.gone)

    def conditional(self):
        """no change came between what a client knew and its STORE"""
        for uid, since, modseq in self.stores:
            between = [m for u, m in self.flags if u == uid and since < m < modseq]
            if between:
                raise Wrong(f"UID {uid} was stored at {modseq} unless changed since {since}, and was, at {between}")


class Client:
    def __init__(self, h, truth, user, n, seed):
        self.h, self.t, self.user, self.name = h, truth, user, f"c{n}"
        self.mode = MODES[n % len(MODES)]
        self.rnd = random.Random(f"{seed} {n}")
        self.line, self.tags = None, 0
        self.uids, self.known, self.high, self.most = [], {}, 0, 0
        self.trace = collections.deque(maxlen=400)

    # ---- what it is told

    def drop(self, uid):
        self.known.pop(uid, None)
        self.silent.pop(uid, None)
        with self.t.lock:
            if uid not in self.t.doomed:
                raise Wrong(f"UID {uid} went, and nobody wanted that")

    def expunged(self, seq):
        if self.mode in ("qresync", "uidonly") or not 1 <= seq <= len(self.uids):
            raise Wrong(f"EXPUNGE {seq} of {len(self.uids)}")
        uid = self.uids.pop(seq - 1)
        if uid is not None:
            self.drop(uid)

    def vanished(self, uids):
        for uid in uids:
            if uid in self.uids:
                self.uids.remove(uid)
            else:
                del self.uids[self.unknown(uid, f"VANISHED {uid}")]
            self.drop(uid)

    def unknown(self, uid, text):
        """where uid can be, among messages whose UID was not told yet; without numbers these stand last"""
        if self.mode == "uidonly" and None in self.uids:
            return self.uids.index(None)
        i = next((i for i, u in enumerate(self.uids) if u and u > uid), len(self.uids)) - 1
        if i < 0 or self.uids[i] is not None:
            raise Wrong(f"{text}, which was not there")
        return i

    def earlier(self, uids):
        if self.asked != "earlier":
            raise Wrong("VANISHED (EARLIER) was not asked for")
        for uid in uids:
            if uid in self.uids:
                raise Wrong(f"VANISHED (EARLIER) {uid}, which is there")
            if uid in self.known:
                self.drop(uid)

    def numbered(self, seq, uid):
        """message seq is uid"""
        if not 1 <= seq <= len(self.uids):
            raise Wrong(f"FETCH {seq} of {len(self.uids)}")
        had = self.uids[seq - 1]
        if uid is None:
            return had
        if had not in (None, uid):
            raise Wrong(f"message {seq} was UID {had} and is {uid}")
        below = [u for u in self.uids[:seq - 1] if u]
        above = [u for u in self.uids[seq:] if u]
        if (below and below[-1] >= uid) or (above and above[0] <= uid):
            raise Wrong(f"UID {uid} between {below[-1:]} and {above[:1]}")
        self.uids[seq - 1] = uid
        return uid

    def fetched(self, number, kind, text):
        uid = re.search(r"\bUID (\d+)", text)
        if (kind == "UIDFETCH") != (self.mode == "uidonly"):
            raise Wrong(f"{kind} in mode {self.mode}")
        if kind == "UIDFETCH":
            uid = number
            if uid not in self.uids:
                del self.uids[self.unknown(uid, f"UIDFETCH {uid}")]
                bisect.insort(self.uids, uid, hi=len(self.uids) - self.uids.count(None))
        else:
            uid = self.numbered(number, uid and int(uid[1]))
        self.told += 1
        if uid is None:
            return
        modseq, flags = re.search(r"MODSEQ \((\d+)\)", text), re.search(r"FLAGS \(([^)]*)\)", text)
        if modseq:
            self.modseq(uid, int(modseq[1]), flags)
        elif flags and self.mode == "qresync":
            raise Wrong("flags without MODSEQ")
        token = re.search(r"X-Token: (\S+)", text)
        if token:
            self.t.is_token(uid, token[1])

    def modseq(self, uid, modseq, flags):
        had = self.known.get(uid)
        if had and had[0] > modseq:
            raise Wrong(f"MODSEQ of UID {uid} was {had[0]} and is {modseq}")
        self.most = max(self.most, modseq)
        if flags:
            flags = frozenset(f for f in flags[1].split() if f != r"\Recent")
            self.t.see(uid, modseq, flags)
            self.known[uid] = (modseq, flags)
            self.silent.pop(uid, None)
        else:
            self.silent[uid] = modseq

    def untagged(self, got):
        text = got.decode("latin-1")
        self.trace.append("S: " + text)
        m = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH|UIDFETCH|RECENT)\b", text)
        if m and m[2] == "EXISTS":
            more = int(m[1]) - len(self.uids)
            if more < 0:
                raise Wrong(f"{text}, and there were {len(self.uids)}")
            self.uids += [None] * more
        elif m and m[2] == "EXPUNGE":
            self.may_expunge(text)
            self.expunged(int(m[1]))
        elif m and m[2] != "RECENT":
            self.fetched(int(m[1]), m[2], text)
        elif text.startswith("* VANISHED (EARLIER) "):
            self.earlier(uids_of(text.split(" ")[3]))
        elif text.startswith("* VANISHED "):
            self.may_expunge(text)
            if self.mode not in ("qresync", "uidonly"):
                raise Wrong(text)
            self.vanished(uids_of(text.split(" ")[2]))
        elif text.startswith("* BYE"):
            raise EOFError
        self.heard.append(text)

    def may_expunge(self, text):
        if self.asked == "quiet":
            raise Wrong(f"{text} while a command without UID is answered")

    def silently(self, op, flags):
        """a STORE with .SILENT: where no flags were told, they are what they were, so changed"""
        flags = set(flags.split())
        for uid, modseq in self.silent.items():
            had = self.known[uid][1] if uid in self.known else set()
            now = frozenset({"+": had | flags, "-": had - flags, "": flags}[op])
            self.t.see(uid, modseq, now)
            self.known[uid] = (modseq, now)

    # ---- what it says

    def cmd(self, text, asked=None, body=b""):
        """the tagged answer without its tag; asked: "quiet" no EXPUNGE may come, "earlier" VANISHED (EARLIER) may"""
        self.tags += 1
        tag = f"{self.name}.{self.tags}"
        self.asked, self.heard, self.told, self.silent = asked, [], 0, {}
        self.trace.append(f"C: {tag} {text}")
        self.line.send(f"{tag} {text}\r\n".encode() if not body else f"{tag} {text}".encode() + body + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        while True:
            got = self.line.answer()
            if not got.startswith(tag.encode() + b" "):
                self.untagged(got)
                continue
            text = got.decode("latin-1")[len(tag) + 1:]
            self.trace.append(f"S: {tag} {text}")
            if text.startswith("BAD"):
                raise Wrong(text)
            self.knows_all(text)
            return text

    def knows_all(self, text):
        """everything up to here was told, where EXPUNGE may be told and no new message is unknown"""
        code = re.search(r"\[HIGHESTMODSEQ (\d+)\]", text)
        if code and int(code[1]) < self.high:
            raise Wrong(f"HIGHESTMODSEQ was {self.high} and is {code[1]}")
        if self.asked is None and None not in self.uids:
            self.high = max(self.high, self.most, int(code[1]) if code else 0)

    def connect(self):
        self.line = Line(self.h, "imap")
        if self.line.answer().startswith(b"* BYE"):
            raise EOFError          # the one before it was killed just now
        self.line.send(f"in LOGIN {self.user} {PASSWORD}\r\n".encode())
        if not self.line.answer().startswith(b"in OK"):
            raise EOFError
        if self.mode == "qresync":
            self.cmd("ENABLE QRESYNC", "quiet")
        elif self.mode == "uidonly":
            self.cmd("ENABLE UIDONLY CONDSTORE", "quiet")
        self.select()

    def resync(self):
        """the parameter of SELECT, and does it leave new messages out?"""
        if self.mode == "condstore":
            return " (CONDSTORE)", True
        if self.mode != "qresync" or not self.high:
            return "", True
        known = sorted(self.known)
        words, only = f"{self.t.validity} {self.high}", False
        if known and self.rnd.random() < 0.5:
            words, only = words + " " + set_of(known), True
        if known and self.rnd.random() < 0.5:
            at = sorted(self.rnd.sample(range(len(known)), min(len(known), 5)))
            words += f" ({','.join(str(i + 1) for i in at)} {','.join(str(known[i]) for i in at)})"
        return f" (QRESYNC ({words}))", only

    def select(self):
        param, only = self.resync()
        back = "QRESYNC" in param
        if not back:
            self.known = {}
        self.uids, self.most = [], 0
        before = self.t.now()
        self.cmd(f"SELECT {BOX}{param}", "earlier")
        text = "\n".join(self.heard)
        validity = int(re.search(r"UIDVALIDITY (\d+)", text)[1])
        top = int(re.search(r"HIGHESTMODSEQ (\d+)", text)[1])
        self.t.validity = self.t.validity or validity
        if validity != self.t.validity or top < self.high:
            raise Wrong(f"UIDVALIDITY {validity}, HIGHESTMODSEQ {top} and it was {self.high}")
        if back:
            self.come_back(only, top)
        self.look(top if back else 0)
        self.t.shown(self.uids, before)
        self.high = max(self.high, top)

    def come_back(self, only, top):
        """the mailbox as it follows from what was known and what was told"""
        known = sorted(self.known)
        if len(known) != len(self.uids) and not (only and len(known) < len(self.uids)):
            raise Wrong(f"{len(known)} messages follow from QRESYNC, and there are {len(self.uids)}: {self.heard}")
        for i, uid in enumerate(known):
            if self.uids[i] not in (None, uid):
                raise Wrong(f"message {i + 1} is UID {self.uids[i]}, and {uid} follows from QRESYNC")
            self.uids[i] = uid
        self.t.count("resyncs")

    def look(self, top=0):
        """all of the mailbox; up to top nothing may be news"""
        had, n = dict(self.known), len(self.uids)
        if n == 0:
            return
        self.cmd("UID FETCH 1:* (UID FLAGS MODSEQ)")
        if self.told < n:
            raise Wrong(f"{self.told} messages of {n}")
        for uid, (modseq, flags) in self.known.items():
            if uid in had and modseq <= top and had[uid] != (modseq, flags):
                raise Wrong(f"UID {uid} had {had[uid]}, and QRESYNC did not say that it has {modseq}")
        if self.mode != "plain":
            self.learn()

    def learn(self):
        """those that EXISTS told of"""
        while None in self.uids:
            i = self.uids.index(None)
            self.cmd(f"UID FETCH {self.uids[i - 1] + 1 if i and self.mode != 'uidonly' else 1}:* (UID FLAGS MODSEQ)")

    # ---- what it does

    def some(self):
        """up to four messages: (sequence numbers, UIDs)"""
        there = [(i + 1, u) for i, u in enumerate(self.uids) if u]
        got = sorted(self.rnd.sample(there, min(len(there), self.rnd.randint(1, 4))))
        return [s for s, _ in got], [u for _, u in got]

    def message(self):
        token = self.t.new_token(self.name)
        return token, f"From: a@x.test\r\nSubject: {token}\r\nX-Token: {token}\r\n\r\ntext\r\n".encode()

    def do_append(self):
        body, tokens = b"", []
        for _ in range(self.rnd.randint(1, 3)):
            token, text = self.message()
            tokens.append(token)
            flags = " ".join(self.rnd.sample(FLAGS, self.rnd.randint(0, 2)))
            body += f" ({flags}) {{{len(text)}+}}\r\n".encode() + text
        got = self.cmd(f"APPEND {BOX}", None, body)
        uids = uids_of(re.search(r"APPENDUID \d+ (\S+)\]", got)[1])
        for uid, token in zip(uids, tokens):
            self.t.is_token(uid, token)
        with self.t.lock:
            self.t.there |= set(uids)

    def do_deliver(self):
        token, text = self.message()
        with smtplib.SMTP("127.0.0.1", self.h.ports["smtp"], timeout=30) as c:
            c.sendmail("a@outside.test", [self.user], text)

    def do_store(self):
        seqs, uids = self.some()
        op, silent = self.rnd.choice(["+", "-", ""]), self.rnd.choice(["", ".SILENT"])
        flags = " ".join(self.rnd.sample(FLAGS, self.rnd.randint(1, 3)))
        if self.mode != "uidonly" and self.rnd.random() < 0.5:
            self.cmd(f"STORE {set_of(seqs)} {op}FLAGS{silent} ({flags})", "quiet")
        else:
            self.cmd(f"UID STORE {set_of(uids)} {op}FLAGS{silent} ({flags})")
        self.silently(op, flags)

    def do_conditional(self):
        _, uids = self.some()
        uid = self.rnd.choice([u for u in uids if u in self.known] or [None])
        if uid is None or self.mode == "plain":
            return
        since = self.known[uid][0]
        got = self.cmd(f"UID STORE {uid} (UNCHANGEDSINCE {since}) {self.rnd.choice('+-')}FLAGS ({self.rnd.choice(FLAGS)})")
        told = [int(m[1]) for m in re.finditer(rf"(?:UID {uid}\b.*|\* {uid} UIDFETCH .*)MODSEQ \((\d+)\)",
                                               "\n".join(self.heard))]
        if "[MODIFIED" not in got and got.startswith("OK") and told and told[0] > since:
            with self.t.lock:
                self.t.stores.append((uid, since, told[0]))

    def do_expunge(self):
        uids = self.t.doom(self.some()[1])
        if not uids:
            return
        self.cmd(rf"UID STORE {set_of(uids)} +FLAGS.SILENT (\Deleted)")
        self.silently("+", r"\Deleted")
        how = self.rnd.randint(0, 2)
        self.cmd(["EXPUNGE", f"UID EXPUNGE {set_of(uids)}", "CLOSE"][how], "quiet" if how == 2 else None)
        if how == 0 or how == 1:
            self.must_go(uids)
            return
        self.select()

    def must_go(self, uids):
        """it was answered OK; another client may have taken \\Deleted away in between"""
        left = [u for u in uids if u in self.uids]
        with self.t.lock:
            self.t.gone |= set(uids) - set(left)

    def do_copy(self):
        uids = self.t.copy(self.some()[1], False)
        if uids:
            self.copied(self.cmd(f"UID COPY {set_of(uids)} {BOX}"))

    def copied(self, got):
        m = re.search(r"COPYUID \d+ (\S+) (\S+)\]", got)
        if not m:
            return
        with self.t.lock:
            tokens = [(d, self.t.token.get(s)) for s, d in zip(uids_of(m[1]), uids_of(m[2]))]
            self.t.there |= {d for d, _ in tokens}
        for uid, token in tokens:
            if token:
                self.t.is_token(uid, token)

    def do_move(self):
        uids = self.t.copy(self.some()[1], True)
        if not uids:
            return
        self.cmd(f"UID MOVE {set_of(uids)} {OTHER if self.rnd.random() < 0.5 else BOX}")
        self.copied("\n".join(x for x in self.heard if f" {BOX}" in x))
        self.must_go(uids)

    def do_search(self):
        if self.mode == "uidonly":
            self.cmd("UID SEARCH UNSEEN")
        elif self.mode == "plain":
            self.cmd("SEARCH UNSEEN", "quiet")
        else:
            self.cmd(f"SEARCH MODSEQ {max(1, self.high)}", "quiet")

    def do_read(self):
        seqs, uids = self.some()
        what = self.rnd.choice(["(BODY.PEEK[HEADER.FIELDS (X-Token)])", "(FLAGS BODY[HEADER.FIELDS (X-Token)])"])
        if self.mode == "uidonly" or self.rnd.random() < 0.5:
            self.cmd(f"UID FETCH {set_of(uids)} {what}")
        else:
            self.cmd(f"FETCH {set_of(seqs)} {what}", "quiet")

    def do_changed(self):
        if self.mode == "plain" or not self.high:
            return
        vanished = " VANISHED" if self.mode == "qresync" else ""
        self.cmd(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {self.high}{vanished})", "earlier" if vanished else None)

    def do_idle(self):
        self.tags += 1
        tag = f"{self.name}.{self.tags}"
        self.asked, self.heard, self.told, self.silent = None, [], 0, {}
        self.line.send(f"{tag} IDLE\r\n".encode())
        while True:
            got = self.line.answer()
            if got.startswith(b"+"):
                break
            self.untagged(got)
        self.line.send(b"DONE\r\n")
        self.until(tag)

    def do_look(self):
        self.cmd("NOOP")
        self.look()

    def do_cut(self):
        self.line.sock.close()
        raise EOFError

    ALWAYS = [(do_append, 6), (do_deliver, 2), (do_idle, 2), (do_look, 4), (do_cut, 2), (do_search, 2), (do_changed, 3)]
    SOME = [(do_store, 12), (do_conditional, 5), (do_expunge, 5), (do_copy, 3), (do_move, 3), (do_read, 4)]

    def step(self):
        if self.line is None:
            self.connect()
        many = len(self.uids) > 150
        there = [(f, w * (3 if many and f in (Client.do_expunge, Client.do_move) else 1)) for f, w in self.SOME
                 if any(self.uids)]
        ops = there + [(f, w) for f, w in self.ALWAYS if not (many and f == Client.do_append)]
        fn = self.rnd.choices([f for f, _ in ops], [w for _, w in ops])[0]
        self.doing = fn.__name__
        fn(self)
        if self.mode != "plain":
            self.learn()

    def run(self, steps):
        """steps of them done, however often it is cut off"""
        done = 0
        while done < steps:
            try:
                self.step()
                done += 1
                self.t.count("ops")
            except (EOFError, ConnectionError, BrokenPipeError, smtplib.SMTPException):
                self.t.count("cuts")
                self.line = None

    def end(self):
        """once more, with nobody else about: what it knows and what is there"""
        if self.line is not None:
            self.line.sock.close()
        self.connect()
        self.cmd("NOOP")
        self.look()
        self.line.logout()
        return {uid: self.known.get(uid) for uid in self.uids}
