/*
 * The root master: what its files share.
 *
 * Layers, lowest first; a file calls those before it:
 *	options finding danger port impaired program key directory signkey
 *	files listen conf_words conf_yaml domain_line mark_file mark owner look
 *	slot ticket command run account round grant share (absent graph) status
 *	(alive child control dkim dkim_make domain reload stop)
 *	trial maild
 */
#ifndef MAILD_H
#define MAILD_H

#include <sys/queue.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"

#define INSTANCES_MAX	64	/* of one role */
#define DKIM_MAX	4096	/* signing keys */
#define GRANTS_MAX	65536	/* sessions and parked connections */

enum child_state {
	CHILD_WAITING,		/* to be started again after a while */
	CHILD_STARTING,		/* exec'd, not yet confined and ready */
	CHILD_READY,
	CHILD_STOPPING		/* told to end; not started again */
};

struct child {
	TAILQ_ENTRY(child) entry;
	struct house	*house;
	enum proc_role	 role;
	uint16_t	 instance;
	enum child_state state;
	bool		 current;	/* false: a new or old generation */
	bool		 listening;	/* a front that has its listeners */
	pid_t		 pid;		/* 0: none */
	struct chan	*chan;		/* NULL: none */
	uint64_t	 started;	/* now_ms() */
	uint64_t	 joined;	/* the last of its channels made, now_ms() */
	unsigned int	 restarts;
	unsigned int	 fast;		/* deaths soon after the start, in a row */
	uint64_t	 again;		/* waiting: till then, now_ms() */
	bool		 absent;	/* nobody waits for it: absent.c */
	bool		 silent;	/* it hangs: alive.c */
	uint64_t	 asked;		/* since when an answer is due, or 0 */
	bool		 died;		/* once before; exit: as of wait(2) */
	int		 exit;
	char		 words[513];	/* the last of its last life */
	struct event	*timer;		/* of its state: child.c, on_timer */
};
TAILQ_HEAD(children, child);
TAILQ_HEAD(conditions, condition);

/* Files that children read, opened and checked as one generation. */
struct files {
	struct { char *pem; size_t n; } chain[CONF_NLIST];
	int		 tlskey[CONF_NLIST];
	struct { char *name; int fd; bool waits; } *dkim; /* "DOMAIN/SELECTOR" */
	size_t		 ndkim;
	int		 ca, password, tokens;	/* -1: none */
};

struct account_ids { uid_t uid; gid_t gid; };

struct house {
	struct event_base *base;
	const char	*conffile, *libexec;	/* absolute */
	struct conf	*conf;
	struct files	*files;
	uint32_t	 generation;
	bool		 foreground;		/* no daemon, stderr stays */
	bool		 debug;			/* log to stderr */
	bool		 yes;			/* what is dangerous is meant */
	char		*told;			/* warnings of the start */
	bool		 starting;
	bool		 first;			/* start of this house ever */
	bool		 logs_held;		/* logd does not read yet */
	uint64_t	 since;			/* now_ms() at the start */
	int		 prog[ROLE_MAX];	/* programs, open */
	int		 null;			/* /dev/null */
	int		 notify;		/* who waits for us to be up */
	int		 storefd;		/* directories.store */
	int		 listen[CONF_NLIST];	/* -1: not on this machine */
	struct event	*away[CONF_NLIST];	/* maild accepts there */
	struct account_ids ids[ROLE_MAX];
	gid_t		 mailbox;		/* group of every account */
	int		 log[ROLE_MAX][INSTANCES_MAX][2]; /* child's, logd's */
	uint8_t		 secret_rcpt[32], secret_sender[32],
			 secret_ticket[32];
	struct children	 children;
	struct conditions conditions;		/* what impairs the service */
	struct grants	*grants;
	struct runs	*runs;
	struct round	*round;			/* of each day */
	struct accounts	*accounts;		/* those that are closed */
	struct control	*control;
	struct reload	*reload;		/* NULL: none under way */
	struct stop	*stop;			/* NULL: running */
	struct event	*dkim_timer;
	/* everything serves that will for now: whoever started us may go */
	void		(*up)(struct house *);
	/* maild -n: one that was started to be looked at is ready, or died */
	void		(*tried)(struct child *, bool ready);
};

