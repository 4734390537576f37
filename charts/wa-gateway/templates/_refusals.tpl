{{- /* What cannot work is refused, and the sentence says what to do. */}}
{{- define "wa-gateway.refusals" -}}
{{- $root := . -}}
{{- $distributed := eq .Values.mode "distributed" -}}
{{- $secrets := include "wa-gateway.secrets" . | fromYaml -}}
{{- $all := .Values.secrets.existingSecret -}}
{{- $said := dict -}}
{{- range $field, $secret := $secrets -}}
{{- with index $root.Values.secrets $field -}}
{{- if and .value .existingSecret -}}
{{- fail (printf "secrets.%s has both a value and an existingSecret: leave one of them empty" $field) -}}
{{- end -}}
{{- $_ := set $said $field (or .value .existingSecret $all) -}}
{{- end -}}
{{- end -}}
{{- if not $said.adminPassword -}}
{{- fail "the admin has no password: set secrets.adminPassword.existingSecret to a Secret with the key ADMIN_PASSWORD, or secrets.adminPassword.value" -}}
{{- end -}}
{{- if eq .Values.secrets.adminPassword.value "admin" -}}
{{- fail "everybody knows the password \"admin\": set secrets.adminPassword to another one" -}}
{{- end -}}

{{- $named := dict "HOST" "listenAddress" "PORT" "service.port" "ADMIN_USER" "admin.user" "TRUSTED_PROXIES" "trustedProxies" "HEALTH_ADDR" "listenAddress" "METRICS_ADDR" "metrics.port" "PUBLIC_URL" "media.publicUrl" "EGRESS_ALLOW" "egressAllow" "NATS_PREFIX" "nats.prefix" "NATS_CREDENTIALS_FILE" "nats.credentialsSecret" "NATS_CA_FILE" "nats.caConfigMap" "RUNNER_CAPACITY" "sessionRunner.capacity or single.capacity" "RUNNER_DRAIN_SECONDS" "sessionRunner.drainSeconds or single.drainSeconds" "AUTOSCALE_MIN" "sessionRunner.autoscaling.minReplicas" "AUTOSCALE_MAX" "sessionRunner.autoscaling.maxReplicas" "AUTOSCALE_SPARE" "sessionRunner.autoscaling.spare" "AUTOSCALE_STABILISATION_SECONDS" "sessionRunner.autoscaling.stabilisationSeconds" -}}
{{- range list "DATA_DIR" "MIGRATE_ON_START" "POD_NAME" "POD_NAMESPACE" "NODE_NAME" "AUTOSCALE_DEPLOYMENT" "AUTOSCALE_LEASE" -}}
{{- $_ := set $named . "nothing: the chart sets it" -}}
{{- end -}}
{{- range $field, $secret := $secrets -}}
{{- $_ := set $named $secret.name (printf "secrets.%s" $field) -}}
{{- end -}}
{{- range list "NATS_PASSWORD" "NATS_TOKEN" "NATS_USER" -}}
{{- $_ := set $named . "secrets.natsUrl (nats://user:password@host), or secrets.existingSecret" -}}
{{- end -}}
{{- range $name, $_ := .Values.settings -}}
{{- if hasKey $named $name -}}
{{- fail (printf "settings.%s has another place: use %s" $name (index $named $name)) -}}
{{- end -}}
{{- end -}}

