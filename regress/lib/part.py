"""A role program with a directory, secrets and arguments of its own: what role.Role has not.

    with Part("authd", {"hostname": "me.test", "domains": ["me.test"]}, secrets={"SECRET_RCPT": key}) as p:
        smtpd = p.channel("CHAN_AUTH", "SIDE_B", "ROLE_SMTPD")
"""
import fcntl
import os
import select
import shutil
import socket
import subprocess
import tempfile
import threading
import weakref

from role import ENUM, TOP, Channel, Role, items, pack

UID = 65534


def args(*words):
    """a list of item_arg, as mailctl sends it"""
    return b"".join(pack("ITEM_ARG", {"text": w}) for w in words)


def cells(blob):
    return {c["name"].decode(): c["value"].decode() for c in items("ITEM_CELL", blob)}


class Part(Role):
    def __init__(self, program, conf, files=(), role=None, argv=(), secrets=(), root=None, prepare=None, wrap=(),
                 clock=None):
        build = os.environ.get("BUILD", TOP + "/build")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keep = root is not None
        self.empty = root or tempfile.mkdtemp(prefix="maild-part-")
        os.chmod(self.empty, 0o750)
        os.chown(self.empty, UID, UID)
        if prepare:
            prepare(self.empty)
        self.said, self.gone, self.hearing = b"", False, threading.Lock()
        fd = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, 10)     # 4 would be taken for the log
        # a pipe: most roles may not write a file
        self.proc = subprocess.Popen([*wrap, f"{build}/{program}", *argv], close_fds=False,
                                     preexec_fn=lambda: os.dup2(fd, 3, inheritable=True),
                                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     env=dict(os.environ, **(clock.env if clock else {})))
        self.clock, self.channels = clock, weakref.WeakSet()     # those that a test still has
        os.set_blocking(self.proc.stderr.fileno(), False)
        self.reader = threading.Thread(target=self.listen, daemon=True)
        self.reader.start()
        os.close(fd)
        theirs.close()
        self.main = Channel(ours)
        self.begin(role or "ROLE_" + program.upper().replace("-", "_"), conf, files, dict(secrets))

    def begin(self, role, conf, files, secrets):
        self.main.send("CONF_BEGIN", generation=1, role=ENUM[role], uid=UID, gid=UID, root=self.empty)
        for key, value in conf.items():
            for i, v in enumerate(value if isinstance(value, list) else [value]):
                self.main.send("CONF_ITEM", key=key, index=i, value=str(v))
        for i, (kind, name, path) in enumerate(files):
            fd = os.open(path, os.O_RDONLY)      # a directory for some
            self.main.send("CONF_FILE", 0, [fd], what=ENUM[kind], index=i, name=name)
            os.close(fd)
        for kind, key in secrets.items():
            self.main.send("CONF_SECRET", what=ENUM[kind], key=key)
        self.main.send("CONF_END", generation=1)
        self.heard = []
        self.impaired = {}      # what the role says that impairs it
        self.closed = []        # the accounts that authd says are closed
        while (m := self.main.recv(20)) is not None and m.name in ("PROC_IMPAIRED_EV", "ACCOUNT_CLOSED_EV"):
            if m.name == "PROC_IMPAIRED_EV":
                self.condition(m)
            else:
                self.closed += [i["account"] for i in items("ITEM_ACCOUNT", m.accounts)]
        if m is None or m.name != "PROC_READY_EV":
            raise AssertionError(f"not ready: {self.text()}")

    def condition(self, m):
        self.impaired[m.id_.decode()] = m.text.decode()
        if not m.text:
            del self.impaired[m.id_.decode()]

    def channel(self, kind, side, peer, instance=0):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.main.send("PROC_CHANNEL_EV", 0, [b.fileno()], kind=ENUM[kind], side=ENUM[side], peer=ENUM[peer],
                       instance=instance)
        b.close()
        c = Channel(a)
        self.channels.add(c)
        return c

    def run(self, *words, on_ask=None):
        """a command of mailctl: (code, text, rows); on_ask answers what the role asks maild meanwhile"""
        ident = self.main.ask("MAIN_RUN", uid=0, args=args(*words))
        rows = []
        while True:
            m = self.main.recv(30)
            if m is None:
                raise AssertionError("gone: " + self.text())
            if m.name == "MAIN_ROW_EV" and m.ask == ident:
                rows.append(cells(m.cells))
            elif m.name == "MAIN_RUN_R" and m.id == ident:
                return m.code, m.text.decode(), rows
            elif m.name == "PROC_IMPAIRED_EV":
                self.condition(m)
            elif on_ask:
                on_ask(m)

    def ping(self):
        """one question and its answer; what else maild is told meanwhile is in self.heard"""
        ident = self.main.ask("PROC_PING")
        while (m := self.main.recv(60)) is not None and (m.name, m.id) != ("PROC_PING_R", ident):
            if m.name == "PROC_IMPAIRED_EV":
                self.condition(m)
            else:
                self.heard.append(m)
        if m is None:
            raise AssertionError("gone: " + self.text())

    def settle(self):
        """it has read what it was sent, and done that and what was due when this began: each answer is a turn of it"""
        self.ping()                     # it has the channels
        while any(c.unread() for c in list(self.channels)):
            self.ping()
        self.ping()
        self.ping()                     # and what its timers were to do at once
        self.hear()

    def pass_by(self, seconds):
        """so much time passes for it, and it has done what was due"""
        self.clock.pass_by(seconds)
        self.settle()

    def listen(self):
        while not self.gone:
            select.select([self.proc.stderr], [], [])
            self.hear()

    def hear(self):
        """what it wrote till now"""
        with self.hearing:
            if self.gone:
                return
            try:
                while got := os.read(self.proc.stderr.fileno(), 65536):
                    self.said += got
                self.gone = True
            except BlockingIOError:
                pass

    def text(self):
        self.hear()
        return self.said.decode(errors="replace")

    def close(self):
        self.main.sock.close()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.reader.join(5)
        with self.hearing:
            self.gone = True
        self.proc.stderr.close()
        if not self.keep:
            shutil.rmtree(self.empty)
        return self.proc.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
