/*
 * Threads: what their files share.
 *
 * A node is a message, or a dummy: an id that was referred to and is no
 * message, or the parent of threads with one subject.  Nodes are numbers from
 * 1 on, 0 is none.
 */
#ifndef PARSE_THREAD_PRIV_H
#define PARSE_THREAD_PRIV_H

#include "parse/thread.h"

struct thread_node {
	int64_t		 date;
	uint32_t	 number;	/* 0: a dummy */
	uint32_t	 subject;	/* name of its base subject, 0: empty */
	uint32_t	 parent;
	uint32_t	 children;	/* how many have it as parent */
	uint32_t	 left, right, up;	/* thread_forest.c */
	uint32_t	 child, last, next;	/* thread_tree.c: lists */
	int		 reply;
};

/* Strings, each once. */
struct thread_name {
	uint64_t	 hash;
	uint32_t	 off, n;
	uint32_t	 node;		/* of an id */
};
struct thread_names {
	char		*text;
	size_t		 textn, text_size;
	struct thread_name *name;	/* [0] is none */
	size_t		 n, size;
	uint32_t	*slot;		/* names by hash; a power of two */
	size_t		 nslots;
};

struct thread {
	enum thread_how	 how;
	uint8_t		 key[16];
	struct thread_node *node;	/* [0] is none */
	size_t		 n, size;
	struct thread_names ids, subjects;
	uint32_t	 root, root_last;	/* list of the first level */
	uint32_t	 at;		/* thread_next() */
	enum thread_token token;	/* that it gave last */
};

/* ---- thread_names.c ---- */
/* The name of a string: its number, or 0: no memory, or too many. */
uint32_t thread_name(struct thread_names *, const uint8_t key[16],
	    struct slice);
void	 thread_names_free(struct thread_names *);

/* ---- thread_forest.c: parents, as long as messages come ---- */
/* Make p the parent of c, which has none, unless p descends from c. */
void	 forest_link(struct thread_node *, uint32_t p, uint32_t c);
/* Take c from its parent, if it has one. */
void	 forest_cut(struct thread_node *, uint32_t c);

/* ---- thread.c ---- */
/* A new node, a dummy; 0: no memory, or too many.  Nodes may move. */
uint32_t thread_node_new(struct thread *);

#endif
