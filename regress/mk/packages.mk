# Debian packages by name: what the build needs, and what only tests need.
DEPS_BUILD =	gcc make libc6-dev libtls-dev libssl-dev libevent-dev \
		libsodium-dev libldns-dev libyaml-dev libsqlite3-dev \
		zlib1g-dev libexpat1-dev libjansson-dev libidn2-dev openssl \
		ca-certificates
DEPS_DEMO =	python3 python3-dkim python3-dnspython nsd procps \
		curl swaks libnet-ssleay-perl
DEPS_TEST =	clang libclang-rt-14-dev libcmocka-dev mandoc isync msmtp \
		fetchmail strace netcat-openbsd e2fsprogs xfsprogs iproute2 \
		opendkim opendkim-tools opendmarc python3-authheaders \
		python3-spf spfquery libmail-spf-perl libxml2-utils unbound \
		fail2ban bind9-dnsutils certbot nftables pebble sqlite3 gsasl \
		interimap offlineimap3 \
		$(DEPS_NPM)
# for mailauth and imapflow; who has npm of somewhere else keeps it
DEPS_NPM =	$(if $(shell command -v npm),,nodejs npm)
DEPS_BENCH =	postfix dovecot-imapd dovecot-pop3d dovecot-lmtpd opendkim \
		opendmarc postfix-policyd-spf-python unbound publicsuffix
# make arm64: compiler and emulator; what is unpacked for that processor
DEPS_ARM64 =	gcc-aarch64-linux-gnu qemu-user
DEPS_ARM64_ROOT = $(filter lib% zlib%,$(DEPS_BUILD)) libcmocka-dev
