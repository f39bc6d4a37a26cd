#!/usr/bin/python3
"""The suite on loopback for a person to try.

    demo.py run     start, show a message going each way, stay until Ctrl-C
    demo.py up      start, leave it running; run/demo/demo.json tells the rest
    demo.py down    end what "up" left running
"""
import hashlib
import imaplib
import json
import os
import poplib
import secrets
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from house import TOP, House, make_cert  # noqa: E402
from jwt import Issuer  # noqa: E402
from sasl import PLUS, SCRAM, Client  # noqa: E402
from sink import Sink  # noqa: E402

RUN = os.path.join(TOP, "run", "demo")
INFO = os.path.join(RUN, "demo.json")
PORTS = {"smtp": 2525, "submission": 2587, "smtps": 2465, "imap": 2143, "imaps": 2993, "pop3": 2110, "pop3s": 2995,
         "dns": 2553, "sink": 2526}
ALICE, BOB, OUTSIDE = "alice@example.test", "bob@example.test", "friend@outside.test"
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def say(text):
    print(f"{BOLD}==>{PLAIN} {text}", flush=True)


def show(text):
    print("\n".join("    " + line for line in text.rstrip().splitlines()), flush=True)


# ---- the background part: DNS server, remote host, suite ----------------------

def serve():
    """runs till SIGTERM; writes demo.json when all is ready"""
    issuer = Issuer(RUN)
    issuer.write(f"{RUN}/tokens.json")
    h = House(RUN, build=os.environ.get("BUILD"), ports=dict(PORTS), conf={
        "queue": {"retry-min": 5}, "auth": {"client-certificates": True},
        "oauth": {"keys": f"{RUN}/tokens.json", "issuer": issuer.url, "audience": issuer.audience}})
    sink = Sink(PORTS["sink"], tls=make_sink_cert(h))
    stop = []
    signal.signal(signal.SIGTERM, lambda *a: stop.append(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        h.start()
    except RuntimeError as e:
        h.close()
        sys.exit(str(e))
    accounts = {a: secrets.token_urlsafe(9) for a in (ALICE, BOB)}
    for address, password in accounts.items():
        h.account(address, password)
    make_cert(h.certs, "alice", [ALICE])
    h.ctl("account", "cert", ALICE, "add", fingerprint(f"{h.certs}/alice.crt"))
    h.ctl("alias", "add", "postmaster@example.test", ALICE)
    h.ctl("alias", "add", "user@localdomain", ALICE)        # to try a session by telnet
    records = h.ctl_rows("dkim", "create", "example.test")     # RSA and Ed25519
    publish(h, records)
    record = records[0]
    info = {"ports": {p: h.ports[p] for p in h.ports}, "accounts": accounts, "ca": h.ca, "pid": h.proc.pid,
            "server": os.getpid(), "dns": h.dns_port, "sink": os.path.join(RUN, "sink"),
            "token": issuer.token(email=ALICE, exp=int(time.time()) + 30 * 86400), "certs": h.certs,
            "dkim": {"name": record["name"], "value": record["value"]}, "socket": h.conf["directories"]["socket"]}
    os.makedirs(info["sink"], exist_ok=True)
    fd = os.open(INFO + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        json.dump(info, f, indent=1)
    os.rename(INFO + ".new", INFO)
    kept = 0
    while not stop and h.proc.poll() is None:
        while kept < len(sink.messages):
            with open(f"{info['sink']}/{kept}.eml", "wb") as f:
                f.write(sink.messages[kept].data)
            kept += 1
        time.sleep(0.1)
    if h.proc.poll() is not None:
        print(h.output())
    h.close()
    sink.close()
    try:
        os.unlink(INFO)
    except FileNotFoundError:
        pass


def fingerprint(path):
    with open(path) as f:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def make_sink_cert(h):
    if not os.path.exists(h.certs + "/sink.crt"):
        make_cert(h.certs, "sink", ["mx.outside.test"])
    return h.certs + "/sink.crt", h.certs + "/sink.key"


def publish(h, records):
    """put the DKIM records into the zone, as an operator would at his DNS host"""
    for record in records:
        v = record["value"]
        chunks = " ".join('"' + v[i:i + 250] + '"' for i in range(0, len(v), 250))
        h.dns.zones["example.test"] += f"{record['name'].rstrip('.')}. IN TXT {chunks}\n"
    h.dns.restart()


# ---- the steps -----------------------------------------------------------------

def check_ports():
    for name, port in PORTS.items():
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError as e:
            sys.exit(f"port {port} on 127.0.0.1, for {name}: {os.strerror(e.errno)}; end what uses it (ss -ltnp shows it)")


def up():
    if os.geteuid() != 0:
        sys.exit("the demo must be started by root: each process gets a user of its own")
    if os.path.exists(INFO) and alive(json.load(open(INFO))["server"]):
        sys.exit("the demo is running already; make demo-down ends it")
    check_ports()
    shutil.rmtree(RUN, ignore_errors=True)
    os.makedirs(RUN)
    log = open(os.path.join(RUN, "demo.log"), "ab")
    p = subprocess.Popen([sys.executable, os.path.abspath(__file__), "serve"], stdout=log, stderr=log,
                         stdin=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        if os.path.exists(INFO):
            return json.load(open(INFO))
        if p.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("the suite did not start:\n" + open(os.path.join(RUN, "demo.log")).read()[-4000:])


def alive(pid):
    try:
        os.waitpid(pid, os.WNOHANG)     # when it is our child
    except OSError:
        pass
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False


def down():
    try:
        info = json.load(open(INFO))
    except FileNotFoundError:
        print("the demo is not running")
        return
    if not alive(info["server"]):
        os.unlink(INFO)
        print("the demo has ended already")
        return
    os.kill(info["server"], signal.SIGTERM)
    for _ in range(600):
        if not alive(info["server"]):
            return
        time.sleep(0.1)
    sys.exit(f"process {info['server']} does not end")


def tls(info):
    return ssl.create_default_context(cafile=info["ca"])


def send(info, rcpt, subject, text):
    s = smtplib.SMTP("localhost", info["ports"]["submission"], timeout=30)
    s.starttls(context=tls(info))
    s.login(ALICE, info["accounts"][ALICE])
    code = s.sendmail(ALICE, [rcpt], f"From: Alice <{ALICE}>\r\nTo: {rcpt}\r\nSubject: {subject}\r\n\r\n{text}\r\n")
    s.quit()
    return code


def wait(fn, seconds, what):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.1)
    sys.exit(f"{what} did not happen in {seconds} s; see {RUN}/log/maild.log")


def read_imap(info):
    m = imaplib.IMAP4_SSL("localhost", info["ports"]["imaps"], ssl_context=tls(info))
    m.login(BOB, info["accounts"][BOB])
    m.select("INBOX")

    def look():
        m.noop()
        return m.search(None, "SUBJECT", "demo")[1][0].split()
    ids = wait(look, 20, "the arrival of bob's message")
    text = m.fetch(ids[-1], "(BODY.PEEK[])")[1][0][1].decode()
    m.logout()
    return text


def read_pop3(info):
    p = poplib.POP3_SSL("localhost", info["ports"]["pop3s"], context=tls(info))
    p.user(BOB)
    p.pass_(info["accounts"][BOB])
    n = p.stat()[0]
    text = b"\n".join(p.retr(n)[1]).decode()
    p.quit()
    return text


def verify_dkim(info, message):
    """dkimpy, asking the demo's DNS server"""
    import dkim
    import dns.resolver
    r = dns.resolver.Resolver(configure=False)
    r.nameservers, r.port = ["127.0.0.1"], info["dns"]

    def txt(name, timeout=5):
        return b"".join(r.resolve(name.decode().rstrip("."), "TXT")[0].strings)
    try:
        return all(dkim.DKIM(message).verify(idx=i, dnsfunc=txt) for i in range(2))
    except dkim.DKIMException:
        return False


def mechanisms(info):
    """alice logs in by each that is offered; what became of it"""
    house, password, token = types.SimpleNamespace(**info), info["accounts"][ALICE], info["token"]
    pair = (f"{info['certs']}/alice.crt", f"{info['certs']}/alice.key")
    ways = {PLUS: lambda c: c.scram(ALICE, password, mech=PLUS, kind="tls-exporter"), SCRAM: lambda c: c.scram(ALICE, password),
            "PLAIN": lambda c: c.result(c.start("PLAIN", f"\0{ALICE}\0{password}")),
            "LOGIN": lambda c: c.result((c.start("LOGIN", ALICE), c.respond(password))[1]),
            "OAUTHBEARER": lambda c: c.result(c.start("OAUTHBEARER", f"n,a={ALICE},\1auth=Bearer {token}\1\1")),
            "XOAUTH2": lambda c: c.result(c.start("XOAUTH2", f"user={ALICE}\1auth=Bearer {token}\1\1")),
            "EXTERNAL": lambda c: c.result((c.start("EXTERNAL"), c.say(""))[1])}
    out = []
    for front in ("submission", "imaps", "pop3s"):
        with Client(house, front, cert=pair) as c:
            names = c.names()
        for name in names:
            with Client(house, front, cert=pair) as c:
                out.append((front, name, ways[name](c)))
    return out


def steps(info):
    ctl = ["./build/mailctl", "-s", os.path.relpath(info["socket"], TOP)]
    say("The processes (mailctl status)")
    show(subprocess.run([os.path.join(os.environ.get("BUILD", TOP + "/build"), "mailctl"), "-s", info["socket"],
                         "status"], stdout=subprocess.PIPE, text=True).stdout)
    say(f"alice sends to bob by submission (port {info['ports']['submission']}, STARTTLS, AUTH)")
    send(info, BOB, "demo: hello bob", "Hello Bob, this went through the queue into your mailbox.")
    say(f"bob reads it over IMAP (port {info['ports']['imaps']}, TLS)")
    show(read_imap(info))
    say(f"and over POP3 (port {info['ports']['pop3s']}, TLS)")
    show("\n".join(read_pop3(info).splitlines()[:4]) + "\n...")
    say("alice logs in by each mechanism of SASL")
    got = mechanisms(info)
    show("\n".join(f"{front:<12}{name:<20}{result}" for front, name, result in got))
    if {result for _, _, result in got} != {"ok"}:
        sys.exit("not by each")
    say(f"alice sends to {OUTSIDE}: DNS, MX, relay, STARTTLS")
    send(info, OUTSIDE, "demo: hello world", "Hello outside.")
    eml = wait(lambda: sorted(x for x in os.listdir(info["sink"]) if x.endswith(".eml")), 30,
               "the arrival at the remote host")
    message = open(os.path.join(info["sink"], eml[-1]), "rb").read()
    show(message.decode("utf-8", "replace"))
    ok = verify_dkim(info, message)
    say("DKIM signatures (RSA, Ed25519) verified by dkimpy against the records in DNS: " + ("good" if ok else "BAD"))
    if not ok:
        sys.exit(1)
    bad = message.replace(b"Hello outside", b"Hallo outside")
    if verify_dkim(info, bad):
        sys.exit("a changed message verified too")
    say("and with one byte changed: refused, as it should be")
    say("Ports on 127.0.0.1")
    show("  ".join(f"{k} {v}" for k, v in info["ports"].items()))
    say("Passwords")
    show("\n".join(f"{a}  {p}" for a, p in info["accounts"].items()))
    say("A token of alice, for a month")
    print(info["token"])
    say("Try")
    show(f"""curl --cacert {os.path.relpath(info['ca'], TOP)} -u '{BOB}:{info['accounts'][BOB]}' \\
    'imaps://localhost:{info['ports']['imaps']}/INBOX;MAILINDEX=1'
swaks --server localhost:{info['ports']['submission']} -tls -au {ALICE} -ap '{info['accounts'][ALICE]}' \\
    --from {ALICE} --to {BOB}
{' '.join(ctl)} status
{' '.join(ctl)} queue list
{' '.join(ctl)} log""")


def demo():
    info = up()
    try:
        steps(info)
        say("Running until Ctrl-C")
        while alive(info["server"]):
            time.sleep(0.5)
    except KeyboardInterrupt:
        print()
        say("stopping")
    finally:
        down()


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else "run"
    if what == "serve":
        serve()
    elif what == "up":
        info = up()
        try:
            steps(info)
        except BaseException:
            down()
            raise
    elif what == "down":
        down()
    elif what == "run":
        demo()
    else:
        sys.exit(__doc__)
