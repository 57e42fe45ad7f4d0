{{- define "es.labels" -}}
app.kubernetes.io/name: emotion-streams
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "es.all-labels" -}}
{{ include "es.labels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "es.image" -}}
{{- $tag := .tag | default (get .root.Values.image.tags .component) | default .root.Values.image.tag -}}
{{ .root.Values.image.repository }}/{{ .name | default .component }}:{{ $tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "es.valkey-name" -}}
{{ .Release.Name }}-valkey
{{- end }}

{{- define "es.redis-url" -}}
{{- if .Values.redis.url -}}
{{ .Values.redis.url }}
{{- else if .Values.valkey.tls.existingSecret -}}
rediss://{{ include "es.valkey-name" . }}:6379?ssl_ca_certs=/etc/emotion-streams/tls/ca.crt
{{- else -}}
redis://{{ include "es.valkey-name" . }}:6379
{{- end -}}
{{- end }}

{{/* A quarter more than it may hold, for buffers. */}}
{{- define "es.valkey-memory" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- div (mul $number (ternary 1024 1 (hasSuffix "gb" .)) 5) 4 }}Mi
{{- end }}

{{/* How every process reaches Valkey: as the role of its name. */}}
{{- define "es.redis-env" -}}
- name: EMOTION_REDIS
  value: {{ include "es.redis-url" .root | quote }}
- name: EMOTION_REDIS_USERNAME
  value: {{ .role }}
- name: EMOTION_REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .root.Values.redis.existingSecret }}, key: {{ .role }}}
{{- end }}

{{/* Names of the Service by which a process may be asked for its metrics, beside its address. */}}
{{- define "es.metrics-env" -}}
{{- $service := printf "%s-%s-metrics" .root.Release.Name .component }}
{{- $space := .root.Release.Namespace }}
- name: EMOTION_{{ upper .component }}_METRICS_ALLOWED_HOSTS
  value: {{ printf "%s,%s.%s,%s.%s.svc,%s.%s.svc.cluster.local" $service $service $space $service $space $service $space }}
{{- end }}

{{- define "es.settings-env" -}}
{{- range $name, $value := .settings }}
- name: EMOTION_{{ $.process }}_{{ $name | upper }}
  {{- /* A number as JSON has it: one of a file is a float here, and toString writes 1e+06. */}}
  value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}

{{- define "es.pod-security" -}}
automountServiceAccountToken: false
{{- /* Of a release named `emotion` they would be variables such as EMOTION_GATEWAY_PORT=tcp://... */}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user | default 10001 }}
  runAsGroup: {{ .user | default 10001 }}
  fsGroup: {{ .user | default 10001 }}
  seccompProfile: {type: RuntimeDefault}
  {{- with .groups }}
  supplementalGroups: {{ toJson . }}
  {{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "es.container-security" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Alive: it answers, and the loop turns, or it is still starting, which may take as long as it may.
Ready: warm, and Valkey answers. While Valkey is away nothing is restarted. */}}
{{- define "es.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 2
  failureThreshold: 150
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 5
  failureThreshold: 2
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}

{{- define "es.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.valkey.tls.existingSecret }}
- {name: tls, mountPath: /etc/emotion-streams/tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "es.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 512Mi}
{{- with .Values.valkey.tls.existingSecret }}
- name: tls
  secret:
    secretName: {{ . }}
    items: [{key: ca.crt, path: ca.crt}]
{{- end }}
{{- end }}

{{/* Which nodes a pod may run on. */}}
{{- define "es.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Where the metrics of a process are. */}}
{{- define "es.metrics-service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ .root.Release.Name }}-{{ .component }}-metrics
  labels: {{- include "es.all-labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector: {{- include "es.labels" . | nindent 4 }}
  ports: [{name: metrics, port: {{ .port }}, targetPort: metrics}]
{{- end }}

{{- /* Refuses a name that Helm may have made of another: it reads YAML 1.1 before any chart sees the
values. Of 0101 it makes 65, of 010 and 8 one name. (section, name) */ -}}
{{- define "es.check-name" }}
{{- if has .name (list "true" "false") }}
{{- fail (printf "%s.%s: Helm reads yes, no, on and off so; write the name in quotes" .section .name) }}
{{- end }}
{{- if regexMatch "^(0|[1-9][0-9]*)([.][0-9]*[1-9])?(e-[0-9]+)?$" .name }}
{{- fail (printf "%s.%s: Helm reads 0101, 1_1 and 0x1f as other numbers, so a name must not be a number; write it in quotes if it begins with 0 or has a _, else begin it with a letter" .section .name) }}
{{- end }}
{{- end }}
