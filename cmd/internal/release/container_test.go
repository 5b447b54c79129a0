package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// TestContainer builds the image of the archive without a network and without a daemon,
// and starts the relay in it: as nobody, on the one folder that is its own.
func TestContainer(t *testing.T) {
	dir := unpacked(t)
	needs(t, "buildah", "unshare")
	store := t.TempDir()
	buildah := func(args ...string) *exec.Cmd {
		cmd := exec.Command("buildah", append([]string{"--root", store, "--runroot", store, "--storage-driver", "vfs"}, args...)...)
		cmd.Dir = dir
		return cmd
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := buildah(args...).Output()
		if err != nil {
			t.Fatalf("buildah %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("bud", "-q", "-f", "Containerfile", "-t", "starling")
	container := run("from", "localhost/starling")
	t.Cleanup(func() { buildah("rm", container).Run() })
	if config := run("inspect", "--format", "{{.OCIv1.Config}}", container); !strings.Contains(config, "65532:65532") || !strings.Contains(config, "4001/tcp") {
		t.Errorf("the image is for %s", config)
	}

	// Its own network: port 4001 of this machine may be somebody's.
	in := func(args ...string) *exec.Cmd {
		cmd := buildah(append([]string{"run", "--isolation", "chroot", container, "--"}, args...)...)
		cmd.Args = append([]string{"unshare", "--net", "--"}, cmd.Args...)
		cmd.Path, _ = exec.LookPath("unshare")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	if out, err := in("starling", "version").CombinedOutput(); err != nil {
		t.Skipf("nothing runs in a container here: %v: %s", err, out)
	}
	relay := in("starling", "relay", "--listen", "/ip4/0.0.0.0/tcp/4001")
	out, err := relay.StdoutPipe()
	if err == nil {
		err = relay.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, `"event":"ready"`) {
		t.Errorf("it says %q, %v", line, err)
	}
	syscall.Kill(-relay.Process.Pid, syscall.SIGTERM)
	relay.Wait()
}

// TestCompose: docker-compose understands the file, and has the addresses of .env.
func TestCompose(t *testing.T) {
	dir := unpacked(t)
	needs(t, "docker-compose")
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("ANNOUNCE=/ip4/203.0.113.9/tcp/4001\nBOOTSTRAP=/ip4/192.0.2.7/tcp/4001/p2p/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("docker-compose", "-f", "compose.yaml", "config")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"STARLING_RELAY_ANNOUNCE: /ip4/203.0.113.9/tcp/4001", "STARLING_RELAY_BOOTSTRAP: /ip4/192.0.2.7/tcp/4001/p2p/x", "network_mode: service:relay"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("no %q: %v\n%s", want, err, out)
		}
	}
	for _, file := range []string{"prometheus.yml", "alerts.yml", "grafana.json"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Errorf("the archive has no %s", file)
		}
	}
}

// A composeFile is compose.yaml, with those words of the Compose specification that it uses.
// A word that is not here is mistyped, or belongs here.
type composeFile struct {
	Services map[string]composeService `json:"services"`
	Volumes  map[string]*struct{}      `json:"volumes"`
}

type composeService struct {
	Build *struct {
		Context    string `json:"context"`
		Dockerfile string `json:"dockerfile"`
	} `json:"build"`
	Image           string            `json:"image"`
	Environment     map[string]string `json:"environment"`
	Ports           []string          `json:"ports"`
	Volumes         []string          `json:"volumes"`
	Restart         string            `json:"restart"`
	StopGracePeriod string            `json:"stop_grace_period"`
	ReadOnly        bool              `json:"read_only"`
	CapDrop         []string          `json:"cap_drop"`
	SecurityOpt     []string          `json:"security_opt"`
	MemLimit        string            `json:"mem_limit"`
	NetworkMode     string            `json:"network_mode"`
	DependsOn       []string          `json:"depends_on"`
}

// TestComposeIsStrict reads compose.yaml without docker: no unknown word, every file, volume
// and service is there, every variable is one of the relay, and nothing is open to others
// but its port.
func TestComposeIsStrict(t *testing.T) {
	const dir = "../../../docs/operators"
	text, err := os.ReadFile(filepath.Join(dir, "compose.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file composeFile
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		t.Fatal(err)
	}
	for name, s := range file.Services {
		checkService(t, dir, &file, name, &s)
	}

	relay := file.Services["relay"]
	if relay.Build == nil || !relay.ReadOnly || !slices.Contains(relay.CapDrop, "ALL") || !slices.Contains(relay.SecurityOpt, "no-new-privileges:true") {
		t.Errorf("the relay is not confined: %+v", relay)
	}
	grace, err := time.ParseDuration(relay.StopGracePeriod)
	if err != nil || grace < 10*time.Second {
		t.Errorf("%s to say goodbye: %v", relay.StopGracePeriod, err)
	}
	var flags []byte
	sources, _ := filepath.Glob("../cli/*.go")
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		flags = append(flags, text...)
	}
	for name := range relay.Environment {
		flag, ok := strings.CutPrefix(name, "STARLING_RELAY_")
		if flag = strings.ReplaceAll(strings.ToLower(flag), "_", "-"); !ok || !strings.Contains(string(flags), `"`+flag+`"`) {
			t.Errorf("%s is no variable of the relay", name)
		}
	}
}

// checkService checks the references of a service.
func checkService(t *testing.T, dir string, file *composeFile, name string, s *composeService) {
	if (s.Build == nil) == (s.Image == "") {
		t.Errorf("%s has an image and is built, or neither", name)
	}
	if s.Build != nil {
		if _, err := os.Stat(filepath.Join(dir, s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Error(err)
		}
	}

	for _, v := range s.Volumes {
		from, to, _ := strings.Cut(v, ":")
		_, named := file.Volumes[from]
		if _, err := os.Stat(filepath.Join(dir, from)); !named && err != nil || !strings.HasPrefix(to, "/") {
			t.Errorf("%s: volume %s: %v", name, v, err)
		}
	}
	for _, p := range s.Ports {
		parts := strings.Split(p, ":")
		if n := len(parts); n < 2 || parts[n-1] != "4001" && parts[0] != "127.0.0.1" {
			t.Errorf("%s: port %s is open to others", name, p)
		}
	}

	other, joined := strings.CutPrefix(s.NetworkMode, "service:")
	for _, needs := range append(slices.Clone(s.DependsOn), other) {
		if _, ok := file.Services[needs]; !ok && (joined || needs != "") {
			t.Errorf("%s needs %s, and that is not there", name, needs)
		}
	}
}

// unpacked unpacks the archive of this machine's kind.
func unpacked(t *testing.T) string {
	t.Helper()
	all, _ := filepath.Glob(filepath.Join(releaseMade(t), "*_"+runtime.GOOS+"_"+runtime.GOARCH+".tar.xz"))
	if len(all) != 1 {
		t.Skipf("the release has %d archives for this machine", len(all))
	}
	dir := t.TempDir()
	if out, err := exec.Command("tar", "xf", all[0], "--strip-components=1", "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}
