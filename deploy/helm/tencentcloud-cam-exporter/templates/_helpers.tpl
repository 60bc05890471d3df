{{/* The name of all objects. */}}
{{- define "tencentcloud-cam-exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{/* The labels by which the pods of this release are selected. They can't change while the release exists. */}}
{{- define "tencentcloud-cam-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels of all objects. */}}
{{- define "tencentcloud-cam-exporter.labels" -}}
{{ include "tencentcloud-cam-exporter.selectorLabels" . }}
app.kubernetes.io/component: exporter
app.kubernetes.io/part-of: monitoring
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tencentcloud-cam-exporter.image" -}}
{{- with .Values.global.imageRegistry | default .Values.image.registry }}{{ . }}/{{ end -}}
{{ .Values.image.repository }}
{{- if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end -}}
{{- end }}

{{- define "tencentcloud-cam-exporter.serviceAccountName" -}}
{{- $default := ternary (include "tencentcloud-cam-exporter.fullname" .) "default" .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default $default }}
{{- end }}

{{/* The Secret with the web configuration; empty if there is none. */}}
{{- define "tencentcloud-cam-exporter.webSecretName" -}}
{{- if .Values.web.existingSecret -}}
{{ .Values.web.existingSecret }}
{{- else if .Values.web.config -}}
{{ include "tencentcloud-cam-exporter.fullname" . }}-web
{{- end -}}
{{- end }}

{{/* What a PodMonitor and a ServiceMonitor have in common: `monitor` is the values of one of them, `root` the context. */}}
{{- define "tencentcloud-cam-exporter.endpoint" -}}
{{- $fullname := include "tencentcloud-cam-exporter.fullname" .root -}}
port: cam-metrics
interval: {{ .monitor.interval }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  # The alerts on exporters expect a job whose name ends in /tencentcloud-cam-exporter.
  - targetLabel: job
    replacement: {{ .root.Release.Namespace }}/{{ .root.Release.Name }}/tencentcloud-cam-exporter
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .monitor.endpointConfig }}
{{ toYaml .monitor.endpointConfig }}
{{- else if .root.Values.web.tlsSecret }}
scheme: https
tlsConfig:
  ca:
    secret:
      name: {{ .root.Values.web.tlsSecret }}
      key: ca.crt
  # Certificates cannot contain the names of pods, so they contain the Service's name.
  serverName: {{ $fullname }}
{{- end }}
{{- end }}

{{/* The labels of a monitor, whose values are `monitor`. */}}
{{- define "tencentcloud-cam-exporter.monitorLabels" -}}
{{ include "tencentcloud-cam-exporter.labels" .root }}
{{- with .root.Values.tmp.instanceId }}
# Tencent's Managed Prometheus ignores monitors without this label, except in kube-system.
prom_id: {{ . | quote }}
{{- end }}
{{- with .monitor.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}