{{- if $distributed -}}
{{- with .Values.evaluation -}}
{{- if .postgresql.enabled -}}
{{- if or $root.Values.secrets.databaseUrl.value $root.Values.secrets.databaseUrl.existingSecret -}}
{{- fail "there are two databases: leave secrets.databaseUrl empty, or set evaluation.postgresql.enabled to false" -}}
{{- end -}}
{{- if not .postgresql.password -}}
{{- fail "the bundled PostgreSQL has no password: set evaluation.postgresql.password (letters and digits)" -}}
{{- end -}}
{{- end -}}
{{- if and .nats.enabled (or $root.Values.secrets.natsUrl.value $root.Values.secrets.natsUrl.existingSecret) -}}
{{- fail "there are two NATS: leave secrets.natsUrl empty, or set evaluation.nats.enabled to false" -}}
{{- end -}}
{{- end -}}
{{- if hasPrefix "sqlite:" .Values.secrets.databaseUrl.value -}}
{{- fail "mode: distributed runs several processes, and SQLite serves only one: set secrets.databaseUrl to a PostgreSQL database (postgres://…), or set mode to single" -}}
{{- end -}}
{{- if not (or $said.databaseUrl .Values.evaluation.postgresql.enabled) -}}
{{- fail "mode: distributed needs a PostgreSQL: set secrets.databaseUrl.existingSecret or secrets.databaseUrl.value, or evaluation.postgresql.enabled=true to try it out" -}}
{{- end -}}
{{- if not (or $said.natsUrl .Values.evaluation.nats.enabled) -}}
{{- fail "mode: distributed needs a NATS: set secrets.natsUrl.existingSecret or secrets.natsUrl.value, or evaluation.nats.enabled=true to try it out" -}}
{{- end -}}
{{- if not $said.secretKeys -}}
{{- fail "mode: distributed needs keys that all processes share: put the output of `openssl rand -base64 32` into a Secret and name it in secrets.secretKeys.existingSecret, or set secrets.secretKeys.value" -}}
{{- end -}}
{{- if not (or $said.mediaUrl (include "wa-gateway.mediaClaim" .)) -}}
{{- fail "mode: distributed needs a place for files that every pod reaches: set secrets.mediaUrl to a bucket (s3://…), or media.existingClaim to a ReadWriteMany claim, or media.persistence.enabled=true" -}}
{{- end -}}
{{- if and (or .Values.secrets.mediaUrl.value .Values.secrets.mediaUrl.existingSecret) (include "wa-gateway.mediaClaim" .) -}}
{{- fail "there are two places for files: leave secrets.mediaUrl empty, or media.existingClaim and media.persistence.enabled" -}}
{{- end -}}
{{- range $name, $values := dict "api" .Values.api "sessionRunner" .Values.sessionRunner -}}
{{- with $values.autoscaling -}}
{{- if and .enabled (gt (int .minReplicas) (int .maxReplicas)) -}}
{{- fail (printf "%s.autoscaling.minReplicas (%d) is more than maxReplicas (%d): raise the one or lower the other" $name (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.api.autoscaling.enabled (not (dig "requests" "cpu" "" .Values.api.resources)) -}}
{{- fail "api.autoscaling measures CPU by what is requested: set api.resources.requests.cpu" -}}
{{- end -}}
{{- else -}}
{{- if and (gt (int .Values.single.replicas) 1) (or .Values.secrets.databaseUrl.existingSecret (hasPrefix "postgres" .Values.secrets.databaseUrl.value)) -}}
{{- fail (printf "mode: single is one process, and single.replicas is %d: set it to 1, or set mode to distributed" (int .Values.single.replicas)) -}}
{{- end -}}
{{- if gt (int .Values.single.replicas) 1 -}}
{{- fail (printf "SQLite serves only one process, and single.replicas is %d: set it to 1, or set mode to distributed with a PostgreSQL in secrets.databaseUrl" (int .Values.single.replicas)) -}}
{{- end -}}
{{- if or .Values.secrets.natsUrl.value .Values.secrets.natsUrl.existingSecret -}}
{{- fail "mode: single has nobody to talk to over NATS: leave secrets.natsUrl empty, or set mode to distributed" -}}
{{- end -}}
{{- if or .Values.api.autoscaling.enabled .Values.sessionRunner.autoscaling.enabled -}}
{{- fail "mode: single has nothing to scale: leave api.autoscaling and sessionRunner.autoscaling off, or set mode to distributed" -}}
{{- end -}}
{{- if or .Values.evaluation.postgresql.enabled .Values.evaluation.nats.enabled -}}
{{- fail "mode: single needs neither PostgreSQL nor NATS: leave evaluation off, or set mode to distributed" -}}
{{- end -}}
{{- if or .Values.media.existingClaim .Values.media.persistence.enabled -}}
{{- fail "mode: single keeps files on its own volume: leave media.existingClaim and media.persistence off, and see single.persistence" -}}
{{- end -}}
{{- end -}}

{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "the Ingress has no host: set ingress.hosts to the names that the gateway is reached by" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "the HTTPRoute belongs to no Gateway: set httpRoute.parentRefs, such as [{name: my-gateway, namespace: gateways}]" -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.enabled) -}}
{{- fail "the ServiceMonitor has nothing to read: set metrics.enabled to true" -}}
{{- end -}}
{{- if has (int .Values.metrics.port) (list 5001 5002) -}}
{{- fail (printf "metrics.port %d is taken by the gateway itself: set another one" (int .Values.metrics.port)) -}}
{{- end -}}
{{- end }}
