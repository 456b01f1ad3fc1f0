# What the scripts need before they can build and test. Sourced by check, quickstart and dev-pg; installs the
# PostgreSQL server where it can, and otherwise prints the command that does and exits 3.
# shellcheck shell=bash

pg_minimum=15
rust_minimum=94 # of 1.x; `rust-version` in Cargo.toml says the same

missing() { # WHAT, COMMAND
  printf '%s\nInstall it with:\n  %s\nthen run this again.\n' "$1" "$2" >&2
  exit 3
}

need_rust() {
  local rustup="curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile default"
  # A login shell knows where rustup put cargo; a service's shell may not.
  command -v cargo >/dev/null || PATH="$PATH:${CARGO_HOME:-$HOME/.cargo}/bin"
  command -v cargo >/dev/null || missing "Rust 1.$rust_minimum or later is needed, and cargo was not found." "$rustup"
  local version
  version=$(rustc --version | awk '{ print $2 }')
  case $version in
    1.*) [ "$(printf '%s' "$version" | cut -d. -f2)" -ge "$rust_minimum" ] && return ;;
    [2-9]*) return ;;
  esac
  command -v rustup >/dev/null && rustup="rustup update stable"
  missing "Rust 1.$rust_minimum or later is needed, and this is $version." "$rustup"
}

# Refuses what would fill the disk half-way: with less room the tests fail in ways that say nothing of the program.
need_room() { # MIB, FOLDER, WHAT
  local free folder=$2
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(df --output=avail -m "$folder" | tail -n 1 | tr -d ' ')
  [ "$free" -ge "$1" ] && return
  printf '%s needs %s MiB in %s, and there are %s.\nMake room, or set CARGO_TARGET_DIR to a folder on another disk, then run this again.\n' \
    "$3" "$1" "$folder" "$free" >&2
  exit 3
}

need_linker() {
  command -v cc >/dev/null && return
  if command -v dnf >/dev/null; then
    missing "A C linker is needed, and cc was not found." "sudo dnf install gcc"
  fi
  missing "A C linker is needed, and cc was not found." "sudo apt-get install gcc libc6-dev"
}

# Installs the programs that make and try out a package, or do what $needed_for says. Each is of a package of its own.
need_packagers() { # PROGRAM=PACKAGE...
  local pair packages=() what=${needed_for:-Making and trying out the package}
  for pair in "$@"; do
    command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
  done
  [ ${#packages[@]} -gt 0 ] || return 0
  local command="apt-get install ${packages[*]}"
  if ! command -v apt-get >/dev/null; then
    missing "$what needs Debian's ${packages[*]}." "$command  # on Debian"
  fi
  [ "$(id -u)" = 0 ] || missing "$what needs ${packages[*]}." "sudo $command"
  echo "installing ${packages[*]} with apt-get"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
      "${packages[@]}" >/dev/null; } || missing "apt-get could not install ${packages[*]}." "apt-get update && $command"
}

# Prints the newest usable folder of server programs. The same search as the private cluster's.
find_postgres() {
  local folder major best="" best_major=0 folders=()
  if [ -n "${RESPOOL_PG_BIN:-}" ]; then
    folders=("$RESPOOL_PG_BIN")
  else
    folders=(/usr/lib/postgresql/*/bin /usr/pgsql-*/bin)
    local server
    server=$(command -v postgres) && folders+=("$(dirname "$server")")
  fi
  for folder in "${folders[@]}"; do
    [ -x "$folder/postgres" ] && [ -x "$folder/initdb" ] || continue
    major=$("$folder/postgres" --version 2>/dev/null | sed -n 's/^postgres (PostgreSQL) \([0-9]*\).*/\1/p')
    if [ -n "$major" ] && [ "$major" -ge "$pg_minimum" ] && [ "$major" -gt "$best_major" ]; then
      best=$folder best_major=$major
    fi
  done
  [ -n "$best" ] && printf '%s\n' "$best"
}

# Leaves the folder of the server's programs in $pg_bin.
need_postgres() {
  if ! pg_bin=$(find_postgres); then
    [ -z "${RESPOOL_PG_BIN:-}" ] || missing \
      "RESPOOL_PG_BIN is $RESPOOL_PG_BIN, which holds no PostgreSQL $pg_minimum or later." "unset RESPOOL_PG_BIN"
    if ! command -v apt-get >/dev/null; then
      missing "A PostgreSQL server, version $pg_minimum or later, is needed." "sudo dnf install postgresql-server"
    elif [ "$(id -u)" = 0 ]; then
      install_postgres
    else
      unpack_postgres
    fi
    pg_bin=$(find_postgres) || missing "PostgreSQL was installed, but is not version $pg_minimum or later." \
      "sudo apt-get install postgresql  # from a newer suite, or from apt.postgresql.org"
  fi
  use_libraries_of "$pg_bin"
}

install_postgres() {
  echo "installing the PostgreSQL server with apt-get (no cluster is made)"
  # Only a file of ours: the package's own configuration reads this folder.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/respool.conf
  apt-cache show postgresql >/dev/null 2>&1 || apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql ||
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; } ||
    missing "apt-get could not install the PostgreSQL server." "apt-get update && apt-get install postgresql"
}

# Without root: the packages are unpacked below the user's cache. They find their own files by where they lie.
unpack_postgres() {
  local prefix major packages package new
  prefix=${XDG_CACHE_HOME:-$HOME/.cache}/respool/postgresql
  if [ ! -e "$prefix/complete" ]; then
    major=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p')
    [ -n "$major" ] || missing "A PostgreSQL server is needed, and apt-get knows no package of it." \
      "sudo apt-get update && sudo apt-get install postgresql"
    echo "unpacking PostgreSQL $major and its libraries into $prefix"
    # Only libraries that are absent, and not LLVM: compiled expressions are switched off.
    packages=$(apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
      --no-enhances "postgresql-$major" | grep '^lib' | grep -v -e '^libllvm' -e '-perl' | cut -d: -f1 | sort -u)
    new=$(mktemp -d "${TMPDIR:-/tmp}/respool-debs.XXXXXX")
    for package in $packages; do
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' && continue
      (cd "$new" && apt-get download -q "$package" >/dev/null 2>&1) || true # a virtual package
    done
    (cd "$new" && apt-get download -q "postgresql-$major" "postgresql-client-$major" >/dev/null) ||
      missing "The PostgreSQL packages could not be fetched." "sudo apt-get update && sudo apt-get install postgresql"
    rm -rf "$prefix"
    mkdir -p "$prefix"
    for package in "$new"/*.deb; do dpkg -x "$package" "$prefix"; done
    rm -rf "$new"
    touch "$prefix/complete"
  fi
  RESPOOL_PG_BIN=$(echo "$prefix"/usr/lib/postgresql/*/bin)
  export RESPOOL_PG_BIN
}

# Programs that were unpacked by hand find their libraries by LD_LIBRARY_PATH; installed ones need nothing.
use_libraries_of() {
  local prefix=${1%/usr/lib/postgresql/*/bin}
  [ -n "$prefix" ] && [ "$prefix" != "$1" ] || return 0
  local libraries
  libraries=$(echo "$prefix"/usr/lib/*-linux-gnu* "$prefix"/lib/*-linux-gnu* | tr ' ' ':')
  export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

# As root PostgreSQL runs as this user; the same choice as the private cluster's.
pg_account() {
  [ "$(id -u)" = 0 ] || return 0
  if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# Runs a command as the user that PostgreSQL runs as.
as_pg() {
  local account
  account=$(pg_account)
  if [ -z "$account" ]; then
    "$@"
  else
    setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups -- "$@"
  fi
}

# Makes the folder $1 and prints it; when PostgreSQL's user cannot enter it (a checkout in root's home), makes and
# prints one below /tmp instead.
passable_folder() {
  local folder=$1
  mkdir -p "$folder"
  if ! as_pg test -x "$folder"; then
    folder=/tmp/respool-$(basename "$1")-$(printf '%s' "$1" | cksum | cut -d' ' -f1)
    [ ! -e "$folder" ] || [ -O "$folder" ] || { echo "$folder belongs to another user" >&2; return 1; }
    mkdir -p "$folder"
  fi
  if [ "$(id -u)" = 0 ]; then chmod 711 "$folder"; fi
  printf '%s\n' "$folder"
}

# Stops the server of a cluster folder in order. A pid counts only when its process works in that folder.
stop_postgres() {
  local data=$1 pid
  pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 0
  [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$(readlink -f "$data")" ] || return 0
  kill -INT "$pid" 2>/dev/null || return 0
  while [ -e "/proc/$pid/cwd/PG_VERSION" ]; do sleep 0.1; done
}
