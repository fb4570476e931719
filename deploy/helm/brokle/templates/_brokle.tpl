{{- define "brokle.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "brokle.labels" -}}
app.kubernetes.io/name: brokle
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* Called with a dict of root and role. */}}
{{- define "brokle.selector" -}}
app.kubernetes.io/name: brokle
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "brokle.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "brokle.name" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "brokle.secret" -}}
{{- default (printf "%s-secrets" (include "brokle.name" .)) .Values.existingSecret -}}
{{- end -}}

{{- define "brokle.registrySecret" -}}
{{- default (printf "%s-registry" (include "brokle.name" .)) .Values.registry.existingSecret -}}
{{- end -}}

{{- define "brokle.hasRegistry" -}}
{{- if or .Values.registry.server .Values.registry.existingSecret -}}true{{- end -}}
{{- end -}}

{{/* What every pod has; called with a dict of root and role. */}}
{{- define "brokle.pod" -}}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
terminationGracePeriodSeconds: {{ add .root.Values.drainSeconds .root.Values.drainDelaySeconds 30 }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- else }}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "brokle.selector" . | nindent 14 }}
{{- end }}
{{- end -}}

{{/* What every container has; called with a dict of root and role. */}}
{{- define "brokle.container" -}}
image: "{{ .root.Values.image.repository }}:{{ default .root.Chart.AppVersion .root.Values.image.tag }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
envFrom:
  - secretRef:
      name: {{ include "brokle.secret" .root }}
env:
  - name: BROKLE_BASE_URL
    value: {{ .root.Values.baseUrl | quote }}
  - name: BROKLE_STATIC_URL
    value: {{ .root.Values.staticUrl | quote }}
  - name: BROKLE_ALLOWED_HOSTS
    value: {{ join "," .root.Values.allowedHosts | quote }}
  - name: BROKLE_TRUSTED_PROXIES
    value: {{ join "," .root.Values.trustedProxies | quote }}
  - name: BROKLE_LOG_LEVEL
    value: {{ .root.Values.logLevel | quote }}
  - name: BROKLE_LOG_FORMAT
    value: json
  - name: BROKLE_DRAIN_SECONDS
    value: {{ .root.Values.drainSeconds | quote }}
  - name: BROKLE_DRAIN_DELAY_SECONDS
    value: {{ .root.Values.drainDelaySeconds | quote }}
  {{- if eq .role "executor" }}
  - name: HOSTING_DRIVER
    value: {{ .root.Values.executor.hostingDriver | quote }}
  {{- end }}
  {{- if and (eq .role "executor") (include "brokle.hasRegistry" .root) }}
  - name: DOCKER_CONFIG
    value: /etc/brokle/registry
  {{- end }}
  {{- if or .root.Values.engineCa.secretName .root.Values.engineCa.configMapName }}
  - name: SSL_CERT_FILE
    value: /etc/brokle/ca/ca.crt
  {{- end }}
  {{- range $name, $value := .root.Values.settings }}
  {{- if $value }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
  {{- end }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumeMounts:
  - name: data
    mountPath: /data
  - name: tmp
    mountPath: /tmp
  {{- if or .root.Values.engineCa.secretName .root.Values.engineCa.configMapName }}
  - name: engine-ca
    mountPath: /etc/brokle/ca
    readOnly: true
  {{- end }}
  {{- if and (eq .role "executor") (include "brokle.hasRegistry" .root) }}
  - name: registry
    mountPath: /etc/brokle/registry
    readOnly: true
  {{- end }}
{{- end -}}

{{/* Volumes besides the data dir; called with a dict of root and role. */}}
{{- define "brokle.volumes" -}}
- name: tmp
  emptyDir: {}
{{- if .root.Values.engineCa.secretName }}
- name: engine-ca
  secret:
    secretName: {{ .root.Values.engineCa.secretName }}
{{- else if .root.Values.engineCa.configMapName }}
- name: engine-ca
  configMap:
    name: {{ .root.Values.engineCa.configMapName }}
{{- end }}
{{- if and (eq .role "executor") (include "brokle.hasRegistry" .root) }}
- name: registry
  secret:
    secretName: {{ include "brokle.registrySecret" .root }}
    items:
      - key: .dockerconfigjson
        path: config.json
{{- end }}
{{- end -}}

{{- define "brokle.probes" -}}
ports:
  - name: http
    containerPort: 8080
startupProbe:
  httpGet: {path: /health/ready, port: http}
  periodSeconds: 2
  failureThreshold: 90
readinessProbe:
  httpGet: {path: /health/ready, port: http}
  periodSeconds: 3
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /health/live, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end -}}
