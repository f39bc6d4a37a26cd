/*
 * What a test program has in place of the C library's file calls, so that
 * they fail, or something happens between them, where the test wants it.
 */
#include "base/compat.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "store_calls.h"

static enum call_way (*asked)(enum call, const void *);

void
calls_ask(enum call_way (*fn)(enum call, const void *arg))
{
	asked = fn;
}

static enum call_way
ask(enum call call, const void *arg)
{
	return asked != NULL ? asked(call, arg) : CALL_GOES;
}

#define REAL(name)							\
	static __typeof__(name) *real;					\
									\
	if (real == NULL)						\
		*(void **)&real = dlsym(RTLD_NEXT, #name)

ssize_t
pread(int fd, void *p, size_t n, off_t off)
{
	REAL(pread);
	switch (ask(CALL_PREAD, NULL)) {
	case CALL_GOES:
		break;
	case CALL_FAILS:
		return -1;
	case CALL_EMPTY:
		return 0;
	}
	return real(fd, p, n, off);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	REAL(pwritev);
	return ask(CALL_PWRITEV, NULL) ? -1 : real(fd, iov, n, off);
}

int
fstat(int fd, struct stat *sb)
{
	REAL(fstat);
	return ask(CALL_FSTAT, NULL) ? -1 : real(fd, sb);
}

int
fstatat(int dir, const char *name, struct stat *sb, int flags)
{
	REAL(fstatat);
	return ask(CALL_FSTATAT, NULL) ? -1 : real(dir, name, sb, flags);
}

int
ftruncate(int fd, off_t n)
{
	REAL(ftruncate);
	return ask(CALL_FTRUNCATE, NULL) ? -1 : real(fd, n);
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	return ask(CALL_FDATASYNC, NULL) ? -1 : real(fd);
}

int
fsync(int fd)
{
	REAL(fsync);
	return ask(CALL_FSYNC, NULL) ? -1 : real(fd);
}

int
linkat(int a, const char *from, int b, const char *to, int flags)
{
	REAL(linkat);
	return ask(CALL_LINKAT, NULL) ? -1 : real(a, from, b, to, flags);
}

int
renameat(int a, const char *from, int b, const char *to)
{
	REAL(renameat);
	return ask(CALL_RENAMEAT, NULL) ? -1 : real(a, from, b, to);
}

int
unlinkat(int dir, const char *name, int flags)
{
	REAL(unlinkat);
	return ask(CALL_UNLINKAT, name) ? -1 : real(dir, name, flags);
}

int
mkdirat(int dir, const char *name, mode_t mode)
{
	REAL(mkdirat);
	return ask(CALL_MKDIRAT, NULL) ? -1 : real(dir, name, mode);
}

void *
mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	REAL(mmap);
	return ask(CALL_MMAP, NULL) ? MAP_FAILED :
	    real(at, n, prot, flags, fd, off);
}

int
fcntl(int fd, int cmd, ...)
{
	va_list ap;
	void *arg;

	REAL(fcntl);
	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	return ask(cmd == F_OFD_SETLK ? CALL_LOCK : CALL_FCNTL, arg) ? -1 :
	    real(fd, cmd, arg);
}

/* openat2(2) has no function. */
long
syscall(long nr, ...)
{
	va_list ap;
	long a[6];
	int i;

	REAL(syscall);
	va_start(ap, nr);
	for (i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	return nr == SYS_openat2 && ask(CALL_OPENAT2, NULL) ? -1 :
	    real(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}
