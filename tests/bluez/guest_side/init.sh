#!/bin/busybox sh
# The guest's first program: load all modules, mount the shared root under an overlay, hand over to the steward.
# Whatever a guest writes stays in its memory.
b=/bin/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for module in /modules/*; do
    $b insmod "$module" || echo "init: cannot load $module"
done
$b mount -t tmpfs -o size=50% tmpfs /rw
$b mkdir /rw/root /rw/root-work /rw/repo /rw/repo-work
share() { # tag, directory, where the overlay goes
    $b mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose "$1" "$2" &&
        $b mount -t overlay -o "lowerdir=$2,upperdir=/rw/$1,workdir=/rw/$1-work" overlay "$3"
}
share root /root /new || echo "init: no root"
$b mkdir -p /new/rig/repo /new/dev /new/proc /new/sys /new/run
share repo /repo /new/rig/repo || echo "init: no repo"
$b mount --move /proc /new/proc
$b mount --move /sys /new/sys
$b mount --move /dev /new/dev
$b mkdir -p /new/dev/shm /new/dev/pts
$b mount -t tmpfs shm /new/dev/shm
$b mount -t devpts devpts /new/dev/pts
$b mount -t tmpfs run /new/run
$b mkdir -p /new/run/dbus /new/run/rig
$b ip link set lo up
read -r line </new/proc/cmdline
for word in $line; do
    case $word in rig.python=*) python=${word#*=} ;; esac
done
exec $b switch_root /new /bin/sh -c '
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 PYTHONPATH=/rig/repo PYTHONUNBUFFERED=1
    mount -t tmpfs bluetooth /var/lib/bluetooth || mkdir -p /var/lib/bluetooth
    cd /rig/repo
    "$0" -m tests.bluez.guest_side.steward
    echo "steward ended with $?"
    echo o >/proc/sysrq-trigger
    sleep 10
' "$python"
