// Package manifests prints a scenario as objects of Kubernetes, for those who outgrow one
// machine:
//
//	StatefulSet NAME-relay, NAME-user    a seat for each node, see package seats
//	Service     the same                 names for their pods, without an address
//	Job         NAME-events              carries the scenario out at the seats
//	ConfigMap   NAME-scenario            the file
//	Secret      NAME-token               the token of the seats
//
// All run the same image.
package manifests

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strings"
	"text/template"

	"starling/node/testnet/engine/seats"
	"starling/node/testnet/scenario"
)

// Options say how a scenario is printed.
type Options struct {
	Image  string // of all pods
	File   []byte // the scenario's
	Sealed string // the token; "" for a new one
}

// Kubernetes returns the objects as YAML, or why pods cannot run the scenario.
func Kubernetes(s *scenario.Scenario, o Options) ([]byte, error) {
	seated := *s
	seated.Engine = scenario.Seats
	if err := seated.Runnable(); err != nil {
		return nil, err
	}
	if o.Sealed == "" {
		o.Sealed = rand.Text()
	}
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{
		"Name": Name(s), "Image": o.Image, "Token": o.Sealed, "File": string(o.File),
		"Relays": s.Relays, "Users": s.People(), "Seat": seats.Port, "Relay": seats.RelayPort,
	})
	return out.Bytes(), err
}

// Name returns the name of the objects, which have small letters only.
func Name(s *scenario.Scenario) string { return strings.ToLower(s.Name) }

// quote writes a text as JSON, which is YAML.
func quote(text string) (string, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(text)
	return strings.TrimSpace(out.String()), err
}

// part is the data of the objects of one kind, so many of them.
func part(all map[string]any, kind string, count int) map[string]any {
	of := map[string]any{"Kind": kind, "Count": count}
	for key, v := range all {
		of[key] = v
	}
	name := all["Name"].(string)
	of["Full"], of["First"] = name+"-"+kind, seats.Host(name, "r0")
	return of
}

var page = template.Must(template.New("kubernetes").Funcs(template.FuncMap{"quote": quote, "dict": part}).Parse(`
{{- define "labels"}}{app.kubernetes.io/part-of: starling-testnet, app.kubernetes.io/name: {{quote .Name}}, app.kubernetes.io/component: {{.Kind}}}{{end}}
{{- define "pod"}}
      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      automountServiceAccountToken: false
{{- end}}
{{- define "container"}}
          image: {{quote .Image}}
          securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
{{- end}}
{{- define "set"}}
---
apiVersion: v1
kind: Service
metadata: {name: {{quote .Full}}, labels: {{template "labels" .}}}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{template "labels" .}}
  ports:
    - {name: seat, port: {{.Seat}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: {{quote .Full}}, labels: {{template "labels" .}}}
spec:
  serviceName: {{quote .Full}}
  replicas: {{.Count}}
  podManagementPolicy: Parallel
  selector:
    matchLabels: {{template "labels" .}}
  template:
    metadata: {labels: {{template "labels" .}}}
    spec:
      terminationGracePeriodSeconds: 30
{{- template "pod" .}}
      containers:
        - name: seat
{{- template "container" .}}
          args: [testnet, seat, $(POD), --dir, /data, --listen, "0.0.0.0:{{.Seat}}", --address, $(ADDRESS), --first, {{quote .First}}]
          env:
            - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
            - {name: ADDRESS, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: STARLING_TESTNET_TOKEN, valueFrom: {secretKeyRef: {name: {{quote (print .Name "-token")}}, key: token}}}
          ports:
            - {name: seat, containerPort: {{.Seat}}}
            - {name: relay, containerPort: {{.Relay}}}
          resources: {requests: {cpu: 20m, memory: 64Mi}}
          volumeMounts:
            - {name: data, mountPath: /data}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: data, emptyDir: {}}
        - {name: tmp, emptyDir: {}}
{{- end -}}
apiVersion: v1
kind: Secret
metadata: {name: {{quote (print .Name "-token")}}, labels: {{template "labels" (dict . "secret" 0)}}}
stringData: {token: {{quote .Token}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{quote (print .Name "-scenario")}}, labels: {{template "labels" (dict . "scenario" 0)}}}
data:
  scenario.toml: {{quote .File}}
{{- template "set" (dict . "relay" .Relays)}}
{{- template "set" (dict . "user" .Users)}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: {{quote (print .Name "-events")}}, labels: {{template "labels" (dict . "events" 0)}}}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {{template "labels" (dict . "events" 0)}}}
    spec:
      restartPolicy: Never
{{- template "pod" .}}
      containers:
        - name: events
{{- template "container" .}}
          args: [testnet, run, /scenario/scenario.toml, --seats, {{quote .Name}}, --json]
          env:
            - {name: STARLING_TESTNET_TOKEN, valueFrom: {secretKeyRef: {name: {{quote (print .Name "-token")}}, key: token}}}
          resources: {requests: {cpu: 100m, memory: 128Mi}}
          volumeMounts:
            - {name: scenario, mountPath: /scenario, readOnly: true}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - {name: scenario, configMap: {name: {{quote (print .Name "-scenario")}}}}
        - {name: tmp, emptyDir: {}}
`))
