# The image of PostgreSQL that tests run in containers, where no registry needs to be reached. Sourced by test-image and
# check. The tests look for the same name: tests/support/src/container.rs.
# shellcheck shell=bash

image_name=respool-test-postgres

# Leaves in $no_docker why containers cannot be run here, or nothing.
need_docker() {
  no_docker=""
  if ! command -v docker >/dev/null; then
    no_docker="no Docker: the program docker is not installed"
  elif ! docker version --format '{{.Server.Version}}' >/dev/null 2>&1; then
    no_docker="no Docker: no engine answers"
  elif ! docker context inspect --format '{{.Endpoints.docker.Host}}' | grep -q '^unix:'; then
    no_docker="no Docker on this machine: the engine is elsewhere"
  fi
}

# Prints the newest image of ours with its tag, if there is one that is new enough.
find_image() {
  local major
  major=$(docker image ls --format '{{.Tag}}' "$image_name" 2>/dev/null | grep -xE '[0-9]+' | sort -n | tail -n 1)
  [ -n "$major" ] && [ "$major" -ge "$pg_minimum" ] && printf '%s:%s\n' "$image_name" "$major"
}

# Prints what is missing for tests in containers, or nothing.
why_no_containers() {
  need_docker
  if [ -n "$no_docker" ]; then
    echo "$no_docker"
  elif ! find_image >/dev/null; then
    echo "no image $image_name; scripts/test-image makes it"
  fi
}

# The major version of the suite's PostgreSQL.
suite_major() {
  apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p'
}

# How the image is made, as one word: a change of it makes another image.
recipe() {
  { declare -f make_tree_of make_image && cat scripts/lib/image-serve.sh; } | sha256sum | cut -c 1-16
}

# The recipe that an image was made by.
recipe_of() { # IMAGE
  docker image inspect --format '{{index .Config.Labels "respool.recipe"}}' "$1" 2>/dev/null || true
}

# A tree with the server and what it needs, as tar on stdout. LLVM is most of the size and compiles expressions, which
# is switched off: its package stays, because the server's asks for it, without its files.
make_tree_of() { # MAJOR
  local sources=(/etc/apt/sources.list.d/*.sources)
  [ -e "${sources[0]}" ] || sources=(/etc/apt/sources.list)
  # shellcheck disable=SC2016
  nice -n 5 mmdebstrap --quiet --variant=minbase --include="postgresql-$1" --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
    --dpkgopt='path-exclude=/usr/lib/llvm-*' --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/bitcode/*' \
    --setup-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d"' \
    --setup-hook='echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.d/respool.conf"' \
    --customize-hook='install -m 755 scripts/lib/image-serve.sh "$1/usr/local/bin/serve"' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/* "$1"/var/log/*.log' \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" - "${sources[@]}"
}

# Makes the image of the tree.
make_image() { # IMAGE, MAJOR
  local tree
  tree=$(mktemp "${TMPDIR:-/tmp}/respool-image.XXXXXX")
  if make_tree_of "$2" >"$tree" &&
    docker import --change 'ENTRYPOINT ["/usr/local/bin/serve"]' --change 'EXPOSE 5432' \
      --change "LABEL respool.recipe=$(recipe)" --message 'made by scripts/test-image' "$tree" "$1" >/dev/null; then
    rm -f "$tree"
  else
    rm -f "$tree"
    return 1
  fi
}
