"""A client of SASL by hand, for hostile ones too: SMTP, IMAP and POP3 alike.

    with Client(house, "imaps") as c:
        c.names()                       # what is offered
        c.scram("alice", "secret")      # "ok", "bad", "later", or what was said
"""
import base64
import ctypes
import hashlib
import hmac
import os
import re
import socket
import ssl

EXPORTER = b"EXPORTER-Channel-Binding"      # RFC 9266
PLUS, SCRAM = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"


def b64(octets):
    return base64.b64encode(octets).decode()


def digest(octets):
    return hashlib.sha256(octets).digest()


def mac(key, octets):
    return hmac.new(key, octets, "sha256").digest()


def exporter(tls):
    """tls-exporter of a socket; Python has no call for it, its OpenSSL has: the SSL stands behind the object's head"""
    lib = ctypes.CDLL("libssl.so.3")
    size, text = ctypes.c_size_t, ctypes.c_char_p
    lib.SSL_export_keying_material.argtypes = (ctypes.c_void_p, text, size, text, size, text, size, ctypes.c_int)
    at = ctypes.c_void_p.from_address(id(tls._sslobj) + object.__basicsize__ + ctypes.sizeof(ctypes.c_void_p))
    out = ctypes.create_string_buffer(32)
    if lib.SSL_export_keying_material(at, out, 32, EXPORTER, len(EXPORTER), b"", 0, 1) != 1:
        raise RuntimeError("no tls-exporter")
    return out.raw


def endpoint(tls):
    """tls-server-end-point of a certificate that is signed with SHA-256"""
    return digest(tls.getpeercert(binary_form=True))


BINDINGS = {"tls-exporter": exporter, "tls-server-end-point": endpoint}


class Scram:
    """one exchange, each message by itself"""
    def __init__(self, user, password, gs2="n,,", binding=b"", nonce=None):
        self.password, self.gs2, self.binding = password.encode(), gs2, binding
        self.nonce = nonce or b64(os.urandom(18))
        name = user.replace("=", "=3D").replace(",", "=2C")
        self.bare = f"n={name},r={self.nonce}"

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first):
        """the proof for what the server said"""
        self.said = dict(x.split("=", 1) for x in server_first.split(","))
        count, salt = int(self.said["i"]), base64.b64decode(self.said["s"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, count)
        key = mac(salted, b"Client Key")
        bare = f"c={b64(self.gs2.encode() + self.binding)},r={self.said['r']}"
        message = f"{self.bare},{server_first},{bare}".encode()
        sig = mac(digest(key), message)
        self.server = mac(mac(salted, b"Server Key"), message)
        return f"{bare},p={b64(bytes(a ^ b for a, b in zip(key, sig)))}"

    def right(self, server_final):
        """did the server prove itself?"""
        return server_final == "v=" + b64(self.server)


class Client:
    def __init__(self, house, front, source="127.0.0.1", version=None, tls=True, cert=None, resume=None):
        """resume: one whose TLS session goes on"""
        self.front, self.proto = front, "smtp" if front in ("submission", "smtps") else front.rstrip("s")
        self.sock = socket.create_connection(("127.0.0.1", house.ports[front]), 20, source_address=(source, 0))
        context = ssl.create_default_context(cafile=house.ca)
        if cert:
            context.load_cert_chain(*cert)
        if version:
            context.maximum_version = version
        self.context, self.n = resume.context if resume else context, 0
        self.session = resume.sock.session if resume else None
        self.f = self.sock.makefile("rb")
        if front in ("smtps", "imaps", "pop3s"):
            self.secure()
        self.greeting = self.reply()
        if self.proto == "smtp":
            self.say("EHLO x")
        if tls and not isinstance(self.sock, ssl.SSLSocket):
            self.say({"smtp": "STARTTLS", "imap": "t STARTTLS", "pop3": "STLS"}[self.proto])
            self.secure()
            if self.proto == "smtp":
                self.say("EHLO x")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        self.f.close()

    def secure(self):
        self.sock = self.context.wrap_socket(self.sock, server_hostname="localhost", session=self.session)
        self.f = self.sock.makefile("rb")

    def reply(self):
        """up to a line that ends an answer, or asks for more"""
        out = []
        while True:
            line = self.f.readline().decode()
            out.append(line.rstrip("\r\n"))
            if not line or self.proto == "pop3" or (self.proto == "smtp" and line[3:4] != "-") or \
                    (self.proto == "imap" and (not line.startswith("* ") or "ready" in line)):
                return "\n".join(out)

    def say(self, line):
        self.sock.sendall(line.encode() + b"\r\n")
        return self.reply()

    def names(self):
        """the mechanisms, in order"""
        if self.proto == "smtp":
            return re.search(r"^250.AUTH (.*)", self.say("EHLO x"), re.M)[1].split()
        if self.proto == "imap":
            return re.findall(r" AUTH=(\S+)", self.say("c CAPABILITY").split("\n")[0])
        self.sock.sendall(b"CAPA\r\n")
        got = []
        while (line := self.f.readline().decode().rstrip()) != ".":
            got += line.split()[1:] if line.startswith("SASL ") else []
        return got

    def start(self, mech, initial=None):
        """the command; what came back"""
        self.n += 1
        more = "" if initial is None else " " + (b64(initial.encode()) or "=")
        return self.say({"smtp": "AUTH ", "imap": f"a{self.n} AUTHENTICATE ", "pop3": "AUTH "}[self.proto] + mech + more)

    def respond(self, text):
        return self.say(b64(text.encode()))

    def challenge(self, line):
        """the server's message in it, None: it is no challenge"""
        m = re.search(r"(?:^|\n)(?:334|\+) ?(\S*)$", line)     # behind what IMAP tells unasked
        return None if m is None else base64.b64decode(m[1]).decode()

    def result(self, line):
        """ok, bad, later; else what was said"""
        for word, pattern in (("ok", r"235 |a\d+ OK|\+OK"), ("bad", r"535 |a\d+ NO \[AUTHENTICATIONFAILED\]|-ERR \[AUTH\]"),
                              ("later", r"454 |a\d+ NO \[UNAVAILABLE\]|-ERR \[SYS/TEMP\]")):
            if re.search(r"^(?:" + pattern + ")", line, re.M):
                return word
        return line

    def binding(self, kind):
        return BINDINGS[kind](self.sock)

    def scram(self, user, password, mech=SCRAM, gs2="n,,", kind=None, binding=None, ir=True):
        """a whole login; kind: of the channel binding"""
        if kind:
            gs2 = f"p={kind},,"
            binding = binding or self.binding(kind)
        self.exchange = x = Scram(user, password, gs2, binding or b"")
        got = self.start(mech, x.first()) if ir else self.start(mech)
        if not ir:
            if self.challenge(got) != "":
                return self.result(got)
            got = self.respond(x.first())
        if self.challenge(got) is None:
            return self.result(got)
        got = self.respond(x.final(self.challenge(got)))
        if self.challenge(got) is None:
            return self.result(got)
        if not x.right(self.challenge(got)):
            return "a server that does not know the password"
        return self.result(self.respond(""))
