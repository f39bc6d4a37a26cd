"""An issuer of tokens: keys as a JWK set, and JSON Web Tokens that they sign; bad ones too.

    issuer = Issuer(directory)
    issuer.write(path)                          # the public keys
    issuer.token("ES256", email="alice@example.test")
"""
import base64
import json
import os
import subprocess
import time

NAMES = {"RS256": ("rsa", "rsa_keygen_bits:2048"), "ES256": ("ec", "ec_paramgen_curve:P-256")}


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*argv, data=b""):
    return subprocess.run(["openssl", *argv], input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


class Issuer:
    url, audience = "https://login.example.test", "mail"

    def __init__(self, directory, name="issuer"):
        self.key, self.kid = {}, {}
        for alg, (kind, option) in NAMES.items():
            self.key[alg], self.kid[alg] = f"{directory}/{name}-{alg}.key", f"{name}-{alg}"
            openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", self.key[alg])

    def jwk(self, alg):
        out = {"kid": self.kid[alg], "alg": alg, "use": "sig"}
        der = openssl("pkey", "-in", self.key[alg], "-pubout", "-outform", "DER")
        if alg == "ES256":
            return dict(out, kty="EC", crv="P-256", x=b64url(der[-64:-32]), y=b64url(der[-32:]))
        n = openssl("rsa", "-in", self.key[alg], "-noout", "-modulus").decode().split("=")[1]
        return dict(out, kty="RSA", n=b64url(bytes.fromhex(n.strip())), e="AQAB")

    def write(self, path, keys=None):
        with open(path + ".new", "w") as f:
            json.dump({"keys": keys or [self.jwk(a) for a in NAMES]}, f)
        os.rename(path + ".new", path)

    def sign(self, alg, text):
        sig = openssl("dgst", "-sha256", "-sign", self.key[alg], data=text.encode())
        if alg == "ES256":          # SEQUENCE of two INTEGERs
            r, rest = sig[4:4 + sig[3]], sig[4 + sig[3]:]
            sig = b"".join(x.lstrip(b"\0").rjust(32, b"\0") for x in (r, rest[2:]))
        return sig

    def token(self, alg="ES256", header=None, sig=None, **claims):
        """what is None is left out"""
        head = dict({"alg": alg, "typ": "JWT", "kid": self.kid.get(alg)}, **(header or {}))
        now = int(time.time())
        body = dict({"iss": self.url, "aud": self.audience, "iat": now, "exp": now + 600}, **claims)
        text = ".".join(b64url(json.dumps({k: v for k, v in x.items() if v is not None}).encode()) for x in (head, body))
        return text + "." + b64url(self.sign(alg, text) if sig is None else sig)
