package scenario

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"starling/node/api"
)

// Limits of a scenario.
const (
	MaxFile      = 1 << 20
	minRelays    = 5 // the least from which a client starts
	maxRelays    = 2000
	minUsers     = 2
	maxUsers     = 2000
	maxNewcomers = 100
	maxTime      = 31 * 24 * time.Hour
	maxMessages  = 1_000_000
	// MinSize has room for the number that tells one text from another.
	MinSize   = 40
	maxSize   = 32 << 10
	maxEvents = 10_000
)

const (
	defaultSettle    = time.Minute
	defaultMeanDelay = 30 * time.Millisecond
)

var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,40}$`)

// Parse reads a scenario. The file name is for errors only. An error is an
// [*Error].
func Parse(file string, src []byte) (*Scenario, error) { return read(file, src, false) }

// ParseKept reads a scenario that is kept up, see [Scenario.Kept]: it needs neither a
// duration nor messages.
func ParseKept(file string, src []byte) (*Scenario, error) { return read(file, src, true) }

func read(file string, src []byte, kept bool) (*Scenario, error) {
	if len(src) > MaxFile {
		return nil, &Error{File: file, Message: "this is no scenario: it is larger than 1 MiB"}
	}
	var root map[string]any
	if err := toml.Unmarshal(src, &root); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, &Error{File: file, Line: syntax.Position.Line, Message: oneLine(syntax.Message)}
		}
		return nil, &Error{File: file, Message: oneLine(err.Error())}
	}
	s := &Scenario{File: file, lines: index(string(src))}
	r := &reader{s: s, kept: kept}
	s.read(r, table{"", root, r})
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// read takes every key there is. The first mistake stays in r.
func (s *Scenario) read(r *reader, top table) {
	s.Name = top.text("name", "")
	s.About = top.text("about", "")
	s.Engine = top.text("engine", Loopback)
	s.Seed = uint64(top.integer("seed", 1, 0, math.MaxInt64))
	s.Relays = int(top.integer("relays", 0, minRelays, maxRelays))
	s.Users = int(top.integer("users", 0, minUsers, maxUsers))
	required, lasting := []string{"name", "relays", "users", "duration", "messages"}, time.Duration(0)
	if top.has("room") {
		required = required[:4]
	}
	if r.kept { // it has no end, and nobody writes by the file
		required, lasting = required[:3], maxTime
	}
	s.Duration = top.duration("duration", lasting, time.Second, maxTime)
	s.Settle = top.duration("settle", defaultSettle, time.Second, maxTime)
	s.MeanDelay = top.duration("mean_delay", defaultMeanDelay, 0, time.Minute)
	s.NAT = top.boolean("nat")
	s.Bridges = int(top.integer("bridges", 0, 0, int64(max(0, s.Relays-minRelays))))
	s.Newcomers = int(top.integer("newcomers", 0, 0, maxNewcomers))
	s.RelayMiB = int(top.integer("relay_mib", 0, 16, 1<<20))

	switch {
	case top.has("name") && !validName.MatchString(s.Name):
		top.fail("name", "name is %q; it has letters, digits and dashes, at most 41", s.Name)
	case !slices.Contains(Engines(), s.Engine):
		top.fail("engine", "%v", noEngine(s.Engine))
	}

	// The tables are taken before the end, which refuses unknown ones.
	messages, shifts, churn, link, bar := top.table("messages"), top.table("shifts"), top.table("churn"), top.table("link"), top.table("bar")
	bad, skew, hostile, events := top.tables("bad"), top.tables("skew"), top.tables("hostile"), top.tables("event")
	rooms := top.tables("room")
	programs, around, places := top.tables("program"), top.table("world"), top.tables("place")
	talks := top.has("messages") || !top.has("room") || r.kept
	top.end(required...)

	if talks {
		s.readMessages(messages)
	}
	for _, t := range rooms {
		s.readRoom(t)
	}
	if top.has("churn") {
		s.readChurn(churn)
	}
	if top.has("shifts") {
		s.readShifts(shifts)
	}

	s.readLink(link)
	if top.has("world") || top.has("place") {
		s.readWorld(around, places)
	}
	for _, t := range bad {
		s.readBad(t)
	}
	for _, t := range skew {
		s.readSkew(t)
	}
	for _, t := range hostile {
		s.readHostile(t)
	}

	for _, t := range programs {
		s.readProgram(t)
	}

	s.readBar(bar)
	if len(events)+len(bad)+len(skew)+len(hostile)+len(programs)+len(places) > maxEvents {
		top.fail("event", "there are more than %d events", maxEvents)
		return
	}

	for _, t := range events {
		s.readEvent(t)
	}
}

func (s *Scenario) readMessages(t table) {
	m := &s.Messages
	m.Count = int(t.integer("count", 0, 0, maxMessages))
	m.Rate = t.number("rate", 0, 0.001, 100_000)
	m.MinSize, m.MaxSize = t.size("size", 64)
	m.Pairs = t.text("pairs", Ring)
	t.end()

	if r := t.r; r.err != nil {
		return
	}

	seconds := s.Duration.Seconds()
	switch {
	case m.Pairs != Ring && m.Pairs != Couples && m.Pairs != All:
		t.fail("pairs", "pairs is %q; it is %q, %q or %q", m.Pairs, Ring, Couples, All)
	case m.Pairs == Couples && s.Users%2 != 0:
		t.fail("pairs", "%d users do not make couples", s.Users)
	case t.r.kept:
	case m.Count == 0 && m.Rate == 0 && t.has("count"):
	case m.Count == 0 && m.Rate == 0:
		t.fail("", "messages have neither a count nor a rate")
	case m.Count == 0 && m.Rate*seconds > maxMessages:
		t.fail("rate", "this rate makes more than %d messages", maxMessages)
	case m.Count == 0:
		m.Count = max(1, int(m.Rate*seconds))
	case m.Rate == 0:
		m.Rate = float64(m.Count) / seconds
	case float64(m.Count)/m.Rate > seconds+0.001:
		t.fail("rate", "%d messages at this rate take longer than the duration, %v", m.Count, s.Duration)
	}
}

func (s *Scenario) readChurn(t table) {
	c := &s.Churn
	c.PerMinute = t.number("per_minute", 0, 0, 60)
	c.Away = t.duration("away", 10*time.Second, 0, maxTime)
	c.From = t.duration("from", 0, 0, s.Duration)
	c.Until = t.duration("until", max(c.From, s.Duration-c.Away), 0, s.Duration)
	if c.Until < c.From {
		t.fail("until", "churn ends before it begins")
	}
	c.Kill = t.boolean("kill")
	t.end("per_minute")
}

// reader keeps the first mistake of all tables.
type reader struct {
	s    *Scenario
	kept bool // the scenario is to be kept up
	err  error
}

// table is one TOML table. Each key is deleted as it is taken; the keys left at the end
// are unknown ones.
type table struct {
	path string
	keys map[string]any
	r    *reader
}

func (t table) at(key string) string {
	switch {
	case t.path == "":
		return key
	case key == "":
		return t.path
	}
	return t.path + "." + key
}

func (t table) fail(key, format string, args ...any) {
	if t.r.err == nil {
		t.r.err = t.r.s.errorf(t.at(key), format, args...)
	}
}

// taken marks a key that was read, but was there.
type taken struct{}

func (t table) take(key string) (any, bool) {
	v, ok := t.keys[key]
	if ok {
		t.keys[key] = taken{}
	}
	return v, ok
}

func (t table) has(key string) bool { _, ok := t.keys[key]; return ok }

// end refuses keys that the format does not have, and a table without a required one: a
// mistyped key first.
func (t table) end(required ...string) {
	for _, k := range slices.Sorted(maps.Keys(t.keys)) {
		if _, ok := t.keys[k].(taken); !ok {
			t.fail(k, "there is no key %q", t.at(k))
		}
	}
	for _, k := range required {
		if !t.has(k) {
			t.fail("", "%q is missing", t.at(k))
		}
	}
}

func (t table) text(key, other string) string {
	v, ok := t.take(key)
	if !ok {
		return other
	}
	text, ok := v.(string)
	if !ok {
		t.fail(key, "%s is not a text in quotes", key)
	}
	return text
}

func (t table) boolean(key string) bool {
	v, ok := t.take(key)
	if !ok {
		return false
	}
	b, ok := v.(bool)
	if !ok {
		t.fail(key, "%s is neither true nor false", key)
	}
	return b
}

func (t table) integer(key string, other, least, most int64) int64 {
	v, ok := t.take(key)
	if !ok {
		return other
	}
	n, ok := v.(int64)
	switch {
	case !ok:
		t.fail(key, "%s is not a whole number", key)
	case n < least || n > most:
		t.fail(key, "%s is %d; it is %d to %d", key, n, least, most)
	}
	return n
}

func (t table) number(key string, other, least, most float64) float64 {
	v, ok := t.take(key)
	if !ok {
		return other
	}
	var n float64
	switch v := v.(type) {
	case int64:
		n = float64(v)
	case float64:
		n = v
	default:
		t.fail(key, "%s is not a number", key)
		return 0
	}
	if !(n >= least && n <= most) { // also refuses NaN
		t.fail(key, "%s is %v; it is %v to %v", key, n, least, most)
		return 0
	}
	return n
}

func (t table) duration(key string, other, least, most time.Duration) time.Duration {
	v, ok := t.take(key)
	if !ok {
		return other
	}
	text, isText := v.(string)
	unsigned, back := strings.CutPrefix(text, "-")
	d, err := api.ParseDuration(unsigned)
	if back {
		d = -d
	}
	switch {
	case !isText || err != nil:
		t.fail(key, "%s is not a duration such as \"90s\" or \"1h30m\"", key)
	case d < least || d > most:
		t.fail(key, "%s is %v; it is %v to %v", key, d, least, most)
	}
	return d
}

// durations reads one duration or [least, most].
func (t table) durations(key string, most time.Duration) (from, to time.Duration) {
	list, ok := t.keys[key].([]any)
	if !ok {
		d := t.duration(key, 0, 0, most)
		return d, d
	}
	t.take(key)
	var both []time.Duration
	for _, v := range list {
		one := table{t.path, map[string]any{key: v}, t.r}
		both = append(both, one.duration(key, 0, 0, most))
	}
	if len(both) != 2 || both[0] > both[1] {
		t.fail(key, "%s is a duration or [least, most]", key)
		return 0, 0
	}
	return both[0], both[1]
}

func (t table) size(key string, other int) (least, most int) {
	v, ok := t.take(key)
	if !ok {
		return other, other
	}
	sizes, isArray := v.([]any)
	if !isArray {
		sizes = []any{v, v}
	}
	var bounds []int64
	for _, v := range sizes {
		if n, ok := v.(int64); ok {
			bounds = append(bounds, n)
		}
	}
	if len(sizes) != 2 || len(bounds) != 2 || bounds[0] < MinSize || bounds[1] > maxSize || bounds[0] > bounds[1] {
		t.fail(key, "%s is a number of bytes or [least, most], %d to %d", key, MinSize, maxSize)
		return other, other
	}
	return int(bounds[0]), int(bounds[1])
}

// texts reads a list of texts.
func (t table) texts(key string, most int) (out []string) {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	list, isList := v.([]any)
	for _, v := range list {
		text, isText := v.(string)
		isList = isList && isText
		out = append(out, text)
	}
	if !isList || len(list) > most {
		t.fail(key, "%s is not a list of texts such as [\"a\", \"b\"], at most %d", key, most)
		return nil
	}
	return out
}

// indexes reads a list of different whole numbers below n.
func (t table) indexes(key string, n int) (out []int) {
	v, ok := t.take(key)
	if !ok {
		return nil
	}

	list, isList := v.([]any)
	if !isList || len(list) == 0 {
		t.fail(key, "%s is not a list of numbers such as [0, 3]", key)
		return nil
	}

	for _, v := range list {
		i, ok := v.(int64)
		switch {
		case !ok:
			t.fail(key, "%s is not a list of numbers such as [0, 3]", key)
			return nil
		case i < 0 || i >= int64(n):
			t.fail(key, "there is no %d among %s 0 to %d", i, key, n-1)
			return nil
		case slices.Contains(out, int(i)):
			t.fail(key, "%s names %d twice", key, i)
			return nil
		}
		out = append(out, int(i))
	}

	return out
}

func (t table) table(key string) table {
	v, _ := t.take(key)
	sub, ok := v.(map[string]any)
	if v != nil && !ok {
		t.fail(key, "%s is not a table: write [%s]", key, key)
	}
	if sub == nil {
		sub = map[string]any{}
	}
	return table{t.at(key), sub, t.r}
}

func (t table) tables(key string) (out []table) {
	v, ok := t.take(key)
	if !ok {
		return nil
	}
	list, ok := v.([]map[string]any)
	if !ok {
		t.fail(key, "%s is not a list of tables: write [[%s]]", key, key)
		return nil
	}
	for i, sub := range list {
		out = append(out, table{fmt.Sprintf("%s[%d]", t.at(key), i), sub, t.r})
	}
	return out
}
