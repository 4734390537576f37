{{- /* Secrets, by their settings, and the components that need them. */}}
{{- define "wa-gateway.secrets" -}}
adminPassword: {name: ADMIN_PASSWORD, for: [single, api]}
secretKeys: {name: SECRET_KEYS, for: [single, api, session-runner, webhook-dispatcher, migration]}
databaseUrl: {name: DATABASE_URL, for: [single, api, session-runner, webhook-dispatcher, migration]}
natsUrl: {name: NATS_URL, for: [single, api, session-runner, webhook-dispatcher]}
mediaUrl: {name: MEDIA_URL, for: [single, api, session-runner, webhook-dispatcher]}
webhookBaseUrl: {name: WEBHOOK_BASE_URL, for: [single, api]}
webhookKey: {name: KEY, for: [single, api, webhook-dispatcher]}
statusToken: {name: STATUS_TOKEN, for: [single, api]}
otlpEndpoint: {name: OTEL_EXPORTER_OTLP_ENDPOINT, for: [single, api, session-runner, webhook-dispatcher]}
{{- end }}

{{- /* The values of secrets that the chart itself keeps in a Secret, with those that follow from what is bundled. */}}
{{- define "wa-gateway.ownSecrets" -}}
{{- $root := . -}}
{{- $own := dict -}}
{{- range $field, $secret := include "wa-gateway.secrets" . | fromYaml -}}
{{- with (index $root.Values.secrets $field).value -}}
{{- $_ := set $own $secret.name . -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "distributed" -}}
{{- with .Values.evaluation.postgresql -}}
{{- if .enabled -}}
{{- $_ := set $own "DATABASE_URL" (printf "postgres://wa_gateway:%s@%s-postgresql/wa_gateway" .password (include "wa-gateway.fullname" $root)) -}}
{{- end -}}
{{- end -}}
{{- if .Values.evaluation.nats.enabled -}}
{{- $_ := set $own "NATS_URL" (printf "nats://%s-nats:4222" (include "wa-gateway.fullname" .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $own -}}
{{- end }}

{{- /* The environment of a container: (dict "root" $ "component" "api" "values" .Values.api). */}}
{{- define "wa-gateway.environment" -}}
{{- $root := .root -}}
{{- $component := .component -}}
{{- $values := .values -}}
{{- $own := include "wa-gateway.ownSecrets" $root | fromYaml -}}
env:
  - {name: DATA_DIR, value: /data}
  {{- if has $component (list "single" "api") }}
  - {name: HOST, value: {{ $root.Values.listenAddress | quote }}}
  - {name: PORT, value: "5001"}
  - {name: ADMIN_USER, value: {{ $root.Values.admin.user | quote }}}
  {{- with $root.Values.trustedProxies }}
  - {name: TRUSTED_PROXIES, value: {{ join "," . | quote }}}
  {{- end }}
  {{- else if ne $component "migration" }}
  - {name: HEALTH_ADDR, value: {{ include "wa-gateway.listen" (list $root 5002) | quote }}}
  {{- end }}
  {{- if ne $component "migration" }}
  {{- if $root.Values.metrics.enabled }}
  - {name: METRICS_ADDR, value: {{ include "wa-gateway.listen" (list $root (int $root.Values.metrics.port)) | quote }}}
  {{- end }}
  {{- with $root.Values.media.publicUrl }}
  - {name: PUBLIC_URL, value: {{ . | quote }}}
  {{- end }}
  {{- with $root.Values.egressAllow }}
  - {name: EGRESS_ALLOW, value: {{ join "," . | quote }}}
  {{- end }}
  {{- if eq $root.Values.mode "distributed" }}
  # The Job does it; a pod waits for it.
  - {name: MIGRATE_ON_START, value: "false"}
  - {name: NATS_PREFIX, value: {{ $root.Values.nats.prefix | quote }}}
  {{- if $root.Values.nats.credentialsSecret }}
  - {name: NATS_CREDENTIALS_FILE, value: /etc/wa-gateway/nats/user.creds}
  {{- end }}
  {{- if $root.Values.nats.caConfigMap }}
  - {name: NATS_CA_FILE, value: /etc/wa-gateway/nats-ca/ca.crt}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- if has $component (list "single" "session-runner") }}
  - {name: RUNNER_CAPACITY, value: {{ $values.capacity | int | quote }}}
  - {name: RUNNER_DRAIN_SECONDS, value: {{ $values.drainSeconds | int | quote }}}
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - name: POD_NAMESPACE
    valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
  - name: NODE_NAME
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  {{- end }}
  {{- if eq $component "session-runner" }}
  {{- with $values.autoscaling }}
  {{- if .enabled }}
  - {name: AUTOSCALE_DEPLOYMENT, value: {{ include "wa-gateway.runner" $root }}}
  - {name: AUTOSCALE_LEASE, value: {{ include "wa-gateway.runner" $root }}}
  - {name: AUTOSCALE_MIN, value: {{ .minReplicas | int | quote }}}
  - {name: AUTOSCALE_MAX, value: {{ .maxReplicas | int | quote }}}
  - {name: AUTOSCALE_SPARE, value: {{ .spare | int | quote }}}
  - {name: AUTOSCALE_STABILISATION_SECONDS, value: {{ .stabilisationSeconds | int | quote }}}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- range $name, $value := $root.Values.settings }}
  - {name: {{ $name }}, value: {{ include "wa-gateway.plain" $value | quote }}}
  {{- end }}
  {{- range $field, $secret := include "wa-gateway.secrets" $root | fromYaml }}
  {{- if has $component $secret.for }}
  {{- with index $root.Values.secrets $field }}
  {{- if .existingSecret }}
  - name: {{ $secret.name }}
    valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .key }}}}
  {{- else if hasKey $own $secret.name }}
  - name: {{ $secret.name }}
    valueFrom: {secretKeyRef: {name: {{ include "wa-gateway.fullname" $root }}, key: {{ $secret.name }}}}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $root.Values.secrets.existingSecret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
{{- end }}

{{- /* An address to listen on: (list $ 5002). */}}
{{- define "wa-gateway.listen" -}}
{{- $address := (index . 0).Values.listenAddress -}}
{{- if contains ":" $address -}}[{{ $address }}]{{- else -}}{{ $address }}{{- end -}}:{{ index . 1 }}
{{- end }}

{{- /* A number as people write it: Helm reads all of them as floating point. */}}
{{- define "wa-gateway.plain" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end }}
