{{/* Configuration of the server. Passwords come from its environment, which NATS resolves by itself. */}}
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
authorization {
  users: [
    {
      user: operator
      password: $OPERATOR_PASSWORD
    }
    {
      user: runner
      password: $RUNNER_PASSWORD
      permissions: {{ .Files.Get "files/nats-runner-permissions.json" | fromJson | toRawJson }}
    }
  ]
}
{{- end }}
