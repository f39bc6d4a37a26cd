"""A house with alice and bob: mail to send, to read, and to look at in the queue."""
import email
import imaplib
import os
import smtplib
import ssl

from house import House, scratch
from tap import wait_for

ALICE, BOB = "alice@example.test", "bob@example.test"


class Place:
    """a house with alice and bob, and mail to send and read"""

    def __init__(self, name, conf, directory=None, **house):
        self.h = House(directory or scratch(name), conf=conf, **house)
        self.h.start()
        for a in (ALICE, BOB):
            self.h.account(a, "secret")
        self.ctx = ssl.create_default_context(cafile=self.h.ca)

    def submit(self, to, subject="hello", sender=ALICE, body=None):
        s = smtplib.SMTP_SSL("localhost", self.h.ports["smtps"], timeout=20, context=self.ctx)
        try:
            s.login(sender, "secret")
            s.sendmail(sender, to, f"From: {sender}\r\nTo: {to[0]}\r\nSubject: {subject}\r\n\r\n"
                       f"{body or 'body of ' + subject}\r\n")
        finally:
            s.close()

    def inbox(self, user=ALICE):
        c = imaplib.IMAP4_SSL("localhost", self.h.ports["imaps"], ssl_context=self.ctx, timeout=20)
        try:
            c.login(user, "secret")
            c.select("INBOX")
            ids = c.search(None, "ALL")[1][0].split()
            return [email.message_from_bytes(c.fetch(i, "(RFC822)")[1][0][1]) for i in ids]
        finally:
            c.logout()

    def rows(self):
        return self.h.ctl_rows("queue", "list")

    def kill_queue(self):
        old = self.h.pids("queue")
        for pid in old:
            os.kill(pid, 9)

        def back():
            try:
                return self.h.pids("queue") not in ([], old) and (self.rows() or True)
            except RuntimeError:
                return False
        wait_for(back, 20, "another queue", 0.2)

    def empty(self, seconds=20):
        wait_for(lambda: not self.rows(), seconds, "an empty queue", 0.2)

    def close(self):
        self.h.close()
