{{/* A Deployment that has nothing but a container. */}}
{{- define "shop.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: shop}
  template:
    metadata:
      labels: {app: shop}
    spec:
      containers:
        - name: shop
          image: registry.example/shop:1.0
{{- end }}

{{/* A StatefulSet that has everything. */}}
{{- define "shop.database" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ .Release.Name }}-database
spec:
  serviceName: database
  replicas: 1
  selector:
    matchLabels: {app: database}
  template:
    metadata:
      labels: {app: database}
      annotations: {kubectl.kubernetes.io/default-container: database}
    spec:
      securityContext: {runAsUser: 1000, fsGroup: 1000}
      initContainers:
        - {name: wait, image: wait, command: [sh, -c, sleep 1]}
      containers:
        - name: database
          image: registry.example/database:1.0
          args: ["--memory=100000000"]
          ports: [{name: metrics, containerPort: 8080}]
          volumeMounts: [{name: config, mountPath: /etc/database, readOnly: true}]
      volumes: [{name: config, configMap: {name: database}}]
{{- end }}
