"""Plays the front for a session program under test.

    s = Session("imap", directory)      # starts it, sends SESSION_START
    lines = s.cmd("a SELECT INBOX")     # up to and with the tagged line
    s.close()

Lines are bytes without CRLF; a literal is kept in its line as "{n}\\r\\n" and
the octets, so one answer is one element.
"""
import os
import re
import select
import socket
import struct
import subprocess
import time

BUILD = os.environ.get("BUILD", "build")
START, DATA, PARK, COMPRESS, CHANGED, BYE, MORE, QUOTA = range(1, 9)


def item(text):
    text = text.encode() if isinstance(text, str) else text
    return struct.pack("<HH", len(text) + 2, len(text)) + text


class Gone(Exception):
    pass


class Session:
    def __init__(self, proto, directory, tag="l", wrap=(), greet=True, conf=(), log=None, parked=False):
        """log: a file for the lines of its log; parked: PARK follows, which is the caller's"""
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if proto == "imap" and not parked and "imap.park" not in conf:
            conf = (*conf, "imap.park", "0")        # a test that pauses has the same session behind it
        prog = f"{BUILD}/regress/unit/{proto}_session"
        self.proc = subprocess.Popen([*wrap, prog, "serve", str(theirs.fileno()), directory, *conf],
                                     pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
                                     **({"stderr": open(log, "ab"), "env": dict(os.environ, SESSION_LOG="1")} if log else {}))
        theirs.close()
        self.buf, self.bye, self.cut = b"", False, 0
        body = b"".join(item(x) for x in ("tag", tag, "user", "u", "host", "h", "remote", "192.0.2.1", "tls", "1",
                                          "conn", "0f00c0ffee", "account", "7", *(("parked", "1") if parked else ())))
        self.sock.send(bytes([START]) + body)
        if greet:
            self.greeting = self.until(tag) if proto == "imap" else [self.line()]

    def send(self, data, cut=None):
        """as packets; cut: at most so many octets each"""
        data = data.encode() if isinstance(data, str) else data
        size = cut or self.cut or 16383
        for i in range(0, len(data), size):
            try:
                self.sock.send(bytes([DATA]) + data[i:i + size])
            except (BrokenPipeError, ConnectionResetError):
                raise Gone("session ended")

    def fill(self, timeout=20):
        if self.bye:
            raise Gone("BYE")
        if not select.select([self.sock], [], [], timeout)[0]:
            raise TimeoutError(f"nothing came; have {self.buf[:200]!r}")
        try:
            p = self.sock.recv(20000)
        except ConnectionResetError:    # it has not read all; what it said is there
            p = self.sock.recv(20000)
        if not p or p[0] == BYE:
            self.bye = True
            self.buf += p[1:]
            if not p:
                raise Gone("closed")
            return
        assert p[0] in (DATA, MORE) and len(p) <= 16384, p[:20]
        self.buf += p[1:]

    def take(self, n):
        while len(self.buf) < n:
            self.fill()
        got, self.buf = self.buf[:n], self.buf[n:]
        return got

    def line(self, timeout=20):
        out = b""
        while True:
            while b"\r\n" not in self.buf:
                self.fill(timeout)
            i = self.buf.index(b"\r\n")
            out += self.take(i)
            self.take(2)
            m = re.search(rb"\{(\d+)\}$", out)
            if not m:
                return out
            out += b"\r\n" + self.take(int(m.group(1)))

    def until(self, tag):
        """answers up to the line that starts with tag"""
        tag = tag.encode() if isinstance(tag, str) else tag
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1].startswith(tag + b" "):
                return lines

    def cmd(self, command, cut=None):
        command = command.encode() if isinstance(command, str) else command
        self.send(command + b"\r\n", cut)
        return self.until(command.split(b" ")[0])

    def rest(self):
        """everything to the end of the session"""
        try:
            while True:
                self.fill()
        except Gone:
            pass
        got, self.buf = self.buf, b""
        return got

    def close(self):
        """the client leaves; the exit status"""
        try:
            self.sock.send(bytes([BYE]))
        except OSError:
            pass
        self.sock.close()
        end = time.monotonic() + 20
        while self.proc.poll() is None:
            if time.monotonic() > end:
                self.proc.kill()
                raise AssertionError("session did not end")
            time.sleep(0.002)
        return self.proc.returncode
