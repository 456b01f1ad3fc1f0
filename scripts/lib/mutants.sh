# Mutants: tests/mutants/NAME.patch, a header and a diff that breaks one rule. Sourced by scripts/sim; prerequisites.sh
# is sourced before. The tree itself is never touched: patches are applied to a scratch copy.
# shellcheck shell=bash
#
# Header lines, each a word, a colon and the rest of the line:
#   Rule:            the rule in words
#   Holds:           the invariants or requirements it serves
#   Backend:         mem, pg, dir, or any
# and one of three ways to be refused, with what the output must say, so that nothing else is taken for it:
#   Caught by:       cargo test -p PACKAGE (--test BINARY | --lib) -- --exact TEST; it must fail. Several lines: all must
#   Refused by:      cargo test -p PACKAGE --lib --no-run; the compiler must refuse it, all its errors having the code that `Fails with` names
#   Held twice:      NAME, a mutant that removes this layer and the other one, too. The tests by which NAME is caught must
#                    pass with this layer alone removed
#   Fails with:      a text of the failing test's or the compiler's output
# and, for the reader:
#   Also caught by:  a seed
#   Note:            anything else

mutants_folder=tests/mutants

header() { # FILE, WORD: the values, a line each
  sed -n "/^diff --git /q; s/^$2: *//p" "$1"
}

# The files of the names given, or of all; refuses a name that is none.
mutant_files() { # [NAME...]
  if [ $# = 0 ]; then
    printf '%s\n' "$mutants_folder"/*.patch
    return
  fi
  local name
  for name in "$@"; do
    name=${name%.patch}
    [ -e "$mutants_folder/$name.patch" ] || { echo "there is no mutant $name in $mutants_folder" >&2; return 2; }
    printf '%s\n' "$mutants_folder/$name.patch"
  done
}

# The files in the order in which cargo has least to build again: by what tests them, then by what they change.
in_order() { # FILE...
  local file
  for file in "$@"; do
    printf '%s %s %s\n' "$(commands_of "$file" | sed -n '1{s/ -- .*//; s/ /_/gp}')" \
      "$(sed -n 's/^+++ b\///p' "$file" | sort | tail -n 1)" "$file"
  done | sort | cut -d' ' -f3
}

# Whether a header says all that must be known; prints what is missing.
header_is_whole() { # FILE
  local word missing=""
  for word in Rule Holds Backend; do
    [ -n "$(header "$1" "$word")" ] || missing="$missing $word"
  done
  local ways=0
  for word in "Caught by" "Refused by" "Held twice"; do
    [ -z "$(header "$1" "$word")" ] || ways=$((ways + 1))
  done
  [ $ways = 1 ] || missing="$missing Caught-by|Refused-by|Held-twice"
  [ -n "$(header "$1" "Held twice")$(header "$1" "Fails with")" ] || missing="$missing Fails-with"
  [ -z "$missing" ] && return
  echo "$1: its header lacks$missing"
  return 1
}

# Does every mutant still apply to this tree? For scripts/check: cheap, builds nothing.
mutants_apply() { # [NAME...]
  local file files count=0 failed=0
  files=$(mutant_files "$@") || exit 2
  for file in $files; do
    count=$((count + 1))
    header_is_whole "$file" || failed=$((failed + 1))
    if ! git apply --check "$file"; then
      echo "$file no longer applies: the rule it breaks has moved; break it again where it is now"
      failed=$((failed + 1))
    fi
  done
  echo "mutants: $count, of which $((count - failed)) apply"
  [ $failed = 0 ] && [ $count -gt 0 ]
}

