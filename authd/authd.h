/*
 * authd: who may log in, who gets mail, who may send as whom.
 *
 * The database (db.c) is read once into memory (dir.c); all
 * questions are answered from there.  authd is the database's only writer:
 * a change goes to the database first and into memory when it is committed.
 *
 * Layers, lowest first; a file calls those before it:
 *	table loose guard slow recent dircert dir near resolve db
 *	base front pool keys login token scram args cert list orphan domain
 *	alias quota run authd
 */
#ifndef AUTHD_H
#define AUTHD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "conf/quota.h"
#include "proc/proc.h"

/* ---- authd.c: as struct role has them ------------------------------------ */

void	 authd_load(const struct conf *);
void	 authd_secret(enum conf_secret_kind, const uint8_t[32]);
/* Opens the database; without one it is tried again (base.c). */
void	 authd_start(const struct conf *);
/* A hash worker, or one more who asks. */
void	 authd_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);
void	 authd_reload(const struct conf *);
/* Writes what is to be remembered, and ends the process. */
void	 authd_stop(void);

/* ---- table.c: chained hash tables of things with a node inside ----------- */

struct node {
	struct node	*next;
	uint64_t	 hash;
};

struct table {
	struct node	**slot;
	size_t		 nslots;	/* a power of two, or 0 */
	size_t		 count;
};

/* Keyed hash of octets, the key is random per process (attacks 53). */
uint64_t table_hash(const void *, size_t);
void	 table_add(struct table *, struct node *, uint64_t hash);
void	 table_del(struct table *, struct node *);
/* First node in the chain of that hash; follow with ->next and compare. */
struct node *table_chain(const struct table *, uint64_t hash);
/* Take every node out, calling fn for each, and free the slots. */
void	 table_clear(struct table *, void (*fn)(struct node *));

/* ---- dir.c: the directory in memory -------------------------------------- */

#define DIR_ADDRESS_MAX	330	/* of an address in messages, with a NUL */
#define DIR_DEPTH_MAX	16	/* aliases within aliases */
#define DIR_TARGETS_MAX	100	/* routes of one recipient */
#define DIR_ROUTES_MAX	8000	/* octets of them, as queue can take */

#define KEYS_SALT	16	/* octets */
#define KEYS_COUNT	32768	/* rounds that keys are made with */
#define KEYS_COUNT_MIN	4096	/* that keys may have (RFC 7677 4), */
#define KEYS_COUNT_MAX	1000000	/* for a client has to do them */

/* What SCRAM-SHA-256 needs of a password (RFC 5802 3). */
struct keys {
	bool		 there;
	uint32_t	 count;
	uint8_t		 salt[KEYS_SALT];
	uint8_t		 stored[32], server[32];
};

struct account {
	struct node	 byaddress;	/* first: see dir.c */
	struct node	 byid;
	uint32_t	 id;
	bool		 enabled;	/* may log in and send */
	uint8_t		 full_percent;	/* so much of it is used */
	struct quota	 quota;		/* its own, else QUOTA_DEFAULT */
	uint64_t	 created;	/* seconds UTC */
	uint64_t	 full_until;	/* now_ms() / 1000: none till then */
	uint64_t	 full_size;	/* octets that had no room */
	struct quota	 full_quota;	/* when it was so */
	char		*hash;		/* of crypto_pwhash_str */
	struct keys	 keys;		/* of the same password */
	char		 address[];	/* lower case, "local@domain" */
};

struct alias {
	struct node	 byaddress;
	char		**target;	/* addresses, lower-case domains */
	size_t		 ntargets;
	bool		 active;	/* being expanded: finds loops */
	char		 address[];	/* lower case; "@domain": catch-all */
};

struct dir_answer {
	char		 address[DIR_ADDRESS_MAX];	/* canonical text */
	size_t		 addressn;
	char		 domain[256];	/* of address */
	uint32_t	 account[DIR_TARGETS_MAX];	/* local routes */
	size_t		 naccounts;
	bool		 outside;	/* the address itself is not ours */
	bool		 borrowed;	/* a name of this host, or one that
					 * somebody has to read: to send as it
					 * takes an alias */
	size_t		 n;		/* octets of routes */
	uint8_t		 routes[DIR_ROUTES_MAX];	/* list of item_route */
};

