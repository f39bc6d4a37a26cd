/*
 * When each recipient is tried, and in which order.  A message with
 * recipients that wait for a time is in one heap; recipients that are due
 * are grouped into jobs: one message, one destination.  A destination is an
 * instance of deliver, a domain, or the smarthost; each has its line of jobs
 * and a limit of jobs handed out, and those with work take turns.
 *
 * Invariants: a recipient is in exactly one place: WAIT in the heap (through
 * its message), READY in a waiting job, SENT in one handed out, or none of
 * these (HELD, BOUNCING, DONE).  m->njobs jobs point to m, m->nwait of them
 * wait in a line.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/util.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "queue/queue.h"

#define DEST_BUCKETS	4096
#define LOCAL_LIMIT	512		/* messages one deliver may have */
#define REPORT_LIMIT	32		/* and report-in, one after the other */
#define TURN_JOBS	256		/* handed out in one turn */
#define TURN_DUE	4096		/* messages taken from the heap */
#define FAIR_LOOK	32		/* jobs looked at for another sender */
#define IDX_MAX		4096

static struct {
	const struct schedule_ops *ops;
	struct event_base *base;
	struct event	*timer, *kick;
	struct message	**heap;
	size_t		 n, cap;
	struct dest	*hash[DEST_BUCKETS];
	uint8_t		 key[16];
	TAILQ_HEAD(, dest) ready;
} sc;

static void	 on_timer(evutil_socket_t, short, void *);
static void	 on_kick(evutil_socket_t, short, void *);
static void	 schedule_kick(void);
static void	 schedule_job_back(struct job *);
static void	 timer_set(void);
static struct dest *dest_get(const struct message *, const struct rcpt *);
static void	 dest_ready(struct dest *);
static void	 dest_free(struct dest *);
static struct job *dest_pick(struct dest *);
static void	 job_join(struct message *, uint32_t);
static bool	 job_trim(struct job *);
static void	 job_hand_out(struct dest *, struct job *);

/* ---- heap by m->next -------------------------------------------------- */

static void
heap_set(size_t i, struct message *m)
{
	sc.heap[i] = m;
	m->heap = (uint32_t)i + 1;
}

static void
heap_up(size_t i)
{
	struct message *m = sc.heap[i];

	for (; i > 0 && sc.heap[(i - 1) / 2]->next > m->next; i = (i - 1) / 2)
		heap_set(i, sc.heap[(i - 1) / 2]);
	heap_set(i, m);
}

static void
heap_down(size_t i)
{
	struct message *m = sc.heap[i];
	size_t c;

	while ((c = 2 * i + 1) < sc.n) {
		if (c + 1 < sc.n && sc.heap[c + 1]->next < sc.heap[c]->next)
			c++;
		if (sc.heap[c]->next >= m->next)
			break;
		heap_set(i, sc.heap[c]);
		i = c;
	}
	heap_set(i, m);
}

static void
heap_remove(struct message *m)
{
	size_t i;
	struct message *last;

	if (m->heap == 0)
		return;
	i = m->heap - 1;
	m->heap = 0;
	last = sc.heap[--sc.n];
	if (last == m)
		return;
	heap_set(i, last);
	heap_up(i);
	heap_down(last->heap - 1);
}

static void
heap_add(struct message *m)
{
	if (sc.n == sc.cap) {
		sc.cap = sc.cap == 0 ? 1024 : sc.cap * 2;
		sc.heap = xreallocarray(sc.heap, sc.cap, sizeof(*sc.heap));
	}
	heap_set(sc.n++, m);
	heap_up(sc.n - 1);
}

/* ---- the schedule ----------------------------------------------------- */

void
schedule_init(struct event_base *base, const struct schedule_ops *ops)
{
	sc.ops = ops;
	sc.base = base;
	TAILQ_INIT(&sc.ready);
	random_bytes(sc.key, sizeof(sc.key));
	sc.timer = event_new(base, -1, 0, on_timer, NULL);
	sc.kick = event_new(base, -1, 0, on_kick, NULL);
	if (sc.timer == NULL || sc.kick == NULL)
		fatalx("event_new");
}

void
schedule_message(struct message *m)
{
	uint32_t now = (uint32_t)clock_now(), next = UINT32_MAX, i;

	heap_remove(m);
	if (m->copying || m->checking)
		return;
	for (i = 0; i < m->nrcpt; i++) {
		if (m->rcpt[i].state != RCPT_WAIT)
			continue;
		if (m->rcpt[i].next <= now && sc.ops->check(m))
			return;
		if (m->rcpt[i].next <= now)
			job_join(m, i);
		else if (m->rcpt[i].next < next)
			next = m->rcpt[i].next;
	}
	if (next != UINT32_MAX) {
		m->next = next;
		heap_add(m);
		if (m->heap == 1)
			timer_set();
	}
	schedule_kick();
}

