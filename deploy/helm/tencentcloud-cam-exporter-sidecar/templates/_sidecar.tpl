{{/*
Prints a workload with the exporter as a sidecar. The argument is a list of the context and of the name of a template that
prints the workload, a Deployment, StatefulSet or DaemonSet:

    {{ include "tencentcloud-cam-exporter-sidecar.workload" (list . "shop.deployment") }}

It adds one label to the pods, one container and the volumes, each after those of the application, and changes nothing else.
*/}}
{{- define "tencentcloud-cam-exporter-sidecar.workload" -}}
{{- $root := index . 0 }}
{{- $template := index . 1 }}
{{- $values := index $root.Values "tencentcloud-cam-exporter-sidecar" }}
{{- $workload := include $template $root | fromYaml }}
{{- if $workload.Error }}
{{- fail (printf "tencentcloud-cam-exporter-sidecar: the template %s is not YAML: %s" $template $workload.Error) }}
{{- end }}
{{- if not (has $workload.kind (list "Deployment" "StatefulSet" "DaemonSet")) }}
{{- fail (printf "tencentcloud-cam-exporter-sidecar: the template %s prints no Deployment, StatefulSet or DaemonSet" $template) }}
{{- end }}

{{- $metadata := $workload.spec.template.metadata }}
{{- $labels := include "tencentcloud-cam-exporter-sidecar.labels" $values | fromYaml }}
{{- $_ := set $metadata "labels" (merge $labels $metadata.labels) }}

{{- $pod := $workload.spec.template.spec }}
{{- $list := $values.native | ternary "initContainers" "containers" }}
{{- $container := include "tencentcloud-cam-exporter-sidecar.container" $values | fromYaml }}
{{- $_ := set $pod $list (append (get $pod $list | default list) $container) }}
{{- $volumes := include "tencentcloud-cam-exporter-sidecar.volumes" $values | fromYamlArray }}
{{- $_ := set $pod "volumes" (concat (get $pod "volumes" | default list) $volumes) }}

{{- toYaml $workload }}
{{- end }}

{{/* The label by which PodMonitors and scrape configurations find the exporters. The argument of this and of the templates
below is the values of this chart. */}}
{{- define "tencentcloud-cam-exporter-sidecar.labels" -}}
tencentcloud-cam-exporter/scrape: "true"
{{- end }}

{{- define "tencentcloud-cam-exporter-sidecar.image" -}}
{{- with .image.registry }}{{ . }}/{{ end -}}
{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag }}{{ end -}}
{{- end }}

{{/* The container, without a leading hyphen. */}}
{{- define "tencentcloud-cam-exporter-sidecar.container" -}}
name: tencentcloud-cam-exporter
image: {{ include "tencentcloud-cam-exporter-sidecar.image" . | quote }}
imagePullPolicy: {{ .image.pullPolicy }}
{{- if .native }}
# A native sidecar: it starts before the application and stops after it.
restartPolicy: Always
{{- end }}
args:
  - --config.file=/etc/tencentcloud-cam-exporter/config/config.yaml
  # A missing or invalid configuration must not end the exporter, because its pod would not be ready.
  - --config.optional
  - --web.listen-address=:10047
  - --probe.listen-address=:10048
  {{- if .web.secret }}
  - --web.config.file=/etc/tencentcloud-cam-exporter/web/web.yml
  {{- end }}
  {{- with .extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or (eq .credentials.source "tke-oidc") .extraEnv }}
env:
  {{- if eq .credentials.source "tke-oidc" }}
  - name: TKE_REGION
    value: {{ .credentials.tke.region | quote }}
  - name: TKE_PROVIDER_ID
    value: {{ .credentials.tke.providerId | quote }}
  - name: TKE_ROLE_ARN
    value: {{ .credentials.tke.roleArn | quote }}
  - name: TKE_WEB_IDENTITY_TOKEN_FILE
    value: /etc/tencentcloud-cam-exporter/credentials/token
  {{- end }}
  {{- with .extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
ports:
  - name: cam-metrics
    containerPort: 10047
  - name: cam-probes
    containerPort: 10048
# No readinessProbe and no startupProbe: the first would count for the readiness of the whole pod, the second would delay the
# application.
livenessProbe:
  httpGet:
    path: /-/healthy
    port: 10048
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml .resources | nindent 2 }}
# Set in full, because the pod's securityContext is the application's.
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: tencentcloud-cam-exporter-config
    mountPath: /etc/tencentcloud-cam-exporter/config
    readOnly: true
  {{- if ne .credentials.source "none" }}
  - name: tencentcloud-cam-exporter-credentials
    mountPath: /etc/tencentcloud-cam-exporter/credentials
    readOnly: true
  {{- end }}
  - name: tencentcloud-cam-exporter-state
    mountPath: /var/lib/tencentcloud-cam-exporter
  # This empty volume hides the application's ServiceAccount token from the exporter.
  - name: tencentcloud-cam-exporter-no-token
    mountPath: /var/run/secrets/kubernetes.io/serviceaccount
    readOnly: true
  {{- if .web.secret }}
  - name: tencentcloud-cam-exporter-web
    mountPath: /etc/tencentcloud-cam-exporter/web
    readOnly: true
  {{- end }}
{{- end }}

{{/* The volumes, a list. ConfigMap and Secret are optional: without them the exporter polls nothing, but the pod starts. */}}
{{- define "tencentcloud-cam-exporter-sidecar.volumes" -}}
- name: tencentcloud-cam-exporter-config
  configMap:
    name: {{ .configMap }}
    optional: true
{{- if eq .credentials.source "secret" }}
- name: tencentcloud-cam-exporter-credentials
  secret:
    secretName: {{ .credentials.secret }}
    optional: true
{{- else if eq .credentials.source "tke-oidc" }}
- name: tencentcloud-cam-exporter-credentials
  projected:
    sources:
      - serviceAccountToken:
          audience: {{ .credentials.tke.audience }}
          expirationSeconds: {{ int64 .credentials.tke.tokenExpirationSeconds }}
          path: token
{{- end }}
- name: tencentcloud-cam-exporter-state
  emptyDir: {}
- name: tencentcloud-cam-exporter-no-token
  emptyDir: {}
{{- if .web.secret }}
- name: tencentcloud-cam-exporter-web
  projected:
    sources:
      - secret:
          name: {{ .web.secret }}
      {{- with .web.tlsSecret }}
      - secret:
          name: {{ . }}
      {{- end }}
{{- end }}
{{- end }}