struct dir *dir_new(void);
void	 dir_free(struct dir *);
/* Domains that are ours, the first being the default one; host: name of
 * this host, whose names are those of the first one.  Replaces what was.
 * -1: a domain that is none (its index in *bad). */
int	 dir_domains(struct dir *, char *const *, size_t n, const char *host,
	    size_t *bad);
/* Who gets the mail of postmaster and its like where nobody else does; NULL
 * nobody. */
void	 dir_postmaster(struct dir *, const char *address);
/* Addresses, in those domains, whose mail goes to report-in unless they are
 * an account's or an alias.  Replaces what was. */
void	 dir_reports(struct dir *, char *const *, size_t n);
const char *dir_domain(const struct dir *, size_t);	/* NULL at the end */
bool	 dir_is_local(const struct dir *, const char *domain);
/* How many accounts are there in that domain, and the oldest of them (NULL
 * none). */
size_t	 dir_domain_accounts(const struct dir *, const char *domain,
	    const struct account **first);
/* How many enabled accounts are in none of the domains, and the oldest. */
size_t	 dir_strays(const struct dir *, const struct account **);
/* How many accounts are there in all. */
size_t	 dir_accounts(const struct dir *);

/* Add; strings are copied.  NULL: that address or id is there already. */
struct account *dir_account_add(struct dir *, uint32_t id, const char *address,
	    const char *hash, bool enabled, uint64_t created);
void	 dir_account_del(struct dir *, struct account *);
/* A new password, with its keys if there are. */
void	 dir_account_hash(struct account *, const char *hash,
	    const struct keys *);
/* What it may hold; 0 is no limit. */
struct quota account_quota(const struct account *);
bool	 account_has_quota(const struct account *);	/* one of its own */
struct account *dir_account(const struct dir *, struct slice address);
struct account *dir_account_id(const struct dir *, uint32_t id);
/* The account a login name means: the address, or only its local part in
 * the default domain.  ASCII case does not matter.  *name (size
 * DIR_ADDRESS_MAX) is set to the full address also when there is no such
 * account (then NULL is returned); "" if it cannot be a name at all. */
struct account *dir_login(const struct dir *, struct slice user, char *name);

/* Accounts that were deleted in the last days: queue may not know yet. */
void	 dir_gone_add(struct dir *, uint32_t id);
void	 dir_gone_each(const struct dir *, void (*fn)(uint32_t id, void *),
	    void *);

/* Add one target to an alias (made when new).  -1: there already. */
int	 dir_alias_add(struct dir *, const char *address, const char *target);
void	 dir_alias_del(struct dir *, struct alias *);
struct alias *dir_alias(const struct dir *, struct slice address);

/* An address as an operator types it, made the key of an account or alias:
 * lower case, of a domain of ours, no quoting, no routing tricks.  catchall:
 * "@domain" is welcome.  0, or -1 with *why. */
int	 dir_key(const struct dir *, struct slice in, bool catchall, char *key,
	    size_t size, const char **why);
/* A target of an alias: any address; domain in lower case.  0, -1. */
int	 dir_target(struct slice in, char *out, size_t size, const char **why);

/* Some account, the same for the same n; NULL: there is none. */
const struct account *dir_some(const struct dir *, uint64_t n);
/* Call fn for every account, in no order. */
void	 dir_each(const struct dir *, void (*fn)(const struct account *,
	    void *), void *);
/* The same for every alias. */
void	 dir_each_alias(const struct dir *, void (*fn)(const struct alias *,
	    void *), void *);
/* The addresses of all accounts or aliases, sorted; the caller frees each
 * and the array. */
char	**dir_list(const struct dir *, bool aliases, size_t *n);

/*
 * Where mail for an address goes.  DIR_OK with routes (for an outside
 * address: that route, and outside set; whether the asker may have it is
 * the caller's question), DIR_UNKNOWN, DIR_DENIED (routing tricks, literals
 * that mean this host), DIR_TEMP (the directory contradicts itself: a loop,
 * too deep, too many).  The answer's address is set in every case that
 * parses.
 */
