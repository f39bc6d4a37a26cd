"""Mail under load with a token in each attempt, for the fault tests.

An attempt's token is written to the record before anything is sent, and
its acknowledgement before the next command; so whatever happens to the
suite, `acked` are exactly those it took responsibility for.
"""
import collections
import imaplib
import os
import re
import socket
import ssl
import threading
import time


class Load:
    """threads that send by SMTP to local accounts till stop()"""

    def __init__(self, h, users, sessions=8, size=600, pause=0.0):
        self.h, self.users, self.size, self.pause = h, users, size, pause
        self.tried, self.acked, self.lock = {}, {}, threading.Lock()
        self.stopping, self.serial = False, 0
        self.threads = [threading.Thread(target=self.loop, args=(n,), daemon=True) for n in range(sessions)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def stop(self):
        self.stopping = True
        for t in self.threads:
            t.join(60)

    def token(self, user):
        with self.lock:
            self.serial += 1
            t = f"tok{self.serial:07d}"
            self.tried[t] = user
        return t

    def loop(self, n):
        while not self.stopping:
            try:
                self.connection(n)
            except OSError:
                time.sleep(0.05)

    def connection(self, n):
        with socket.create_connection(("127.0.0.1", self.h.ports["smtp"]), 10) as s:
            s.settimeout(40)
            f = s.makefile("rb")

            def talk(text):
                if text:
                    s.sendall(text)
                while True:
                    line = f.readline()
                    if not line:
                        raise OSError("closed")
                    if line[3:4] != b"-":
                        return line[:3]
            if talk(b"") != b"220" or talk(b"EHLO load\r\n") != b"250":
                return
            for _ in range(5):
                if self.stopping:
                    return
                user = self.users[self.serial % len(self.users)]
                t = self.token(user)
                if talk(b"MAIL FROM:<load@outside.test>\r\n") != b"250":
                    return
                if talk(f"RCPT TO:<{user}>\r\n".encode()) != b"250":
                    return
                if talk(b"DATA\r\n") != b"354":
                    return
                body = f"From: load@outside.test\r\nTo: {user}\r\nSubject: load\r\nX-Token: {t}\r\n\r\n"
                got = talk((body + ("x" * 70 + "\r\n") * (self.size // 72) + ".\r\n").encode())
                if got == b"250":
                    with self.lock:
                        self.acked[t] = user
                elif got[:1] == b"4" and self.pause == 0:
                    time.sleep(0.05)
                if self.pause:
                    time.sleep(self.pause)


def tokens(h, user, password):
    """how often each token is in that INBOX"""
    ctx = ssl.create_default_context(cafile=h.ca)
    c = imaplib.IMAP4_SSL("localhost", h.ports["imaps"], ssl_context=ctx, timeout=60)
    c.login(user, password)
    n = int(c.select("INBOX", readonly=True)[1][0])
    count = collections.Counter()
    if n:
        for part in c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (X-TOKEN)])")[1]:
            if isinstance(part, tuple):
                count.update(re.findall(r"tok\d{7,}", part[1].decode("ascii", "replace")))
    c.logout()
    return count


def settle(h, seconds=60):
    """wait till the queue is empty"""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if not h.ctl_rows("queue", "list"):
                return
            h.ctl("queue", "flush")
        except (RuntimeError, ValueError):
            pass
        time.sleep(0.3)
    raise AssertionError("the queue did not become empty: " + h.ctl("queue", "list", check=False)[:1500])


def judge(load, found):
    """found: token -> times, over all mailboxes.  Returns the complaint or
    the empty text"""
    lost = [t for t in load.acked if found.get(t, 0) == 0]
    twice = [t for t, n in found.items() if n > 1]
    text = ""
    if lost:
        text += f"{len(lost)} acknowledged messages lost, e.g. {lost[:5]}; "
    if twice:
        text += f"{len(twice)} messages doubled, e.g. {twice[:5]}; "
    return text


def tree(root):
    """comm -> pids below root"""
    kids, names = collections.defaultdict(list), {}
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{p}/stat") as f:
                text = f.read()
        except OSError:
            continue
        names[int(p)] = text[text.index("(") + 1:text.rindex(")")]
        kids[int(text.rsplit(")", 1)[1].split()[1])].append(int(p))
    todo, out = [root], collections.defaultdict(list)
    while todo:
        p = todo.pop()
        out[names.get(p, "?")].append(p)
        todo += kids[p]
    return out
