package manifests

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"starling/node/testnet/scenario"
)

const file = "# \"quoted\" <&> 'text': {{.}}\nname = 'Mesh-1'\nrelays = 7\nusers = 3\nnewcomers = 1\nduration = '10s'\nmessages = {count = 5}\n"

func kubernetes(t *testing.T, src string) ([]byte, error) {
	t.Helper()
	s, err := scenario.Parse("x.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return Kubernetes(s, Options{Image: `example.org/starling:1"`, File: []byte(src)})
}

// TestStrict: the types of Kubernetes know every field there is, and all objects run
// the same image.
func TestStrict(t *testing.T) {
	page, err := kubernetes(t, file)
	if err != nil {
		t.Fatal(err)
	}
	var secret corev1.Secret
	var config corev1.ConfigMap
	var services [2]corev1.Service
	var relays, users appsv1.StatefulSet
	var job batchv1.Job
	objects := []any{&secret, &config, &services[0], &relays, &services[1], &users, &job}
	docs := bytes.Split(page, []byte("\n---\n"))
	if len(docs) != len(objects) {
		t.Fatalf("%d objects: %s", len(docs), page)
	}
	for i, doc := range docs {
		if err := yaml.UnmarshalStrict(doc, objects[i]); err != nil {
			t.Fatalf("%v: %s", err, doc)
		}
	}

	if config.Data["scenario.toml"] != file {
		t.Errorf("the file is %q", config.Data)
	}
	for _, set := range []struct {
		appsv1.StatefulSet
		name  string
		count int32
	}{{relays, "mesh-1-relay", 7}, {users, "mesh-1-user", 4}} {
		if set.Kind != "StatefulSet" || set.Name != set.name || set.Spec.ServiceName != set.name || *set.Spec.Replicas != set.count {
			t.Errorf("%s: %+v", set.name, set.StatefulSet)
		}
		if fmt.Sprint(set.Spec.Selector.MatchLabels) != fmt.Sprint(set.Spec.Template.Labels) {
			t.Errorf("%s selects other pods than its own", set.name)
		}
	}
	for i, set := range []appsv1.StatefulSet{relays, users} {
		if services[i].Name != set.Name || services[i].Spec.ClusterIP != "None" || fmt.Sprint(services[i].Spec.Selector) != fmt.Sprint(set.Spec.Template.Labels) {
			t.Errorf("%+v", services[i])
		}
	}
	for _, pod := range []corev1.PodSpec{relays.Spec.Template.Spec, users.Spec.Template.Spec, job.Spec.Template.Spec} {
		c := pod.Containers[0]
		if c.Image != `example.org/starling:1"` || c.Args[0] != "testnet" || !*pod.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%+v", c)
		}
		token := c.Env[len(c.Env)-1]
		if token.Value != "" || token.ValueFrom.SecretKeyRef.Name != secret.Name || secret.StringData["token"] == "" {
			t.Errorf("the token of %v", c.Args)
		}
		for _, m := range c.VolumeMounts {
			if !strings.Contains(fmt.Sprint(pod.Volumes), "Name:"+m.Name) && !strings.Contains(fmt.Sprint(pod.Volumes), "{"+m.Name+" ") {
				t.Errorf("there is no volume %s", m.Name)
			}
		}
	}
	if job.Kind != "Job" || job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever || *job.Spec.BackoffLimit != 0 || job.Spec.Template.Spec.Containers[0].Args[1] != "run" {
		t.Errorf("%+v", job)
	}
}

// TestStrictIsStrict: a field that Kubernetes does not have is an error of the test above.
func TestStrictIsStrict(t *testing.T) {
	page, err := kubernetes(t, file)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Replace(bytes.Split(page, []byte("\n---\n"))[3], []byte("serviceName"), []byte("serviceNaam"), 1)
	if err := yaml.UnmarshalStrict(bad, &appsv1.StatefulSet{}); err == nil {
		t.Error("it is not")
	}
}

// TestRefused: pods cannot do everything.
func TestRefused(t *testing.T) {
	for more, want := range map[string]string{
		"[[event]]\nat='1s'\ndo='partition'\nrelays=[0]\n": `x.toml:10: engine "seats" cannot do partition`,
		"[world]\n": `x.toml:8: engine "seats" cannot do world`,
	} {
		if _, err := kubernetes(t, file+more); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", more, err)
		}
	}
}
