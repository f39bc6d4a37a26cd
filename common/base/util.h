/*
 * Small things every role needs: memory that cannot fail, files.
 */
#ifndef UTIL_H
#define UTIL_H

#include <sys/types.h>

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void	*xcalloc(size_t, size_t);		/* fatal when out of memory */
void	*xreallocarray(void *, size_t, size_t);
char	*xstrdup(const char *);
char	*xstrndup(const char *, size_t);
void	 random_bytes(void *, size_t);	/* getrandom, no file */
uint64_t random_u64(void);
int	 fd_nonblock(int fd);		/* 0, -1 */
int	 fd_cloexec(int fd);
/* Write or read all n octets; 0, or -1 with errno (EIO: end of file). */
int	 write_all(int fd, const void *, size_t);
int	 read_all(int fd, void *, size_t);
int	 pwrite_all(int fd, const void *, size_t, off_t);
int	 pread_all(int fd, void *, size_t, off_t);
/* Whole file behind fd (at most max octets) in fresh memory, NUL behind it.
 * NULL with errno (EFBIG). */
char	*read_fd(int fd, size_t max, size_t *len);
/* What is in the directory of an open descriptor, which stays the caller's;
 * NULL with errno.  readdir() tells the end from an error by errno alone,
 * which listing_end() leaves as it is. */
DIR	*listing_open(int dirfd);
void	 listing_end(DIR *);
void	 hex_encode(char *dst, const void *src, size_t n);	/* 2n + 1 */
int	 hex_decode(void *dst, size_t n, const char *src);	/* 0, -1 */

/* So many of a hundred n is of a whole, 0 to 100, rounded down; 0 of 0. */
static inline unsigned int
percent_of(uint64_t n, uint64_t whole)
{
	if (whole == 0)
		return 0;
	if (n >= whole)
		return 100;
	return (unsigned int)(whole < UINT64_MAX / 100 ? n * 100 / whole :
	    n / (whole / 100));
}

/* Small numbers, a bit each, as account numbers are.  Starts as { 0 }. */
struct numset { uint8_t *bits; size_t size; };
void	 numset_put(struct numset *, uint32_t, bool in);
bool	 numset_has(const struct numset *, uint32_t);
void	 numset_clear(struct numset *);		/* empty; frees */
#endif
