"""A small file system of its own, in a loop image: it fills up, and loses its power.

    disk = Disk(directory, mib, kind)   mounted at disk.at
    disk.fill(left); disk.room()        all but `left` octets are taken; given back
    disk.power_loss()                   what is not on the medium is lost; till it is mounted again nothing can be read
    disk.umount(); disk.mount()         once nothing of it is open any more
"""
import fcntl
import os
import struct
import subprocess

from house import run
from tap import Skip, wait_for

FS_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2
MKFS = {"ext4": ["mkfs.ext4", "-q", "-F", "-m", "0"], "xfs": ["mkfs.xfs", "-q", "-f"]}


class Disk:
    def __init__(self, directory, mib, kind="ext4"):
        self.image, self.at = f"{directory}/disk.{kind}", f"{directory}/disk"
        os.makedirs(self.at)
        with open(self.image, "wb") as f:
            f.truncate(mib << 20)
        run(*MKFS[kind], self.image)
        self.mount()

    def mount(self):
        try:
            run("mount", "-o", "loop", self.image, self.at)
        except RuntimeError as e:
            raise Skip(f"no loop mount here: {e}")

    def fill(self, left):
        s = os.statvfs(self.at)
        with open(self.at + "/ballast", "wb") as f:
            os.posix_fallocate(f.fileno(), 0, max(s.f_bavail * s.f_frsize - left, 4096))

    def room(self):
        os.unlink(self.at + "/ballast")

    def power_loss(self):
        fd = os.open(self.at, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.ioctl(fd, FS_IOC_SHUTDOWN, struct.pack("I", NOLOGFLUSH))
        os.close(fd)

    def looped(self):
        return subprocess.run(["losetup", "-j", self.image], capture_output=True, text=True).stdout

    def mounted(self):
        with open("/proc/self/mounts") as f:        # one without power may not say it itself
            return any(x.split()[1] == self.at for x in f)

    def umount(self):
        """it is gone, its loop device too: a mount on one that lives gives the file system that was shut down"""
        wait_for(lambda: not self.mounted() or subprocess.run(["umount", self.at], stderr=subprocess.DEVNULL).returncode == 0,
                 60, f"{self.at}: nobody uses it")
        wait_for(lambda: not self.looped(), 60, f"{self.image}: no loop device")
