#!/usr/bin/python3
"""maild as a peer of run.py: users u0... with password pw at bench.test,
logins without TLS allowed by listener option, mail for other domains to the
sink.  peer.py up | down | cold | reset

JUDGED=1: a second one beside it that trusts no client, so that all mail is
judged by SPF, DKIM and DMARC, and asks the resolver of peers/dns.
"""
import glob
import imaplib
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "lib"))
from house import TOP, House  # noqa: E402

LAB = os.environ.get("LAB", "/tmp/lab")
JUDGED = bool(os.environ.get("JUDGED"))
RUN = os.environ.get("RUN", LAB + "/perf/run/maild" + ("-judged" if JUDGED else ""))
BASE = int(os.environ.get("BASE", "196" if JUDGED else "195"))
SINK = int(os.environ.get("SINK", "19999"))
PORTS = {"smtp": BASE * 100 + 25, "submission": BASE * 100 + 87, "smtps": BASE * 100 + 65, "imap": BASE * 100 + 43,
         "imaps": BASE * 100 + 93, "pop3": BASE * 100 + 10, "pop3s": BASE * 100 + 95, "sink": SINK}
# the users run.py uses: smtp and login, append, pop3, big boxes, status
USERS = sorted({*range(int(os.environ.get("NUSERS", "1000"))), *range(800, 808), *range(900, 910), *range(1001, 1005), 1010})


def house():
    return House(RUN, build=os.environ.get("BUILD", TOP + "/build"), ports=dict(PORTS), plaintext=True, dns=False, outlive=True,
                 domains=("bench.test",), conf={
                     "hostname": "mx.bench.test",
                     "relay": {"smarthost": "[127.0.0.1]", "smarthost-tls": False, "loopback": True, "port": SINK},
                     "guard": {"recipients-hour": 0, "recipients-day": 0},
                     "smtp": {"max-per-source": 20000}, "imap": {"max-per-account": 20000},
                     **({"verify": {"loopback": True}, "dns": {"resolvers": ["127.77.0.53@53"]}} if JUDGED
                        else {"networks": ["127.0.0.0/8"]})})


def up():
    h = house()
    first = not glob.glob(RUN + "/auth/*")
    h.start()
    if first:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda u: h.account(f"u{u}@bench.test", "pw"), USERS))
    env = {"peer": "maild", "pids": [h.proc.pid], **h.ports, "mail": RUN + "/store", "run": RUN, "format": "maild"}
    with open(RUN + "/env", "w") as f:
        json.dump(env, f)
    print(json.dumps(env))


def down():
    try:
        with open(RUN + "/run/maild.pid") as f:
            pid = int(f.read())
    except (OSError, ValueError):
        return
    os.kill(pid, signal.SIGTERM)
    for _ in range(600):
        try:
            os.kill(pid, 0)
        except OSError:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)


def cold():
    down()
    for name in ("index", "facts.*"):
        for path in glob.glob(f"{RUN}/store/*/{name}"):
            if os.environ.get("KEEP_FACTS") is None or name == "index":
                os.unlink(path)
    subprocess.run(["sync"])
    try:
        with open("/proc/sys/vm/drop_caches", "w") as f:
            f.write("3\n")
    except OSError:
        pass
    up()


def reset():
    for u in range(10):
        c = imaplib.IMAP4("127.0.0.1", PORTS["imap"])
        c.login(f"u{u}", "pw")
        n = int(c.select("INBOX")[1][0])
        if n:
            c.store("1:*", "+FLAGS.SILENT", "\\Deleted")
            c.close()
        c.logout()
    time.sleep(1)


if __name__ == "__main__":
    {"up": up, "down": down, "cold": cold, "reset": reset}[sys.argv[1]]()
