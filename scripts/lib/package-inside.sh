#!/usr/bin/env bash
# The package under a systemd that was booted for it: the units as they are, with all their confinement. Runs inside the
# scratch tree, started by scripts/lib/package.sh.
set -euo pipefail
version=$1
. /root/say

package() { echo "/root/respool-$version-$1.$(uname -m).rpm"; }
main_pid() { systemctl show -P MainPID respoold; }
as() { # USER, COMMAND
  local user=$1
  shift
  runuser -u "$user" -- "$@"
}
nobody_is_left() {
  local code=0
  pgrep -u respool -a || code=$?
  [ $code = 1 ] || die "processes of the service are left"
}
holds() {
  ends 0 as keeper respool --state $state get some/object /home/keeper/out --overwrite
  cmp /home/keeper/out /home/keeper/in
}

say "install, and start"
rpm -i --nodeps "$(package 1)"
systemd-analyze verify --man=no respoold.service respool-repack.service respool-repack.timer
ends 0 systemctl start respoold
stands $state 750:respool:respool
stands /run/respool 750:respool:respool
stands "$(cat $state/sockets)" 750:respool:respool
stands "$(cat $state/sockets)/respoold.sock" 660:respool:respool
systemctl status respoold --no-pager --lines 0

say "media need a drop-in"
install -d -o respool -g respool -m 0750 /srv/media /srv/media/a /srv/media/b
id keeper >/dev/null 2>&1 || useradd --create-home --groups respool keeper
[ -e /home/keeper/in ] || head -c 3000000 /dev/urandom >/home/keeper/in
ends 2 as keeper respool --state $state dir add a /srv/media/a
cat /tmp/said
mkdir -p /etc/systemd/system/respoold.service.d
printf '[Service]\nReadWritePaths=/srv/media\n' >/etc/systemd/system/respoold.service.d/media.conf
systemctl daemon-reload
ends 0 systemctl restart respoold
ends 0 as keeper respool --state $state dir add a /srv/media/a
ends 0 as keeper respool --state $state dir add b /srv/media/b
ends 0 as keeper respool --state $state put /home/keeper/in some/object
holds

say "the watchdog hears of it"
printf '[Service]\nWatchdogSec=2\n' >/etc/systemd/system/respoold.service.d/watchdog.conf
systemctl daemon-reload
ends 0 systemctl restart respoold
sleep 7
[ "$(systemctl show -P NRestarts respoold)" = 0 ] || die "the watchdog killed it"
rm /etc/systemd/system/respoold.service.d/watchdog.conf
systemctl daemon-reload

say "killed, it is started again, with its database"
killed=$(main_pid)
kill -KILL "$killed"
until_it 60 as keeper respool --state $state medium list
[ "$(main_pid)" != "$killed" ] || die "it is the same process"
holds

say "stopped, nothing is left, and nothing is started on demand"
ends 0 systemctl stop respoold
nobody_is_left
ends 3 respool medium list
ends 0 systemctl start respoold
holds

say "the weekly repack: nothing to do, then a suspect medium"
[ "$(systemctl is-enabled respool-repack.timer || true)" = disabled ] || die "it is enabled and nobody said so"
ends 0 systemctl enable --now respool-repack.timer
systemctl list-timers --no-pager respool-repack.timer | grep respool-repack
ends 0 systemctl start respool-repack.service
ends 0 as keeper respool --state $state job list --json
grep -q '"jobs":\[\]' /tmp/said || die "a job was given"
ends 0 as keeper respool --state $state medium set a health=suspect
ends 0 systemctl start respool-repack.service
ends 0 as keeper respool --state $state job show 1 --json
grep -q '"sources":\["a"\]' /tmp/said || die "another medium was emptied"
holds

say "an upgrade restarts the running service"
before=$(main_pid)
rpm -U --nodeps "$(package 2)"
until_it 60 as keeper respool --state $state medium list
[ "$(main_pid)" != "$before" ] || die "the old program still runs"
holds
ends 0 as keeper respool --state $state check

say "how exposed the units are: what they leave open, and less than 2 of 10 in all"
for unit in respoold.service respool-repack.service; do
  systemd-analyze security --no-pager --threshold=20 $unit >/tmp/said || die "$(tail -n 1 /tmp/said)"
  grep -e '^✗' -e Overall /tmp/said
done

say "erase stops it and keeps the data"
rpm -e --nodeps respool
nobody_is_left
[ -e $state/pg/PG_VERSION ] || die "the catalogue is gone"