enum dir_result dir_resolve(struct dir *, struct slice address,
	    struct dir_answer *);

/* The same for this host itself, at whose name everybody is somebody. */
enum dir_result dir_resolve_here(struct dir *, struct slice address,
	    struct dir_answer *);
/* The same as dir_resolve() for the key of an account or an alias, of a
 * catch-all for a name that is none; as if that account or that alias (NULL:
 * none) were not there. */
enum dir_result dir_resolve_key(struct dir *, const char *key,
	    const struct account *, const struct alias *,
	    struct dir_answer *);
/* Is that account among those that get it? */
bool	 dir_answer_has(const struct dir_answer *, uint32_t account);
/* Who is at the end of a route: the account's address, or that outside. */
struct slice dir_route_who(const struct dir *, const struct item_route *);
/* Is mail for that key read as a report, unless an account or an alias has
 * its address? */
bool	 dir_is_report(const struct dir *, const char *key);

/* ---- dircert.c: certificates in memory ------------------------------------ */

/* Certificates that accounts log in with, by SHA-256.  Whose one is, 0:
 * nobody's; one is one account's. */
#define FINGERPRINT	32
uint32_t dir_cert(const struct dir *, const uint8_t fp[FINGERPRINT]);
void	 dir_cert_add(struct dir *, const uint8_t fp[FINGERPRINT],
	    uint32_t account);
void	 dir_cert_del(struct dir *, const uint8_t fp[FINGERPRINT]);
/* Call fn for each of that account, in no order. */
void	 dir_certs_each(const struct dir *, uint32_t account,
	    void (*fn)(const uint8_t fp[FINGERPRINT], void *), void *);

/* ---- near.c: which address was meant ------------------------------------- */

enum near {
	NEAR_NEW,	/* one that needs not be there: its domain has to */
	NEAR_ACCOUNT,
	NEAR_ALIAS,
	NEAR_ANY	/* an account or an alias */
};

/* The address that may have been meant, in out of size DIR_ADDRESS_MAX:
 * one edit away, in another domain of ours, or in the nearest one.  false:
 * there is none like it. */
bool	 near_address(const struct dir *, struct slice, enum near, char *out);

/* ---- db.c: SQLite -------------------------------------------------------- */

enum db_result {
	DB_OK,
	DB_FAILED,		/* it could not be read, for now */
	DB_DAMAGED,
	DB_NEWER		/* of a newer release: nothing was written */
};

/* Open the database at path (made only when there is none, or an empty file)
 * and load everything into the directory.  When not DB_OK a message is in err
 * and nothing is open. */
enum db_result db_open(const char *path, struct dir *, char *err,
	    size_t errsize);
void	 db_close(void);
/* The highest account number that was ever given. */
uint32_t db_highest(void);
/* Each of these returns when the change is on stable storage: 0, or -1 with
 * the reason from db_error().  insert makes the row in a state that is
 * dropped at the next load until db_account_state says otherwise. */
int	 db_account_insert(const char *address, const char *hash,
	    const struct keys *, uint64_t created, uint32_t *id);
int	 db_account_state(uint32_t id, bool enabled);
/* The keys are of the same password; there false: it has none. */
int	 db_account_hash(uint32_t id, const char *hash, const struct keys *);
/* Keys that were made later, of n accounts, each good as long as the hash of
 * its row is this one. */
struct db_keys {
	uint32_t	 id;
	char		 hash[256];
	struct keys	 keys;
};
int	 db_keys_add(const struct db_keys *, size_t n);
int	 db_keys_forget(void);		/* of all accounts */
int	 db_cert_add(const uint8_t fp[FINGERPRINT], uint32_t account);
int	 db_cert_del(const uint8_t fp[FINGERPRINT]);
/* 32 octets that are this directory's for ever. */
const uint8_t *db_secret(void);
int	 db_account_delete(uint32_t id);
int	 db_account_quota(uint32_t id, const struct quota *);
/* No number up to this is given from now on. */
int	 db_adopt(uint32_t highest);
int	 db_alias_set(const char *address, char *const *targets, size_t n);
int	 db_alias_delete(const char *address);
const char *db_error(void);

