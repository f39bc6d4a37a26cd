"""Clocks that a test sets, for programs that are started with Clock(directory).env: the wall clock, and the one of timers."""
import os
import subprocess
import sys

SHIM = """\
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static volatile long *ahead;
static int (*real)(clockid_t, struct timespec *);

__attribute__((constructor)) static void
begin(void)
{
	real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	ahead = mmap(NULL, 4096, PROT_READ, MAP_SHARED, open(getenv("CLOCK_FILE"), O_RDONLY), 0);
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int r;

	if (real == NULL)
		begin();
	r = real(id, ts);
	if (id == CLOCK_REALTIME)
		ts->tv_sec += ahead[0];
	else if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
		ts->tv_sec += ahead[1];
	return r;
}
"""


class Clock:
    def __init__(self, directory):
        self.file = os.path.join(directory, "clock")
        with open(self.file, "wb") as f:
            f.write(bytes(4096))
        os.chmod(self.file, 0o644)
        with open(self.file + ".c", "w") as f:
            f.write(SHIM)
        self.compile("-shared", "-fPIC", "-o", self.file + ".so", self.file + ".c")
        self.env = {"CLOCK_FILE": self.file, "LD_PRELOAD": self.file + ".so"}

    @staticmethod
    def compile(*args):
        subprocess.run([*os.environ.get("CC", "cc").split(), *args], check=True)

    def libexec(self, build, *names):
        """a directory with the programs of build, of which those of the names have this clock: maild gives no variable
        of its environment on"""
        d = os.path.join(os.path.dirname(self.file), "libexec")
        os.makedirs(d)
        for name in os.listdir(build):
            if os.path.isfile(f"{build}/{name}") and name not in names:
                os.symlink(f"{build}/{name}", f"{d}/{name}")
        for name in names:
            with open(f"{self.file}.{name}.c", "w") as f:
                f.write("#include <stdlib.h>\n#include <unistd.h>\nint main(int c, char **v) {\n" +
                        "".join(f'setenv("{k}", "{v}", 1);\n' for k, v in self.env.items()) +
                        f'return execv("{build}/{name}", v);\n}}\n')
            self.compile("-o", f"{d}/{name}", f"{self.file}.{name}.c")
        return d

    def ahead(self, seconds):
        """of the true time"""
        self.set(0, seconds)

    def pass_by(self, seconds):
        """so much later than it was at the start, for timers; who sleeps finds out when something wakes it"""
        self.set(8, seconds)

    def set(self, at, seconds):
        with open(self.file, "r+b") as f:
            f.seek(at)
            f.write(seconds.to_bytes(8, sys.byteorder, signed=True))
