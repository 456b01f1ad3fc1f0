# Steps of a check: each is run to its end whatever came before, and all are told at the end, also those left out.

ran=()
left_out=()
failed=()

step() { # NAME, COMMAND
  local name=$1 begun=$SECONDS verdict=ok
  shift
  echo "== $name"
  if ! "$@"; then
    verdict=FAILED
    failed+=("$name")
  fi
  echo "== $name: $verdict, $((SECONDS - begun)) s"
  ran+=("$(printf '%-8s %6s s  %s' "$verdict" "$((SECONDS - begun))" "$name")")
}

leave_out() { # NAME, WHY
  echo "== $1: not run: $2"
  left_out+=("$1: $2")
}

# What ran, what did not and why; the exit code of the whole.
summary() {
  local line
  echo "what ran:"
  for line in "${ran[@]}"; do echo "  $line"; done
  echo "what did not run:"
  for line in "${left_out[@]}"; do echo "  $line"; done
  if [ ${#failed[@]} -gt 0 ]; then
    printf 'check failed after %s s: %s\n' "$SECONDS" "$(IFS=,; echo "${failed[*]}")"
    return 1
  fi
  echo "check passed in $SECONDS s"
}
