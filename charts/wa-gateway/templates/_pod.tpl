{{- /* The pod of a component: (dict "root" $ "component" "api" "values" .Values.api "arguments" (list "api")
       "port" 5001 "seconds" 35 "token" false). */}}
{{- define "wa-gateway.pod" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $component := .component -}}
metadata:
  labels:
    {{- include "wa-gateway.podLabels" (list $root $component) | nindent 4 }}
  annotations:
    # Another Secret of ours, another pod.
    checksum/secrets: {{ include "wa-gateway.ownSecrets" $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "wa-gateway.fullname" $root }}-{{ $component }}
  automountServiceAccountToken: {{ .token | default false }}
  # Their variables would look like settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .seconds }}
  securityContext:
    {{- include "wa-gateway.podSecurity" (list 65532 65532) | nindent 4 }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if and $root.Values.topologySpread.enabled (ne $component "single") }}
  topologySpreadConstraints:
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: {{ $root.Values.topologySpread.whenUnsatisfiable }}
      # The pods of this version only: others are about to go.
      matchLabelKeys: [pod-template-hash]
      labelSelector:
        matchLabels:
          {{- include "wa-gateway.selector" $root | nindent 10 }}
          app.kubernetes.io/component: {{ $component }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ $component }}
      image: {{ include "wa-gateway.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .arguments }}
      {{- include "wa-gateway.environment" . | nindent 6 }}
      ports:
        - {name: http, containerPort: {{ .port }}}
        {{- if $root.Values.metrics.enabled }}
        - {name: metrics, containerPort: {{ $root.Values.metrics.port }}}
        {{- end }}
      # A process that waits for its database is alive.
      livenessProbe:
        httpGet: {path: /health, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /ready, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      startupProbe:
        httpGet: {path: /health, port: http}
        periodSeconds: 2
        failureThreshold: 30
      {{- if eq $component "api" }}
      lifecycle:
        # Until every proxy knows that it is going.
        preStop: {sleep: {seconds: 5}}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- include "wa-gateway.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: tmp, mountPath: /tmp}
        {{- if eq $root.Values.mode "distributed" }}
        {{- if include "wa-gateway.mediaClaim" $root }}
        - {name: media, mountPath: /data/media}
        {{- end }}
        {{- if $root.Values.nats.credentialsSecret }}
        - {name: nats, mountPath: /etc/wa-gateway/nats, readOnly: true}
        {{- end }}
        {{- if $root.Values.nats.caConfigMap }}
        - {name: nats-ca, mountPath: /etc/wa-gateway/nats-ca, readOnly: true}
        {{- end }}
        {{- end }}
  volumes:
    - {name: tmp, emptyDir: {}}
    {{- if eq $component "single" }}
    {{- with $values.persistence }}
    {{- if not .enabled }}
    - {name: data, emptyDir: {}}
    {{- else if .existingClaim }}
    - {name: data, persistentVolumeClaim: {claimName: {{ .existingClaim }}}}
    {{- end }}
    {{- end }}
    {{- else }}
    # Files on their way only.
    - {name: data, emptyDir: {}}
    {{- with include "wa-gateway.mediaClaim" $root }}
    - {name: media, persistentVolumeClaim: {claimName: {{ . }}}}
    {{- end }}
    {{- with $root.Values.nats.credentialsSecret }}
    - {name: nats, secret: {secretName: {{ . }}, defaultMode: 0440}}
    {{- end }}
    {{- with $root.Values.nats.caConfigMap }}
    - {name: nats-ca, configMap: {name: {{ . }}}}
    {{- end }}
    {{- end }}
{{- end }}

{{- /* The claim with everybody's files, where there is one. */}}
{{- define "wa-gateway.mediaClaim" -}}
{{- with .Values.media -}}
{{- if .existingClaim -}}{{ .existingClaim }}{{- else if .persistence.enabled -}}{{ include "wa-gateway.fullname" $ }}-media{{- end -}}
{{- end -}}
{{- end }}

{{- /* (list user group) */}}
{{- define "wa-gateway.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ index . 0 }}
runAsGroup: {{ index . 1 }}
fsGroup: {{ index . 1 }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "wa-gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}
