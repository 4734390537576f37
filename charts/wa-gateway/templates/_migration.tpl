{{- /* Not a hook: pods wait for it, and the database may be part of this release. Its name changes with what it does, as
       a Job cannot be changed; another image, another Job. */}}
{{- define "wa-gateway.migration" -}}
metadata:
  labels:
    {{- include "wa-gateway.podLabels" (list . "migration") | nindent 4 }}
spec:
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  serviceAccountName: {{ include "wa-gateway.fullname" . }}-migration
  automountServiceAccountToken: false
  enableServiceLinks: false
  restartPolicy: OnFailure
  securityContext:
    {{- include "wa-gateway.podSecurity" (list 65532 65532) | nindent 4 }}
  containers:
    - name: migration
      image: {{ include "wa-gateway.image" . | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [migrate]
      {{- include "wa-gateway.environment" (dict "root" . "component" "migration" "values" .Values.migration) | nindent 6 }}
      resources:
        {{- toYaml .Values.migration.resources | nindent 8 }}
      securityContext:
        {{- include "wa-gateway.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - {name: data, mountPath: /data}
  volumes:
    - {name: data, emptyDir: {}}
{{- end }}
