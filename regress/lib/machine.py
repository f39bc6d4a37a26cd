"""A machine of its own on this one, with maild where make install puts it: own /etc, /var, /run, /root and /usr/local (what is
written there is gone with it), own network with loopback alone, own processes and name.

    m = Machine("one"); m.install()
    m.sh("mailctl account list"); m.close()

    for line in commands("maild-backup.7", "RESTORE"): m.sh(line)     as the page prints them
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from house import TOP
from role import programs
from tap import Skip

PROGRAMS = programs()
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
# the overlays lie on the same file system as what is below them: else a file there is of another one than its directory
SETUP = """
set -e
cd "$1"
for d in etc var usr/local; do
    mkdir -p "$d" "work/$d"
    mount -t overlay overlay -o "lowerdir=/$d,upperdir=$d,workdir=work/$d" "/$d"
done
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=700 none /root
mkdir /run/lock
ip link set lo up
hostname "$2"
echo ready
exec sleep 1000000
"""


class Machine:
    def __init__(self, name, hostname="mail.example.org"):
        if subprocess.run(["unshare", "-mnup", "--fork", "--mount-proc", "true"], stderr=subprocess.DEVNULL).returncode:
            raise Skip("no namespaces can be made here")
        self.dir = tempfile.mkdtemp(prefix=f"maild-machine-{name}-")
        os.chmod(self.dir, 0o755)
        # what it starts ends with it, and it with us
        self.holder = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "unshare", "-mnup", "--fork", "--kill-child", "--mount-proc",
                                        "sh", "-c", SETUP, "sh", self.dir, hostname], stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "ready\n":
            self.close()
            raise Skip("no overlay can be mounted here")
        self.inside = ["nsenter", "-t", str(self.child()), "--mount", "--net", "--uts", "--pid"]

        # a bare one: who installed maild on this machine is not known there
        self.sh(f"for u in $(sh {TOP}/etc/users.sh -n); do userdel $u; groupdel $u; done 2>/dev/null || :")

    def child(self):
        with open(f"/proc/{self.holder.pid}/task/{self.holder.pid}/children") as f:
            return int(f.read().split()[0])

    def run(self, *argv, check=True, text=True, **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        r = subprocess.run([*self.inside, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=text, timeout=300, **kw)
        if check and r.returncode:
            raise AssertionError(f"{argv}: status {r.returncode}: {r.stdout[-2000:]}")
        return r

    def sh(self, script, **kw):
        """what a root shell prints for that"""
        return self.run("sh", "-ec", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; cd /root;\n" + script, **kw).stdout

    def put(self, script, *args, **kw):
        """etc/install.sh or etc/uninstall.sh as the Makefile calls it, with the paths of a build for nowhere else"""
        env = dict(os.environ, PREFIX="/usr/local", SYSCONFDIR="/etc", LOCALSTATEDIR="/var", RUNDIR="/run/maild",
                   LIBEXECDIR="/usr/local/libexec/maild", MANDIR="/usr/local/share/man")
        return self.run("sh", f"{TOP}/etc/{script}", *args, " ".join([*PROGRAMS, "maild", "mailctl"]), env=env, **kw)

    def install(self):
        """what make install does, from the build that is tested"""
        return self.put("install.sh", BUILD, "").stdout

    def write(self, path, text, mode=None):
        self.run("sh", "-c", 'cat >"$1"', "sh", path, input=text, stdin=None)
        if mode:
            self.run("chmod", mode, path)

    def read(self, path):
        return self.run("cat", path).stdout

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def section(page, name):
    """the source of a section, or of a subsection, of a manual page"""
    path = subprocess.run(["git", "-C", TOP, "ls-files", f"*/{page}"], stdout=subprocess.PIPE, text=True).stdout.strip()
    with open(os.path.join(TOP, path or f"maild/{page}")) as f:
        text = f.read()
    m = re.search(rf"^\.S[hs] {re.escape(name)}\n(.*?)(?=^\.S[hs] |\Z)", text, re.M | re.S)
    if m is None:
        raise AssertionError(f"{page} has no section {name}")
    return m[1]


def plain(line):
    """a line of a literal display, as it is printed"""
    return re.sub(r"\\\((dq|aq|ti|ha)", lambda m: {"dq": '"', "aq": "'", "ti": "~", "ha": "^"}[m[1]],
                  line.replace("\\e", "\\").replace("\\&", "").replace("\\-", "-"))


def displays(page, name):
    """the literal displays of a section, each as its lines"""
    return [[plain(x) for x in d.strip("\n").split("\n")] for d in
            re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", section(page, name), re.M | re.S)]


def commands(page, name):
    """what is typed at a root prompt there, in order; a line that ends in a backslash goes on"""
    text = "\n".join(x for d in displays(page, name) for x in d)
    return [re.sub(r"\\\n\s*", " ", m) for m in re.findall(r"^# ((?:[^\n]*\\\n)*[^\n]*)", text, re.M)]


if __name__ == "__main__":
    sys.exit("a library; see regress/system")
