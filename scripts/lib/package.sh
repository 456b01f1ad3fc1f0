# Making the package and trying it out: the steps of scripts/rpm. Sourced by it.
# shellcheck shell=bash

workspace_version() { sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1; }

package_place() {
  version=$(workspace_version)
  place=$PWD/target/package
  top=$place/rpm
  packages=$top/RPMS/$(uname -m)
  tree=$place/tree
  log=$place/log
  mkdir -p "$top/SOURCES"
}

# ------------------------------------------------------------------------------------------------------ read, built, linted

quick_steps() {
  if command -v rpmspec >/dev/null; then
    step "package: the spec can be read" spec_is_read
  else
    leave_out "package: the spec can be read" "rpmspec is not installed"
  fi
  if command -v systemd-analyze >/dev/null; then
    step "package: the units can be read" units_are_read
  else
    leave_out "package: the units can be read" "systemd-analyze is not installed"
  fi
}

spec_is_read() {
  local name line
  name=$(rpmspec -q --srpm --qf '%{name}-%{version}' packaging/respool.spec) || return 1
  [ "$name" = "respool-$(workspace_version)" ] || {
    echo "the spec makes $name, and Cargo.toml says $(workspace_version)"
    return 1
  }
  rpmspec -P packaging/respool.spec >/dev/null || return 1
  # The user is made before the files are laid, so the spec repeats what sysusers say.
  while read -r line; do
    grep -qxF -- "$line" packaging/respool.spec || {
      echo "the spec lacks this line of respool.sysusers: $line"
      return 1
    }
  done < <(grep -v '^#' packaging/respool.sysusers)
}

# In a folder where every program that a unit starts exists.
units_are_read() {
  local folder status=0
  folder=$(mktemp -d)
  mkdir -p "$folder/usr/bin" "$folder/usr/lib/systemd"
  cp -r packaging "$folder/usr/lib/systemd/system"
  cp /usr/lib/systemd/system/{sysinit,basic,shutdown,timers,multi-user,local-fs,remote-fs}.target \
    "$folder/usr/lib/systemd/system/" 2>/dev/null || true
  printf '#!/bin/sh\n' | tee "$folder/usr/bin/respool" >"$folder/usr/bin/respoold"
  chmod 755 "$folder/usr/bin/"*
  verify_units "$folder" || status=1
  rm -rf "$folder"
  return $status
}

# What systemd-analyze says of the units, below ROOT; silence is good.
verify_units() { # ROOT
  local said status=0
  said=$(systemd-analyze verify --man=no --recursive-errors=no --root "$1" \
    respoold.service respool-repack.service respool-repack.timer 2>&1) || status=1
  [ -z "$said" ] || printf '%s\n' "$said"
  [ $status = 0 ] && [ -z "$said" ]
}

# The tree as it is committed, with tracked changes. Its files bear the time of the last change of what is compiled, so that
# cargo compiles again only then.
make_tarball() {
  local what when folder
  what=$(git stash create)
  [ -z "$(git ls-files --others --exclude-standard)" ] || echo "files that git does not know are not in the package"
  when=$(git log -1 --format=%ct -- src dss lrs schema .sqlx .cargo Cargo.toml Cargo.lock)
  [ -z "$what" ] || when=$(date +%s)
  folder=$(mktemp -d)
  git archive --prefix="respool-$version/" "${what:-HEAD}" | tar -x -C "$folder" || return 1
  tar -c -z --mtime="@$when" -C "$folder" -f "$top/SOURCES/respool-$version.tar.gz" "respool-$version" || return 1
  rm -rf "$folder"
}

# Without the network, but for crates that this machine lacks.
build_packages() { # RELEASE...
  local release
  make_tarball || return 1
  cargo fetch --quiet --locked || return 1
  rm -rf "$top/RPMS"
  for release in "$@"; do
    # rpmbuild looks for cargo among its own packages, where this machine's are not.
    CARGO_TARGET_DIR=$place/cargo nice -n 5 rpmbuild -bb --quiet --nodeps \
      --define "_topdir $top" --define "respool_release $release" packaging/respool.spec || return 1
  done
  ls -l "$packages"
}

lint() {
  need_packagers rpmlint=rpmlint
  local said
  said=$(rpmlint --config packaging/rpmlint.toml packaging/respool.spec "$packages"/respool-"$version"-1.*.rpm 2>&1) || true
  printf '%s\n' "$said"
  grep -q ' 0 errors, 0 warnings' <<<"$said"
}

