"""One real role program without the house: the test plays maild and every neighbour.

    r = Role("relay", {"hostname": "me.test", "relay.port": "2525"})
    dns = r.channel("CHAN_DNS", "SIDE_A", "ROLE_RESOLVE")
    m = dns.recv(); dns.reply(m, status=0, rrs=...)

Messages are encoded from the lists in common/msg/msg.h itself, so there is no second copy of the protocol.
"""
import array
import fcntl
import os
import re
import select
import socket
import struct
import subprocess
import tempfile
import termios
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NUM = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
FIXED = {"mac": 32, "id": 16, "addr": 19}


def _lists():
    with open(TOP + "/common/msg/msg.h") as f:
        text = f.read()
    for name in ("msg/roles.h", "parse/rr.h", "verify/verify.h"):
        with open(TOP + "/common/" + name) as f:
            text += f.read()
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S).replace("\\\n", " ")
    fields = {}
    for name, body in re.findall(r"#define (\w+)_FIELDS\(F\)([^\n]*)", text):
        fields[name] = re.findall(r"F\((\w+), (\w+), (\d+)\)", body)
    messages = re.findall(r"\bM\(([A-Z]\w+), \w+, (CHAN_\w+), (\d+), SIDE_\w,", text)
    enums = {}
    for body in re.findall(r"enum \w+ \{([^}]*)\}", text):
        i = 0
        for n in (x.strip() for x in body.split(",") if re.match(r"\s*\w+\s*(=|$)", x)):
            n, _, v = n.partition("=")
            i = int(v, 0) if v.strip() else i
            enums[n.strip()], i = i, i + 1
    enums.update(("ROLE_" + name, int(no)) for name, no in re.findall(r"\bP\(([A-Z]\w+), (\d+),", text))
    enums.update(("DNS_" + name, int(n)) for name, n in re.findall(r"\bT\((\w+), (\d+)\)", text))
    types = {name: enums[chan] << 8 | int(no) for name, chan, no in messages}
    return fields, types, enums


FIELDS, TYPES, ENUM = _lists()      # TYPES: the numbers of messages on the wire
NAMES = {v: k for k, v in TYPES.items()}
MORE = os.environ.get("WIRE_MORE", "").encode()     # stands behind the last field, as a later release has it


def programs():
    """what maild starts, by the list of processes"""
    with open(TOP + "/common/msg/roles.h") as f:
        rows = re.findall(r'\bP\((\w+), \d+, "[^"]+", "([^"]+)"', f.read())
    return sorted({program for name, program in rows if name != "MAILD"})


def build_id():
    """which build the programs are of"""
    with open(os.environ.get("BUILD", TOP + "/build") + "/build") as f:
        return f.read().strip()


def pack(name, values):
    """the fields of a message, or an item of a list with its length"""
    out = b""
    for kind, field, _ in FIELDS[name]:
        v = values.get(field, 0 if kind in NUM else b"")
        if kind in NUM:
            out += int(v).to_bytes(NUM[kind], "little")
        elif kind in FIXED:
            out += bytes(v).ljust(FIXED[kind], b"\0")
        else:
            v = v.encode() if isinstance(v, str) else v
            out += len(v).to_bytes(2, "little") + v
    out += MORE
    return len(out).to_bytes(2, "little") + out if name.startswith("ITEM_") else out


def unpack(name, data):
    """the fields of a message or of an item; what it has not is zero or empty"""
    out, off = {}, 0
    for kind, field, _ in FIELDS[name]:
        if off == len(data):
            out[field] = 0 if kind in NUM else b""
            continue
        n = NUM.get(kind) or FIXED.get(kind)
        if n is None:
            n = int.from_bytes(data[off:off + 2], "little")
            off += 2
        out[field] = int.from_bytes(data[off:off + n], "little") if kind in NUM else data[off:off + n]
        off += n
    return out


def items(name, blob):
    out = []
    while blob:
        n = int.from_bytes(blob[:2], "little")
        out.append(unpack(name, blob[2:2 + n]))
        blob = blob[2 + n:]
    return out


