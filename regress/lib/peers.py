"""Other implementations beside our verdict engine, all asking one real DNS
server (nsd) that answers on port 53 of a network namespace of their own.

    alone()                     this program goes on inside such a namespace
    names = Names(directory)    names.zone("test", text); names.start()
    e = Engine(); e.verdict(message, ip, helo, sender)
    js = mailauth()             None where the npm registry is out of reach
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from house import Dns

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD") or os.path.join(HERE, "../../build"))
INSIDE = "MAILD_REGRESS_ALONE"
MAILAUTH = "4.9.5"              # the last that Debian 12's nodejs runs
IMAPFLOW = "1.0.195"
NOW = int(time.time())           # the engine's clock unless told: what our own processes sign has it too
OK, NXDOMAIN, NODATA, TEMP = range(4)
PARTIAL, HELO, NOARC, NOSPF, NODMARC = 1, 2, 4, 8, 16


def alone():
    """the peers know one resolver: port 53 of what /etc/resolv.conf says"""
    if os.environ.get(INSIDE):
        return
    setup = ('ip link set lo up && printf "nameserver 127.0.0.1\\noptions timeout:1 attempts:1\\n" >"$1" && '
             'mount --bind "$1" "$(realpath /etc/resolv.conf)" && rm "$1" && shift && exec "$@"')
    conf = f"/tmp/resolv.{os.getpid()}"
    if subprocess.run(["unshare", "-n", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        print("1..0 # SKIP no network namespace can be made here")
        sys.exit(0)
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "-n", "-m", "sh", "-c", setup, "sh", conf, sys.executable, *sys.argv])


def here(*programs):
    """the program among these that is installed, or None"""
    return next((p for p in map(shutil.which, programs) if p), None)


class Names(Dns):
    def __init__(self, directory):
        super().__init__(directory, 53)


def b64(octets):
    return base64.b64encode(octets).decode()


def text(owner, value):
    """a TXT row of a zone file"""
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f"{owner} IN TXT " + " ".join(f'"{value[i:i + 200]}"' for i in range(0, len(value), 200) or [0])


class Engine:
    """regress/vectors/vectors.c; its questions are put to the DNS server"""

    def __init__(self, receiver="receiver.example", port=53):
        self.port = port
        self.p = subprocess.Popen([BUILD + "/regress/vectors"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.receiver, self.known, self.asked = receiver, {}, []

    def write(self, *words):
        words = [w.encode("latin-1") if isinstance(w, str) else w for w in map(lambda w: str(w) if isinstance(w, int) else w, words)]
        self.p.stdin.write(b" ".join([words[0]] + [w.hex().encode() or b"-" for w in words[1:]]) + b"\n")
        self.p.stdin.flush()

    def ask(self, name, kind):
        """(status, [(preference, octets)])"""
        if (name, kind) not in self.known:
            self.known[name, kind] = self.look(name, kind)
        return self.known[name, kind]

    def look(self, name, kind):
        try:
            r = dns.query.udp_with_fallback(dns.message.make_query(name, kind, use_edns=0), "127.0.0.1", 5,
                                            self.port)[0]
        except (dns.exception.DNSException, OSError):
            return TEMP, []
        if r.rcode() == dns.rcode.NXDOMAIN:
            return NXDOMAIN, []
        if r.rcode() != dns.rcode.NOERROR:
            return TEMP, []
        out = []
        for rr in (rr for s in r.answer if s.rdtype == kind for rr in s):
            word = dns.rdatatype.to_text(kind)
            out.append((getattr(rr, "preference", 0), b"".join(rr.strings) if word == "TXT" else
                        rr.exchange.to_text(True).encode() if word == "MX" else
                        rr.target.to_text(True).encode() if word == "PTR" else rr.to_wire()))
        return (OK if out else NODATA), out

    def call(self, *words):
        """the results: name -> list of strings"""
        self.write(*words)
        self.asked = []
        while True:
            w = self.p.stdout.readline().decode().split()
            if w[:1] == ["done"]:
                out = {}
                for k, _, v in (x.partition("=") for x in w[1:]):
                    out.setdefault(k, []).append(bytes.fromhex(v).decode("latin-1"))
                return out
            if w[:1] != ["ask"]:
                raise AssertionError(f"the engine died at {words!r:.500}")
            name, kind = bytes.fromhex(w[2]).decode("latin-1"), int(w[1])
            self.asked.append((name, kind))
            status, rrs = self.ask(name, kind)
            for n, data in rrs:
                self.write(b"rr", n, data)
            self.write(b"end", status)

    def verdict(self, message, ip="127.0.0.1", helo="client.test", sender="", flags=0, now=NOW):
        local, _, domain = sender.rpartition("@")
        return self.call(b"verdict", flags, now, ip, helo, local, domain, message)

    def dkim(self, message, now=NOW):
        """result of each signature"""
        return self.verdict(message, flags=PARTIAL | NOARC | NOSPF | NODMARC, now=now).get("dkim", [])

    def spf(self, ip, helo, sender):
        local, domain = sender.rsplit("@", 1) if sender else ("postmaster", helo)
        out = self.call(b"spf", ip, helo, local, domain, self.receiver, NOW)
        return out["result"][0], out["why"][0]


class Mailauth:
    """mailauth (npm) in one process of node, a line of JSON each way"""

    def __init__(self, modules):
        self.modules = modules
        self.start()

    def start(self):
        self.p = subprocess.Popen(["node", os.path.join(HERE, "mailauth.js")], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env=dict(os.environ, NODE_PATH=self.modules))

    def call(self, op, message=b"", **kw):
        """what it answers; {"error": text} also where it died of the question"""
        self.p.stdin.write(json.dumps(dict(kw, op=op, message=base64.b64encode(message).decode())).encode() + b"\n")
        self.p.stdin.flush()
        while line := self.p.stdout.readline():
            if line.startswith(b"{"):       # it may have said something itself
                return json.loads(line)
        why = self.p.stderr.read().decode(errors="replace")
        self.p.wait()
        self.start()
        return {"error": "died: " + why[-1000:]}


def npm_install(package, version):
    """into the build directory, once; the reason why not, or None.  Needs the network: before alone()"""
    where = f"{BUILD}/regress/npm"
    done = f"{where}/node_modules/{package}/package.json"
    if os.path.exists(done):
        with open(done) as f:
            if json.load(f)["version"] == version:
                return None
    if not here("npm") or not here("node"):
        return "no npm"
    os.makedirs(where, exist_ok=True)
    npm = ["npm", "--no-audit", "--no-fund", "--no-update-notifier", "--ignore-scripts", "--fetch-retries=1",
           "--fetch-timeout=20000", "--prefix", where]
    try:
        subprocess.run([*npm, "ping"], capture_output=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError):
        return "the npm registry cannot be reached"
    subprocess.run([*npm, "install", f"{package}@{version}"], check=True, capture_output=True, timeout=240)
    return None


def mailauth():
    """or None"""
    return None if os.environ.get("MAILAUTH_MISSING") else Mailauth(f"{BUILD}/regress/npm/node_modules")


def prepare():
    """what every peers test begins with"""
    if not os.environ.get(INSIDE):
        os.environ["MAILAUTH_MISSING"] = npm_install("mailauth", MAILAUTH) or ""
    alone()
