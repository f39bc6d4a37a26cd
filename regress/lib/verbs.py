"""The words of the log: as the sources say them, as maild(8) has them.

    verbs, keys = said(top)         {verb: {process}}, {key}
    pages = manual(top)             pages[VERBS]: {verb: ([process], [key])}, pages[KEYS]: {key}
    bad = unlike(process, verb, keys, manual(top))      what a real line has beside the table, "" nothing
"""
import glob
import re

VERBS, KEYS = "verbs", "keys"
# whose code a folder is, as the log names processes; what several share is told by SHARED
PROCESS = {"smtpd": "smtpd", "queue": "queue", "relay": "relay", "deliver": "deliver", "report/in": "report-in",
           "report/out": "report-out", "imapd/session": "imap-nursery", "pop3d/session": "pop3-nursery", "authd": "authd"}
FRONTS = {"smtpd", "imapd", "pop3d"}
SHARED = {"common/net/login.c": FRONTS, "common/net/front.c": {"imapd", "pop3d"}, "common/store/told.c": set()}
LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')
CALL = re.compile(r"\b(?:log_(?:info|notice|warn|warnx|debug)|log_info : log_notice\))\s*\(")
# where the verb is an argument: the literals of these calls are verbs
PASSED = re.compile(r"\b(?:log_result|told_messages|store_told)\s*\(")
WORD = re.compile(r"^%s ([a-z][a-z-]*)(?: [a-z-]+(?:=|%s)|%s|$)")


def call(text, at):
    """the arguments of a call whose parenthesis was just opened"""
    depth, i = 1, at
    while depth:
        m = LITERAL.match(text, i)
        if m:
            i = m.end()
            continue
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        i += 1
    return text[at:i - 1]


def first(args):
    """the format: the literals that stand at the beginning"""
    m = re.match(r'\s*((?:"(?:\\.|[^"\\])*"\s*)+)', args)
    return "".join(LITERAL.findall(m[1])) if m else ""


def plain(path):
    with open(path) as f:
        return re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)


def passed(path, text):
    """verbs that are passed on as text"""
    got = [x for m in PASSED.finditer(text) for x in LITERAL.findall(call(text, m.end())) if re.fullmatch("[a-z][a-z-]+", x)]
    if path.endswith("queue/control.c"):        # a command that changes messages is the verb of its line
        got += re.findall(r'\{ "(\w+)",\s*\w+,\s*true \}', text)
    if path.endswith("queue/hold.c"):
        got += [x for m in re.finditer(r"\bmessage_changed\(", text) for x in LITERAL.findall(call(text, m.end()))]
    if path.endswith("imapd/session/told.c"):   # the one line whose verb is chosen in it
        got += ["renamed", "box-deleted"] if '"%s %s box=' in text else []
    if path.endswith("relay/session.c"):
        got += re.findall(r'"(tried) relay=%s', text)
    return got


def said(top):
    verbs, keys = {}, set()
    for path in glob.glob(top + "/*/*.c") + glob.glob(top + "/*/*/*.c"):
        name = path[len(top) + 1:]
        if name.startswith(("build", "regress")):
            continue
        who = SHARED.get(name) or {PROCESS.get(name.rsplit("/", 1)[0])} - {None}
        if name not in SHARED and not who:
            continue
        text, of_ids = plain(path), name.endswith("/told.c") or name == "relay/session.c"
        found = passed(path, text)
        for m in CALL.finditer(text):
            args = call(text, m.end())
            fmt = first(args)
            w = WORD.match(fmt)
            if w:
                found.append(w[1])
            if w or fmt.startswith("%s %s ") or of_ids:
                keys |= {k for x in LITERAL.findall(args) for k in re.findall(r"(?:^| )([a-z][a-z-]*)=", x)}
        if of_ids or found:
            # keys that are put together before they are said
            keys |= {k for x in LITERAL.findall(text) if of_ids or x.startswith(" ")
                     for k in re.findall(r"(?:^| )([a-z][a-z-]*)=(?=[%<\\]|$)", x)}
        for v in found:
            verbs.setdefault(v, set()).update(who)
    return verbs, keys


def manual(top):
    with open(top + "/maild/maild.8") as f:
        page = f.read()
    part = page[page.index("\n.Ss The log\n"):page.index("\n.Ss Failed logins\n")]
    rows = re.findall(r"^\.It Ic ([\w-]+) Pq (.+)\n((?:\.Li .*\n)+)", part, re.M)
    return {VERBS: {v: (who.split(), lines.replace(".Li ", "").split()) for v, who, lines in rows},
            KEYS: set(re.findall(r"^\.It Ic ([\w-]+)$", part, re.M))}


def unlike(process, verb, keys, pages):
    if verb not in pages[VERBS]:
        return f"{verb}: no such verb"
    who, known = pages[VERBS][verb]
    if process not in who:
        return f"{verb}: {process} is none of {who}"
    return ", ".join(f"{verb}: no such key {k}" for k in keys if k not in known)
