#!/usr/bin/env python3
"""ratios.py RESULTS.jsonl: maild against the best of its peers, as promised."""
import json
import sys

rows = {}
for line in open(sys.argv[1]):
    r = json.loads(line)
    rows.setdefault(r["work"], {})[r["peer"]] = r


def ratio(work, key, peers, higher, want, text):
    """one promised line; prints the measured ratio and whether it holds"""
    w = rows.get(work, {})
    own = w.get("maild")
    others = [r for p, r in w.items() if p.startswith(peers) and key in r]
    if own is None or not others:
        print(f"{text:58s} not measured")
        return
    best = (max if higher else min)(others, key=lambda r: r[key])
    got = own[key] / best[key] if higher else best[key] / own[key]
    print(f"{text:58s} {own[key]:>10.4g} vs {best[key]:<10.4g} ({best['peer']})  {got:6.2f}x, promised {want}x"
          f"  {'holds' if got >= want else 'MISSED'}")


def verdict(key, most, want, text):
    """what verdicts cost (verdict.py): at most, or at least"""
    r = rows.get("verdict", {}).get("maild")
    if r is None:
        print(f"{text:58s} not measured")
        return
    holds = r[key] <= want if most else r[key] >= want
    print(f"{text:58s} {r[key]:>10.4g}, promised at {'most' if most else 'least'} {want}  {'holds' if holds else 'MISSED'}")


print("\nPromised ratios")
ratio("smtp-1k-newconn", "delivered_s", "postfix", True, 5, "1 KiB mails delivered/s")
ratio("smtp-1k-newconn", "cpu_per_1000", "postfix", False, 5, "CPU seconds per 1,000 mails")
ratio("judged-1k-newconn", "delivered_s", "postfix", True, 10, "1 KiB mails judged and delivered/s")
ratio("judged-1k-newconn", "cpu_per_1000", "postfix", False, 10, "CPU seconds per 1,000 of them")
verdict("times", True, 2, "CPU of a verdict, of that of its RSA and SHA-256")
verdict("share", False, 0.75, "mails accepted/s with verdicts, of those without")
ratio("login-none", "rate", "dovecot", True, 2, "IMAP logins/s, clear text")
ratio("login-tls", "rate", "dovecot", True, 2, "IMAP logins/s, TLS")
for when in ("warm", "cold"):
    for what in ("flags", "envelope", "body"):
        ratio(f"{when}-{what}", "ms", "dovecot", False, 1, f"{when} FETCH of 10,000: {what}, ms")
