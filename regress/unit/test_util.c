/*
 * common/util: files that several processes read.
 */
#include "compat.h"

#include <sys/types.h>
#include <sys/mman.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "util.h"

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_readers_of_one_open_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
