#!/usr/bin/python3
"""How long small messages wait for their 250 while large ones come in.

    BUILD=build /usr/bin/python3 regress/bench/large.py [SECONDS] [WRITERS] [MIB]

One client sends messages of 1 KiB, one after the other, and notes the time from the final dot to the reply; first alone,
then while WRITERS others send messages of MIB without end.  deliver is stopped, so that the spool's disk is looked at.
"""
import os
import shutil
import signal
import smtplib
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from house import House, scratch  # noqa: E402


class Client:
    def __init__(self, house):
        self.s = smtplib.SMTP("127.0.0.1", house.ports["smtp"], timeout=120)
        self.s.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.s.ehlo()

    def send(self, text):
        """seconds from the end of the message to its 250"""
        for line in ("MAIL FROM:<a@outside.test>", "RCPT TO:<bob@example.test>", "DATA"):
            code, said = self.s.docmd(line)
            if code not in (250, 354):
                raise RuntimeError(f"{line}: {code} {said}")
        self.s.sock.sendall(text)
        begin = time.monotonic()
        self.s.sock.sendall(b".\r\n")
        code, said = self.s.getreply()
        if code != 250:
            raise RuntimeError(f"{code} {said}")
        return time.monotonic() - begin


def small(house, seconds):
    c, text, times = Client(house), b"Subject: small\r\n\r\n" + (b"x" * 62 + b"\r\n") * 16, []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        times.append(c.send(text))
    return sorted(times)


def large(house, text, until, counts, n):
    c = Client(house)
    while not until.is_set():
        c.send(text)
        counts[n] += 1


def show(name, times):
    at = [times[min(len(times) - 1, int(len(times) * q))] * 1000 for q in (0.5, 0.9, 0.99)]
    print(f"{name:8} n={len(times):6} p50={at[0]:8.2f} p90={at[1]:8.2f} p99={at[2]:8.2f} max={times[-1] * 1000:8.2f} ms",
          flush=True)


def memory(house):
    text = open(f"/proc/{house.pids('queue')[0]}/status").read()
    fds = len(os.listdir(f"/proc/{house.pids('queue')[0]}/fd"))
    return " ".join(line.split()[1] + " KiB " + line.split(":")[0] for line in text.splitlines()
                    if line.startswith(("VmHWM", "VmRSS"))) + f", {fds} descriptors"


def main(seconds=10, writers=2, mib=50):
    house = House(scratch("bench-large"), conf={"smtp": {"max-size": f"{mib + 10}M"}})
    house.start()
    house.account("bob@example.test", "secret")
    stopped = house.pids("deliver")
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        show("alone", small(house, seconds / 2))
        text = b"Subject: large\r\n\r\n" + (b"y" * 76 + b"\r\n") * (mib * 1024 * 1024 // 78)
        until, counts = threading.Event(), [0] * writers
        threads = [threading.Thread(target=large, args=(house, text, until, counts, n)) for n in range(writers)]
        for t in threads:
            t.start()
        show("beside", small(house, seconds))
        until.set()
        for t in threads:
            t.join()
        print(f"large    {sum(counts)} of {mib} MiB; queue: {memory(house)}")
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
        house.kill()
        house.dns.stop()
        shutil.rmtree(house.dir, ignore_errors=True)


main(*(int(a) for a in sys.argv[1:]))
