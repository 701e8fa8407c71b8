# instances.sh - what ottla-createinstance, ottla-dropinstance and ottla-lsinstances share; sourced by them with $here, the folder they lie in
#
# An instance NAME is settings in CONF_ROOT/NAME, data in DATA_ROOT/NAME, log files, if it writes some, in LOG_ROOT/NAME, and a unit of systemd. For tests, and for trees that
# are installed elsewhere, these variables may say other places.
#
# SPDX-License-Identifier: Apache-2.0
conf_root=${OTTLA_SETTINGS_ROOT:-/etc/ottla}
data_root=${OTTLA_DATA_ROOT:-/var/lib/ottla}
log_root=${OTTLA_LOG_ROOT:-/var/log/ottla}
bin_dir=${OTTLA_BIN_DIR:-$here/../lib/ottla/bin}
user=${OTTLA_USER:-ottla}
program=${0##*/}

fail() {
    echo "$program: $*" >&2
    exit 1
}

check_name() {
    case $1 in
    '') fail "which instance? Try \"$program --help\"." ;;
    [!a-z0-9]* | *[!a-z0-9_-]*) fail "an instance's name has small letters, digits, - and _, and begins with a letter or digit: not \"$1\"" ;;
    esac
    [ ${#1} -le 40 ] || fail "a name of more than 40 letters: $1"
}

conf_of() { echo "$conf_root/$1/ottla.conf"; }
data_of() { echo "$data_root/$1"; }
logs_of() { echo "$log_root/$1"; }

unit_of() {
    if [ "$1" = main ]; then echo ottlad.service; else echo "ottlad@$1.service"; fi
}

# All instances, a name a line: those with settings, and data that has none any more.
instances() {
    for f in "$conf_root"/*/ottla.conf "$data_root"/*/meta/meta.properties; do
        [ -e "$f" ] || continue
        f=${f%/ottla.conf}
        f=${f%/meta/meta.properties}
        echo "${f##*/}"
    done | LC_ALL=C sort -u
}

# A setting as the server would read it; empty when its settings cannot be read.
setting_of() {
    "$bin_dir/ottlad" -D "$(data_of "$1")" -c config_file="$(conf_of "$1")" -C "$2" 2>/dev/null || :
}

# Port of the first listener: of the running server, else of the settings.
port_of() {
    pid_file=$(data_of "$1")/ottlad.pid
    if [ -r "$pid_file" ] && port=$(sed -n 4p "$pid_file") && [ -n "$port" ]; then
        echo "$port"
        return
    fi
    setting_of "$1" listeners | sed 's/^[^,]*:\([0-9][0-9]*\).*$/\1/'
}

# online, down, or recovery, stopping ... as ottlad.pid says it
status_of() {
    if "$ctl" status -D "$(data_of "$1")" >/dev/null 2>&1; then
        status=$(sed -n '8s/ *$//p' "$(data_of "$1")/ottlad.pid" 2>/dev/null)
        case $status in
        ready | '') echo online ;;
        *) echo "online,$status" ;;
        esac
    else
        echo down
    fi
}

# Commands of this package lie beside this one, or in the search path.
for f in "$bin_dir/ottlactl" "$here/ottlactl" ottlactl; do
    ctl=$f
    [ ! -x "$f" ] || break
done
have_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }
