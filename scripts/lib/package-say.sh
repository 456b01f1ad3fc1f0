# How a package's trial tells what it does. Sourced by package-chroot.sh and package-inside.sh.
# shellcheck shell=bash


state=/var/lib/respool
config=/etc/respool/config.toml

say() { echo "-- $*"; }

die() {
  echo "!! $*"
  exit 1
}

# Runs a command that must end with this code.
ends() { # CODE, COMMAND
  local wanted=$1 code=0
  shift
  "$@" >/tmp/said 2>&1 || code=$?
  echo "   $* -> $code"
  [ $code = "$wanted" ] || {
    cat /tmp/said
    die "it should have ended with $wanted"
  }
}

# Waits for a command to succeed.
until_it() { # SECONDS, COMMAND
  local begun=$SECONDS limit=$1
  shift
  until "$@" >/tmp/said 2>&1; do
    [ $((SECONDS - begun)) -lt "$limit" ] || {
      cat /tmp/said
      die "not within $limit s: $*"
    }
    sleep 0.3
  done
}

stands() { # PATH MODE:OWNER:GROUP
  local found
  found=$(stat -c %a:%U:%G "$1") || die "$1 is missing"
  [ "$found" = "$2" ] || die "$1 is $found and should be $2"
  echo "   $1 is $found"
}
