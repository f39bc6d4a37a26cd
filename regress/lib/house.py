"""The whole suite on loopback in a scratch directory, with a real DNS server.

    h = House("/tmp/x", build="build")      # writes configuration and zone
    h.start(); h.account("alice@example.test", "secret"); ...; h.stop()

Used by the demo, the system tests and the bench.
"""
import fcntl
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
# leaks cannot be looked for in a jail, and a test may preload a clock; a build without sanitizers ignores it
os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0")
# what is started ends with the one who started it, even by kill -9
WITH_US = ("setpriv", "--pdeathsig", "TERM")
SHARED = "/tmp/maild-regress-ports"     # locks of all tests on this machine
PORTS = ("smtp", "submission", "smtps", "imap", "imaps", "pop3", "pop3s")


def run(*argv, check=True, **kw):
    r = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kw)
    if check and r.returncode:
        raise RuntimeError(f"{' '.join(argv)}: status {r.returncode}: {r.stdout[-2000:]}")
    return r.stdout


ports_taken = []    # locks that say so to tests beside us, held till we end


def take_port(port):
    """nobody has it, and no other test is about to"""
    os.makedirs(SHARED, mode=0o1777, exist_ok=True)
    fd = os.open(os.path.join(SHARED, str(port)), os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        socket.create_server(("127.0.0.1", port)).close()
        socket.create_server(("0.0.0.0", port)).close()
    except OSError:
        os.close(fd)
        return False
    ports_taken.append(fd)
    return True


def free_ports(n):
    """ports that nobody has, below those that the system gives to clients: none takes one before we do"""
    ports = []
    for port in random.sample(range(10000, 32768), 2000):
        if take_port(port):
            ports.append(port)
        if len(ports) == n:
            return ports
    raise RuntimeError("no free ports")


def make_users():
    """those that the programs run as; one house at a time looks which are missing"""
    os.makedirs(SHARED, mode=0o1777, exist_ok=True)
    with open(os.path.join(SHARED, "users"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("sh", os.path.join(TOP, "etc", "users.sh"))


class Dns:
    """nsd serving zones of example text on a loopback port"""

    def __init__(self, directory, port):
        self.dir, self.port, self.zones, self.proc = os.path.join(directory, "dns"), port, {}, None
        os.makedirs(self.dir, exist_ok=True)

    def zone(self, name, text):
        self.zones[name] = (f"$ORIGIN {name}.\n$TTL 5\n@ IN SOA ns.{name}. host.{name}. "
                            f"{int(time.time())} 3600 600 86400 1\n@ IN NS ns.{name}.\nns IN A 127.0.0.1\n{text}\n")

    def write(self):
        conf = [f'server:\n  ip-address: 127.0.0.1@{self.port}\n  username: ""\n  zonesdir: "{self.dir}"\n'
                f'  pidfile: "{self.dir}/nsd.pid"\n  database: ""\n  xfrdfile: ""\n  zonelistfile: "{self.dir}/zone.list"\n'
                f'  server-count: 1\n  verbosity: 0\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n']
        for name, text in self.zones.items():
            with open(os.path.join(self.dir, name + ".zone"), "w") as f:
                f.write(text)
            conf.append(f'zone:\n  name: "{name}"\n  zonefile: "{name}.zone"\n')
        with open(os.path.join(self.dir, "nsd.conf"), "w") as f:
            f.write("".join(conf))

    def start(self):
        self.write()
        self.proc = subprocess.Popen([*WITH_US, "nsd", "-d", "-c", os.path.join(self.dir, "nsd.conf")],
                                     stdout=open(os.path.join(self.dir, "nsd.log"), "ab"), stderr=subprocess.STDOUT,
                                     start_new_session=True)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                break               # what answers there is not ours
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(self.dir + "/nsd.log", errors="replace") as f:
            raise RuntimeError(f"nsd did not start on port {self.port}: {f.read()[-500:]}")

    def stop(self):
        if self.proc:
            if self.proc.poll() is None:
                os.killpg(self.proc.pid, signal.SIGTERM)
                self.proc.wait()
            self.proc = None

    def restart(self):
        self.stop()
        self.start()


def make_ca(d):
    os.makedirs(d, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
        "-subj", "/CN=maild test CA", "-addext", "basicConstraints=critical,CA:TRUE",
        "-keyout", f"{d}/ca.key", "-out", f"{d}/ca.pem")


def make_cert(d, name, names, algorithm="ec"):
    """a certificate of the CA in d; returns (chain, key) paths"""
    key, csr, crt, ext = (f"{d}/{name}.{x}" for x in ("key", "csr", "crt", "ext"))
    how = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "ec" else ["rsa:2048"]
    run("openssl", "req", "-newkey", *how, "-nodes", "-subj", f"/CN={names[0]}", "-keyout", key, "-out", csr)
    with open(ext, "w") as f:
        f.write("subjectAltName=" + ",".join(("IP:" if n[0].isdigit() else "DNS:") + n for n in names) + "\n")
    run("openssl", "x509", "-req", "-in", csr, "-CA", f"{d}/ca.pem", "-CAkey", f"{d}/ca.key", "-CAcreateserial",
        "-days", "30", "-extfile", ext, "-out", crt)
    os.chmod(key, 0o600)
    return crt, key


def yaml(value, indent=0):
    """enough YAML for our own configuration"""
    pad = "  " * indent
    if isinstance(value, dict):
        out = []
        for k, v in value.items():
            if isinstance(v, dict):
                out.append(f"{pad}{k}:\n{yaml(v, indent + 1)}")
            elif isinstance(v, list):
                if not v:
                    continue
                out.append(f"{pad}{k}:")
                for item in v:
                    if isinstance(item, dict):
                        lines = yaml(item, indent + 2).split("\n")
                        out.append(f"{pad}  - " + lines[0].strip())
                        out.extend(lines[1:])
                    else:
                        out.append(f"{pad}  - {yaml(item)}")
            else:
                out.append(f"{pad}{k}: {yaml(v)}")
        return "\n".join(out)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def merge(a, b):
    for k, v in b.items():
        if isinstance(v, dict) and isinstance(a.get(k), dict):
            merge(a[k], v)
        else:
            a[k] = v
    return a


class House:
    hostname = "mail.example.test"

    def __init__(self, directory, build=None, ports=None, conf=None, domains=("example.test", "localdomain"),
                 plaintext=False, dns=True, libexec=None, outlive=False):
        self.dir = os.path.abspath(directory)
        self.build = os.path.abspath(build or os.environ.get("BUILD", os.path.join(TOP, "build")))
        self.libexec = libexec or self.build
        self.proc, self.outlive = None, outlive     # outlive: stays when this program ends
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        make_users()
        got = free_ports(len(PORTS) + 2)
        self.ports = dict(zip(PORTS, got))
        self.ports.update(ports or {})
        self.dns_port, self.sink_port = got[-2], got[-1]
        if ports and "dns" in ports:
            self.dns_port = self.ports.pop("dns")
        if ports and "sink" in ports:
            self.sink_port = self.ports.pop("sink")
        self.certs = os.path.join(self.dir, "certs")
        if not os.path.exists(self.certs + "/ca.pem"):
            make_ca(self.certs)
            make_cert(self.certs, "server", [self.hostname, "localhost", "127.0.0.1"])
        self.ca = self.certs + "/ca.pem"
        self.dns = Dns(self.dir, self.dns_port) if dns else None
        if self.dns:
            self.dns.zone("example.test", f"@ IN MX 10 mail\nmail IN A 127.0.0.1\n@ IN TXT \"v=spf1 ip4:127.0.0.1 -all\"")
            self.dns.zone("outside.test", "@ IN MX 10 mx\nmx IN A 127.0.0.1\n@ IN TXT \"v=spf1 ip4:127.0.0.1 -all\"")
        d = self.dir
        for sub in ("spool", "store", "auth", "log", "empty", "dkim", "tls", "run", "reports-in", "reports-out"):
            os.makedirs(f"{d}/{sub}", exist_ok=True)
        protocols = {"smtp": "smtp", "submission": "submission", "smtps": "smtps", "imap": "imap", "imaps": "imaps",
                     "pop3": "pop3", "pop3s": "pop3s"}
        self.conf = {
            "hostname": self.hostname, "domains": list(domains),
            "listen": [dict({"address": "127.0.0.1", "port": self.ports[p], "protocol": protocols[p]},
                            **({"plaintext-auth": True} if plaintext else {})) for p in PORTS],
            "tls": [{"certificate": f"{self.certs}/server.crt", "key": f"{self.certs}/server.key"}],
            "relay": {"port": self.sink_port, "loopback": True, "ca-file": self.ca},
            "dns": {"resolvers": [f"127.0.0.1@{self.dns_port}"]},
            "dkim": {"directory": f"{d}/dkim"},
            "directories": {"spool": f"{d}/spool", "store": f"{d}/store", "auth": f"{d}/auth", "log": f"{d}/log",
                            "empty": f"{d}/empty", "tls": f"{d}/tls", "socket": f"{d}/run/maild.sock",
                            "pid": f"{d}/run/maild.pid", "reports-in": f"{d}/reports-in",
                            "reports-out": f"{d}/reports-out"},
        }
        merge(self.conf, conf or {})
        self.conf_file = f"{d}/maild.yaml"
        self.write_conf()

    def write_conf(self):
        with open(self.conf_file, "w") as f:
            f.write(yaml(self.conf) + "\n")

    # ---- life

    def start(self, wait=True, env=None, wrap=(), debug=False):
        if self.dns and not self.dns.proc:
            self.dns.start()
        self.out = open(f"{self.dir}/maild.out", "ab")
        argv = [*(() if self.outlive else WITH_US), *wrap, f"{self.build}/maild", "-d" if debug else "-D", "-f", self.conf_file, "-l", self.libexec]
        out = self.out
        if debug:       # children write there: through a pipe, for most may not write files
            self.cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=out, start_new_session=True)
            out = self.cat.stdin
        self.proc = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                     env=dict(os.environ, **(env or {})), start_new_session=True)
        if debug:
            self.cat.stdin.close()
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.proc.poll() is not None:
                raise RuntimeError(f"maild ended with {self.proc.returncode}: {self.last_word()}\n{self.output()}")
            try:
                rows = self.ctl_rows("status")
                if rows and all(r.get("state") in ("ready", "impaired") for r in rows):
                    return
            except (RuntimeError, ValueError):
                pass
            time.sleep(0.1)
        raise RuntimeError("maild is not ready: " + self.output())

    def last_word(self):
        """the line of an error that it ended for"""
        lines = [x for x in self.output().splitlines() if " maild err" in x]
        return lines[-1] if lines else "for no reason told"

    def output(self, n=3000):
        text = ""
        for name in ("maild.out", "log/maild.log"):
            try:
                with open(f"{self.dir}/{name}", errors="replace") as f:
                    text += f"--- {name}\n" + f.read()[-n:]
            except OSError:
                pass
        return text

    def stop(self, seconds=30):
        if self.proc:
            self.proc.send_signal(signal.SIGTERM)
            try:
                self.proc.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            finally:
                status = self.proc.returncode
                self.proc = None
            return status

    def kill(self):
        """kill -9 of the master: everything ends"""
        if self.proc:
            self.proc.kill()
            self.proc.wait()
            self.proc = None

    def close(self):
        try:
            self.stop()
        finally:
            if self.dns:
                self.dns.stop()
        self.sound()

    def sound(self):
        """no sanitizer complained and nothing broke one of our own channels"""
        if not os.path.exists(f"{self.dir}/maild.out"):
            return                      # it was never started
        with open(f"{self.dir}/maild.out", errors="replace") as f:
            text = f.read()
        at = re.search("AddressSanitizer|runtime error:|LeakSanitizer", text)
        if at:
            raise AssertionError("sanitizer: " + text[at.start():at.start() + 1500])

    # ---- control

    def ctl(self, *args, check=True, json_out=False):
        argv = [f"{self.build}/mailctl", "-s", self.conf["directories"]["socket"]]
        return run(*argv, *(["--json"] if json_out else []), *args, check=check, stdin=subprocess.DEVNULL)

    def ctl_rows(self, *args):
        """rows of an answer; status is one too when it says impaired (75)"""
        r = subprocess.run([f"{self.build}/mailctl", "-s", self.conf["directories"]["socket"], "--json", *args],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if r.returncode != 0 and (args != ("status",) or r.returncode != 75):
            raise RuntimeError(f"mailctl {' '.join(args)}: status {r.returncode}: {r.stderr[-2000:]}")
        return json.loads(r.stdout)

    def account(self, address, password):
        self.ctl("account", "add", address, password)

    def pids(self, name=None):
        """process ids by name from status; the master's own first"""
        rows = self.ctl_rows("status")
        return [r["pid"] or 0 for r in rows if name is None or r["process"] == name]

    def log(self):
        with open(f"{self.dir}/log/maild.log", errors="replace") as f:
            return f.read()


def scratch(name):
    """an empty directory for one test run, below REGRESS_DIR or /tmp"""
    d = os.path.join(os.environ.get("REGRESS_DIR", "/tmp/maild-regress"), name)
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    return d


if __name__ == "__main__":
    sys.exit("a library; see the system tests")
