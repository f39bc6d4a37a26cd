#!/usr/bin/python3
"""How near signd comes to the bare signature: signd dkim alone, the bench
being relay, which keeps WINDOW questions under way, in turns with openssl
speed.  Rates are of a second of signd's processor time (and of the wall
clock, where the bench itself takes its share); the best round of each counts,
as others may use the processor too.

usage: sign.py [SIGNATURES [RUNS]]      BUILD: where signd is
"""
import hashlib
import os
import re
import select
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from house import run, scratch  # noqa: E402
from part import Part  # noqa: E402
from role import TYPES, pack  # noqa: E402

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 6000
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
WINDOW = 32
TICK = os.sysconf("SC_CLK_TCK")
FROM = b"from:Alice <alice@bench.test>\r\n"
HEAD = (b"Received: from client (client [192.0.2.1])\r\n\tby mail.bench.test with ESMTPSA id 0123456789;\r\n"
        b"\tSat, 21 Nov 2026 20:00:00 +0000\r\nFrom: Alice <alice@bench.test>\r\nTo: Bob <bob@client.test>\r\n"
        b"Subject: a message of the usual length\r\nDate: Sat, 21 Nov 2026 20:00:00 +0000\r\n"
        b"Message-ID: <20261121200000.1@bench.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: 8bit\r\nUser-Agent: bench\r\n")
d = scratch("bench-sign")


def key(name, *how):
    run("openssl", "genpkey", "-algorithm", *how, "-out", f"{d}/{name}")
    os.chmod(f"{d}/{name}", 0o600)
    return f"{d}/{name}"


def speed(name, pattern):
    """operations of that line of openssl speed a second"""
    return float(re.search(pattern, run("openssl", "speed", "-seconds", "1", name), re.M).group(1))


def cpu(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        return int(f.read().split()[0]) / 1e9


def blast(part, relay, ticket):
    """signatures a second of signd's processor time, and of the clock"""
    body = pack("SIGN_DKIM", {"ticket": ticket, "headers": HEAD})
    start = TYPES["SIGN_DKIM"].to_bytes(2, "little") + b"\0\0"
    sock, sent, got = relay.sock, 0, 0
    used, began = cpu(part.proc.pid), time.monotonic()
    while got < COUNT:
        while sent < COUNT and sent - got < WINDOW:
            sent += 1
            sock.send(start + sent.to_bytes(4, "little") + body)
        select.select([sock], [], [], 10)
        while got < sent and select.select([sock], [], [], 0)[0]:
            assert sock.recv(16384)[8] == 0, "not signed"
            got += 1
    return COUNT / (cpu(part.proc.pid) - used), COUNT / (time.monotonic() - began)


def measure(name, keys, bare):
    secrets = {"SECRET_SENDER": bytes(32), "SECRET_TICKET": bytes(32)}
    files = [("FILE_DKIM_KEY", f"bench.test/{os.path.basename(k)}", k) for k in keys]
    with Part("signd", {}, files=files, role="ROLE_SIGND_DKIM", argv=("dkim",), secrets=secrets) as part:
        queue, relay = (part.channel("CHAN_SIGN", "SIDE_B", r) for r in ("ROLE_QUEUE", "ROLE_RELAY"))
        queue.ask("SIGN_TICKET", domain="bench.test", expires=int(time.time()) + 1000,
                  bodyhash=hashlib.sha256(b"").digest(), fromhash=hashlib.sha256(FROM).digest())
        ticket = queue.recv().ticket
        rows = [(*blast(part, relay, ticket), bare()) for _ in range(RUNS + 1)][1:]     # the first warms up
    per, wall, alone = (max(r[i] for r in rows) for i in range(3))
    print(f"signd {name:8}: {per:6.0f} signed/s of its processor ({wall:6.0f}/s of the clock); openssl speed "
          f"{alone:6.0f}/s; ratio {per / alone:.2f}", flush=True)


def bare_rsa():
    return speed("rsa2048", r"rsa 2048 bits \S+ \S+ +([\d.]+)")


def bare_ed():
    return speed("ed25519", r"Ed25519\)\s+\S+\s+\S+\s+([\d.]+)")


rsa, ed = key("r", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"), key("e", "ed25519")
measure("RSA-2048", [rsa], bare_rsa)
measure("Ed25519", [ed], bare_ed)
measure("both", [rsa, ed], lambda: 1 / (1 / bare_rsa() + 1 / bare_ed()))
