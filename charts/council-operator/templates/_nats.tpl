{{/* Configuration of the server. auth.conf lies beside it as soon as the operator has written it: whom to trust. */}}
{{- define "council-operator.natsConfig" -}}
server_name: {{ include "council-operator.fullname" . }}-nats
listen: 0.0.0.0:4222
http: 0.0.0.0:8222
# A task carries its whole question and context.
max_payload: 4MB
jetstream {
  store_dir: /data
  max_memory_store: 64MB
  # Every write is on disk before it is acknowledged: the ledger is the truth of a Deliberation.
  sync_interval: always
}
{{- if .Values.nats.tls.secretName }}
tls {
  cert_file: /etc/nats-tls/tls.crt
  key_file: /etc/nats-tls/tls.key
}
{{- end }}
include auth.conf
# Each namespace is an account. The operator makes it; it is kept beside the streams.
resolver {
  type: full
  dir: /data/accounts
  timeout: "250ms"
}
{{- end }}
