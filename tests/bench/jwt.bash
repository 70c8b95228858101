# jwt: what the rows jwt-ALG share: a token of seven claims is verified again and again, by Weir with
# its claims checked and made a Lua table, by the least program with its claims compared. A row sets
# `alg`, `count` and how the key is made.
title="tokens verified with $alg, claims checked and made a table"
unit="µs of CPU (user and system) per token"
effort="$count tokens"
subjects=(least weir)
programs=(least_jwt)
libraries=(-lgnutls -ljansson)
extras=(tokens/s)
base=least
aim=1.176

serve() {
  local made=$scratch/$alg now
  now=$(date +%s)
  [ -e "$made.token" ] || {
    make_key "$made.private" "$made.public" &&
      "$weir" token --alg "$alg" "$key_option" "$made.private" --sub user-12345 --exp 1h \
        --claim iss=https://issuer.example --claim aud=weir --claim "nbf=$((now - 60))" \
        --claim role=admin >"$made.token"
  } || return 1
  case $1 in
  least) launched="least_jwt $alg KEY TOKEN $count" ;;
  weir) launched="JWT_ALG=$alg JWT_COUNT=$count ... weir check $here/jwt.lua" ;;
  esac
}

measure() {
  local made=$scratch/$alg
  case $1 in
  least) taskset -c "$server_cpu" "$tools/least_jwt" "$alg" "$made.public" "$made.token" "$count" ;;
  weir)
    JWT_ALG=$alg JWT_COUNT=$count JWT_KEY=$made.public JWT_TOKEN=$made.token \
      taskset -c "$server_cpu" "$weir" check "$here/jwt.lua" | sed -n 1p
    ;;
  esac 2>"$scratch/stderr"
}

# key_pair OPTION...: as openssl genpkey makes it.
key_pair() {
  key_option=--key-file
  openssl genpkey "${@:3}" -out "$1" 2>/dev/null && openssl pkey -in "$1" -pubout -out "$2"
}
