/*
 * common/util: files that several processes read.
 */
#include "base/compat.h"

#include <sys/types.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"

/* maild hands one open file to every relay: what one has read is still there
 * for the others. */
static void
test_two_readers_of_one_open_file(void **state)
{
	static char text[100000];
	int fd = memfd_create("file", 0), other = dup(fd);
	char *a, *b, c;
	size_t n;

	memset(text, 'x', sizeof(text));
	assert_int_equal(write_all(fd, text, sizeof(text)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(read(other, &c, 1), 1);
	assert_non_null(a = read_fd(fd, sizeof(text), &n));
	assert_int_equal(n, sizeof(text));
	assert_non_null(b = read_fd(other, sizeof(text), &n));
	assert_int_equal(n, sizeof(text));
	assert_memory_equal(a, b, n + 1);
	free(a);
	free(b);
	assert_null(read_fd(fd, sizeof(text) - 1, &n));
	assert_int_equal(errno, EFBIG);
	close(fd);
	close(other);
}

/* An end is not an error, and the next listing begins anew. */
static void
test_listing(void **state)
{
	char path[] = "/tmp/listing.XXXXXX";
	unsigned int n, i;
	DIR *dir;
	int fd;

	assert_non_null(mkdtemp(path));
	assert_int_not_equal(fd = open(path, O_RDONLY | O_DIRECTORY), -1);
	assert_int_equal(mkdirat(fd, "one", 0700), 0);
	for (i = 0; i < 2; i++) {
		assert_non_null(dir = listing_open(fd));
		for (n = 0; (void)(errno = 0), readdir(dir) != NULL; n++)
			;
		listing_end(dir);
		assert_int_equal(errno, 0);
		assert_int_equal(n, 3);
	}
	assert_int_equal(unlinkat(fd, "one", AT_REMOVEDIR), 0);
	assert_int_equal(rmdir(path), 0);
	close(fd);
	assert_null(listing_open(fd));
	assert_int_equal(errno, EBADF);
}

static void
test_numset(void **state)
{
	struct numset s = { 0 };
	uint32_t n;

	assert_false(numset_has(&s, 0));
	numset_put(&s, 70000, false);
	assert_int_equal(s.size, 0);
	for (n = 0; n < 100000; n += 7)
		numset_put(&s, n, true);
	for (n = 0; n < 200000; n++)
		assert_int_equal(numset_has(&s, n), n < 100000 && n % 7 == 0);
	numset_put(&s, 7, false);
	assert_false(numset_has(&s, 7));
	assert_true(numset_has(&s, 14));
	numset_clear(&s);
	assert_false(numset_has(&s, 14));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_readers_of_one_open_file),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_numset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