# A copy of the tree in the target folder, kept between runs so that only what changed is built again. A file is written
# only when its content differs, and is new then: cargo never takes a mutant of an earlier run for the tree.
make_scratch() {
  local target=${CARGO_TARGET_DIR:-$PWD/target}/mutants
  mkdir -p "$target/tree"
  exec 9>"$target/lock"
  flock -n 9 || { echo "mutants of this checkout are being tried already" >&2; exit 1; }
  scratch=$target/tree
  copy_tree
  log=$target/log
  # A cluster of its own, which ends with the run and whose databases nobody looks at.
  run=$(mktemp -d /tmp/respool-mutants.XXXXXX)
  trap clean_scratch EXIT
  chmod 711 "$run"
  export RESPOOL_TEST_CLUSTER=$run RESPOOL_TEST_DB=cluster CARGO_TARGET_DIR=$target GIT_CEILING_DIRECTORIES=$target
  # Built to be run once: no backtraces, nothing to debug.
  export RUST_BACKTRACE=0 CARGO_PROFILE_DEV_DEBUG=none CARGO_INCREMENTAL=1
}

tree_files() { # FOLDER
  (cd "$1" && find . \( -path ./target -o -path ./.git \) -prune -o -type f -print)
}

copy_tree() {
  local file
  while IFS= read -r file; do
    cmp -s "$file" "$scratch/$file" && continue
    mkdir -p "$scratch/${file%/*}"
    cp "$file" "$scratch/$file"
  done < <(tree_files .)
  while IFS= read -r file; do
    [ -e "$file" ] || rm "$scratch/$file"
  done < <(tree_files "$scratch")
}

clean_scratch() {
  stop_postgres "$run/pg"
  rm -rf "$run"
}

# Runs words as a command in the scratch copy, output to the log. No shell reads them a second time.
in_scratch() { # SECONDS, WORD...
  local limit=$1
  shift
  (cd "$scratch" && timeout --kill-after=10 "$limit" "$@") >"$log" 2>&1 9>&-
}

build_seconds=3600
test_seconds=${SIM_MUTANT_SECONDS:-600}

# Builds what a command `cargo test ... -- --exact TEST` runs, then runs it. Prints passed, failed, or what went wrong.
try_test() { # COMMAND
  local words test status=0
  case $1 in
    "cargo test -p "*" -- --exact "*) ;;
    *)
      echo "its header's command is none: $1"
      return
      ;;
  esac
  read -ra words <<<"${1%% -- *}"
  test=${1##* --exact }
  in_scratch "$build_seconds" "${words[@]}" --no-run || { echo "does not build"; return; }
  in_scratch "$test_seconds" "${words[@]}" -- --exact "$test" || status=$?
  if [ "$status" = 124 ] || [ "$status" = 137 ]; then
    echo "took more than $test_seconds s"
  elif [ "$status" = 0 ] && grep -q '^test result: ok\. 1 passed;' "$log"; then
    echo passed
  elif [ "$status" != 0 ] && grep -q '^test result: FAILED\. 0 passed; 1 failed;' "$log"; then
    echo failed
  else
    echo "is no test, or ended without a result"
  fi
}

# Whether the compiler refuses, and for nothing else than was named.
try_compiler() { # COMMAND, CODE
  local words codes status=0
  read -ra words <<<"$1"
  in_scratch "$build_seconds" "${words[@]}" || status=$?
  [ "$status" != 0 ] || { echo passed; return; }
  codes=$(grep -o '^error\[E[0-9]*\]' "$log" | sort -u)
  if [ "$codes" = "error[$2]" ]; then echo failed; else echo "is refused for something else: $(echo "$codes" | tr '\n' ' ')"; fi
}

# The commands by which a mutant is judged, a line each.
commands_of() { # FILE
  local pair
  header "$1" "Caught by"
  header "$1" "Refused by"
  pair=$(header "$1" "Held twice")
  [ -z "$pair" ] || header "$mutants_folder/$pair.patch" "Caught by"
}

# Every command passes on the tree as it is; otherwise nothing can be learned from its failing.
baseline() { # FILE...
  local command verdict begun failed=0
  while IFS= read -r command; do
    begun=$SECONDS
    case $command in
      *" --no-run") verdict=$(try_compiler "$command" "") ;;
      *) verdict=$(try_test "$command") ;;
    esac
    printf 'unchanged tree: %s: %s, %s s\n' "${command#cargo }" "$verdict" "$((SECONDS - begun))"
    if [ "$verdict" != passed ]; then
      failed=1
      tail -n 40 "$log"
    fi
  done < <(for file in "$@"; do commands_of "$file"; done | sort -u)
  return $failed
}

