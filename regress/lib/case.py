"""A conversation from a file of regress/cases, played with a house.

    # a remark
    @1 smtp                 connection 1, to that listener; greeted
    @2 submission auth      the same under TLS, logged in and past EHLO
    1> MAIL FROM:<a@b>      a line is sent there
    1< ^250                 and that is what comes back: the last line of one reply

What is not asked for with a "<" line is read and thrown away before the next "<".
"""
import base64
import re
import socket
import ssl


class Line:
    """one connection, read reply by reply"""

    def __init__(self, h, words, user, password):
        self.sock = socket.create_connection(("127.0.0.1", h.ports[words[0]]), 20)
        self.f, self.due = self.sock.makefile("rb"), 0
        self.reply()
        if "auth" in words[1:]:
            self.login(ssl.create_default_context(cafile=h.ca), user, password)

    def login(self, context, user, password):
        self.ask("EHLO case.test")
        self.ask("STARTTLS")
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.f = self.sock.makefile("rb")
        self.ask("EHLO case.test")
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        got = self.ask("AUTH PLAIN " + token)
        if not got.startswith("235"):
            raise AssertionError(f"login: {got}")

    def reply(self):
        while True:
            line = self.f.readline().decode("latin-1").rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def send(self, text):
        self.sock.sendall(text.encode("latin-1") + b"\r\n")
        self.due += 1

    def last(self):
        """the reply to what was sent last"""
        got = ""
        while self.due > 0:
            got, self.due = self.reply(), self.due - 1
        return got

    def ask(self, text):
        self.send(text)
        return self.last()

    def close(self):
        self.sock.close()


def play(h, path, user="alice@example.test", password="secret"):
    """how many replies were compared"""
    lines, n = {}, 0
    try:
        with open(path, encoding="latin-1") as f:
            for i, text in enumerate(f.read().splitlines(), 1):
                if (m := re.match(r"@(\d+) (.*)", text)):
                    lines[m[1]] = Line(h, m[2].split(), user, password)
                elif (m := re.match(r"(\d+)> (.*)", text)):
                    lines[m[1]].send(m[2])
                elif (m := re.match(r"(\d+)< (.*)", text)):
                    got, n = lines[m[1]].last(), n + 1
                    if not re.search(m[2], got):
                        raise AssertionError(f"{path}:{i}: {got!r} is not {m[2]}")
                elif text and not text.startswith("#"):
                    raise AssertionError(f"{path}:{i}: what is that?")
    finally:
        for line in lines.values():
            line.close()
    return n
