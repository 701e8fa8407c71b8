# 870_lab_setup.sh - inside systemd-lab: units, programs and user of the service, for the scripts that source this
#
# $1 is the folder of the programs. A script prints "ok NAME" per proof; its test counts them.
#
# SPDX-License-Identifier: Apache-2.0
set -eu
. test/t/lab_await.sh
programs=$1

mkdir -p /usr/lib/ottla/bin /usr/share/ottla /etc/ottla/main/conf.d /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/lib/systemd/catalog
cp "$programs/ottlad" /usr/lib/ottla/bin/
cp "$programs/ottlactl" "$programs/ottla-verify" contrib/instances/ottla-* /usr/bin/
[ ! -e "$programs/ottla-initdb" ] || cp "$programs/ottla-initdb" /usr/bin/
cp contrib/instances/instances.sh /usr/share/ottla/
cp contrib/systemd/ottla.catalog /usr/lib/systemd/catalog/
cp contrib/systemd/*.service contrib/systemd/*.socket contrib/systemd/*.target contrib/systemd/*.timer /etc/systemd/system/
cp contrib/systemd/ottla.sysusers /usr/lib/sysusers.d/ottla.conf
cp contrib/systemd/ottla.tmpfiles /usr/lib/tmpfiles.d/ottla.conf
journalctl --update-catalog
systemd-sysusers
systemd-tmpfiles --create ottla.conf
conf=/etc/ottla/main/ottla.conf
printf "num.partitions = 1\ninclude_dir 'conf.d'\n" >$conf
chown -R root:ottla /etc/ottla
systemctl daemon-reload

state() { systemctl show -P ActiveState "$instance"; }
status() { systemctl show -P StatusText "$instance"; }
main_pid() { systemctl show -P MainPID "$instance"; }
status_is() { status | grep -q "$1"; }
state_is() { [ "$(state)" = "$1" ]; }
id_of() { sed -n "s/.*X($1, \"\([0-9a-f]*\)\").*/\1/p" include/ottla/common/log_events.h; }
# in_journal FIELD=VALUE...: does the journal have such a message? It comes through another process: await it.
in_journal() { journalctl --no-pager -q -n 1 -o cat "$@" | grep -q .; }
log_has() { journalctl --no-pager -q -u "$instance" -o cat | grep -q "$1"; }
children() { tr ' ' '\n' <"/proc/$(main_pid)/task/$(main_pid)/children" | grep .; }
# child KIND: its process
child() { for p in $(children); do ! tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "^ottlad: [^ ]*: $1\( \|\$\)" || { echo "$p"; return; }; done; }
