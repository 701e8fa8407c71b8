#!/bin/sh
# 877_packages_lab.sh - runs inside systemd-lab: the Debian packages of the folder $1 installed, upgraded, removed, purged
#
# Prints "ok NAME" per proof; 877_packages_installed.t counts them.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
. test/t/lab_await.sh
debs=$1
export DEBIAN_FRONTEND=noninteractive

# Every name of the root, but what dpkg, debconf and the journal keep for themselves.
names() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
        -o -path /var/lib/systemd -o -path /work -o -path /root \) -prune -o -print | grep -v -E '/etc/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock)-?$' | sort
}

echo man-db man-db/auto-update boolean false | debconf-set-selections
rm -f /var/lib/man-db/auto-update /usr/sbin/policy-rc.d # containers forbid services there
names >/run/before

dpkg -i "$debs"/*.deb >/run/install.log 2>&1 || { cat /run/install.log; fail install; }
[ "$(systemctl show -P ActiveState ottlad)" = active ] || { cat /run/install.log; fail install active; }
[ "$(systemctl is-enabled ottlad)" = enabled ] || fail install enabled
ottla-lsinstances -h | grep -q '^main  *9092  *online  *ottla  *ottlad.service  */var/lib/ottla/main$' || { ottla-lsinstances; fail install listed; }
[ "$(stat -c %U:%G:%a /etc/ottla/main/ottla.conf)" = root:ottla:640 ] || fail install mode of the settings
[ "$(stat -c %U:%a /var/lib/ottla/main)" = ottla:750 ] || fail install mode of the data
journalctl --no-pager -q -n 1 -o cat -x MESSAGE_ID="$(sed -n 's/.*X(READY, "\([0-9a-f]*\)").*/\1/p' include/ottla/common/log_events.h)" |
    grep -q . || fail install catalogue
echo 'first record' | kcat -b localhost:9092 -P -t kept || fail install produce
records() { kcat -b localhost:9092 -C -t kept -o beginning -e -q; }
[ "$(records)" = 'first record' ] || fail install consume
echo ok install

# An upgrade restarts what runs, once, and keeps settings and data.
echo 'num.partitions = 2' >/etc/ottla/main/conf.d/mine.conf
old=$(systemctl show -P MainPID ottlad)
dpkg -i "$debs"/*.deb >/run/upgrade.log 2>&1 || { cat /run/upgrade.log; fail upgrade; }
[ "$(systemctl show -P MainPID ottlad)" != "$old" ] || fail upgrade restart
[ "$(systemctl show -P NRestarts ottlad)" = 0 ] || fail upgrade restarts
[ "$(journalctl -u ottlad --no-pager -q -o cat | grep -c 'starting; pid=')" = 2 ] || fail upgrade once
[ -e /etc/ottla/main/conf.d/mine.conf ] || fail upgrade settings
[ "$(records)" = 'first record' ] || fail upgrade data
echo ok upgrade

dpkg -r ottla-server >/run/remove.log 2>&1 || { cat /run/remove.log; fail remove; }
! pgrep -u ottla >/dev/null || fail remove processes
[ -e /etc/ottla/main/ottla.conf ] || fail remove settings
[ -e /var/lib/ottla/main/log/kept-0 ] || fail remove data
echo ok remove

# Without anybody to answer the question, data stays; everything else goes.
dpkg -P ottla-server ottla-client ottla-doc >/run/purge.log 2>&1 || { cat /run/purge.log; fail purge; }
names >/run/after
left=$(comm -13 /run/before /run/after | grep -v '^/var/lib/ottla\(/\|$\)' || :)
[ -z "$left" ] || fail "purge leaves $left"
[ -e /var/lib/ottla/main/log/kept-0 ] || fail purge data
[ "$(stat -c %U /var/lib/ottla/main)" = ottla ] || fail purge owner
echo ok purge

# With the answer yes there is nothing left at all, not even the user.
dpkg -i "$debs"/*.deb >/run/install.log 2>&1 || { cat /run/install.log; fail again; }
[ -e /var/lib/ottla/main/log/kept-0 ] || fail again data
[ ! -e /etc/ottla/main ] || fail 'again: an instance was made over old data'
echo 'ottla-server ottla-server/purge-data boolean true' | debconf-set-selections
dpkg -P ottla-server ottla-client ottla-doc >/run/purge.log 2>&1 || { cat /run/purge.log; fail purge all; }
names >/run/after
left=$(comm -13 /run/before /run/after)
[ -z "$left" ] || fail "purge with its data leaves $left"
! getent passwd ottla >/dev/null || fail purge user
echo ok nothing left

# The administrator may want no instance.
mkdir -p /etc/ottla
echo 'create_main = false' >/etc/ottla/createinstance.conf
dpkg -i --force-confold "$debs"/*.deb >/run/install.log 2>&1 || { cat /run/install.log; fail none; }
[ -z "$(ottla-lsinstances -h)" ] || fail none listed
[ "$(systemctl show -P ActiveState ottlad)" = inactive ] || fail none active
echo ok no instance
