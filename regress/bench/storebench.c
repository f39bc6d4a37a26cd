/*
 * What the store costs, in microseconds of CPU: delivery in batches over
 * several accounts with one syncfs a batch, as deliver does it; then a cold
 * session on a large mailbox.  Arguments: directory, messages, accounts,
 * batch.  Prints one figure a line.
 */
#include "base/compat.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "parse/mime.h"
#include "store/store.h"

#define ACCOUNTS_MAX	100
#define BODY		1024

struct clock {
	double	 cpu, wall;
};

static struct clock
now(void)
{
	struct rusage ru;
	struct timespec ts;

	getrusage(RUSAGE_SELF, &ru);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (struct clock){
	    (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * 1e6 +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec),
	    (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3 };
}

static void
show(const char *what, struct clock a, double n)
{
	struct clock b = now();

	printf("%-44s %9.2f us CPU %9.2f us wall\n", what, (b.cpu - a.cpu) / n,
	    (b.wall - a.wall) / n);
}

static void
must(enum store_result r, const char *what)
{
	if (r == STORE_OK)
		return;
	fprintf(stderr, "storebench: %s: %s\n", what, store_strerror(r));
	exit(1);
}

static int
account_dir(const char *root, int i)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/a%d", root, i);
	(void)mkdir(path, 0700);
	if ((fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1) {
		perror(path);
		exit(1);
	}
	must(store_create(fd), "create");
	return fd;
}

static void
fill(struct store_item *it, int k, const struct iovec *prefix,
    const struct iovec *body, const void *facts, size_t n)
{
	memset(it, 0, sizeof(*it));
	memcpy(it->id, &k, sizeof(k));
	it->prefix = prefix;
	it->nprefix = 1;
	it->body = body;
	it->nbody = 1;
	it->fd = -1;
	it->facts = facts;
	it->facts_len = n;
	it->date = 1795000000 + k;
}

/* Batches of messages, spread over the accounts, one syncfs each. */
static void
deliver(int *fds, int accounts, int messages, int batch)
{
	static char text[BODY];
	static const char start[] = "From: a@b.test\r\nTo: u0@bench.test\r\n"
	    "Subject: bench\r\nMessage-ID: <1@b.test>\r\n\r\n";
	char head[] = "Return-Path: <sender@example.test>\r\n"
	    "Delivered-To: u0@bench.test\r\n";
	struct iovec prefix = { head, sizeof(head) - 1 };
	struct iovec body = { text, sizeof(text) };
	struct store *st[ACCOUNTS_MAX];
	struct store_item items[STORE_BATCH_MAX];
	struct clock t, sum = { 0, 0 }, u;
	size_t nfacts;
	char *facts;
	int i, k, n, done;

	memset(text, 'x', sizeof(text));
	memcpy(text, start, sizeof(start) - 1);
	for (i = 158; i < BODY; i += 78)
		memcpy(text + i, "\r\n", 2);
	facts = mime_facts(text, sizeof(text), &nfacts);
	for (i = 0; i < accounts; i++)
		must(store_open(&st[i], fds[i], STORE_DELIVER), "open");
	t = now();
	for (done = 0; done < messages; done += batch) {
		u = now();
		for (i = 0; i < accounts; i++) {
			n = (batch + i) / accounts;
			for (k = 0; k < n; k++)
				fill(&items[k], done + i * 1000 + k, &prefix,
				    &body, facts, nfacts);
			must(store_deliver(st[i], items, (size_t)n), "deliver");
		}
		sum.cpu += now().cpu - u.cpu;
		if (syncfs(fds[0]) == -1)
			perror("syncfs");
		for (i = 0; i < accounts; i++) {
			store_synced(st[i]);
			store_poke(st[i]);
		}
	}
	show("delivered message, sync and poke included", t, messages);
	printf("%-44s %9.2f us CPU\n", "delivered message, store_deliver alone",
	    sum.cpu / messages);
	printf("%-44s %9zu octets\n", "facts", nfacts);
	for (i = 0; i < accounts; i++)
		store_close(st[i]);
	free(facts);
}

static struct store *
cold_open(int fd, const char *what)
{
	struct store *st;
	struct store_view *v;
	struct clock t = now();

	must(store_open(&st, fd, STORE_SESSION), "open");
	must(store_view_open(&v, st, "INBOX", 0), "view");
	show(what, t, 1);
	store_view_close(v);
	return st;
}

static void
session(int fd, int messages)
{
	const struct store_msg *m;
	struct store_view_info info;
	struct store_changed c;
	struct store_flagset seen = { STORE_SEEN, NULL, 0 };
	struct store_range all = { 1, 0 };
	struct store_copied copied;
	struct store_view *v;
	struct store *st;
	struct clock t;
	struct iovec f;
	uint64_t sum = 0;
	uint32_t i;

	store_close(cold_open(fd, "open and SELECT from the log alone"));
	st = cold_open(fd, "the same again");
	t = now();
	must(store_checkpoint(st), "checkpoint");
	show("checkpoint", t, 1);
	store_close(st);
	st = cold_open(fd, "open and SELECT from the checkpoint");
	must(store_view_open(&v, st, "INBOX", 0), "view");
	store_view_info(v, &info);
	all.last = info.exists;
	t = now();
	for (i = 1; i <= info.exists; i++)
		sum += store_view_msg(v, i)->flags;
	show("flags of all", t, 1);
	t = now();
	for (i = 1; i <= info.exists; i++) {
		must(store_facts(st, store_view_msg(v, i), &f), "facts");
		sum += f.iov_len;
	}
	show("facts of all", t, 1);
	t = now();
	for (i = 1; i <= info.exists; i++) {
		m = store_view_msg(v, i);
		must(store_peek(st, m, 0, m->size, &f), "peek");
		sum += f.iov_len;
	}
	show("bodies of all", t, 1);
	t = now();
	must(store_flags(v, &all, 1, STORE_FLAGS_ADD, &seen, UINT64_MAX, true,
	    &c), "flags");
	show("STORE 1:* +FLAGS", t, 1);
	t = now();
	must(store_copy(v, &all, 1, "Archive", 0, &copied), "copy");
	show("COPY 1:*", t, 1);
	t = now();
	must(store_sync(st), "sync");
	show("sync", t, 1);
	printf("%-44s %9u of %d messages, %llu octets\n", "seen", info.exists,
	    messages, (unsigned long long)sum);
	store_view_close(v);
	store_close(st);
}

int
main(int argc, char *argv[])
{
	int fds[ACCOUNTS_MAX], accounts, messages, batch, i, big;
	const char *e;

	if (argc != 5) {
		fprintf(stderr, "usage: storebench dir messages accounts "
		    "batch\n");
		return 2;
	}
	messages = (int)strtonum(argv[2], 1, 10000000, &e);
	accounts = (int)strtonum(argv[3], 1, ACCOUNTS_MAX, &e);
	batch = (int)strtonum(argv[4], 1, STORE_BATCH_MAX, &e);
	for (i = 0; i < accounts; i++)
		fds[i] = account_dir(argv[1], i);
	deliver(fds, accounts, messages, batch);
	big = account_dir(argv[1], accounts);
	printf("-- one account, %d messages\n", messages);
	deliver(&big, 1, messages, batch);
	session(big, messages);
	return 0;
}
