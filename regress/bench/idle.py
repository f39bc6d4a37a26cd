#!/usr/bin/env python3
"""idle.py BUILD [--connections 10000] [--accounts 200] [--plain] [--compress] [--wake 64]: what parked IMAP clients cost.

So many clients log in (TLS unless --plain), select INBOX and wait in IDLE till no session is left.  Printed are the
memory of all processes (PSS), what the kernel's slab and sockets have grown by without the clients' ends of the
connections, and both for each connection; then how long it takes from the end of one delivery till so many of one
account's clients, woken at once, have been told (best, median and worst of --rounds).
"""
import argparse
import json
import os
import selectors
import socket
import ssl
import statistics
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from house import House, scratch  # noqa: E402

ap = argparse.ArgumentParser()
ap.add_argument("build")
ap.add_argument("--connections", type=int, default=10000)
ap.add_argument("--accounts", type=int, default=200)
ap.add_argument("--wake", type=int, default=64)
ap.add_argument("--rounds", type=int, default=10)
ap.add_argument("--plain", action="store_true")
ap.add_argument("--compress", action="store_true")
ap.add_argument("--park", default="5s")
A = ap.parse_args()
MIB = 1024 * 1024


def tree(pid):
    """the process and all below it"""
    out = [pid]
    for p in out:
        try:
            for t in os.listdir(f"/proc/{p}/task"):
                with open(f"/proc/{p}/task/{t}/children") as f:
                    out += [int(x) for x in f.read().split()]
        except OSError:
            pass
    return out


def memory(pids):
    """PSS of all of them, and by name"""
    total, names = 0, {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/comm") as f:
                name = f.read().strip()
            with open(f"/proc/{pid}/smaps_rollup") as f:
                n = next(int(line.split()[1]) for line in f if line.startswith("Pss:")) * 1024
        except (OSError, StopIteration):
            continue
        total += n
        names[name] = names.get(name, 0) + n
    return total, names


def kernel():
    """slab and sockets' pages"""
    with open("/proc/meminfo") as f:
        slab = next(int(line.split()[1]) for line in f if line.startswith("Slab:")) * 1024
    with open("/proc/net/sockstat") as f:
        tcp = next(int(line.split()[-1]) for line in f if line.startswith("TCP:")) * 4096
    return slab + tcp


def ends(n=2000):
    """octets that one end of a connection costs the kernel, nobody looking at it"""
    with socket.create_server(("127.0.0.1", 0)) as s:
        before, pairs = kernel(), []
        for _ in range(n):
            pairs += [socket.create_connection(s.getsockname())]
            pairs += [s.accept()[0]]
        each = (kernel() - before) / len(pairs)
        for p in pairs:
            p.close()
    return each


class Client:
    def __init__(self, h, ctx, user):
        s = socket.create_connection(("127.0.0.1", h.ports["imap" if A.plain else "imaps"]), 60)
        self.s = s if A.plain else ctx.wrap_socket(s, server_hostname="localhost")
        self.pack = self.unpack = None
        self.have = b""
        self.until(b"* OK")
        self.cmd(b"a LOGIN u%d@example.test pw" % user)
        if A.compress:
            self.cmd(b"a COMPRESS DEFLATE")
            self.pack, self.unpack = zlib.compressobj(6, zlib.DEFLATED, -12, 4), zlib.decompressobj(-15)
        self.cmd(b"a SELECT INBOX")

    def send(self, text):
        self.s.sendall(self.pack.compress(text) + self.pack.flush(zlib.Z_SYNC_FLUSH) if self.pack else text)

    def read(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError(self.have)
        self.have += self.unpack.decompress(data) if self.unpack else data

    def until(self, what):
        while what not in self.have or not self.have.endswith(b"\r\n"):
            self.read()
        got, self.have = self.have, b""
        return got

    def cmd(self, text):
        self.send(text + b"\r\n")
        return self.until(b"a OK")

    def idle(self):
        self.send(b"i IDLE\r\n")
        self.until(b"+ idling")


def sessions(h):
    n = h.pids("imap-nursery")[0]
    with open(f"/proc/{n}/task/{n}/children") as f:
        return len(f.read().split())


def wait_parked(h):
    end = time.monotonic() + 600
    while sessions(h) and time.monotonic() < end:
        time.sleep(0.5)


def wake_once(h, ctx, clients):
    """ms from the end of a delivery till each has been told"""
    sel = selectors.DefaultSelector()
    for c in clients:
        sel.register(c.s, selectors.EVENT_READ, c)
    post = Client(h, ctx, 0)
    post.send(b"a APPEND INBOX {12+}\r\nSubject: x\r\n\r\n")
    post.until(b"a OK")
    t, took = time.monotonic(), []
    while len(took) < len(clients):
        for key, _ in sel.select(60):
            c = key.data
            c.read()
            if b" EXISTS\r\n" in c.have:
                took.append((time.monotonic() - t) * 1000)
                c.have = b""
                sel.unregister(c.s)
    post.s.close()
    return took


def main():
    h = House(scratch("idle"), build=A.build, dns=False, plaintext=True,
              conf={"imap": {"park": A.park, "max-per-account": 20000}, "log": {"level": "warn"}})
    ctx = ssl.create_default_context(cafile=h.ca)
    h.start()
    try:
        for i in range(A.accounts):
            h.account(f"u{i}@example.test", "pw")
        warm = [Client(h, ctx, i % A.accounts) for i in range(20)]
        for c in warm:
            c.s.close()
        wait_parked(h)
        end = ends()
        ours, kern = memory(tree(h.proc.pid))[0], kernel()
        t = time.monotonic()
        clients = []
        for i in range(A.connections):
            clients.append(Client(h, ctx, 0 if i < A.wake else i % A.accounts))
            clients[-1].idle()
        print(f"{A.connections} connections made in {time.monotonic() - t:.0f} s", flush=True)
        wait_parked(h)
        time.sleep(1)
        total, names = memory(tree(h.proc.pid))
        grown = kernel() - kern - A.connections * end
        print(json.dumps({"connections": A.connections, "tls": not A.plain, "compress": A.compress,
                          "sessions": sessions(h), "pss_mib": round(total / MIB, 1), "kernel_mib": round(grown / MIB, 1),
                          "client_end_kib": round(end / 1024, 1), "sum_mib": round((total + grown) / MIB, 1),
                          "kib_each": round((total - ours + grown) / 1024 / A.connections, 1),
                          "pss_kib_each": round((total - ours) / 1024 / A.connections, 1)}), flush=True)
        print("  " + " ".join(f"{n} {v / MIB:.1f}" for n, v in sorted(names.items(), key=lambda x: -x[1])[:6]))
        worst, each = [], []
        for _ in range(A.rounds):
            took = wake_once(h, ctx, clients[:A.wake])
            worst.append(max(took))
            each += took
            wait_parked(h)
        print(json.dumps({"woken_at_once": A.wake, "last_ms": [round(min(worst), 1), round(statistics.median(worst), 1),
                                                                round(max(worst), 1)],
                          "each_ms_median": round(statistics.median(each), 1)}))
    finally:
        h.close()


main()