# Judges one mutant that is applied. Sets `caught` to what caught it, or `trouble` to why it was not caught as named.
judge() { # FILE
  local file=$1 expected pair command verdict
  caught="" trouble=""
  expected=$(header "$file" "Fails with")
  pair=$(header "$file" "Held twice")
  while IFS= read -r command; do
    case $command in
      *" --no-run") verdict=$(try_compiler "$command" "$(expr "$expected" : 'error\[\(E[0-9]*\)\]')") ;;
      *) verdict=$(try_test "$command") ;;
    esac
    if [ -n "$pair" ]; then
      [ "$verdict" = passed ] || { trouble="was to be held by the other layer, but ${command##* --exact } $verdict"; return; }
      caught="held twice: $pair"
    elif [ "$verdict" = passed ]; then
      trouble="SURVIVED ${command##* --exact }"
      return
    elif [ "$verdict" != failed ]; then
      trouble="${command##* --exact } $verdict"
      return
    elif ! grep -qF -- "$expected" "$log"; then
      trouble="${command##* --exact } failed, but not with: $expected"
      return
    else
      case $command in
        *" --no-run") caught="compiler, $expected" ;;
        *) caught="${caught:+$caught, }${command##* --exact }" ;;
      esac
    fi
  done < <(commands_of "$file")
  [ -n "$caught" ] || trouble="its header names nothing that catches it"
}

# The migrations are built into the program, and cargo does not watch them.
touch_migrations() { # FILE
  if grep -q '^+++ b/schema/' "$1"; then touch "$scratch/dss/src/pg/migrate.rs"; fi
}

# Applies, judges, takes back.
try_mutant() { # FILE
  local file=$PWD/$1 name begun=$SECONDS also row
  name=$(basename "$1" .patch)
  if ! header_is_whole "$1"; then
    caught="" trouble="has no whole header"
  elif ! (cd "$scratch" && git apply "$file"); then
    caught="" trouble="NO LONGER APPLIES"
  else
    touch_migrations "$1"
    judge "$1"
    [ -z "$trouble" ] || grep -A 6 -e 'panicked at' -e '^error' "$log" | head -n 40 || true
    (cd "$scratch" && git apply -R "$file") || { echo "$1 cannot be taken back" >&2; exit 1; }
    touch_migrations "$1"
  fi
  also=$(header "$1" "Also caught by" | tr '\n' ',')
  also=${also%,}
  row="$name|$(header "$1" Rule)|$(header "$1" Backend)|${trouble:-$caught${also:+; also $also}}|$((SECONDS - begun))"
  rows+=("$row")
  printf '%s: %s, %s s\n' "$name" "${trouble:-caught by $caught}" "$((SECONDS - begun))"
  [ -z "$trouble" ]
}

print_table() {
  local name rule backend what seconds
  printf '\n%-34s %-7s %7s  %s\n' mutant backend seconds "what caught it"
  while IFS='|' read -r name rule backend what seconds; do
    printf '%-34s %-7s %7s  %s\n    %s\n' "$name" "$backend" "$seconds" "$what" "$rule"
  done < <(printf '%s\n' "${rows[@]}" | sort)
}

run_mutants() { # [NAME...]
  local files file failed=0
  rows=()
  files=$(mutant_files "$@") || exit 2
  # shellcheck disable=SC2086 # names of patches have no spaces
  files=$(in_order $files)
  need_rust
  need_linker
  need_postgres
  command -v git >/dev/null || missing "git is needed to apply patches." "sudo apt-get install git"
  make_scratch
  # shellcheck disable=SC2086 # names of patches have no spaces
  baseline $files || { echo "the unchanged tree fails: no mutant was tried"; exit 1; }
  for file in $files; do
    try_mutant "$file" || failed=$((failed + 1))
  done
  print_table
  printf '\nmutants: %s tried, %s caught as named, %s not, in %s s\n' "${#rows[@]}" "$((${#rows[@]} - failed))" \
    "$failed" "$SECONDS"
  [ $failed = 0 ] || exit 1
}
