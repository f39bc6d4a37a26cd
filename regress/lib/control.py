"""The test plays maild for one run of mailctl.

    r = ask(["account", "add", "a@b.test"], stdin=b"secret\\n")
    r.words, r.code, r.out, r.err
"""
import os
import select
import socket
import subprocess
import tempfile
import threading

from role import Channel, build_id, items

MAILCTL = os.environ.get("BUILD", "build") + "/mailctl"


class Answer:
    def __init__(self, words, code, out, err):
        self.words, self.code, self.out, self.err = words, code, out, err     # words: None when maild was asked nothing

    def __repr__(self):
        return f"<words {self.words} code {self.code} out {self.out!r} err {self.err!r}>"


def serve(listener, p, reply):
    """the words that the program p sends, answered; None when it ends without"""
    while p.poll() is None:
        if not select.select([listener], [], [], 0.02)[0]:
            continue
        c = Channel(listener.accept()[0])
        c.send("CTL_HELLO_EV", build=build_id(), release=1)
        m = c.recv(30)
        if m is None:
            return None
        c.reply(m, **reply)
        return [i["text"] for i in items("ITEM_ARG", m.args)]
    return None


def pour(f, octets):
    """into a pipe, whether somebody reads all of it or not"""
    try:
        if f is not None:
            with f:
                f.write(octets)
    except BrokenPipeError:
        pass


def ask(words, stdin=subprocess.DEVNULL, code=0, text=b"", wrap=(), **kw):
    """mailctl with these words; stdin: octets of a pipe, or what subprocess takes"""
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(d + "/s")
        s.listen(1)
        feed = stdin if isinstance(stdin, bytes) else None
        p = subprocess.Popen([*wrap, MAILCTL, "-s", d + "/s", *words], stdin=stdin if feed is None else subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kw)
        feeder = threading.Thread(target=pour, args=(p.stdin, feed))
        feeder.start()
        got = serve(s, p, {"code": code, "text": text})
        feeder.join()
        p.stdin = None
        out, err = p.communicate(timeout=30)
        return Answer(got, p.returncode, out.decode(), err.decode())