void
schedule_forget(struct message *m)
{
	heap_remove(m);
}

/* Call schedule_run soon. */
static void
schedule_kick(void)
{
	event_active(sc.kick, 0, 0);
}

/* Doubles from retry_min up to retry_max, up to a quarter more or less. */
uint32_t
schedule_delay(const struct conf *conf, unsigned int attempts, uint32_t random)
{
	uint64_t d = conf->queue.retry_min == 0 ? 1 : conf->queue.retry_min;
	uint64_t spread;

	while (attempts-- > 1 && d < conf->queue.retry_max)
		d *= 2;
	if (d > conf->queue.retry_max)
		d = conf->queue.retry_max;
	spread = d / 4;
	return (uint32_t)(d - spread + random % (2 * spread + 1));
}

unsigned int
schedule_tries(const struct conf *conf, uint64_t seconds)
{
	uint64_t d = conf->queue.retry_min == 0 ? 1 : conf->queue.retry_min;
	unsigned int n = 1;

	for (; d < conf->queue.retry_max && d <= seconds; n++) {
		seconds -= d;
		d *= 2;
	}
	if (d > conf->queue.retry_max)
		d = conf->queue.retry_max;
	return n + (unsigned int)(seconds / (d == 0 ? 1 : d));
}

static void
timer_set(void)
{
	struct timeval tv = { 0, 0 };
	uint32_t now = (uint32_t)clock_now();

	if (sc.n == 0)
		return;
	if (sc.heap[0]->next > now)
		tv.tv_sec = sc.heap[0]->next - now > 3600 ? 3600 :
		    (time_t)(sc.heap[0]->next - now);
	event_add(sc.timer, &tv);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	uint32_t now = (uint32_t)clock_now();
	unsigned int i;

	for (i = 0; i < TURN_DUE && sc.n > 0 && sc.heap[0]->next <= now; i++)
		schedule_message(sc.heap[0]);
	timer_set();
}

static void
on_kick(evutil_socket_t fd, short what, void *arg)
{
	schedule_run();
	qlog_write();		/* what fails is kept, and tried again */
}

void
schedule_run(void)
{
	struct dest *d;
	struct job *j;
	unsigned int n = 0;

	while ((d = TAILQ_FIRST(&sc.ready)) != NULL) {
		if (n++ == TURN_JOBS) {
			schedule_kick();
			return;
		}
		TAILQ_REMOVE(&sc.ready, d, ready);
		d->listed = false;
		if ((j = dest_pick(d)) == NULL)
			continue;
		TAILQ_REMOVE(&d->jobs, j, entry);
		d->active++;
		j->m->nwait--;
		job_hand_out(d, j);
	}
}

/* A peer that has no room calls schedule_wake() later.  What cannot be read
 * ends at once, and with it, were it not counted, its destination. */
static void
job_hand_out(struct dest *d, struct job *j)
{
	struct message *m = j->m;
	bool went = true;

	sc.ops->last_look(m);
	d->active++;
	if (!job_trim(j)) {		/* removed or held meanwhile */
		schedule_job_end(j);
		sc.ops->end(m);
	} else if (!sc.ops->send(j)) {
		schedule_job_back(j);
		went = false;
	}
	d->active--;
	if (d->active == 0 && TAILQ_EMPTY(&d->jobs))
		dest_free(d);
	else if (went)
		dest_ready(d);
}

/* ---- destinations ----------------------------------------------------- */

static void
dest_key(const struct message *m, const struct rcpt *r, char *key)
{
	const char *at;
	size_t i;

	key[0] = '\0';
	if (proc_conf()->relay.smarthost != NULL)
		return;
	at = strrchr(rcpt_address(m, r), '@');
	if (at == NULL || strlcpy(key, at + 1, DEST_KEY_MAX) >= DEST_KEY_MAX)
		key[0] = '\0';
	for (i = 0; key[i] != '\0'; i++)
		key[i] = (char)ascii_lower((unsigned char)key[i]);
}

static struct dest *
dest_get(const struct message *m, const struct rcpt *r)
{
	char key[DEST_KEY_MAX];
	struct dest *d, **head;
	unsigned int n = sc.ops->delivers(), instance = 0;

	if (r->type != ROUTE_REMOTE) {
		instance = n > 1 ? r->account % n : 0;
		key[0] = '\0';
		head = &sc.hash[instance % DEST_BUCKETS];
	} else {
		dest_key(m, r, key);
		head = &sc.hash[siphash24(sc.key, key, strlen(key)) %
		    DEST_BUCKETS];
	}
	for (d = *head; d != NULL; d = d->hash)
		if (d->route == r->type && d->instance == instance &&
		    strcmp(d->key, key) == 0)
			return d;
	d = xcalloc(1, sizeof(*d) + strlen(key) + 1);
	memcpy(d->key, key, strlen(key) + 1);
	TAILQ_INIT(&d->jobs);
	d->route = (enum route_type)r->type;
	d->instance = (uint16_t)instance;
	d->hash = *head;
	*head = d;
	return d;
}