class Message:
    def __init__(self, name, ident, body, fds):
        self.name, self.id, self.body, self.fds = name, ident, body, fds

    def __getattr__(self, field):       # m.name is the message, m.name_ its field of that name
        return self.body[field.rstrip("_")]


class Channel:
    def __init__(self, sock):
        self.sock, self.next = sock, 1

    def send(self, what, ident=0, fds=(), /, **values):
        data = TYPES[what].to_bytes(2, "little") + b"\0\0" + ident.to_bytes(4, "little") + pack(what, values)
        anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], anc)

    def ask(self, what, fds=(), /, **values):
        ident, self.next = self.next, self.next + 1
        self.send(what, ident, fds, **values)
        return ident

    def reply(self, m, **values):
        self.send(m.name + "_R", m.id, **values)

    def unread(self):
        """octets that the other end has not read yet"""
        if self.sock.fileno() == -1:
            return 0
        return struct.unpack("i", fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))[0]

    def recv(self, timeout=10):
        """the next message; None at the end of the channel"""
        if not select.select([self.sock], [], [], timeout)[0]:
            raise AssertionError(f"no message in {timeout} s")
        data, anc, _, _ = self.sock.recvmsg(16384, 1024)
        if not data:
            return None
        fds = [fd for _, _, d in anc for fd in array.array("i", d[:len(d) // 4 * 4])]
        name = NAMES[int.from_bytes(data[:2], "little")]
        return Message(name, int.from_bytes(data[4:8], "little"), unpack(name, data[8:]), fds)


class Role:
    def __init__(self, program, conf, files=(), role=None, wrap=(), root=None, clock=None):
        build = os.environ.get("BUILD", TOP + "/build")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.empty = tempfile.mkdtemp(prefix="maild-role-")
        os.chmod(self.empty, 0o755)
        self.log = b""
        fd = theirs.fileno()

        def at_three():
            os.dup2(fd, 3, inheritable=True)
            if fd != 3:
                os.close(fd)        # were it 4, it would be taken for the log's
        # a pipe: confined roles may not write to files, not even a log
        self.proc = subprocess.Popen([*wrap, f"{build}/{program}"], pass_fds=(3,) if fd == 3 else (3, fd),
                                     preexec_fn=at_three,
                                     env={"ASAN_OPTIONS": "detect_leaks=0", **os.environ, **(clock.env if clock else {})},
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT)
        theirs.close()
        threading.Thread(target=self.read_log, daemon=True).start()
        self.main = Channel(ours)
        self.role = role or "ROLE_" + program.upper().replace("-", "_")
        self.root, self.generation = root or self.empty, 0
        self.configure(conf, files)

    def configure(self, conf, files=()):
        """at the start and again: this whole configuration, and wait till it is taken"""
        self.generation += 1
        self.main.send("CONF_BEGIN", generation=self.generation, role=ENUM[self.role], uid=65534, gid=65534,
                       root=self.root)
        for key, value in conf.items():
            for i, v in enumerate(value if isinstance(value, list) else [value]):
                self.main.send("CONF_ITEM", key=key, index=i, value=str(v))
        for kind, name in files:
            with open(name, "rb") as f:
                self.main.send("CONF_FILE", 0, [f.fileno()], what=ENUM[kind], name=os.path.basename(name))
        self.main.send("CONF_END", generation=self.generation)
        m = self.main.recv()
        if m is None or m.name != "PROC_READY_EV":
            raise AssertionError(f"{self.role} is not ready: {self.text()}")

    def channel(self, kind, side, peer):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.main.send("PROC_CHANNEL_EV", 0, [b.fileno()], kind=ENUM[kind], side=ENUM[side], peer=ENUM[peer])
        b.close()
        return Channel(a)

    def read_log(self):
        while True:
            got = os.read(self.proc.stdout.fileno(), 65536)
            if not got:
                return
            self.log += got

    def text(self):
        time.sleep(0.05)        # what it wrote just now
        return self.log.decode(errors="replace")

    def alive(self):
        return self.proc.poll() is None

    def close(self):
        self.main.sock.close()
        try:
            self.proc.wait(10)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        os.rmdir(self.empty)
        return self.proc.returncode
