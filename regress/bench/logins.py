#!/usr/bin/env python3
"""logins.py BUILD [BUILD] [--rounds 40] [--rsa]: microseconds of CPU that an IMAP login (LOGIN, SELECT, LOGOUT) costs.

In the clear, over TLS 1.2 and 1.3, in full and resumed; all processes of the suite together and each by itself, and
the client's share.  Of two builds the rounds alternate, and in the middle of them they swap places, since the second
of two suites costs more than the first whatever it is.  The first tenth and the median of all rounds are printed;
then what the second build costs more than the first one in the same round: the median with either in the first place,
and the mean of these two.  Of the resumed ones the first of each of the 8 clients is in full.
"""
import argparse
import collections
import json
import os
import resource
import statistics
import subprocess
import sys

from treestat import tree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from house import make_ca, make_cert  # noqa: E402

LAB = os.environ.get("LAB", "/tmp/lab")
KINDS = {"clear": (), "1.2 full": ("--tls", "tls", "--tls12"), "1.2 resumed": ("--tls", "tls", "--tls12", "--resume"),
         "1.3 full": ("--tls", "tls"), "1.3 resumed": ("--tls", "tls", "--resume")}
ap = argparse.ArgumentParser()
ap.add_argument("build", nargs="+")
ap.add_argument("--rounds", type=int, default=40)
ap.add_argument("--logins", type=int, default=400, help="of one round")
ap.add_argument("--rsa", action="store_true", help="a certificate of RSA-2048, not of P-256")
ap.add_argument("--only", default="", help="kinds whose name contains this")
A = ap.parse_args()
got = collections.defaultdict(list)


def place(n, build, what):
    """up, or down; the suite in place n: its env"""
    run = f"{LAB}/logins/{'rsa' if A.rsa else 'ec'}{n}"
    if A.rsa and not os.path.exists(run + "/certs/ca.pem"):
        make_ca(run + "/certs")
        make_cert(run + "/certs", "server", ["localhost"], "rsa")
    subprocess.run([sys.executable, HERE + "/maild/peer.py", what], stdout=subprocess.DEVNULL, check=True,
                   env={**os.environ, "RUN": run, "BASE": str(185 + n), "SINK": str(18990 + n), "NUSERS": "10", "BUILD": build})
    if what == "up":
        with open(run + "/env") as f:
            return json.load(f)


def spent(env):
    """microseconds that each process had so far"""
    at = {}
    for pid in tree(env["pids"]):
        try:
            with open(f"/proc/{pid}/comm") as name, open(f"/proc/{pid}/schedstat") as ran:
                at[pid, name.read().strip()] = int(ran.read().split()[0]) / 1000
        except OSError:
            pass
    return at


def client():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (r.ru_utime + r.ru_stime) * 1e6


def logins(env, options):
    port = env["imaps" if options else "imap"]
    before, client_before = spent(env), client()
    r = json.loads(subprocess.run([HERE + "/mailbench", "login", "-p", str(port), "-n", "8", "-m", str(A.logins), "-U", "10", *options],
                                  stdout=subprocess.PIPE, check=True).stdout)
    if r["ok"] != A.logins or ("--resume" in options and r["resumed"] < A.logins - 8):
        sys.exit(f"not every login went well: {r}")
    cost = collections.Counter()
    for key, us in spent(env).items():
        cost[key[1]] += (us - before.get(key, 0)) / A.logins
    cost["all"] = sum(cost.values())
    cost["client"] = (client() - client_before) / A.logins
    return cost


def measure(builds, rounds):
    envs = [(b, place(n, b, "up")) for n, b in enumerate(builds)]
    for n in range(rounds):
        for kind, options in KINDS.items():
            if A.only in kind:
                for b, env in envs if n % 2 else envs[::-1]:
                    cost = logins(env, options)
                    if n > 0:       # the first warms up
                        got[kind, b].append(cost)
    for n, b in enumerate(builds):
        place(n, b, "down")


def report():
    for (kind, b), costs in got.items():
        def of(name):
            v = sorted(c[name] for c in costs)
            return f"{name} {v[len(v) // 10]:.0f}/{v[len(v) // 2]:.0f}"
        names = sorted({n for c in costs for n in c if n not in ("all", "client")}, key=lambda n: -sum(c[n] for c in costs))
        print(f"{kind:12s} {b}  {of('all')}  {of('client')}  ({', '.join(of(n) for n in names[:8])})")


def difference():
    first, second = A.build
    for kind in KINDS:
        if (kind, first) in got:
            a, b = got[kind, first], got[kind, second]
            half, says = len(a) // 2, []
            for name in ("all", "client", "imapd", "signd-tls"):
                each = [statistics.median(y[name] - x[name] for x, y in zip(a[k:k + half], b[k:k + half])) for k in (0, half)]
                says.append(f"{name} {sum(each) / 2:+.0f} ({each[0]:+.0f}, {each[1]:+.0f})")
            print(f"{kind:12s} second less first:  {'  '.join(says)}")


subprocess.run(["make", "-s", "-C", HERE], check=True)
measure(A.build, A.rounds // 2)
measure(A.build[::-1], A.rounds // 2)
report()
if len(A.build) == 2:
    difference()
