# Whether every model of models.config has a version that answers; TF Serving has no URL for that. Used by the health
# check of compose.yaml and by the probes of kubernetes/, with what is in TF Serving's image: bash, sed and grep.
#
#   bash ready.sh [models.config] [REST port]
config=${1:-/etc/serving/models.config}
port=${2:-8501}
models=$(sed -n 's/^ *name: *"\([^"]*\)".*/\1/p' "$config")
[ -n "$models" ] || { echo "$config names no model"; exit 1; }
for model in $models; do
  exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
  printf 'GET /v1/models/%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$model" >&3
  grep -Eq '"state": *"AVAILABLE"' <&3 || { echo "$model has no version that is available"; exit 1; }
  exec 3>&-
done