static void
dest_free(struct dest *d)
{
	struct dest **p;
	size_t h = d->route != ROUTE_REMOTE ? d->instance % DEST_BUCKETS :
	    siphash24(sc.key, d->key, strlen(d->key)) % DEST_BUCKETS;

	for (p = &sc.hash[h]; *p != d; p = &(*p)->hash)
		;
	*p = d->hash;
	if (d->listed)
		TAILQ_REMOVE(&sc.ready, d, ready);
	free(d);
}

/* Jobs that it may have at a time. */
static unsigned int
dest_limit(const struct dest *d)
{
	if (d->route == ROUTE_REMOTE)
		return proc_conf()->relay.connections;
	return d->route == ROUTE_REPORT ? REPORT_LIMIT : LOCAL_LIMIT;
}

static void
dest_ready(struct dest *d)
{
	if (d->listed || TAILQ_EMPTY(&d->jobs) || d->active >= dest_limit(d))
		return;
	TAILQ_INSERT_TAIL(&sc.ready, d, ready);
	d->listed = true;
}

/* The next job, rather of another sender than the one before. */
static struct job *
dest_pick(struct dest *d)
{
	struct job *first = TAILQ_FIRST(&d->jobs), *j = first;
	unsigned int i;

	if (first == NULL || d->active >= dest_limit(d))
		return NULL;
	if (d->route == ROUTE_REMOTE && first->m->account == d->last_account)
		for (i = 0; i < FAIR_LOOK && j != NULL; i++) {
			if (j->m->account != d->last_account)
				break;
			j = TAILQ_NEXT(j, entry);
		}
	if (j == NULL || j->m->account == d->last_account)
		j = first;
	d->last_account = j->m->account;
	return j;
}

/* ---- jobs ------------------------------------------------------------- */

/* Into the last waiting job if it is of this message, else a new one. */
static void
job_join(struct message *m, uint32_t i)
{
	struct dest *d = dest_get(m, &m->rcpt[i]);
	struct job *j = TAILQ_LAST(&d->jobs, jobs_head);
	bool fresh = j == NULL || j->m != m || j->n >= JOB_RCPTS;

	if (fresh) {
		j = xcalloc(1, sizeof(*j) + (m->nrcpt > JOB_RCPTS ?
		    JOB_RCPTS : m->nrcpt) * sizeof(j->idx[0]));
		j->m = m;
		j->dest = d;
		TAILQ_INSERT_TAIL(&d->jobs, j, entry);
		m->njobs++;
		m->nwait++;
	}
	j->idx[j->n++] = i;
	m->rcpt[i].state = RCPT_READY;
	dest_ready(d);
}

/* Drop recipients that are not READY any more; false: none is left. */
static bool
job_trim(struct job *j)
{
	uint32_t i, n = 0;

	for (i = 0; i < j->n; i++)
		if (j->m->rcpt[j->idx[i]].state == RCPT_READY)
			j->idx[n++] = j->idx[i];
	j->n = n;
	return n > 0;
}

void
schedule_job_end(struct job *j)
{
	struct dest *d = j->dest;

	d->active--;
	j->m->njobs--;
	free(j);
	if (d->active == 0 && TAILQ_EMPTY(&d->jobs))
		dest_free(d);
	else
		dest_ready(d);
	schedule_kick();
}

/* Back in line, at the front: its channel was full or lost. */
static void
schedule_job_back(struct job *j)
{
	struct dest *d = j->dest;
	uint32_t i;

	for (i = 0; i < j->n; i++)
		j->m->rcpt[j->idx[i]].state = RCPT_READY;
	j->m->nwait++;
	j->chan = NULL;
	d->active--;
	TAILQ_INSERT_HEAD(&d->jobs, j, entry);
}

void
schedule_job_split(struct job *j, uint32_t n)
{
	uint32_t i, all = j->n;

	j->n = n;
	for (i = n; i < all; i++)
		job_join(j->m, j->idx[i]);
}

/* The peers have room again, or are there again. */
void
schedule_wake(void)
{
	struct dest *d;
	size_t i;

	for (i = 0; i < DEST_BUCKETS; i++)
		for (d = sc.hash[i]; d != NULL; d = d->hash)
			dest_ready(d);
	schedule_kick();
}
