/*
 * The quarantine is bounded over all lives, by number and size; what finds no
 * room there is not lost by that.
 */
#include "queue_test.h"

#include <dirent.h>

static void
sh_cmd(const char *fmt)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), fmt, dir, dir, dir);
	assert_int_equal(system(cmd), 0);
}

static unsigned int
files(const char *sub)
{
	char name[64];
	struct dirent *d;
	unsigned int n = 0;
	DIR *p;

	snprintf(name, sizeof(name), "%s/%s", dir, sub);
	p = opendir(name);
	assert_non_null(p);
	while ((d = readdir(p)) != NULL)
		n += d->d_name[0] != '.';
	closedir(p);
	return n;
}

static void
poke(off_t off)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s/seg/0", dir);
	fd = open(name, O_RDWR);
	assert_int_equal(pwrite(fd, "!", 1, off), 1);
	close(fd);
}

static void
write_child(void)
{
	begin();
	send_one(1, "a@b.test", 1);
	send_one(2, "a@b.test", 2);
	commit_run();
	CHECK(nanswers == 2);
}

static void
read_child(void)
{
	begin();
	CHECK(recover_done());
}

static void
stays_child(void)
{
	struct segment *s;

	begin();
	CHECK(recover_done());
	s = TAILQ_FIRST(spool_segments());
	CHECK(s != NULL && s->file == 0 && s->state == SEG_BROKEN);
	CHECK(segment_new() != NULL && segment_new() != s);
	CHECK(s->state == SEG_BROKEN);
}

static void
test_files(void **state)
{
	empty_spool();
	in_child(write_child);
	poke(SEG_START + FRAME_HDR + 4);
	sh_cmd("cd %s/quarantine && seq -f f%%g 1000 | xargs touch");
	in_child(read_child);
	assert_int_equal(files("quarantine"), 1000);
	sh_cmd("rm %s/quarantine/f7");
	in_child(read_child);
	assert_int_equal(files("quarantine"), 1000);
	in_child(read_child);		/* it is there, and counts once */
	assert_int_equal(files("quarantine"), 1000);
}

static void
test_octets(void **state)
{
	unsigned int n;

	empty_spool();
	in_child(write_child);
	poke(10);
	poke(512 + 10);
	sh_cmd("truncate -s 1G %s/quarantine/large");
	in_child(stays_child);
	assert_int_equal(files("quarantine"), 1);
	n = files("seg");
	sh_cmd("truncate -s 1000M %s/quarantine/large");
	in_child(read_child);
	assert_int_equal(files("quarantine"), 2);
	assert_int_equal(files("seg"), n - 1);
	sh_cmd("cmp -n 8 %s/quarantine/segment.0.* - <<E\nMAILDSP1\nE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_octets),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
