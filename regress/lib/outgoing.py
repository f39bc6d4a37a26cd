"""relay alone, with the test as maild, queue, resolve and signd, and mail hosts of any behaviour on loopback.

    r = Relay(port)             a running relay whose mail hosts are at that port, at 127.0.0.1 unless r.names says more
    r.one()                     (result, status, text) of a message to one recipient
    r.result(r.submit(...))     all of its results
    s = Script(b"220 x", 1)     a mail host that says fixed octets
"""
import os
import select
import socket
import subprocess
import threading
import time

from role import ENUM, Role, items, pack
from tap import check, equal

OK, TEMP, PERM = (ENUM["DELIVERY_" + x] for x in ("OK", "TEMP", "PERM"))
A, MX, AAAA = 1, 15, 28
HEAD = b"From: <a@me.test>\r\nTo: <b@dest.test>\r\nSubject: hello\r\n\r\n"
BODY = HEAD + b"line\r\n.dot\r\n..\r\nend\r\n"


def facts_of(message):
    """what smtpd finds in a message while it comes"""
    return subprocess.run([os.path.abspath(os.environ.get("BUILD", "build")) + "/regress/unit/parse_downgrade", "facts"],
                          input=message, stdout=subprocess.PIPE, check=True).stdout


class Relay:
    """a running relay and its neighbours; DNS says that every mail host is 127.0.0.1 unless self.names knows better"""

    def __init__(self, port, conf=None, files=(), **kw):
        self.conf = {"hostname": "me.test", "relay.port": port, "relay.loopback": "yes", "relay.timeout": 10,
                     "relay.idle": 1, **(conf or {})}
        self.role, self.clock = Role("relay", self.conf, files, **kw), kw.get("clock")
        self.queue = self.role.channel("CHAN_RELAY", "SIDE_B", "ROLE_QUEUE")
        self.dns = self.role.channel("CHAN_DNS", "SIDE_A", "ROLE_RESOLVE")
        self.sign = self.role.channel("CHAN_SIGN", "SIDE_A", "ROLE_SIGND_DKIM")
        self.names = {("dest.test", MX): [(10, "mx.dest.test")]}
        self.signature, self.signed = b"DKIM-Signature: v=1; b=x\r\n", []
        self.answers, self.asked, self.pace, self.said = {}, [], 0.5, {}
        self.sign_answers, self.held = [], None

    def submit(self, rcpts=("b@dest.test",), data=BODY, domain="dest.test", sender="a@me.test", flags=0, trace=b"",
               ticket=b"", offset=7, size=None, targets=None, sid="s1", facts=b"", nfacts=None):
        fd = os.memfd_create("m")
        with open(os.dup(fd), "wb") as f:
            f.write(b"x" * offset + data + facts)
        if targets is None:
            targets = b"".join(pack("ITEM_RCPTTO", {"index": 100 + i, "address": r}) for i, r in enumerate(rcpts))
        ident = self.queue.ask("RELAY_MSG", [fd], sid=sid, sender=sender, domain=domain, offset=offset,
                               size=len(data) if size is None else size, flags=flags, trace=trace, ticket=ticket,
                               targets=targets, facts=len(facts) if nfacts is None else nfacts)
        os.close(fd)
        return ident

    def turn(self, timeout):
        """answer the neighbours; how many of them had something to say"""
        ready = select.select([self.queue.sock, self.dns.sock, self.sign.sock], [], [], timeout)[0]
        for s in ready:
            if s is self.dns.sock:
                m = self.live(self.dns.recv())
                if m is None:
                    continue
                key = (m.name_.decode(), m.type)
                self.asked.append(key)
                got = self.names.get(key, ["127.0.0.1"] if key[1] == A else "NODATA")
                if got is None:
                    continue
                if isinstance(got, str):
                    self.dns.reply(m, status=ENUM["DNS_" + got])
                    continue
                rrs = b"".join(pack("ITEM_RR", {"type": key[1], "pref": x[0], "data": x[1]} if key[1] == MX else
                                    {"type": key[1], "data": socket.inet_pton(
                                        socket.AF_INET if key[1] == A else socket.AF_INET6, x)}) for x in got)
                self.dns.reply(m, status=ENUM["DNS_OK"], ttl=5, rrs=rrs)
            elif s is self.sign.sock:
                m = self.live(self.sign.recv())
                if m is None:
                    continue
                self.signed.append(dict(m.body, fds=m.fds))
                got = self.sign_answers.pop(0) if self.sign_answers else self.signature
                if got is None:
                    self.held = m           # till the test answers it
                else:
                    self.sign.reply(m, result=0, signature=got)
            else:
                m = self.live(self.queue.recv())
                if m.name == "RELAY_SAID_EV":
                    self.said.setdefault(m.ask, []).append(items("ITEM_RESULT", m.results))
                    continue
                self.answers[m.id] = items("ITEM_RESULT", m.results)
        return len(ready)

    def live(self, m):
        if m is None and self.answers:      # it was told to end, and answered first
            return None
        if m is None:
            raise AssertionError(f"relay ended with {self.role.proc.poll()}: {self.role.text()[-3000:]}")
        return m

    def result(self, ident, seconds=20):
        """how it went; where relay has a clock of ours, time passes while nothing happens"""
        end = time.monotonic() + seconds
        while ident not in self.answers:
            if time.monotonic() > end:
                raise AssertionError(f"no answer in {seconds} s: {self.role.text()[-2000:]}")
            if self.turn(0.05 if self.clock else 0.1) == 0 and self.clock:
                self.clock.pass_by(self.pace)
        return self.answers.pop(ident)

    def one(self, **kw):
        r = self.result(self.submit(**kw))
        equal(len(r), 1, "results")
        return r[0]["result"], r[0]["status"].decode(), r[0]["text"].decode()

    def close(self):
        check(self.role.alive(), "relay died: " + self.role.text()[-3000:])
        equal(self.role.close(), 0, "exit status " + self.role.text()[-2000:])


class Script:
    """a mail host that says fixed octets: steps are bytes to send, int octets to wait for a line, or a callable"""

    def __init__(self, *steps, port=0, host="127.0.0.1"):
        self.steps, self.connections, self.got = steps, 0, b""
        self.sock = socket.create_server((host, port))
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        try:
            f = c.makefile("rb")
            for s in self.steps:
                if isinstance(s, bytes):
                    c.sendall(s)
                elif callable(s):
                    s(c, f)
                else:
                    self.got += f.readline()
            c.shutdown(socket.SHUT_WR)
            while c.recv(4096):
                pass
        except OSError:
            pass
        finally:
            c.close()

    def close(self):
        self.sock.close()
