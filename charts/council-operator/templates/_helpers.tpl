{{/* Name of the release's objects: the release, with the chart's name unless the release has it already. */}}
{{- define "council-operator.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "council-operator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "council-operator.labels" -}}
{{ include "council-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "council-operator.busSecret" -}}
{{- .Values.bus.existingSecret | default (printf "%s-bus" (include "council-operator.fullname" .)) -}}
{{- end }}

{{- define "council-operator.derivationKeySecret" -}}
{{- .Values.operator.derivationKeySecret | default (printf "%s-derivation-key" (include "council-operator.fullname" .)) -}}
{{- end }}

{{/* Address of the bus; an external one must be given, and beside our own none may be. */}}
{{- define "council-operator.busUrl" -}}
{{- if .Values.nats.enabled -}}
{{- if .Values.bus.url }}{{ fail "bus.url: set it only with nats.enabled=false; the chart's own NATS has its own address" }}{{ end -}}
{{- if ne (int .Values.bus.replicas) 1 }}{{ fail "bus.replicas: the chart's own NATS is one server; for more give bus.url with nats.enabled=false" }}{{ end -}}
{{- printf "%s://%s-nats.%s.svc:4222" (ternary "tls" "nats" (ne .Values.nats.tls.secretName "")) (include "council-operator.fullname" .) .Release.Namespace -}}
{{- else -}}
{{- if not .Values.bus.existingSecret }}{{ fail "bus.existingSecret: with nats.enabled=false name the Secret that holds operator-password and runner-password" }}{{ end -}}
{{- required "bus.url: with nats.enabled=false give the address of your NATS, such as nats://nats.messaging.svc:4222" .Values.bus.url -}}
{{- end -}}
{{- end }}

{{- define "council-operator.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "council-operator.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Everything that the operator may do, in each namespace that it serves. Secrets are written, never read. */}}
{{- define "council-operator.rules" -}}
- apiGroups: [councils.dev]
  resources: [councils]
  verbs: [get, list, watch]
- apiGroups: [councils.dev]
  resources: [deliberations]
  verbs: [get, list, watch, delete]
- apiGroups: [councils.dev]
  resources: [councils/status, deliberations/status]
  verbs: [patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [ray.io]
  resources: [rayjobs]
  verbs: [get, list, watch, create, patch, delete]
# Never read. Deletion only lets each Council put its name to them where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [council-bus, council-models]
  verbs: [create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* What nodes offer of GPUs stands in their labels and allocatable resources. */}}
{{- define "council-operator.nodeRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch]
{{- end }}

{{/* How the operator is to divide GPUs, as it and its last hook read it. */}}
{{- define "council-operator.gpuSharing" -}}
{{- omit .Values.gpuSharing "manage" | toJson -}}
{{- end }}
