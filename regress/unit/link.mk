# LINK.NAME = what regress/unit/test_NAME.c links besides common: of a program
# all but its main.c.
rest =		$(filter-out $(1)/main.c,$(wildcard $(1)/*.c))
LINK.dns = $(call rest,resolve)
LINK.route = $(call rest,relay)
LINK.resume = $(call rest,relay)
LD.test_resume = -Wl,--wrap=now_ms
LINK.parse_mime = regress/unit/parts_walk.c
LINK.mime = $(LINK.parse_mime)
LINK.parse_address = regress/unit/json.c
LINK.verify_dkim = regress/unit/json.c
LINK.imap_session = regress/unit/nursery_play.c $(call rest,imapd/session)
LINK.pop3_session = regress/unit/nursery_play.c $(call rest,pop3d/session)
LINK.smtpd = regress/unit/smtp_play.c $(LINK.verdict)
LINK.smtpd_submission = $(LINK.smtpd)
LINK.smtpd_neighbours = $(LINK.smtpd)
LINK.verdict = regress/lib/test_clock.c $(filter-out smtpd/smtpd.c smtpd/neighbour.c,$(call rest,smtpd))
LINK.neighbour = smtpd/neighbour.c
LINK.conf = $(call rest,maild)
LINK.impaired = $(call rest,maild)
LINK.signkey = $(call rest,maild)
LINK.authd = $(call rest,authd)
LINK.authd_db = $(call rest,authd)
LINK.authd_guard = $(call rest,authd)
LINK.signd = $(call rest,signd)
LINK.logd = $(call rest,logd)
LINK.report_failure = $(call rest,report/out)
LINK.redact = $(call rest,report/out)
LINK.report_out = $(call rest,report/out)
LINK.report_count = $(call rest,report/out)
LINK.report_in = $(call rest,report/in)
LINK.report_in_xml = $(call rest,report/in)
LINK.report_in_packed = $(call rest,report/in)
$(foreach t,$(filter queue queue_%,$(UNIT)),$(eval LINK.$(t) = regress/lib/test_clock.c $(call rest,queue)))
WRAP.queue_faults = openat pread pwrite fstat fdopendir readdir fsync fdatasync renameat unlinkat calloc reallocarray now_ms now_sec recover_run
LD.test_queue_faults = $(WRAP.queue_faults:%=-Wl,--wrap=%)
LINK.store_faults = regress/unit/store_calls.c
LINK.store_between = regress/unit/store_calls.c