/* ---- options.c ---- */
/* What the command line asks for besides what struct house has. */
struct asked {
	bool	 check, verbose, fix, adopt;
};
void	 options_read(struct house *, struct asked *, int argc,
	    char **argv);
/* As the path is from /, where maild works. */
const char *path_absolute(const char *);

/* ---- finding.c: what somebody finds who looks whether it would start ---- */
#define FINDING_MAX	2048	/* octets of a line */
struct findings {
	struct house	*house;
	const struct conf *conf;
	int		 status;	/* that a start would have */
	unsigned int	 nwrong, nwarned;
	char		 wrong[16384], warned[8192];	/* lines */
};
/* maild with these options, and -f where the file is not the usual one. */
void	 house_command(const struct house *, const char *options, char *buf,
	    size_t size);
void	 finding_begin(struct findings *, struct house *,
	    const struct conf *);
/* At a value of the configuration (key NULL: at none): what is, what should
 * be.  status: with which a start would end. */
void	 finding_wrong(struct findings *, int status, const char *key,
	    size_t index, const char *fmt, ...)
	    __attribute__((format(printf, 5, 6)));
void	 finding_warn(struct findings *, const char *key, size_t index,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* Each line is wrong; a key may stand in it in parentheses. */
void	 finding_lines(struct findings *, int status, const char *lines);
void	 finding_log(const struct findings *);
/* A message of several lines, each behind head. */
void	 log_lines(log_fn *, const char *head, const char *lines);
/* The warnings, each behind a newline and "warning: ", to be freed. */
char	*finding_text(const struct findings *);

/* ---- danger.c: what hardly anybody wants ---- */
/* In the configuration; of its file. */
void	 danger_look(struct findings *);
void	 danger_file(struct findings *);

/* ---- port.c: who has a port ---- */
/* A process whose socket listens where l wants to, with its name; ours when
 * it is one of them.  0: none is seen. */
pid_t	 port_holder(const struct conf_listen *, pid_t ours, char *name,
	    size_t size);

/* ---- owner.c: owners and modes after a restore ---- */
/* Of the first files of each directory; -F: of all, mended.  The exit
 * status. */
void	 owner_look(struct findings *);
int	 owner_mend(struct house *, bool dry);

/* ---- look.c: would it start? ---- */
/* The number of a maild that runs with the pid file of conf, 0: none does. */
pid_t	 look_running(const struct conf *);
/* All that a start needs, as root; changes nothing.  The files, or NULL when
 * something is wrong that comes before them. */
struct files *look_all(struct findings *, pid_t running);
/* What everybody can see. */
void	 look_open(struct findings *);
/* What a reload needs, beside the values that cannot change. */
void	 look_reload(struct findings *, const struct conf *old,
	    const int *old_fds);

/* ---- trial.c: what signd says of its keys ---- */
void	 trial_run(struct findings *, const struct files *);

/* ---- maild.c ---- */
/* The configuration; without one maild ends, having said what is wrong. */
struct conf *conf_read(const char *path);
/* -n: what a start would find, and the status it would have. */
int	 house_check(struct house *);
/* -F: owners and modes; dry: what would be done.  The exit status. */
int	 house_mend(struct house *, bool dry);
/* --adopt: these directories are the house's.  The exit status. */
int	 house_adopt(const struct house *, char **dirs);
/* Start all processes and serve until the end.  The exit status. */
int	 house_run(struct house *);

/* ---- slot.c: a process as others see it ---- */
/* The current process of that role and number when it is ready, or NULL. */
struct child *child_ready(struct house *, enum proc_role, uint16_t instance);
const char *child_state_name(const struct child *);
/* "status N", "signal N", or "" when it never ended. */
const char *child_exit_name(const struct child *, char *buf, size_t size);
/* Does it take connections from outside? */
bool	 share_is_front(enum proc_role);
/* One secret; of the table, or of ticket.c. */
void	 share_secret(struct child *, enum conf_secret_kind,
	    const uint8_t key[32]);
/* Socket pair of the house's kind; 0, -1. */
int	 graph_pair(int sv[2], int bufsize);

/* ---- child.c: the processes ---- */
/* How many of role the configuration wants. */
unsigned int child_wanted(const struct conf *, enum proc_role);
/* A new slot, not started. */
struct child *child_new(struct house *, enum proc_role, uint16_t instance);
/* Fork and exec the program and send its share of the configuration. */
void	 child_start(struct child *, const struct conf *,
	    const struct files *);
/* Tell it to end; SIGKILL after ms. */
void	 child_stop(struct child *, unsigned int ms);
/* A generation that is not wanted: kill it, forget it when it is dead. */
void	 child_discard(struct child *);
/* After SIGCHLD: reap all that died, start again what should live. */
void	 child_reap(struct house *);

/* ---- program.c: the programs of the house ---- */
#define PROGRAM_PATH	1200
void	 program_path(const char *libexec, enum proc_role,
	    char path[PROGRAM_PATH]);
/* Open all of them; ends maild when one is missing or they are not of this
 * build. */
void	 programs_open(struct house *);
/* What programs_open would complain of. */
void	 programs_look(struct findings *);
/* In a child of fork that has what it needs below descriptor fd: run the
 * program of that role. */
void	 program_start(struct house *, enum proc_role, int fd,
	    const char *const *argv, char *const *envp)
	    __attribute__((noreturn));

/* ---- account.c: the life of an account, between authd and deliver ---- */
void	 account_init(struct house *);
/* A deliver that is ready, before it gets its channels: all that it has to
 * leave alone. */
void	 account_tell(struct child *);
/* authd has said, since we started, which accounts are closed.  Until then
 * deliver gets no mail. */
bool	 account_known(const struct house *);
/* Disabled or deleted. */
bool	 account_closed(const struct house *, uint32_t account);
void	 account_now_known(struct house *);
/* From authd. */
void	 account_on_create(struct chan *, struct msg *, void *);
void	 account_on_state(struct chan *, struct msg *, void *);
void	 account_on_closed(struct chan *, struct msg *, void *);

/* ---- impaired.c: conditions that impair the service ---- */
/* What maild itself finds, of a process or (NULL) of the house; logged when
 * it is news, shown until it is over. */
void	 impaired_set(struct house *, struct child *, const char *id,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* It is over. */
void	 impaired_over(struct house *, struct child *, const char *id);
/* From any process: a condition of its own. */
void	 impaired_on_ev(struct chan *, struct msg *, void *);
/* What that process told of itself is no longer so: it is dead. */
void	 impaired_died(struct child *);
/* The slot goes: nothing of it stays. */
void	 impaired_forget(struct child *);
/* Is anything known of c, of the house itself (NULL), of any, beyond warnings? */
bool	 impaired_is(const struct house *, const struct child *);
bool	 impaired_any(const struct house *);
/* The conditions of c (NULL: the house) as "id: text", sep between them. */
void	 impaired_text(const struct house *, const struct child *,
	    const char *sep, char *buf, size_t size);
/* Its warnings. */
void	 warned_text(const struct house *, const struct child *,
	    const char *sep, char *buf, size_t size);
/* All of them, a line each with the process in front, warnings last. */
void	 impaired_each(const struct house *, void (*fn)(const char *line,
	    bool mild, void *arg), void *arg);
/* The same, "warning: " before those. */
void	 impaired_list(const struct house *, char *buf, size_t size);

/* ---- alive.c: processes that hang ---- */
void	 alive_init(struct house *);
/* It is dead: nothing is waited for. */
void	 alive_died(struct child *);

/* ---- absent.c: processes that are not there ---- */
/* errno: why it could not even be forked. */
void	 absent_unstarted(struct child *, const char *what);
/* It is not ready so long after its start. */
void	 absent_slow(struct child *, unsigned int seconds);
/* It died; young: before it was ready. */
void	 absent_died(struct child *, bool young);
/* It is there, and stays. */
void	 absent_over(struct child *);
/* Each process serves, or it is known that it does not. */
bool	 absent_settled(const struct house *);
/* Answer connections of fronts that are absent, and no others. */
void	 absent_answer(struct house *);
/* Answer none: the listeners change. */
void	 absent_leave(struct house *);

/* ---- share.c: what a child is told ---- */
void	 share_send(struct child *, const struct conf *,
	    const struct files *, bool reload);
void	 share_listeners(struct child *);
/* The front of that protocol. */
enum proc_role share_front(enum conf_protocol);
/* The log socket pair of a slot, made at first use; NULL with errno. */
int	*share_log(struct house *, enum proc_role, uint16_t instance);
/* A new pair for the next process of a slot: the one that died may have shut
 * the old one.  What is said on that stays with logd; without one it is kept. */
void	 share_log_renew(struct house *, enum proc_role, uint16_t instance);
/* Give logd its end of every log socket, from now on at once.  Held back
 * while the house starts: if it does not come up, the last words of a child
 * are for our stderr. */
void	 share_logs(struct house *);

/* ---- ticket.c: secrets of TLS session tickets ---- */
void	 ticket_init(struct house *);
/* A front that starts: the secret of its service, and the one before. */
void	 ticket_share(struct child *);

/* ---- graph.c: who may talk to whom ---- */
/* A child became ready: make its channels to all that are. */
void	 graph_ready(struct child *);
/* A child says that a channel of it has ended (PROC_GONE_EV): another, when
 * both of its processes are there, and not more often than is sensible. */
void	 graph_on_gone(struct chan *, struct msg *, void *child);
/* Hand listeners to fronts that wait for none of their neighbours; the house
 * is up when nothing is waited for any more. */
void	 graph_listen(struct house *);

/* ---- files.c ---- */
/* Open and check all files of the configuration; makes a certificate when
 * the default one is missing.  NULL with a message. */
struct files *files_load(struct house *, const struct conf *, char *err,
	    size_t errsize);
void	 files_free(struct files *);
/* What files_load would complain of; makes nothing.  What could be opened. */
struct files *files_look(struct findings *);
/* Name servers of /etc/resolv.conf when the configuration has none. */
void	 files_resolvers(struct conf *);
/* The secret that tickets are made with, kept in a file.  0, -1. */
int	 files_ticket(const struct house *, uint8_t key[32], char *err,
	    size_t errsize);

/* ---- listen.c ---- */
/* Open the listeners of conf into fds, taking over those old_fds that have
 * the same address and port.  0, or -1 with a message, nothing changed. */
int	 listen_open(const struct conf *, int *fds, const struct conf *old,
	    const int *old_fds, char *err, size_t errsize);
/* Those that listen_open could not open; a maild of that number may have
 * them. */
void	 listen_look(struct findings *, const struct conf *old,
	    const int *old_fds, pid_t running);
/* Close those of old_fds that are not in fds. */
void	 listen_close(const struct conf *old, const int *old_fds,
	    const struct conf *, const int *fds);

/* ---- directory.c ---- */
int	 directory_users(struct house *, char *err, size_t errsize);
/* Those of the configuration, those that are kept first. */
enum inside {
	INSIDE_NONE,		/* nothing may be there */
	INSIDE_OWN,		/* its owner's files */
	INSIDE_KEYS,		/* root's, some secret */
	INSIDE_STORE		/* accounts */
};
struct directory {		/* as it has to be */
	const char	*path;
	enum inside	 inside;
	mode_t		 mode;
	uid_t		 uid;
	gid_t		 gid;
	bool		 kept;		/* it has a .maild: mark.c */
};
#define DIRECTORIES_MAX	(ROLE_MAX + 4)
/* What lies in them: an account's directory, its notify, a .maild. */
#define MODE_ACCOUNT	02770
#define MODE_NOTIFY	02777
#define MODE_MARK	0444
size_t	 directory_list(const struct house *, const struct conf *,
	    struct directory d[DIRECTORIES_MAX]);
/* Does the name end so, and is longer? */
bool	 name_ends(const char *name, const char *with);
/* The number of the account that a directory of the store is called by; 0: it
 * is none. */
uint32_t directory_number(const struct house *, const char *name);
/* One without .maild: right as it is, or with nothing but our files in it. */
bool	 directory_is_ours(const struct directory *, char *why, size_t size);
/* What directory_make would complain of, or should not touch. */
void	 directory_look(struct findings *);
/* The number of a group; 0, -1: there is none of that name. */
int	 directory_group(const char *name, gid_t *);
/* Is the group of the control socket one of this machine? */
void	 directory_look_group(struct findings *);
/* Make what is not there, with owners and modes; but for the first start it
 * is told.  Nothing that leads to a directory of mark.c is made. */
int	 directory_make(const struct house *, const struct conf *, char *err,
	    size_t errsize);
/* The account's directory, made; 0, or -1 with a message. */
int	 directory_account(struct house *, uint32_t account, char *err,
	    size_t errsize);
/* The highest number of an account's directory in the store, 0 when there is
 * none.  0, or -1 with errno: the store cannot be read. */
int	 directory_highest(const struct house *, uint32_t *);
/* The account's directory: by number, beneath the store, never a link.  For
 * those who enter it (O_PATH); -1 with errno. */
int	 directory_open(const struct house *, uint32_t account);
const char *directory_user(enum proc_role);	/* name of its user */
/* Where it is confined to. */
const char *directory_root(const struct conf *, enum proc_role);

/* ---- mark.c: whose the directories are ---- */
/* Is each of them this house's and in its place?  *first: there is no house
 * yet, and may be one.  Writes nothing.  0, or -1 with lines that say what is
 * wrong and what cures it. */
int	 mark_check(const struct house *, const struct conf *, bool *first,
	    char *err, size_t errsize);
/* After that, with all of them there: mark those that have none. */
int	 mark_adopt_all(const struct conf *, char *err, size_t errsize);
/* Is that directory this house's, by what it says, whoever owns it now?  Else
 * why not, and what cures it. */
bool	 mark_ours(const struct house *, const char *path, char *why,
	    size_t size);
/* Take one in that the operator says is right; text says what was done. */
int	 mark_adopt(const struct conf *, const char *dir, char *text,
	    size_t size);

/* ---- command.c: a command under way for one mailctl ---- */
struct command;
void	 command_row(struct command *, const struct row *);
/* Answer and forget it. */
void	 command_done(struct command *, int code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));
/* Nobody waits for the answer any more. */
bool	 command_left(const struct command *);
/* The file that came with it, or -1; its own. */
int	 command_fd(const struct command *);
/* It is at work: its connection lasts on. */
void	 command_lasts(struct command *);
/* Takes --force out of the words of a command; was it there? */
bool	 command_force(char **args, size_t *n);

/* ---- run.c: runs of store ---- */
void	 run_init(struct house *);
/* mailctl store VERB ACCOUNT ...; answers it in the end. */
void	 run_command(struct house *, struct command *, char **args, size_t n);
/* Look at that account and do what is due; done hears its exit status, maybe
 * before this returns. */
void	 run_round(struct house *, uint32_t account,
	    void (*done)(struct house *, int code));
/* That account is closed: a run of it ends at once. */
void	 run_closed(struct house *, uint32_t account);
/* From the store-nursery. */
void	 run_on_exit(struct chan *, struct msg *, void *);

/* ---- round.c: the daily round ---- */
void	 round_init(struct house *);
/* From deliver: the log of an account is long. */
void	 round_on_want(struct chan *, struct msg *, void *);
/* A client of that account left, or is quiet. */
void	 round_client_left(struct house *, uint32_t account);

/* ---- grant.c ---- */
void	 grant_init(struct house *);
void	 grant_front_died(struct house *, enum proc_role, uint16_t instance);
void	 grant_on_open(struct chan *, struct msg *, void *);
void	 grant_on_again(struct chan *, struct msg *, void *);
void	 grant_on_park(struct chan *, struct msg *, void *);
void	 grant_on_release(struct chan *, struct msg *, void *);
void	 grant_on_revoke(struct chan *, struct msg *, void *);
void	 grant_on_quota(struct chan *, struct msg *, void *);
void	 grant_on_exit(struct chan *, struct msg *, void *);

/* ---- status.c: mailctl status ---- */
void	 status_run(const struct house *, struct command *);

/* ---- control.c ---- */
int	 control_open(struct house *, char *err, size_t errsize);
void	 control_close(struct house *);
/* The socket has the group of the configuration, from now on. */
void	 control_regroup(struct house *);
void	 control_on_row(struct chan *, struct msg *, void *);
/* Commands that it has not answered are: try again later. */
void	 control_silent(struct child *);

/* ---- domain.c ---- */
/* mailctl domain add and del, of that user. */
void	 domain_run(struct house *, struct command *, uint32_t uid, char **args,
	    size_t n);
/* One of the domains that may have been meant by another name, which is
 * neither above nor below one of them; NULL: none. */
const char *domain_near(const struct conf *, const char *domain);
/* Ask authd what domains do that come into the configuration and leave it:
 * words "+DOMAIN -DOMAIN ...".  The answer is that of MAIN_RUN: EX_OK, nobody
 * is concerned; else the text tells who.  As chan_ask, 0 when it is away. */
uint32_t domain_ask(struct house *, const char *words, int ms,
	    void (*fn)(struct chan *, struct msg *, void *), void *arg);

/* ---- reload.c ---- */
/* Read, check and apply the file; the old configuration stays when anything
 * is wrong.  cmd: who asked, NULL a signal. */
void	 reload_begin(struct house *, struct command *cmd);
/* The same, of a file that was changed for it: when that fails, undo is given
 * the name of path, else it is removed. */
void	 reload_file(struct house *, struct command *cmd, const char *path,
	    const char *undo);
/* A new generation of signd dkim alone (keys have changed); cmd, if there is
 * one, is answered with text at its end. */
void	 reload_dkim(struct house *, struct command *cmd, const char *text);
/* The house stops: forget a reload under way. */
void	 reload_cancel(struct house *);
/* From child.c: a process of the new generation is ready, or died. */
void	 reload_child(struct child *, bool ready);

/* ---- signkey.c: DKIM keys on disk, and what each is for ---- */
enum key_state {
	KEY_WAITING,		/* till its record is in the DNS */
	KEY_ACTIVE,		/* signed with */
	KEY_REPLACED,		/* by a newer one; its record is still needed */
	KEY_RETIRED		/* the private part is gone */
};
enum key_algorithm { ALG_UNKNOWN, ALG_RSA, ALG_ED25519 };
struct signkey {
	char		 domain[256], selector[64];
	enum key_algorithm algorithm;
	enum key_state	 state;
	bool		 stated;	/* it has a state file */
	bool		 kept;		/* the private part is there */
	uint64_t	 since;		/* s UTC */
};
struct signkeys { struct signkey *v; size_t n; };

#define SIGNKEY_PATH	1400
#define SIGNKEY_RECORD	1024	/* octets of a TXT record */

/* All keys of the directory, or of a domain, sorted by domain; of those of a
 * domain and an algorithm that are active the last one signs.  0, or -1 with
 * a message. */
int	 signkeys_read(const char *dir, const char *domain, struct signkeys *,
	    char *err, size_t errsize);
void	 signkeys_free(struct signkeys *);
/* May signd be handed n more, beside all of these? */
bool	 signkeys_room(const struct signkeys *, size_t n);
struct signkey *signkeys_find(const struct signkeys *, const char *domain,
	    const char *selector);
/* The last one of these that has its private part, or NULL. */
struct signkey *signkeys_last(const struct signkeys *, const char *domain,
	    enum key_algorithm, enum key_state);
/* Sign with this one from now on; older ones are replaced.  0, -1. */
int	 signkeys_promote(const char *dir, struct signkeys *, struct signkey *,
	    uint64_t now);
/* Do what is due: retire keys that were replaced keep seconds ago, finish
 * what an end in between has left.  When to come again (UINT64_MAX: no
 * need), s UTC. */
uint64_t signkeys_settle(const char *dir, uint64_t now, unsigned int keep);
/* Remove what keygen was writing when all ended.  None may run now. */
void	 signkeys_sweep(const char *dir);
/* A state, durable.  0, -1 (logged). */
int	 signkey_set(const char *dir, struct signkey *, enum key_state,
	    uint64_t since);
/* Remove the file with that ending, if it is there.  0, -1 (logged). */
int	 signkey_unlink(const char *dir, const struct signkey *,
	    const char *ending);
void	 signkey_path(const char *dir, const struct signkey *,
	    const char *ending, char path[SIGNKEY_PATH]);
/* The record kept beside the key.  0, or -1: none. */
int	 signkey_record(const char *dir, const struct signkey *,
	    char record[SIGNKEY_RECORD]);
int	 signkey_write_record(const char *dir, const struct signkey *,
	    const char *record);
const char *signkey_state(enum key_state);
const char *signkey_algorithm(enum key_algorithm);

/* ---- dkim.c: mailctl dkim, keys over time ---- */
void	 dkim_run(struct house *, struct command *, char **args, size_t n);
/* Before any process is started, and after each reload: what is due. */
void	 dkim_begin(struct house *);
void	 dkim_watch(struct house *);
/* From signd dkim: what the DNS has of a key that waits. */
void	 dkim_on_seen(struct chan *, struct msg *, void *);
/* The public record of a key: beside it, else read out of it by keygen. */
int	 dkim_record(struct house *, struct signkey *,
	    char record[SIGNKEY_RECORD]);
void	 dkim_row(struct house *, struct command *, const struct signkey *,
	    const char *record, bool used);
/* Answer that the domain (NULL: any) has no key, and which may be meant. */
void	 dkim_none(const struct house *, struct command *,
	    const char *domain);
/* A domain in lower case; false: it is none. */
bool	 dkim_domain(const char *, char *domain, size_t size);

/* ---- dkim_make.c: new keys ---- */
void	 dkim_create(struct house *, struct command *, char **args, size_t n);
void	 dkim_rotate(struct house *, struct command *, char **args, size_t n);

/* ---- key.c: keys and certificates made by keygen ---- */
struct key_job {
	pid_t	 pid;
	int	 out;		/* its standard output: the public part */
};
/* Start keygen with args behind its own (NULL at the end); key goes to the
 * open file keyfd.  0, -1. */
int	 key_start(struct house *, struct key_job *, enum proc_role as,
	    int keyfd, const char *const *args);
/* Wait for it; what it printed is in out.  0, or -1 when it failed. */
int	 key_finish(struct key_job *, char *out, size_t size);
/* A self-signed certificate and its key, both files new.  0, -1. */
int	 key_certificate(struct house *, const struct conf *,
	    const struct conf_cert *, char *err, size_t errsize);
/* Create path.XXXX, mode 0600, for a file that gets its name with
 * key_commit (never replacing another).  fd, -1. */
int	 key_create(const char *path, char *tmp, size_t size);
int	 key_commit(int fd, const char *tmp, const char *path);
/* Make the name of path durable.  0, -1. */
int	 key_sync_parent(const char *path);

/* ---- stop.c ---- */
void	 stop_begin(struct house *, int status);
/* A child that was told to stop is gone. */
void	 stop_child(struct house *);
int	 stop_status(const struct house *);

#endif