/* ---- loose.c: databases that may be lost --------------------------------- */

struct loose {
	struct sqlite3	*db;		/* NULL: not open */
	const char	*path, *schema;
	bool		 told;		/* that it is not was logged */
};

/* Read what is there into memory; may be called again.  0, -1. */
typedef int (*loose_load)(struct sqlite3 *, void *arg);

/* path and schema are kept.  What cannot be opened is tried again. */
void	 loose_open(struct loose *, const char *path, const char *schema,
	    loose_load, void *arg);
/* A transaction, NULL: not now. */
struct sqlite3 *loose_begin(struct loose *, loose_load, void *arg);
/* Its end; ok false: all of it is taken back.  0, -1: nothing is written. */
int	 loose_end(struct loose *, bool ok);
void	 loose_close(struct loose *);

/* ---- guard.c: recipients outside ----------------------------------------- */

struct guard_counts { uint64_t hour, day, pending; };

/* May that account write to one more recipient outside?  Then it is pending,
 * and counted in *open of its connection.  name is for the log. */
bool	 guard_take(uint32_t account, const char *name, uint32_t *open,
	    uint64_t now);
/* Another mail of that connection begins, or it ends: what it has open is
 * dropped a minute later, unless it is told to be sent. */
void	 guard_leave(uint32_t account, uint32_t *open, uint64_t now);
/* A message with n recipients outside is on disk.  open: of its connection,
 * NULL when that has gone. */
void	 guard_sent(uint32_t account, uint32_t n, uint32_t *open,
	    uint64_t now);
/* What is counted now; false: nothing. */
bool	 guard_counts(uint32_t account, struct guard_counts *, uint64_t now);
void	 guard_open(const char *path, uint64_t now);
void	 guard_save(uint64_t now);
void	 guard_close(void);

/* ---- slow.c: failures slow down ------------------------------------------ */

#define SLOW_MS_MAX	15000	/* longest wait */

enum slow_kind { SLOW_NAME = 1, SLOW_NETWORK, SLOW_KEY };
struct slow_key { uint8_t kind; uint8_t b[8]; };

/* The key that names are hashed with is made from this one.  To be called
 * before slow_name(). */
void	 slow_secret(const uint8_t key[32]);
struct slow_key slow_name(const char *name);
/* /24 of an IPv4, /64 of an IPv6 address; kind 0 for hosts that are never
 * slowed down: of the configured networks, of loopback, or unknown. */
struct slow_key slow_network(const struct msg_addr *);
/* The failures counted now: one is forgotten every SLOW_FORGET seconds. */
unsigned int slow_count(const struct slow_key *, uint64_t now);
void	 slow_fail(const struct slow_key *, uint64_t now);	/* one more */
void	 slow_clear(const struct slow_key *);
/* Milliseconds to wait after count failures, of which so many are free. */
uint32_t slow_wait(unsigned int count, unsigned int free);
/* Counters in a database that may be lost. */
void	 slow_open(const char *path, uint64_t now);
void	 slow_save(uint64_t now);	/* if there is something new */
void	 slow_close(void);

/* ---- recent.c: recent successes ------------------------------------------ */

#define RECENT_SECONDS	600

void	 recent_init(void);	/* a fresh random key, nothing known */
/* Did that account log in with that password lately?  Constant time. */
bool	 recent_has(uint32_t account, struct slice password, uint64_t now);
void	 recent_add(uint32_t account, struct slice password, uint64_t now);
void	 recent_drop(uint32_t account);

/* ---- front.c: who asks, and what their connections proved ---------------- */

struct front {			/* a channel that asks */
	enum proc_role	 role;
	uint16_t	 instance;
	struct chan	*chan;
	uint32_t	 serial;	/* never used again */
	struct table	 proved;	/* conns that logged in (smtpd) */
};

