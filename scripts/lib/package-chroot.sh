#!/usr/bin/env bash
# The package's life in a scratch tree, from without by `rpm --root`, and from within by chroot, where no systemd runs:
# installed, used as the service's user, an operator and a stranger, upgraded, erased, installed again. Called by
# scripts/lib/package.sh in namespaces of its own, with the tree's /proc, /dev and /run.
set -euo pipefail
tree=$1 version=$2
. "$(dirname "$0")/package-say.sh"

rpm_() { rpm --root "$tree" --dbpath /var/lib/rpm "$@"; }
within() { chroot "$tree" "$@"; }
as() { # USER, COMMAND
  local user=$1
  shift
  chroot "$tree" runuser -u "$user" -- "$@"
}
package() { echo "$tree/root/respool-$version-$1.$(uname -m).rpm"; }

# The service as its unit starts it, without its confinement.
start() {
  within install -d -o respool -g respool -m 0750 /run/respool
  chroot "$tree" runuser -u respool -- env RUNTIME_DIRECTORY=/run/respool bash -c \
    "umask 0027; exec respoold --state $state --config $config" >>"$tree/root/respoold.log" 2>&1 &
  respoold=$!
  until_it 90 within respool medium list
}

stop() {
  ends 0 "$@" respool --state $state stop
  wait $respoold || die "respoold ended with $?"
}

say "install"
rpm_ -i --nodeps "$(package 1)"
within getent passwd respool
found=$(within stat -c %a:%U:%G $state /etc/respool/config.toml | tr '\n' ' ')
[ "$found" = "750:respool:respool 640:root:respool " ] || die "the state folder and the config are $found"
[ "$(within respool --version)" = "respool $version" ] || die "respool --version says otherwise"
[ "$(within respoold --version)" = "respoold $version" ] || die "respoold --version says otherwise"
say "rpm -V finds everything as packaged"
rpm_ -V --nodeps respool
for page in man1/respool.1 man1/respool-repack.1 man5/respool-config.5 man8/respoold.8; do
  zcat "$tree/usr/share/man/$page.gz" | grep '^.TH' >/dev/null || die "no page $page"
done

say "nothing is started on demand, also not by root"
ends 3 within respool medium list

say "a job as the service's user"
within install -d -o respool -g respool -m 0750 /srv/media /srv/media/a /srv/media/b
within useradd --create-home --groups respool keeper
within useradd --create-home stranger
start
ends 0 as respool respool --state $state dir add a /srv/media/a
ends 0 as respool respool --state $state dir add b /srv/media/b
head -c 3000000 /dev/urandom >"$tree/home/keeper/in"
ends 0 as respool respool --state $state put /home/keeper/in some/object
source=$(as respool respool --state $state --json extent list --oid some/object | grep -o '"medium": *"[ab]"' | grep -o '[ab]"' | tr -d '"')
ends 0 as respool respool --state $state repack "$source" --quarantine 7d
ends 0 as respool respool --state $state get some/object /var/lib/respool/out
cmp "$tree/var/lib/respool/out" "$tree/home/keeper/in"
rm "$tree/var/lib/respool/out"
ends 0 as respool respool --state $state check

say "an operator may talk to the service, a stranger may not"
ends 0 as keeper respool --state $state get some/object /home/keeper/out
cmp "$tree/home/keeper/out" "$tree/home/keeper/in"
[ "$(stat -c %u "$tree/home/keeper/out")" = "$(within id -u keeper)" ] || die "the operator's file is not his"
ends 3 as stranger respool --state $state medium list
grep -q 'usermod -aG respool' /tmp/said || die "the stranger is not told what to do"
ends 2 within respool catalogue restore /nowhere
stop as keeper

say "upgrade, with a config that was edited"
echo '# edited here' >>"$tree$config"
rpm_ -U --nodeps "$(package 2)"
rpm_ -q respool
[ "$(rpm_ -q --qf '%{release}' respool)" = 2 ] || die "it is not release 2"
grep -qxF '# edited here' "$tree$config" || die "the config was replaced"
changed=$(rpm_ -V --nodeps respool || true)
echo "   rpm -V: $changed"
[ "$(wc -l <<<"$changed")" = 1 ] && grep -q ' c /etc/respool/config.toml$' <<<"$changed" || die "rpm -V should name the config alone"
start
ends 0 as keeper respool --state $state get some/object /home/keeper/out --overwrite
cmp "$tree/home/keeper/out" "$tree/home/keeper/in"
stop as respool

say "erase: the data and the edited config are kept"
rpm_ -e --nodeps respool
[ ! -e "$tree/usr/bin/respool" ] || die "respool is still there"
[ -e "$tree$state/pg/PG_VERSION" ] || die "the catalogue is gone"
grep -qxF '# edited here' "$tree$config.rpmsave" || die "the edited config is gone"
say "install again: everything is there"
rpm_ -i --nodeps "$(package 1)"
start
ends 0 as keeper respool --state $state get some/object /home/keeper/out --overwrite
cmp "$tree/home/keeper/out" "$tree/home/keeper/in"
ends 0 as keeper respool --state $state check
stop as respool
rpm_ -e --nodeps respool
rm -rf "$tree$state" "$tree/srv/media" "$tree/etc/respool"
