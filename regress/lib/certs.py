"""Certificates of each kind: with given days, names, keys.  A directory has its own authority, ca.pem of house.py."""
import os
import time

from house import run

KINDS = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "p384": ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
         "p521": ["ec", "-pkeyopt", "ec_paramgen_curve:P-521"], "k1": ["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
         "brainpool": ["ec", "-pkeyopt", "ec_paramgen_curve:brainpoolP256r1"], "ed25519": ["ed25519"],
         "rsa1024": ["rsa:1024"], "rsa": ["rsa:2048"]}

CONF = """[ca]
default_ca = d
[d]
database = {d}/index.txt
new_certs_dir = {d}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = p
certificate = {d}/ca.pem
private_key = {d}/ca.key
[p]
commonName = supplied
"""


def stamp(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


def certificate(d, name, names, begin=-1.0, end=60.0, kind="ec", cn="maild"):
    """from and to so many days from now; names in subjectAltName, none: without it; returns (chain, key) paths"""
    key, csr, crt, ext = (f"{d}/{name}.{x}" for x in ("key", "csr", "crt", "ext"))
    for path, text in ((f"{d}/ca.conf", CONF.format(d=d)), (f"{d}/index.txt", ""), (
            ext, "subjectAltName=" + ",".join("DNS:" + n for n in names) + "\n" if names else "basicConstraints=CA:FALSE\n")):
        with open(path, "w") as f:
            f.write(text)
    run("openssl", "req", "-newkey", *KINDS[kind], "-nodes", "-subj", f"/CN={cn}", "-keyout", key, "-out", csr)
    run("openssl", "ca", "-batch", "-config", f"{d}/ca.conf", "-in", csr, "-out", crt, "-notext", "-extfile", ext,
        "-startdate", stamp(begin), "-enddate", stamp(end))
    os.chmod(key, 0o600)
    return crt, key
