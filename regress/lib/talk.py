r"""A transcript of IMAP connections (regress/imap/*.txt), played with a house.

A line begins with one of these; an empty one, and one that begins with #, is a remark:

    @a                  connection a speaks from here on; where there was none it is made and logged in (plain text)
    @b as other         the same, to an account of its own for that word
    @c raw PROTOCOL     the same, not greeted nor logged in: of the listener imap or imaps
    C: x SELECT INBOX   the client sends a line, CRLF behind it
    S: * 3 EXISTS       exactly this answer comes next
    S| more             the same answer goes on in its next line, as it does behind a literal
    S* * LIST ...       answers of lines S* that stand together come in any order
    S~ x OK ...         answers that nobody looks at, up to this one
    S.                  the server ends the connection
    = NAME              a message of that name: the lines "| text" that follow; others are regress/imap/NAME.eml
    ! append BOX NAME.. messages by name into a mailbox of the account, by another connection
    ! deliver NAME      by SMTP from outside
    ! ctl WORDS         mailctl, which has to say yes
    ! tls               a handshake; what was said before it is lost, as it should be
    ! deflate           from here on both ways are deflated (RFC 4978)

In lines of both sides ${name} is what that name is bound to, ${x:0d0a} octets, {{name}} a message as literal: {{name}}
of a client does not wait ({n+}), ~{{name}} is a literal8.  In answers:

    ...                 any text, also of several lines
    ${name}             binds it where nothing was: letters, digits and .-_+/= then
    ${name>other}       a number greater than what other is bound to, bound to name

user, password and host are bound, and user of "as other" as other.user.  When a file ends, each connection that is
still there has to answer LOGOUT, and nothing else may have come from it.
"""
import os
import re
import smtplib
import socket
import ssl
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
MESSAGES = os.path.join(os.path.dirname(HERE), "imap")
PASSWORD = "secret"
PART = re.compile(r"\$\{(?:x:([0-9a-f]*)|([\w.]+)(?:>([\w.]+))?)\}|(~?)\{\{([\w-]+)\}\}|(\.\.\.)")


class Line:
    """one connection; an answer is one element, its literals in it"""

    def __init__(self, h, protocol):
        self.h, self.buf, self.inflate, self.over = h, b"", None, False
        self.sock = socket.create_connection(("127.0.0.1", h.ports[protocol]), 60)
        if protocol == "imaps":
            self.tls()

    def tls(self):
        self.buf = b""
        self.sock = ssl.create_default_context(cafile=self.h.ca).wrap_socket(self.sock, server_hostname="localhost")

    def compress(self):
        self.deflate, self.inflate = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)
        self.buf = self.inflate.decompress(self.buf)

    def send(self, data):
        if self.inflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(data)

    def more(self):
        try:
            got = self.sock.recv(65536)
        except ConnectionResetError:
            got = b""
        except socket.timeout:
            raise AssertionError(f"nothing came behind {self.buf[-200:]!r}")
        if not got:
            self.over = True
            raise EOFError
        self.buf += self.inflate.decompress(got) if self.inflate else got

    def answer(self):
        out = b""
        while True:
            while b"\r\n" not in self.buf:
                self.more()
            line, self.buf = self.buf.split(b"\r\n", 1)
            out += line
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return out
            while len(self.buf) < int(m[1]):
                self.more()
            out, self.buf = out + b"\r\n" + self.buf[:int(m[1])], self.buf[int(m[1]):]

    def login(self, user):
        self.answer()
        self.send(f"in LOGIN {user} {PASSWORD}\r\n".encode())
        got = self.answer()
        if not got.startswith(b"in OK"):
            raise AssertionError(f"login: {got}")

    def logout(self):
        """what comes, and was not asked for with a line S"""
        try:
            self.send(b"out LOGOUT\r\n")
            got = self.answer()
            while not got.startswith(b"* BYE"):
                raise AssertionError(f"nobody asked for {got!r}")
            self.answer()
        except (EOFError, OSError):
            raise AssertionError("it did not answer LOGOUT")
        finally:
            self.sock.close()


