#!/usr/bin/python3
"""What verdicts cost: the same message of 1 KiB, signed with RSA-2048, over
a new connection each, into one maild that judges its clients and one that
does not, in turns.  Also, beside it, what the bare RSA verification and
SHA-256 of such a message cost (verdict.c).

usage: verdict.py [MESSAGES [RUNS]]      BUILD: where maild is
                                         OUT: a file for ratios.py to read
"""
import json
import os
import statistics
import subprocess
import sys
import time

import dkim

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from house import TOP, House, run, scratch  # noqa: E402

BUILD = os.environ.get("BUILD", TOP + "/build")
MESSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
RUNS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
d = scratch("bench-verdict")


def signed():
    """the message and the records of its domain"""
    run("openssl", "genrsa", "-traditional", "-out", f"{d}/rsa.pem", "2048")
    pub = "".join(run("openssl", "rsa", "-in", f"{d}/rsa.pem", "-pubout").split("-----")[2].split())
    msg = (b"From: <a@client.test>\r\nTo: <u0@bench.test>\r\nSubject: x\r\nDate: Sat, 21 Nov 2026 20:00:00 +0000\r\n"
           b"Message-ID: <1@client.test>\r\n\r\n")
    msg += (b"x" * 62 + b"\r\n") * ((1024 - len(msg)) // 64)
    with open(f"{d}/rsa.pem", "rb") as f:
        msg = dkim.sign(msg, b"s", b"client.test", f.read()) + msg
    with open(f"{d}/message", "wb") as f:
        f.write(msg)
    return ('@ IN TXT "v=spf1 ip4:127.0.0.1 -all"\n_dmarc IN TXT "v=DMARC1; p=reject"\n'
            f's._domainkey IN TXT "v=DKIM1; p={pub[:200]}" "{pub[200:]}"\n')


def house(name, on, records):
    h = House(f"{d}/{name}", plaintext=True, domains=("bench.test",), conf={
        "smtp": {"max-per-source": 20000}, "verify": {"loopback": on}})
    h.dns.zones.clear()
    h.dns.zone("test", "a IN A 127.0.0.1")
    h.dns.zone("client.test", records.replace("$TTL", ""))
    for z in h.dns.zones:
        h.dns.zones[z] = h.dns.zones[z].replace("$TTL 5", "$TTL 3600").replace("86400 1\n", "86400 3600\n")
    h.start()
    for i in range(10):
        h.account(f"u{i}@bench.test", "pw")
    return h


def cpu(h):
    """seconds of each kind of process"""
    out = {}
    for row in h.ctl_rows("status"):
        with open(f"/proc/{row['pid']}/schedstat") as f:
            out[row["process"]] = out.get(row["process"], 0) + int(f.read().split()[0]) / 1e9
    return out


def blast(h):
    before = cpu(h)
    out = subprocess.run([f"{HERE}/mailbench", "smtp", "-p", str(h.ports["smtp"]), "-n", "20", "-m", str(MESSAGES),
                          "-k", "1", "-U", "10", "-f", "a@client.test", "--file", f"{d}/message"],
                         stdout=subprocess.PIPE, text=True).stdout
    time.sleep(1)
    r = [json.loads(x) for x in out.splitlines() if x.startswith("{")][0]
    assert r["err"] == 0, r
    after = cpu(h)
    return r["rate"], {k: (after[k] - before[k]) * 1e6 / MESSAGES for k in after}


def bare():
    """us of one RSA-2048 verification and SHA-256 of such a message; with all processors busy, as they are when
    mail comes: they may share what they are made of"""
    one = [subprocess.Popen([f"{BUILD}/regress/verdict_cost", "bare"], stdout=subprocess.PIPE, text=True)
           for _ in range(os.cpu_count())]
    return statistics.mean(float(p.communicate()[0]) for p in one)


records = signed()
subprocess.run(["make", "-s", "-C", HERE, "mailbench"], check=True)
houses = {on: house("on" if on else "off", on, records) for on in (False, True)}
rows, bares = {on: [] for on in houses}, []
for n in range(RUNS + 1):
    bares.append(bare())
    for on, h in houses.items():
        got = blast(h)
        if n:                   # the first warms up
            rows[on].append(got)
assert "dmarc:pass" in houses[True].log() and "verdict=" not in houses[False].log()
for h in houses.values():
    h.close()


def best(on, kind):
    """the least CPU of a kind of process: a machine that does other things only adds to it"""
    return min(cpu[kind] for _, cpu in rows[on])


for on in rows:
    print(f"verdicts {'on ' if on else 'off'}: accepted/s {max(r[0] for r in rows[on]):7.0f} {[round(r[0]) for r in rows[on]]}   "
          "CPU us a message:", {k: round(best(on, k)) for k in rows[on][0][1] if best(on, k) >= 1})
cost = {k: best(True, k) - best(False, k) for k in ("smtpd", "resolve")}
share = max(r[0] for r in rows[True]) / max(r[0] for r in rows[False])
times = sum(cost.values()) / min(bares)
print(f"throughput on/off {share:.2f} (at least 0.75)")
print(f"a verdict costs {cost['smtpd']:.1f} us in smtpd, {cost['resolve']:.1f} us in resolve; bare RSA-2048 verification "
      f"and SHA-256 {min(bares):.1f} us: {times:.2f} times (at most 2)")
if "OUT" in os.environ:
    with open(os.environ["OUT"], "a") as f:
        f.write(json.dumps({"peer": "maild", "work": "verdict", "us": round(sum(cost.values()), 1),
                            "bare_us": round(min(bares), 1), "times": round(times, 2), "share": round(share, 2)}) + "\n")
