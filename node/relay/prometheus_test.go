package relay

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/relay/metrics"
	"starling/p2p/p2ptest/programtest"
)

const operators = "../../docs/operators"

// named finds metrics of ours in an expression.
var named = regexp.MustCompile(`starling_relay_[a-z_]+`)

// expressions are those of the dashboard, as they are when all relays are shown.
func expressions(t *testing.T) (all []string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(operators, "grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(b, &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			all = append(all, strings.ReplaceAll(target.Expr, "$instance", ".*"))
		}
	}
	if len(all) < 20 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// TestOperatorsFiles: the dashboard and the alerts name metrics that there are, and the
// dashboard shows all of them.
func TestOperatorsFiles(t *testing.T) {
	rules, err := os.ReadFile(filepath.Join(operators, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	shown := strings.Join(expressions(t), "\n")
	for _, name := range named.FindAllString(shown+string(rules), -1) {
		if !slices.Contains(metrics.Names(), name) {
			t.Errorf("there is no metric %s", name)
		}
	}
	for _, name := range metrics.Names() {
		if !strings.Contains(shown+string(rules), name) {
			t.Errorf("neither the dashboard nor an alert has %s", name)
		}
	}
}

// promtool runs Prometheus' own checks.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("promtool", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestPrometheus: Debian's Prometheus takes the files as they are, scrapes a relay that
// runs, finds nothing to mend in its metrics, has an answer to each expression of the
// dashboard, and raises the alert of a relay that nobody reaches, and that alone.
func TestPrometheus(t *testing.T) {
	programtest.Find(t, "prometheus")
	programtest.Find(t, "promtool")
	promtool(t, operators, "check", "config", "prometheus.yml")
	promtool(t, operators, "check", "rules", "alerts.yml")
	testRules(t)

	dir := t.TempDir()
	runs(t, Config{StateDir: filepath.Join(dir, "relay"), Metrics: "127.0.0.1:0", Version: "v1"})
	s, err := Ask(t.Context(), filepath.Join(dir, "relay"))
	if err != nil {
		t.Fatal(err)
	}
	text := fetch(t, "http://"+s.Limits.MetricsAt+"/metrics")
	lint := exec.Command("promtool", "check", "metrics")
	lint.Stdin = strings.NewReader(text)
	if out, err := lint.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}

	at := prometheus(t, dir, s.Limits.MetricsAt)
	query := func(expr string) int {
		var answer struct {
			Status string
			Error  string
			Data   struct{ Result []any }
		}
		body := fetch(t, "http://"+at+"/api/v1/query?query="+url.QueryEscape(expr))
		if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Status != "success" {
			t.Fatalf("%s: %v %s", expr, err, body)
		}
		return len(answer.Data.Result)
	}
	eventually(t, "Prometheus has scraped the relay", func() bool { return query(`up{job="starling"} == 1`) == 1 })
	for _, expr := range expressions(t) {
		optional := strings.Contains(expr, "rate(") || strings.Contains(expr, " > 0")
		if n := query(expr); n == 0 && !optional {
			t.Errorf("no answer to %s", expr)
		}
	}
	if query(`starling_relay_info{version="v1",protocol="/st/2"}`) != 1 || query("starling_relay_listed == 0") != 1 {
		t.Error("the relay's facts are not there")
	}
}

// prometheus runs one with the shipped files, for a relay elsewhere, and returns where it
// answers.
func prometheus(t *testing.T, dir, relay string) (at string) {
	t.Helper()
	for _, name := range []string{"prometheus.yml", "alerts.yml"} {
		b, err := os.ReadFile(filepath.Join(operators, name))
		if err != nil {
			t.Fatal(err)
		}
		config := strings.NewReplacer("127.0.0.1:9095", relay, "scrape_interval: 30s", "scrape_interval: 1s").Replace(string(b))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	at = fmt.Sprint("127.0.0.1:", programtest.FreePort(t))
	cmd := exec.Command("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address="+at, "--log.level=error")
	cmd.Dir = dir
	programtest.Start(t, cmd)
	eventually(t, "Prometheus runs", func() bool {
		resp, err := http.Get("http://" + at + "/-/ready")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return at
}

func fetch(t *testing.T, at string) string {
	t.Helper()
	resp, err := http.Get(at)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// testRules has promtool say when alerts are raised: a relay that nobody reaches for half
// an hour raises one, one that does well none.
func testRules(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile(filepath.Join(operators, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "alerts.yml"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	series := func(reachable, disk int) string {
		return fmt.Sprintf(`
    input_series:
      - {series: 'up{job="starling",instance="r"}', values: '1x60'}
      - {series: 'starling_relay_reachable{instance="r"}', values: '%dx60'}
      - {series: 'starling_relay_listed{instance="r"}', values: '%dx60'}
      - {series: 'starling_relay_asleep{instance="r"}', values: '0x60'}
      - {series: 'starling_relay_neighbours{instance="r"}', values: '3x60'}
      - {series: 'starling_relay_start_time_seconds{instance="r"}', values: '0x60'}
      - {series: 'starling_relay_disk_low{instance="r"}', values: '%dx60'}
      - {series: 'starling_relay_disk_full{instance="r"}', values: '0x60'}
      - {series: 'starling_relay_clients{instance="r"}', values: '8x60'}
      - {series: 'starling_relay_client_places{instance="r"}', values: '2000x60'}
`, reachable, reachable, disk)
	}
	raised := func(name string, yes bool) string {
		if !yes {
			return fmt.Sprintf("      - {eval_time: 50m, alertname: %s, exp_alerts: []}\n", name)
		}
		var remedy, summary, severity string
		for block := range strings.SplitSeq(string(b), "- alert: ") {
			if strings.HasPrefix(block, name+"\n") {
				for line := range strings.Lines(block) {
					key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
					switch key {
					case "summary":
						summary = value
					case "remedy":
						remedy = value
					case "labels":
						severity = strings.Trim(strings.TrimPrefix(value, "{severity: "), "}")
					}
				}
			}
		}
		return fmt.Sprintf("      - eval_time: 50m\n        alertname: %s\n        exp_alerts:\n          - exp_labels: {instance: r, severity: %s}\n            exp_annotations: {summary: %q, remedy: %q}\n", name, severity, summary, remedy)
	}
	names := []string{"StarlingUnreachable", "StarlingDiskLow", "StarlingUnlisted", "StarlingAlone", "StarlingClientsFull"}
	test := "rule_files: [alerts.yml]\ntests:\n"
	for _, c := range []struct {
		reachable, disk int
		raised          []string
	}{{1, 0, nil}, {0, 1, []string{"StarlingUnreachable", "StarlingDiskLow"}}} {
		test += "  - interval: 1m" + series(c.reachable, c.disk) + "    alert_rule_test:\n"
		for _, name := range names {
			test += raised(name, slices.Contains(c.raised, name))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "test.yml"), []byte(test), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "test", "rules", "test.yml")
}

// benchRelay is a relay that is asked.
func benchRelay(b *testing.B) (dir, at string) {
	dir = b.TempDir()
	runs(b, Config{StateDir: dir, Metrics: "127.0.0.1:0"})
	s, err := Ask(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	return dir, s.Limits.MetricsAt
}

// BenchmarkStatus asks a relay how it is, over its socket. The bar is 5 ms.
func BenchmarkStatus(b *testing.B) {
	dir, _ := benchRelay(b)
	for b.Loop() {
		if _, err := Ask(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkScrape reads all metrics of a relay. The bar is 5 ms.
func BenchmarkScrape(b *testing.B) {
	_, at := benchRelay(b)
	client := http.Client{Timeout: 10 * time.Second}
	for b.Loop() {
		resp, err := client.Get("http://" + at + "/metrics")
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
