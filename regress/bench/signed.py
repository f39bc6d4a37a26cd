#!/usr/bin/python3
"""Mail that passes SPF, DKIM and DMARC, and the zone that makes it pass.

usage: signed.py DIR [MESSAGES [SIZE]]

DIR/pool/N    messages of SIZE octets before they are signed (RSA-2048,
              relaxed), each of its own text and signature
DIR/zone      what the DNS says of their domain, client.example
"""
import os
import subprocess
import sys

import dkim

HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN, SELECTOR = "client.example", "s"
TTL = 3600
FIELDS = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]


def key(path):
    """the RSA key in a file, made at first: private PEM, public base64"""
    if not os.path.exists(path):
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", path, "2048"], check=True, stderr=subprocess.DEVNULL)
    pub = subprocess.run(["openssl", "rsa", "-in", path, "-pubout"], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout
    with open(path, "rb") as f:
        return f.read(), "".join(pub.split("-----")[2].split())


def zone(pub):
    return f"""$ORIGIN {DOMAIN}.
$TTL {TTL}
@ IN SOA ns hostmaster 1 3600 600 86400 {TTL}
@ IN NS ns
ns IN A 127.0.0.1
@ IN A 127.0.0.1
@ IN MX 10 ns
@ IN TXT "v=spf1 ip4:127.0.0.1 -all"
_dmarc IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN}"
{SELECTOR}._domainkey IN TXT "v=DKIM1; k=rsa; p={pub[:200]}" "{pub[200:]}"
"""


def message(n, size):
    """mailbench's, but from the domain that signs it"""
    text = subprocess.run([f"{HERE}/mailbench", "msg", "-m", str(n), "-s", str(size)], check=True, stdout=subprocess.PIPE).stdout
    head, body = text.split(b"\r\n\r\n", 1)
    lines = [x for x in head.split(b"\r\n") if not x.startswith((b"X-Seq:", b"Return-Path:"))]
    return b"\r\n".join(lines).replace(b"@client.test", b"@" + DOMAIN.encode()) + b"\r\n\r\n" + body


def main(where, count=200, size=1024):
    os.makedirs(f"{where}/pool", exist_ok=True)
    private, pub = key(f"{where}/dkim.pem")
    with open(f"{where}/zone", "w") as f:
        f.write(zone(pub))
    for n in range(int(count)):
        text = message(n, int(size))
        text = dkim.sign(text, SELECTOR.encode(), DOMAIN.encode(), private, canonicalize=(b"relaxed", b"relaxed"),
                         include_headers=FIELDS) + text
        with open(f"{where}/pool/{n}", "wb") as f:
            f.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