struct proved {
	struct node	 node;
	uint64_t	 conn;
	uint32_t	 account;
	uint32_t	 open;		/* recipients outside, see guard */
};

/* Lives until its channel ends. */
struct front *front_new(enum proc_role, uint16_t instance, int fd,
	    const struct chan_handler *, size_t n);
/* The front with that serial, NULL when it has gone. */
struct front *front_find(uint32_t serial);
/* The front whose connection that is. */
struct front *front_of(uint64_t conn);
/* The front broke a rule that chan.c does not know: it and its channel end. */
void	 front_cut(struct front *, const char *why);
/* Does a connection number belong to that front? */
bool	 front_owns(const struct front *, uint64_t conn);
/* Is there room for one more login? */
bool	 front_room(const struct front *);
/* Whoever is at that connection proved to be account. */
void	 front_prove(struct front *, uint64_t conn, uint32_t account);
struct proved *proved_find(const struct front *, uint64_t conn);
void	 front_disprove(struct front *, struct proved *);
/* What the account proved is over: smtpd ends its sessions, maild takes back
 * its grants, and queue holds its mail if it may send no more at all. */
void	 front_revoke_all(uint32_t account, enum auth_revoked why);
/* It may send again. */
void	 front_restore_all(uint32_t account);
/* To every queue: what that account may hold from now on. */
void	 front_quota_all(const struct account *);
/* Call fn for every front. */
void	 front_each(void (*fn)(struct front *));
/* What a queue missed while it was away; to all: while we were. */
void	 front_catch_up(struct front *);
void	 front_catch_up_all(void);

/* ---- base.c: the directory as it stands ---------------------------------- */

/* NULL while the database cannot be used; *why (may be NULL) tells. */
struct dir *authd_dir(const char **why);
/* opened: is called whenever all of it was read. */
void	 base_open(void (*opened)(void));
/* Read all of it again.  What pointed into it is gone. */
void	 base_reread(void);
void	 base_tick(void);	/* every second: try again */
void	 base_reload(void);
/* That account was enabled, disabled or deleted: if its domain is none of
 * ours, what is told of such accounts may change. */
void	 base_account_changed(const char *address);
/* Does the store have accounts of numbers that the directory never gave?
 * Then it is not the store's, and what it does not know may well exist. */
bool	 base_strange(void);
/* dir_resolve(), or here dir_resolve_here(), but DIR_TEMP for what is not to
 * be said for certain now. */
enum dir_result base_resolve(struct slice address, bool here,
	    struct dir_answer *);
/* maild: the highest account number in the store. */
void	 base_on_highest(struct chan *, struct msg *, void *);
/* mailctl account adopt: the directory is the store's from now on. */
void	 base_adopt(uint32_t ask);

/* ---- keys.c: keys of SCRAM, made and offered ----------------------------- */

/* Are keys to be made at all? */
bool	 keys_wanted(void);
/* Salt and count that a login of that name is told, and that keys of that
 * account (NULL: there is none) are made with: those it has, or what is the
 * name's for ever, whether there is an account or not. */
void	 keys_salt(const struct account *, const char *name, struct keys *);
/* That password of the account was right: it gets keys if it has none. */
void	 keys_learn(const struct account *, struct slice password);
/* Accounts or the configuration changed. */
void	 keys_changed(void);
/* The directory was opened. */
void	 keys_opened(void);
void	 keys_tick(void);	/* every second: writes, and tells fronts */
/* A front came: whether it is offered. */
void	 keys_tell_new(struct front *);

/* ---- login.c: logins ----------------------------------------------------- */

/* Who logs in, by whatever mechanism. */
struct asker {
	uint32_t	 front;		/* serial */
	uint32_t	 ask;		/* its number */
	enum msg_type	 answer;	/* to be given */
	uint64_t	 conn;
	struct slow_key	 byname, bynet;
	char		 who[DIR_ADDRESS_MAX];	/* for the log */
};

void	 login_init(void);
/* user is as it was given, name the address it means, "" none. */
void	 login_asker(struct asker *, const struct front *, uint32_t ask,
	    enum msg_type answer, uint64_t conn, const struct msg_addr *peer,
	    struct slice user, const char *name);
