/*
 * keygen: makes one key and ends.  Started by maild with the key's open
 * file as descriptor 3; what may be public goes to standard output.
 *
 *   keygen UID GID ROOT dkim-rsa | dkim-ed25519    TXT record to stdout
 *   keygen UID GID ROOT dkim-public                the key is read instead
 *   keygen UID GID ROOT certificate NAME ...       PEM to stdout
 *
 * It gives up root and everything else before it makes anything, and can
 * open nothing.
 */
#include "base/compat.h"

#include <sys/types.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/build.h"
#include "base/log.h"
#include "proc/proc.h"
#include "maild/keygen/keygen.h"

int
main(int argc, char **argv)
{
	const char *err1, *err2, *what;
	uid_t uid;
	gid_t gid;
	EVP_PKEY *key;

	build_inner("keygen", argc, argv);
	log_init("keygen", -1);
	if (argc < 5)
		build_by_hand("keygen");
	uid = (uid_t)strtonum(argv[1], 1, UINT32_MAX - 1, &err1);
	gid = (gid_t)strtonum(argv[2], 1, UINT32_MAX - 1, &err2);
	if (err1 != NULL || err2 != NULL)
		fatalx("keygen runs as a user of its own");
	what = argv[4];
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	jail_enter(ROLE_KEYGEN, argv[3], uid, gid);

	if (strcmp(what, "dkim-public") == 0)
		keygen_record(key = keygen_read());
	else if (strcmp(what, "dkim-rsa") == 0) {
		keygen_write(key = keygen_make(EVP_PKEY_RSA));
		keygen_record(key);
	} else if (strcmp(what, "dkim-ed25519") == 0) {
		keygen_write(key = keygen_make(EVP_PKEY_ED25519));
		keygen_record(key);
	} else if (strcmp(what, "certificate") == 0 && argc > 5) {
		keygen_write(key = keygen_make(EVP_PKEY_EC));
		keygen_pem(keygen_certificate(key, argc - 5, argv + 5));
	} else
		fatalx("unknown kind of key");
	EVP_PKEY_free(key);
	/* nothing of libraries at the end: they would want what the jail
	 * does not give */
	_exit(fflush(stdout) == 0 ? 0 : 1);
}
