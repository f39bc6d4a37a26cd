/*
 * A process of the house, whichever of msg/roles.h it is, and the one way
 * each enters its jail.
 */
#ifndef PROC_H
#define PROC_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "msg/msg.h"
#include "msg/roles.h"

struct conf;

struct role {
	enum proc_role	 id;
	/* Before the jail: configuration is complete; read what a library
	 * wants from files.  NULL: nothing. */
	void	(*load)(const struct conf *);
	/* A file of the configuration (enum conf_file_kind), at start before
	 * load() and at each reload; the role closes fd. */
	void	(*file)(enum conf_file_kind, uint16_t index, struct slice name,
		    int fd);
	/* A secret shared with another process (enum conf_secret_kind), at
	 * start before load(); one that is renewed also later. */
	void	(*secret)(enum conf_secret_kind, const uint8_t key[32]);
	/* Confined; begin.  Channels and listeners come right after. */
	void	(*start)(const struct conf *);
	/* One end of a channel to peer number instance; again with a new end
	 * after that peer was restarted (the old one ends with gone()). */
	void	(*channel)(enum chan_kind, enum proc_role peer,
		    uint16_t instance, int fd);
	/* A listening socket, for conf->listen[index]. */
	void	(*listener)(uint16_t index, int fd);
	/* A whole new configuration is there (files came before). */
	void	(*reload)(const struct conf *);
	/* SIGTERM: finish what was promised, then call proc_exit().
	 * NULL: exit at once. */
	void	(*stop)(void);
	/* A command of mailctl for this role; answer with proc_row() and one
	 * proc_done().  args: list of item_arg, args[0] the noun. */
	void	(*run)(uint32_t ask, uint32_t uid, struct slice args);
	/* Messages of CHAN_MAIN that only this role takes. */
	const struct chan_handler *handlers;
	size_t	 nhandlers;
};

const char *proc_name(enum proc_role);		/* as ps and the log show it */
const char *proc_program(enum proc_role);	/* file name of the program */

/* main() of an event-driven role: start as doc/design.md section 2 orders,
 * run the event loop, return the exit status. */
int	 proc_enter(const struct role *, int argc, char *const *argv);
/* The same without an event loop: returns when confined; fd 3 is the
 * channel to maild (msg_recv).  For nursery. */
void	 proc_begin(const struct role *);

/* An event loop as every process of the house has it (fatal on failure). */
struct event_base *proc_base_new(void);
struct event_base *proc_base(void);
/* The configuration in use.  It is another one after a reload, so that nobody
 * keeps the pointer; role->reload() hears of it when it is in use already. */
const struct conf *proc_conf(void);
/* Use that one (start, reload, tests); returns the one before, to be freed
 * by the caller when nobody reads it any more. */
struct conf *proc_conf_use(struct conf *);
struct chan *proc_main(void);		/* channel to maild, side B */
uint16_t proc_instance(void);
void	 proc_exit(int status);		/* leave the event loop */

/* Answers to run().  A row is a list of cells; each of these adds one. */
struct row { uint8_t buf[14336]; size_t n; };
void	 row_str(struct row *, const char *name, struct slice value);
void	 row_num(struct row *, const char *name, long long value);
void	 row_none(struct row *, const char *name);	/* no number: null */
/* Shown in JSON alone: too long for a column. */
void	 row_long(struct row *, const char *name, struct slice value);
void	 row_bool(struct row *, const char *name, bool value);
void	 proc_row(uint32_t ask, const struct row *);
void	 proc_done(uint32_t ask, int code, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* Tell maild of a condition that impairs the service; it is logged, and shown
 * by `mailctl status`, until it is over or this process ends.  id: a short
 * word that names it within the role (64 octets); text: what is wrong, with
 * path and figures, and what to do (512 octets, cut).  The same again costs
 * nothing; beyond PROC_IMPAIRED_MAX at once nothing more is told. */
#define PROC_IMPAIRED_MAX 16
void	 proc_impaired(const char *id, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	 proc_impaired_over(const char *id);
/* The same of what will harm the service, or harms some: a warning, with which
 * its status is not "impaired".  It ends with proc_impaired_over() too. */
void	 proc_warned(const char *id, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/* Run an open program (common/proc/program_*.c); returns on failure.  The
 * kernel may call it by the descriptor's number, until jail_enter. */
void	 program_exec(int fd, char *const *argv, char *const *envp);

#define PROC_FD_MAIN	3	/* channel to maild */
#define PROC_FD_LOG	4	/* datagrams to logd */

/*
 * The jail (common/proc/jail.c, common/proc/sandbox_*.c).  jail_enter: chroot
 * to root, give up groups and ids, then everything else that role's row of
 * the table says.  fatal() on any failure.
 */
void	 jail_enter(enum proc_role, const char *root, uid_t, gid_t);
/* The same for a session that nursery forked: root is a directory fd. */
void	 jail_enter_session(enum proc_role, int rootfd, uid_t, gid_t);
/* nursery, before its jail: the descriptor of the only directory beneath
 * which it and its sessions reach files (not the caller's any more), and the
 * user and group numbers that sessions may get. */
void	 sandbox_sessions(int dirfd, uid_t first, uid_t last);
/* Does the role, no longer root, keep capabilities? */
bool	 sandbox_keeps(enum proc_role);
/* Last tightening of one role: limits and filters by the table. */
void	 sandbox_enter(enum proc_role);
/* The master gives up what it does not need of root; for good, and for all
 * that it starts. */
void	 sandbox_master(void);

#endif
