package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"starling/node/relay"
)

// relayEnv begins the names of the variables that stand for flags of a relay: bandwidth
// is STARLING_RELAY_BANDWIDTH.
const relayEnv = "STARLING_RELAY_"

const maxRelayFile = 1 << 20

// elsewhere are the flags that are none of a configuration.
var elsewhere = []string{"help", "json", "profile", "passphrase-file", "config"}

// reloaded are those that a relay takes anew while it runs.
var reloaded = []string{"announce", "bandwidth", "quota", "mailbox-size", "max-clients"}

// A relaySetting is the value of one flag, and where it stands, for errors.
type relaySetting struct {
	values []string
	where  string
}

// settings are those of the environment and the file, by the names of the flags.
type settings map[string]relaySetting

// settings returns the values of the flags that are not on the command line: of the
// environment, else of the configuration file.
func (r *relayRun) settings(ctx context.Context) (settings, error) {
	known := configurable(r.cmd)
	all := settings{}
	file := r.config
	if !r.given["config"] {
		file = r.getenv(relayEnv + "CONFIG")
	}
	if file != "" {
		found, err := readSettings(ctx, file, known)
		if err != nil {
			return nil, err
		}
		all = found
	}

	// A misspelt variable is an error: left out silently, a limit would not hold.
	for _, pair := range r.environ() {
		name, value, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, relayEnv)
		if !ours || name == relayEnv+"CONFIG" || value == "" {
			continue // an empty one is as good as none
		}
		key := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		if !slices.Contains(known, key) {
			near := relayEnv + strings.ReplaceAll(strings.ToUpper(nearest(key, known)), "-", "_")
			return nil, usage(meant(key, "$"+near), "$%s is no setting of a relay", own(name))
		}
		values := []string{value}
		if isList(r.cmd.Flags().Lookup(key)) {
			values = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		}
		all[key] = relaySetting{values, "$" + name}
	}

	for name := range all {
		if r.given[name] {
			delete(all, name)
		}
	}
	return all, nil
}

// configurable are the names of flags that the environment and the file may give.
func configurable(cmd *cobra.Command) (names []string) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !slices.Contains(elsewhere, f.Name) {
			names = append(names, f.Name)
		}
	})
	return names
}

func isList(f *pflag.Flag) bool { _, ok := f.Value.(pflag.SliceValue); return ok }

// readSettings reads a configuration file: TOML, keys as the flags.
func readSettings(ctx context.Context, path string, known []string) (settings, error) {
	const hint = "check the path given to --config"
	text, err := readFile(ctx, path, maxRelayFile+1)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage(hint, "there is no configuration file %s", own(path))
	case err != nil:
		return nil, usage(hint, "configuration: %v", err)
	case len(text) > maxRelayFile:
		return nil, usage(hint, "the configuration file %s has more than 1 MiB", own(path))
	}

	var values map[string]any
	if err := toml.Unmarshal(text, &values); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, usage("mend the line; the file is TOML: listen = [\"/ip4/0.0.0.0/tcp/4001\"]", "%s:%d: %s", own(path), syntax.Position.Line, own(syntax.Message))
		}
		return nil, usage("mend the file; docs/COMMANDS.md shows how it is written", "%s: %v", own(path), err)
	}

	all := settings{}
	for _, key := range sortedKeys(values) {
		where := fmt.Sprintf("%s:%d", own(path), lineOf(string(text), key))
		if !slices.Contains(known, key) {
			return nil, usage(meant(key, nearest(key, known)), "%s: %s is no setting of a relay", where, own(key))
		}
		texts, ok := settingTexts(values[key])
		if !ok {
			return nil, usage("write a text, a number, true or false, or a list of texts: "+key+" = \"…\"", "%s: %s has a value of another kind", where, own(key))
		}
		all[key] = relaySetting{texts, where}
	}
	return all, nil
}

func sortedKeys(values map[string]any) (keys []string) {
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// settingTexts are the texts of a value, as they would stand on the command line.
func settingTexts(value any) (texts []string, ok bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case bool:
		return []string{strconv.FormatBool(v)}, true
	case int64:
		return []string{strconv.FormatInt(v, 10)}, true
	case []any:
		for _, one := range v {
			s, ok := one.(string)
			if !ok {
				return nil, false
			}
			texts = append(texts, s)
		}
		return texts, true
	}
	return nil, false
}

// lineOf returns the line of a key at the top of a TOML file, 1 if it is not found.
func lineOf(text, key string) int {
	name := regexp.QuoteMeta(key)
	place := regexp.MustCompile(`(?m)^[ \t]*(?:\[+[ \t]*)?["']?` + name + `["']?[ \t]*[=.\]]`).FindStringIndex(text)
	if place == nil {
		return 1
	}
	return 1 + strings.Count(text[:place[0]], "\n")
}

// meant is the remedy for an unknown setting.
func meant(key, near string) string {
	if slices.Contains(elsewhere, key) {
		return "--" + key + " is given on the command line alone"
	}
	return "did you mean " + near + "?"
}

// nearest is the name that takes the fewest changes of letters, without regard to case.
func nearest(word string, names []string) (best string) {
	word = strings.ToLower(word)
	least := -1
	for _, name := range names {
		if d := distance(word, name); least < 0 || d < least {
			least, best = d, name
		}
	}
	return best
}

