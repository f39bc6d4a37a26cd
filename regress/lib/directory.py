"""authd alone: the test is maild, the fronts and the hash workers.

    with Authd(accounts=("alice@me.test",)) as a:
        a.ok("alias", "add", "info@me.test", "alice@me.test")
        a.routes("info@me.test")
"""
import select

from part import ENUM, Part, items, pack
from tap import equal

RCPT, SENDER = bytes(range(32)), bytes(range(32, 64))
OK, UNKNOWN, DENIED, FULL, TEMP, LIMIT, SMALL = range(7)
AUTH_OK, AUTH_BAD, AUTH_TEMP = range(3)
OUTSIDE = b"\x04\xcb\x00\x71\x05"         # 203.0.113.5


def conn(role="ROLE_SMTPD", n=1, instance=0):
    return ENUM[role] << 56 | instance << 48 | n


class Authd(Part):
    def __init__(self, accounts=("alice@me.test", "bob@me.test"), aliases=(), conf=None, **kw):
        conf = dict({"hostname": "mail.me.test", "domains": ["me.test", "two.test"], "auth.scram": "no"}, **(conf or {}))
        kw.setdefault("secrets", {"SECRET_RCPT": RCPT, "SECRET_SENDER": SENDER})
        self.conf = conf
        super().__init__("authd", conf, **kw)
        self.asked, self.seen, self.revoked, self.quotas = [], [], [], []
        self.hash = self.channel("CHAN_HASH", "SIDE_A", "ROLE_HASH")
        self.smtpd = self.channel("CHAN_AUTH", "SIDE_B", "ROLE_SMTPD")
        for a in accounts:
            self.add(a)
        for a, *targets in aliases:
            self.ok("alias", "add", a, *targets)

    def maild(self, m):
        self.seen.append(m)
        if m.name == "PROC_IMPAIRED_EV":
            self.condition(m)
        if m.name in ("ACCOUNT_CREATE", "ACCOUNT_STATE"):
            self.main.reply(m, ok=1)

    def reload(self, **conf):
        """another configuration while it runs"""
        self.main.send("CONF_BEGIN", generation=2, role=ENUM["ROLE_AUTHD"], uid=65534, gid=65534, root=self.empty)
        for key, value in dict(self.conf, **conf).items():
            for i, v in enumerate(value if isinstance(value, list) else [value]):
                self.main.send("CONF_ITEM", key=key, index=i, value=str(v))
        self.main.send("CONF_END", generation=2)
        while (m := self.main.recv()).name != "PROC_READY_EV":
            self.maild(m)

    def command(self, *words, made="hash:secret"):
        """like run(), a HASH_MAKE on the way is answered with made"""
        ident = self.main.ask("MAIN_RUN", uid=0, args=b"".join(pack("ITEM_ARG", {"text": w}) for w in words))
        rows = []
        while True:
            for s in select.select([self.hash.sock, self.main.sock], [], [], 20)[0]:
                if s is self.hash.sock:
                    self.hash.reply(self.hash.recv(), ok=1, hash=made)
                    continue
                m = self.main.recv()
                if m.name == "MAIN_ROW_EV":
                    rows.append({c["name"].decode(): c["value"].decode() for c in items("ITEM_CELL", m.cells)})
                elif m.name == "MAIN_RUN_R":
                    equal(m.id, ident, "answer")
                    return m.code, m.text.decode(), rows
                else:
                    self.maild(m)

    def ok(self, *words, **kw):
        code, text, rows = self.command(*words, **kw)
        equal(code, 0, f"{words}: {text}")
        return rows

    def add(self, address, password="secret"):
        return self.ok("account", "add", address, password, made="hash:" + password)

    def answer(self, chan):
        """the next message that is no notice"""
        while True:
            m = chan.recv()
            if m is not None and m.name == "DIR_QUOTA_EV":
                self.quotas.append((m.account, m.octets, m.messages))
                continue
            if m is None or m.name not in ("AUTH_REVOKED_EV", "AUTH_OFFER_EV"):
                return m
            if m.name == "AUTH_REVOKED_EV":
                self.revoked.append((m.account, m.why))

    def rcpt(self, address, c=None, chan=None, peer=OUTSIDE, size=0):
        chan = chan or self.smtpd
        chan.ask("DIR_RCPT", conn=conn() if c is None else c, peer=peer, address=address, size=size)
        return self.answer(chan)

    def routes(self, address, **kw):
        m = self.rcpt(address, **kw)
        return m.result, [(r["type"], r["account"], r["address"].decode()) for r in items("ITEM_ROUTE", m.routes)]

    def ask_login(self, user, password, c=None, chan=None, peer=OUTSIDE):
        (chan or self.smtpd).ask("AUTH_LOGIN", conn=conn() if c is None else c, protocol=1, peer=peer, user=user,
                                 password=password)

    def worker(self):
        """answer one HASH_VERIFY truly: hashes here are 'hash:' and the password"""
        q = self.hash.recv()
        self.asked.append(q)
        self.hash.reply(q, ok=int(q.hash == b"hash:" + q.password))

    def login(self, user, password, hashed=True, **kw):
        self.ask_login(user, password, **kw)
        if hashed:
            self.worker()
        return self.answer(kw.get("chan") or self.smtpd)
