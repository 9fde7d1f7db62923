{{- define "lookahead.labels" -}}
app.kubernetes.io/name: lookahead
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