// distance is the number of letters to put in, take out or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, last+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// use sets the flags.
func (all settings) use(flags *pflag.FlagSet) error {
	for name, s := range all {
		f := flags.Lookup(name)
		var err error
		if list, ok := f.Value.(pflag.SliceValue); ok {
			err = list.Replace(s.values)
		} else if len(s.values) != 1 {
			err = errors.New("one value is wanted")
		} else {
			err = f.Value.Set(s.values[0])
		}
		if errors.Is(err, strconv.ErrSyntax) {
			err = errors.New("true or false is wanted") // nothing else of ours is parsed by package strconv
		}
		if err != nil {
			return usage("see starling relay --help", "%s: %s: %v", s.where, own(name), err)
		}
	}
	return nil
}

// differing are the names whose values are others in another reading.
func (all settings) differing(other settings) (names []string) {
	for name, s := range all {
		if !slices.Equal(s.values, other[name].values) {
			names = append(names, name)
		}
	}
	for name := range other {
		if _, ok := all[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A size is a number of bytes, as people write it: 500GB, 64KiB, 1000000.
type size struct {
	bytes int64
	least int64  // of those allowed
	none  string // why 0 is not
}

var sizeWords = regexp.MustCompile(`^(\d+(?:\.\d+)?)\s*([kKmMgGtT]?)(i?)[bB]?$`)

// Set implements pflag.Value.
func (s *size) Set(text string) error {
	m := sizeWords.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil || m[2] == "" && m[3] != "" {
		return errors.New("a size is wanted, for example 500GB, 20MiB or 1000000")
	}

	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return err
	}
	base := 1000.0
	if m[3] != "" {
		base = 1024
	}
	for range strings.Index("kmgt", strings.ToLower(m[2])) + 1 {
		if m[2] != "" {
			n *= base
		}
	}

	switch {
	case n == 0:
		return errors.New(s.none)
	case n < float64(s.least):
		return fmt.Errorf("less than %d bytes is too little for a relay", s.least)
	case n > 1<<60:
		return errors.New("more than anybody has")
	}
	s.bytes = int64(n)
	return nil
}

// String implements pflag.Value.
func (s *size) String() string {
	if s.bytes == 0 {
		return ""
	}
	return strconv.FormatInt(s.bytes, 10)
}

// Type implements pflag.Value.
func (*size) Type() string { return "SIZE" }

// A number of clients is not 0: a relay serves somebody.
type clientCount int

// Set implements pflag.Value.
func (n *clientCount) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < 1 || v > 1<<20 {
		return errors.New("a number from 1 on is wanted; leave it out for as many as memory allows")
	}
	*n = clientCount(v)
	return nil
}

// String implements pflag.Value.
func (n *clientCount) String() string {
	if *n == 0 {
		return ""
	}
	return strconv.Itoa(int(*n))
}

// Type implements pflag.Value.
func (*clientCount) Type() string { return "NUMBER" }

const (
	leastQuota   = 100_000_000
	leastMailbox = 1_000_000
)

// relayLimits are the flags of a relay that may change while it runs.
type relayLimits struct {
	announce                  []string
	bandwidth, quota, mailbox size
	clients                   clientCount
}

func newRelayLimits() *relayLimits {
	return &relayLimits{
		bandwidth: size{least: relay.LeastBandwidth, none: "0 would carry nothing; leave it out for no limit"},
		quota:     size{least: leastQuota, none: "0 would carry nothing; leave it out for no limit"},
		mailbox:   size{least: leastMailbox, none: "0 would keep no mail; leave it out for the default"},
	}
}

func (l *relayLimits) flags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&l.announce, "announce", nil, "one or more `MULTIADDR`s at which others reach it, if not those it listens on")
	flags.Var(&l.bandwidth, "bandwidth", "carry at most `SIZE` a second each way, e.g. 2MB")
	flags.Var(&l.quota, "quota", "carry at most `SIZE` a calendar month, both ways together, e.g. 500GB; then sleep")
	flags.Var(&l.mailbox, "mailbox-size", "keep at most `SIZE` of mail on disk (default 580MB)")
	flags.Var(&l.clients, "max-clients", "serve at most `NUMBER` clients (default: by memory)")
}

func (l *relayLimits) limits() relay.Limits {
	return relay.Limits{Announce: l.announce, MaxClients: int(l.clients), MailboxSize: l.mailbox.bytes, Bandwidth: l.bandwidth.bytes, Quota: l.quota.bytes}
}

// checkMetrics refuses an address that others could read, unless the owner says so.
func checkMetrics(at string, public bool) error {
	if at == "" {
		return nil
	}
	const example = "for example: --metrics 127.0.0.1:9095"
	host, port, err := net.SplitHostPort(at)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		return usage(example, "--metrics %s is no HOST:PORT", own(at))
	}
	addr, err := netip.ParseAddr(host)
	if host != "localhost" && host != "" && err != nil {
		return usage(example, "--metrics %s: write an IP address, or localhost", own(at))
	}
	if host != "localhost" && !addr.IsLoopback() && !public {
		return usage("listen on 127.0.0.1 and scrape from this machine or through a tunnel; or add --metrics-public if others may read them", "--metrics %s can be read by others", own(at))
	}
	return nil
}