class Talk:
    def __init__(self, h, path):
        self.h, self.path, self.at = h, path, 0
        self.name = os.path.basename(path).removesuffix(".txt")
        self.lines, self.line, self.messages, self.bound, self.any = {}, None, {}, {}, []
        self.bound.update(password=PASSWORD.encode(), host=h.hostname.encode())

    # ---- a line's text

    def message(self, name):
        if name not in self.messages:
            with open(os.path.join(MESSAGES, name + ".eml"), "rb") as f:
                self.messages[name] = f.read().replace(b"\n", b"\r\n")
        return self.messages[name]

    def literal(self, m, plus=b""):
        text = self.message(m[5])
        return m[4].encode() + b"{%d%s}\r\n%s" % (len(text), plus, text)

    def fill(self, text):
        """a line as the client sends it"""
        def one(m):
            if m[1] is not None:
                return bytes.fromhex(m[1]).decode("latin-1")
            if m[5]:
                return self.literal(m, b"+").decode("latin-1")
            return m[0] if m[6] else self.bound[m[2]].decode("latin-1")
        return PART.sub(one, text.encode().decode("latin-1")).encode("latin-1")

    def pattern(self, text):
        """of an answer; and what it binds"""
        out, names, end = b"", [], 0
        for m in PART.finditer(text):
            out += re.escape(text[end:m.start()].encode())
            end = m.end()
            if m[1] is not None:
                out += re.escape(bytes.fromhex(m[1]))
            elif m[5]:
                out += re.escape(self.literal(m))
            elif m[6]:
                out += b".*"
            elif m[3]:
                names.append((m[2], m[3]))
                out += rb"(\d+)"
            elif m[2] in self.bound:
                out += re.escape(self.bound[m[2]])
            elif any(m[2] == n for n, _ in names):
                out += rb"\%d" % (1 + [n for n, _ in names].index(m[2]))
            else:
                names.append((m[2], None))
                out += rb"([\w.+/=-]+)"
        return out + re.escape(text[end:].encode()), names

    def matches(self, got, want):
        pattern, names = self.pattern(want)
        m = re.fullmatch(pattern, got, re.S)
        if m is None:
            return False
        for (name, floor), value in zip(names, m.groups()):
            if floor and int(value) <= int(self.bound[floor]):
                return False
            self.bound[name] = value
        return True

    # ---- what a line does

    def connect(self, words):
        self.line = self.lines.get(words[0])
        if self.line is not None:
            return
        raw = words[1:2] == ["raw"]
        self.line = self.lines[words[0]] = Line(self.h, words[2] if raw else "imap")
        if not raw:
            self.line.login(self.user(words[2] if words[1:2] == ["as"] else ""))

    def user(self, word):
        """the account of this file for that word; "": its first"""
        name = f"{word}.user" if word else "user"
        if name not in self.bound:
            address = f"{self.name}{'-' + word if word else ''}@example.test"
            self.h.account(address, PASSWORD)
            self.bound[name] = address.encode()
        return self.bound[name].decode()

    def append(self, box, *names):
        line = Line(self.h, "imap")
        line.login(self.user(""))
        for name in names:
            text = self.message(name)
            line.send(b"p APPEND %s {%d+}\r\n%s\r\n" % (box.encode(), len(text), text))
            if not (got := line.answer()).startswith(b"p OK"):
                raise AssertionError(f"append of {name}: {got}")
        line.logout()

    def deliver(self, name):
        with smtplib.SMTP("127.0.0.1", self.h.ports["smtp"], timeout=60) as s:
            s.sendmail("sender@outside.test", [self.user("")], self.message(name))

    def action(self, words):
        if words[0] == "append":
            self.append(*words[1:])
        elif words[0] == "deliver":
            self.deliver(words[1])
        elif words[0] == "ctl":
            self.h.ctl(*words[1:])
        elif words[0] == "tls":
            self.line.tls()
        elif words[0] == "deflate":
            self.line.compress()
        else:
            raise AssertionError("what is to be done there?")

    def expect(self, wants):
        """these answers, in any order"""
        wants = list(wants)
        while wants:
            try:
                got = self.line.answer()
            except EOFError:
                raise AssertionError(f"the connection ended; due was {wants[0]}")
            hit = next((w for w in wants if self.matches(got, w)), None)
            if hit is None:
                raise AssertionError(f"got {got.decode('latin-1')!r}, want {' or '.join(map(repr, wants))}")
            wants.remove(hit)

    def skip(self, want):
        try:
            while not self.matches(self.line.answer(), want):
                pass
        except EOFError:
            raise AssertionError(f"the connection ended; due was {want}")

    def ended(self):
        try:
            got = self.line.answer()
        except EOFError:
            return
        raise AssertionError(f"got {got!r}, want the end")

    def do(self, kind, text):
        if kind == "@":
            self.connect(text.split())
        elif kind == "C:":
            self.line.send(self.fill(text[1:]) + b"\r\n")
        elif kind == "S.":
            self.ended()
        elif kind == "S~":
            self.skip(text[1:])
        elif kind == "!":
            self.action(self.fill(text).decode().split())
        else:
            self.expect(text)

    def blocks(self):
        """(number of the line, kind, text): lines that go together are one"""
        out, name = [], None
        with open(self.path, encoding="utf-8") as f:
            for i, text in enumerate(f.read().split("\n"), 1):
                kind, rest = (text[:2], text[2:]) if text[:1] in "SC" else (text[:1], text[1:])
                if kind == "|" and name:
                    self.messages[name] += rest[1:].encode() + b"\r\n"
                elif kind == "=":
                    name = rest.strip()
                    self.messages[name] = b""
                elif kind == "S|" and out and out[-1][1] in ("S:", "S*"):
                    out[-1][2][-1] += "\r\n" + rest[1:]
                elif kind == "S*" and out and out[-1][1] == "S*":
                    out[-1][2].append(rest[1:])
                elif kind in ("S:", "S*"):
                    out.append((i, kind, [rest[1:]]))
                elif kind in ("@", "C:", "!", "S.", "S~"):
                    out.append((i, kind, rest))
                elif kind not in ("", "#"):
                    raise AssertionError(f"{self.path}:{i}: what is that?")
        return out

    def play(self):
        try:
            self.user("")
            for self.at, kind, text in self.blocks():
                self.do(kind, text)
            self.at = "its end"
            for line in self.lines.values():
                if not line.over:
                    line.logout()
        except Exception as e:
            raise AssertionError(f"{os.path.relpath(self.path)}:{self.at}: {e}") from e
        finally:
            for line in self.lines.values():
                line.sock.close()
