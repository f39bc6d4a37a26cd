"""A clock that a test sets, for programs under test: what they take for the time is the true one and what is added here.

    clock = Clock()
    Part("queue", ..., clock=clock)                 one process
    House(d, libexec=clock.libexec(d, "queue"))     those named of a whole house
    House(d).start(env=clock.env)                   its maild: that gives no variable of its environment on
    clock.pass_by(600)                              ten minutes go by, timers fire
    clock.set_ahead(86400)                          somebody sets the wall clock, nothing goes by

build/regress/clock.so does it, which is preloaded; the programs are the ones that are installed.  Those linked statically,
of the sessions, have the true time but in the sanitizers' build.
"""
import atexit
import os
import struct
import subprocess
import tempfile
import time

from tap import PATIENCE

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "../../build")))


class Clock:
    def __init__(self):
        self.set, self.passed = 0.0, 0.0
        # Not deleted with the object: a fork in one thread ends the objects of the others in the child.
        self.page = tempfile.NamedTemporaryFile(prefix="maild-clock.", delete=False)
        atexit.register(os.unlink, self.page.name)
        os.chmod(self.page.name, 0o644)
        self.write()
        self.env = {"CLOCK_FILE": self.page.name, "LD_PRELOAD": BUILD + "/regress/clock.so",
                    "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}

    def libexec(self, directory, *names):
        """a directory with the programs of the build, of which those of the names have this clock"""
        d = os.path.join(directory, "libexec")
        os.makedirs(d)
        for name in os.listdir(BUILD):
            if os.path.isfile(f"{BUILD}/{name}") and name not in names:
                os.symlink(f"{BUILD}/{name}", f"{d}/{name}")
        for name in names:
            source = f"{d}/{name}.c"
            with open(source, "w") as f:
                f.write("#include <stdlib.h>\n#include <unistd.h>\nint main(int c, char **v) {\n" +
                        "".join(f'setenv("{k}", "{v}", 1);\n' for k, v in self.env.items()) +
                        f'return execv("{BUILD}/{name}", v);\n}}\n')
            subprocess.run([*os.environ.get("CC", "cc").split(), "-o", f"{d}/{name}", source], check=True)
        return d

    def write(self):
        os.pwrite(self.page.fileno(), struct.pack("=qq", round(self.set * 1000), round(self.passed * 1000)), 0)

    def set_ahead(self, seconds):
        """wall time is set so far ahead of what it would be"""
        self.set = seconds
        self.write()

    def pass_by(self, seconds):
        """so much time passes, on every clock"""
        self.passed += seconds
        self.write()

    def time(self):
        """wall time there"""
        return time.time() + self.set + self.passed

    def align(self, interval):
        """time passes till an interval begins, and a little more"""
        self.pass_by(interval - self.time() % interval + 0.02)

    def till(self, done, step, most, what="condition"):
        """time passes step by step till that is true, but no more than so much; what takes its own time has it"""
        end = time.monotonic() + 15 * PATIENCE
        while not (got := done()):
            if most > 0:
                self.pass_by(step)
                most -= step
            elif time.monotonic() > end:
                raise AssertionError(f"{what} did not come true")
            time.sleep(0.05)
        return got
