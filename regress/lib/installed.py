"""make install from a copy of the build, with other paths and other objects than those of the build under test."""
import os
import subprocess

from house import TOP
from role import programs
from tap import check

BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
PROGRAMS = programs()


def sh(directory, *argv, status=0, **env):
    """output of a command that ends with that status (None: any)"""
    with open(directory + "/out", "w+") as out:     # no pipe: what stays running must not keep us
        r = subprocess.run(argv, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=300, cwd=TOP,
                           env=dict(os.environ, **env))
        out.seek(0)
        text = out.read()
    check(status is None or r.returncode == status, f"{argv}: status {r.returncode}, not {status}: {text[-1500:]}")
    return text


def make_install(directory, *args):
    copy = directory + "/build"
    if not os.path.isdir(copy):
        os.makedirs(copy)
        for name in os.listdir(BUILD):
            if name == "obj" or name.endswith(".a") or name in PROGRAMS + ["maild", "mailctl", "paths", "build", "build.id"]:
                sh(directory, "cp", "-a", f"{BUILD}/{name}", copy)
    return make(directory, "install", *args)


def make(directory, *args):
    """make in that copy"""
    san = subprocess.run(["grep", "-q", "__asan_init", BUILD + "/maild"]).returncode == 0
    return sh(directory, "make", f"O={directory}/build", *(["SAN=1"] if san else []), *args, MAKEFLAGS="", MAKEOVERRIDES="")


def prefix(root, *more):
    """arguments for an installation below root"""
    return (f"PREFIX={root}", f"SYSCONFDIR={root}/etc", f"LOCALSTATEDIR={root}/var", f"RUNDIR={root}/run", *more)