# Enterprise Linux 9 has 2.34.
glibc_max=2.34
glibc_is_old_enough() {
  local folder program symbols newest newest_of_all=0
  folder=$(mktemp -d)
  (cd "$folder" && rpm2cpio "$packages"/respool-"$version"-1.*.rpm | cpio -idm --quiet) || return 1
  for program in respool respoold; do
    symbols=$(objdump -T "$folder/usr/bin/$program") || return 1
    newest=$(grep -o 'GLIBC_[0-9.]*' <<<"$symbols" | sort -Vu | tail -n 1)
    echo "$program: newest version of a symbol: $newest, of $(grep -c "($newest)" <<<"$symbols") symbols"
    newest_of_all=$(printf '%s\n%s\n' "$newest_of_all" "${newest#GLIBC_}" | sort -V | tail -n 1)
  done
  rm -rf "$folder"
  [ "$newest_of_all" = "$(printf '%s\n%s\n' "$newest_of_all" "$glibc_max" | sort -V | head -n 1)" ] || {
    echo "they need glibc $newest_of_all, and $glibc_max is the newest that may be needed"
    return 1
  }
  [ "$newest_of_all" != 0 ]
}

# ------------------------------------------------------------------------------------------------------------ scratch tree

make_tree() {
  local sources=(/etc/apt/sources.list.d/*.sources)
  [ -e "${sources[0]}" ] || sources=(/etc/apt/sources.list)
  need_packagers mmdebstrap=mmdebstrap
  remove_tree || return 1
  # With the sources of this machine, whatever they are.
  nice -n 5 mmdebstrap --quiet --variant=minbase --include=systemd,postgresql,rpm,passwd,procps \
    --setup-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
    --setup-hook='echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.d/respool.conf"' \
    --aptopt='Acquire::Languages "none"' "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tree" "${sources[@]}" ||
    return 1
  cp "$packages"/*.rpm "$tree/root/" && cp scripts/lib/package-inside.sh "$tree/root/inside" &&
    cp scripts/lib/package-say.sh "$tree/root/say" && du -sh "$tree"
}

remove_tree() {
  # Nothing is mounted below it outside the namespaces that ended; a mount that is there would be emptied.
  ! grep -q " $tree/" /proc/self/mounts || {
    echo "something is mounted below $tree; nothing is removed"
    return 1
  }
  rm -rf --one-file-system "$tree"
}

# Runs a command with the tree's own /proc, /dev and /run, and no process left when it ends.
beside_tree() {
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child -- bash -ec '
    tree=$1
    shift
    mount -t proc proc "$tree/proc"
    mount --rbind /dev "$tree/dev"
    mount -t tmpfs tmpfs "$tree/run"
    exec "$@"' _ "$tree" "$@"
}

# The package's life by rpm's own --root: what an image builder does.
in_chroot() {
  beside_tree bash scripts/lib/package-chroot.sh "$tree" "$version"
}

# ----------------------------------------------------------------------------------------------------------------- systemd

boots() {
  need_packagers systemd-nspawn=systemd-container
  boot && halt
}

# Boots the tree and waits until its systemd takes requests; leaves the process in $leader.
boot() {
  local begun=$SECONDS
  : >"$log.boot"
  systemd-nspawn --quiet --directory "$tree" --machine respool-package --register=no --keep-unit --link-journal=no \
    --boot </dev/null >"$log.boot" 2>&1 &
  nspawn=$!
  trap give_up EXIT # also when this script is interrupted
  while [ $((SECONDS - begun)) -lt 60 ] && kill -0 $nspawn 2>/dev/null; do
    leader=$(ps -o pid= --ppid $nspawn | tr -d ' ' | head -n 1)
    if [ -n "$leader" ] && inside systemctl is-system-running --wait 2>/dev/null | grep -q -e running -e degraded; then
      return 0
    fi
    sleep 0.5
  done
  give_up
  return 1
}

give_up() {
  kill $nspawn 2>/dev/null || true
  wait $nspawn || true
  trap - EXIT
}

inside() { nsenter --all --target "$leader" -- "$@"; }

halt() {
  inside systemctl poweroff >/dev/null 2>&1 || true
  local begun=$SECONDS
  while kill -0 $nspawn 2>/dev/null && [ $((SECONDS - begun)) -lt 60 ]; do sleep 0.2; done
  give_up
}

under_systemd() {
  local status=0
  boot || return 1
  inside bash /root/inside "$version" || status=1
  halt
  return $status
}