/* The client proved who it is: what others failed of its name is forgotten.
 * Returns the ms that it waits for its answer all the same, as one that
 * failed does. */
uint32_t login_pause(const struct asker *);
/* Each answers, if the front is still there: the client proved to be that
 * account; it did not, which is counted; it cannot be told now. */
void	 login_done(const struct asker *, const struct account *,
	    uint32_t wait);
void	 login_wrong(const struct asker *);
void	 login_later(const struct asker *);
/* Answers AUTH_LOGIN number ask of that front, now or later. */
void	 login_ask(struct front *, uint32_t ask, const struct auth_login *);
/* That connection of a front is gone: nobody waits for its login. */
void	 login_forget(const struct front *, uint64_t conn);

/* Does that network, which only failed of late, have enough in the line?
 * more: of its that wait there besides passwords. */
bool	 login_crowded(const struct asker *, unsigned int more);

/* ---- token.c: logins by a token ------------------------------------------ */

/* Answers AUTH_TOKEN number ask of that front, now or later. */
void	 token_ask(struct front *, uint32_t ask, const struct auth_token *);
/* That connection of a front is gone. */
void	 token_forget(const struct front *, uint64_t conn);

/* ---- cert.c: logins by a certificate ------------------------------------- */

/* Answers AUTH_CERT number ask of that front. */
void	 cert_ask(struct front *, uint32_t ask, const struct auth_cert *);

/* ---- scram.c: exchanges of SCRAM ----------------------------------------- */

/* Answers AUTH_STEP number ask of that front. */
void	 scram_step(struct front *, uint32_t ask, const struct auth_step *);
/* That connection of a front is gone. */
void	 scram_forget(const struct front *, uint64_t conn);
void	 scram_tick(void);	/* every second: who waited too long */

/* ---- pool.c: the hash workers and who waits for them --------------------- */

#define POOL_WORKERS	64

struct pool_answer {
	int		 ok;	/* 1 right, 0 wrong, -1 could not be found out */
	struct slice	 hash;		/* that was made */
	bool		 keys;		/* stored and server were */
	struct msg_mac	 stored, server;
	struct slice	 user;		/* whom the token names */
	struct slice	 why;		/* it is not good */
};

/* Exactly once, never from within the asking call. */
typedef void (*pool_cb)(const struct pool_answer *, void *arg);

void	 pool_worker(uint16_t instance, int fd);
/* Is there room for one more to wait? */
bool	 pool_room(unsigned int max);
/* Verify a password against a hash. */
void	 pool_verify(struct slice password, struct slice hash, pool_cb,
	    void *arg);
/* Make its hash, and keys with that salt and count (count 0: none); goes
 * first, an operator waits. */
void	 pool_make(struct slice password, const struct keys *, pool_cb,
	    void *arg);
/* Verify a token. */
void	 pool_token(struct slice, pool_cb, void *arg);
/* Make its keys alone; goes last, nobody waits.  false: too many are. */
bool	 pool_keys(struct slice password, const struct keys *, pool_cb,
	    void *arg);
void	 pool_tick(void);	/* every second: who waited too long */

/* ---- run.c: commands of mailctl ------------------------------------------ */

void	 run_command(uint32_t ask, uint32_t uid, struct slice args);

/* ---- list.c: long answers to mailctl, in pieces -------------------------- */

/* Call each for all accounts or aliases that are there now, by address, some
 * a loop turn and none while the channel to maild is full (d NULL: the
 * directory cannot be used now; key may have gone meanwhile), then end; not
 * when maild is gone. */
void	 list_each(uint32_t ask, bool aliases, void (*each)(uint32_t ask,
	    struct dir *d, const char *key, void *), void (*end)(uint32_t ask,
	    void *), void *arg);
void	 list_accounts(uint32_t ask);
void	 list_aliases(uint32_t ask);
void	 list_domains(uint32_t ask);
void	 list_guard(uint32_t ask);	/* accounts that sent lately */
/* One account as a row. */
void	 list_account_row(uint32_t ask, const struct account *,
	    const char *password);

#endif
