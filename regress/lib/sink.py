"""A remote mail host: an SMTP server whose behaviour a test sets.

    s = Sink(port)              starts listening on 127.0.0.1
    s.rules["RCPT"] = lambda line, session: "550 5.1.1 no"
    s.messages                  list of Message as they were accepted
    s.gate                      while it is cleared, no more than GATE lines of a message are read
    s.resumed                   of each TLS handshake: did it resume a session
    s.idle()                    no client is connected any more
    s.close()                   also ends the connections there are
"""
import socket
import ssl
import threading
import time

GATE = 1000


class Message:
    def __init__(self, sender, rcpts, data, tls, helo):
        self.sender, self.rcpts, self.data, self.tls, self.helo = sender, rcpts, data, tls, helo


class Sink:
    def __init__(self, port=0, host="127.0.0.1", tls=None, features=("PIPELINING", "8BITMIME", "SIZE 50000000")):
        self.rules, self.messages, self.connections, self.log, self.live = {}, [], 0, [], set()
        self.resumed, self.gate = [], threading.Event()
        self.gate.set()
        self.features, self.lock = list(features), threading.Lock()
        self.context = None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
            self.features.append("STARTTLS")
        self.sock = socket.create_server((host, port), backlog=128, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.port = self.sock.getsockname()[1]
        self.open = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while self.open:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.live.add(c)
            threading.Thread(target=self.session, args=(c,), daemon=True).start()

    def session(self, c):
        try:
            Session(self, c).run()
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            self.live.discard(c)
            c.close()

    def idle(self, seconds=60):
        end = time.monotonic() + seconds
        while self.live:
            if time.monotonic() > end:
                raise AssertionError(f"sink: {len(self.live)} clients after {seconds} s; log {self.log[-20:]}")
            time.sleep(0.02)

    def wait(self, n=1, seconds=60):
        end = time.monotonic() + seconds
        while len(self.messages) < n and time.monotonic() < end:
            time.sleep(0.02)
        if len(self.messages) < n:
            raise AssertionError(f"sink: {len(self.messages)} of {n} messages; log {self.log[-20:]}")
        return self.messages

    def close(self):
        self.open = False
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
        for c in list(self.live):
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Session:
    def __init__(self, sink, sock):
        self.sink, self.sock, self.f = sink, sock, sock.makefile("rb")
        self.sender, self.rcpts, self.tls, self.helo = None, [], False, ""

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def rule(self, verb, line, default):
        fn = self.sink.rules.get(verb)
        if fn is None:
            return default
        got = fn(line, self) if callable(fn) else fn
        return default if got is None else got

    def run(self):
        self.say(self.rule("CONNECT", "", "220 sink.test ESMTP"))
        while True:
            raw = self.f.readline(100000)
            if not raw:
                return
            line = raw.rstrip(b"\r\n").decode("utf-8", "replace")
            verb = line.split(" ")[0].split(":")[0].upper()
            self.sink.log.append(line)
            if not self.command(verb, line):
                return

    def command(self, verb, line):
        if verb in ("EHLO", "HELO"):
            self.helo = line[5:]
            f = [x for x in self.sink.features if not (self.tls and x == "STARTTLS")]
            lines = ["sink.test"] + (f if verb == "EHLO" else [])
            text = "\r\n".join(("250-" if i < len(lines) - 1 else "250 ") + x for i, x in enumerate(lines))
            self.say(self.rule(verb, line, text))
        elif verb == "STARTTLS" and self.sink.context:
            self.say("220 go")
            self.sock = self.sink.context.wrap_socket(self.sock, server_side=True)
            self.sink.resumed.append(self.sock.session_reused)
            self.f, self.tls = self.sock.makefile("rb"), True
        elif verb == "MAIL":
            self.sender, self.rcpts = line[10:].split(">")[0].lstrip("<"), []
            r = self.rule("MAIL", line, "250 2.1.0 ok")
            if not r.startswith("2"):
                self.sender = None
            self.say(r)
        elif verb == "RCPT":
            r = self.rule("RCPT", line, "250 2.1.5 ok") if self.sender is not None else "503 5.5.1 no MAIL"
            if r.startswith("2"):
                self.rcpts.append(line[8:].split(">")[0].lstrip("<"))
            self.say(r)
        elif verb == "DATA":
            r = self.rule("DATA", line, "354 go" if self.rcpts else "554 5.5.1 no valid recipients")
            self.say(r)
            if r.startswith("354"):
                self.data()
        elif verb == "QUIT":
            self.say("221 2.0.0 bye")
            return False
        elif verb in ("RSET", "NOOP"):
            self.say("250 2.0.0 ok")
        else:
            self.say(self.rule(verb, line, "500 5.5.2 what"))
        return True

    def data(self):
        lines = []
        while True:
            line = self.f.readline()
            if not line:
                raise ValueError("lost in data")
            if line == b".\r\n":
                break
            if len(lines) == GATE:
                self.sink.gate.wait(60)
            lines.append(line[1:] if line.startswith(b".") else line)
        r = self.rule("END", "", "250 2.0.0 accepted")
        if r.startswith("2"):
            with self.sink.lock:
                self.sink.messages.append(Message(self.sender, self.rcpts, b"".join(lines), self.tls, self.helo))
        self.sender, self.rcpts = None, []
        self.say(r)
