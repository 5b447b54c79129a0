package limits

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSum: with everything full a relay leaves an eighth of its memory, whatever it has,
// and windows grow at least for a few relays.
func TestSum(t *testing.T) {
	for memory := int64(gib / 8); memory <= 8*gib; memory += 16 << 20 {
		s := For(memory)
		sum := int64(0)
		for _, b := range Table {
			most := b.Most
			if b.Of != nil {
				most = b.Of(s)
			}
			sum += int64(most) * int64(b.Each)
		}
		if sum > memory/8*7 {
			t.Fatalf("of %d MiB everything together takes %d", memory>>20, sum>>20)
		}
		if s.Windows < min(16<<20, memory/32) {
			t.Fatalf("of %d MiB %d are left for windows", memory>>20, s.Windows>>20)
		}
	}
}

// TestWithin: of few files there are places for a part of both, and never more.
func TestWithin(t *testing.T) {
	s := For(gib)
	if got := s.Within(1 << 20); got != s {
		t.Errorf("of many files: %+v", got)
	}
	for files := range 3000 {
		got := s.Within(files)
		if got.Clients < 0 || got.Relays < 0 || got.Clients+got.Relays > max(files-reserve, 0) {
			t.Fatalf("of %d files: %d and %d", files, got.Clients, got.Relays)
		}
	}
	if got := s.Within(1024); got.Clients < 600 || got.Relays < 150 {
		t.Errorf("of 1024 files: %d and %d", got.Clients, got.Relays)
	}
}

// TestTable: the lines are those of PROTOCOL.md, and each names a test that exists.
func TestTable(t *testing.T) {
	doc, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, b := range Table {
		each := "–"
		if b.Each > 0 {
			each = fmt.Sprint(b.Each)
		}
		line := fmt.Sprintf("| %s | %d | %s | %s | %s | %s |\n", b.What, b.Most, each, b.By, b.Per, b.Full)
		if !strings.Contains(string(doc), line) {
			t.Errorf("PROTOCOL.md lacks the line\n%s", line)
		}
		total += b.Most * b.Each
		dir, name, _ := strings.Cut(b.Test, " ")
		if !hasTest(t, filepath.Join("../..", dir), name) {
			t.Errorf("%s: there is no %s in %s", b.What, name, dir)
		}
	}
	one := For(gib)
	for _, b := range Table {
		if b.Of != nil && b.Of(one) != b.Most {
			t.Errorf("%s: %d at 1 GiB, in the table %d", b.What, b.Of(one), b.Most)
		}
	}
	if int64(total) != one.bytes() {
		t.Errorf("the lines are %d bytes, counted %d", total, one.bytes())
	}
	if least, most := For(gib/4), For(1<<40); least.Replay != one.Replay/4 || most.Replay != one.Replay || least.Seats != 5000 || most.SeatBytes != 320<<20 {
		t.Errorf("what stays is %+v and %+v", least, most)
	}
	if For(gib/4).Clients != 500 || For(0).Clients != 250 || For(1<<40).Clients != 8000 {
		t.Errorf("sizes at the ends: %+v, %+v", For(0), For(1<<40))
	}
}

// bound matches the names of constants that bound how much there is of something.
var bound = regexp.MustCompile(`^(([dD]efault)?[mM]ax[A-Z]\w*|\w+(Max|AtOnce))$`)

// noRow are the bounds that nobody fills at a relay, with the reason.
var noRow = map[string]string{
	"p2p/proxy maxLogin":                 "letters of the owner's",
	"p2p/bridge MaxBridges":              "a client's own",
	"p2p/bridge MaxFirst":                "bytes of one message",
	"p2p/bridge MaxText":                 "letters of one text",
	"p2p/bridge maxFound":                "links of one text",
	"p2p/bridge maxValue":                "bytes of one link",
	"p2p/bridge maxWays":                 "addresses of one link",
	"p2p/bridge/server maxState":         "bytes of a file of ours",
	"p2p/directory/exchange maxBits":     "the price that one asker pays",
	"p2p/admission AllAtOnce":            "a size of the network",
	"p2p/admission MaxCharges":           "of what we write ourselves",
	"p2p/admission MaxNews":              "bytes of one message",
	"p2p/admission MaxVouchers":          "of one message",
	"p2p/admission maxChargesOfOne":      "of what we write ourselves",
	"p2p/admission maxDoors":             "relays that we knock at ourselves",
	"p2p/admission maxLineNetwork":       "the share in the line of examinations",
	"p2p/admission maxPerSource":         "the share in the line of knocks",
	"p2p/book MaxAddresses":              "of one node",
	"p2p/book MaxLocal":                  "what the local network names, where the owner says so",
	"p2p/book MaxNamed":                  "what the owner names",
	"p2p/book MaxPerNetwork":             "the share in the line of candidates",
	"p2p/book maxReached":                "nodes that we reached; small, any is forgotten",
	"p2p/client maxDoors":                "a client's own",
	"p2p/client maxOpinions":             "a client's own",
	"p2p/client maxReplies":              "a client's own",
	"p2p/client maxWays":                 "a client's own",
	"p2p/clock maxReadings":              "the latest of those we ask",
	"p2p/censor MaxNetworks":             "a client's own",
	"p2p/censor MaxSize":                 "bytes that a client keeps",
	"p2p/censor MaxWays":                 "a client's own",
	"p2p/censor maxFreezes":              "a client's own",
	"p2p/censor maxRelays":               "a client's own",
	"p2p/censor maxTries":                "a client's own",
	"p2p/link movesAtOnce":               "moves of one link to other connections",
	"p2p/directory HintMax":              "bytes of one hint",
	"p2p/directory MaxAddresses":         "of one descriptor",
	"p2p/directory MaxDescriptor":        "bytes of one descriptor",
	"p2p/directory MaxFamily":            "of one descriptor",
	"p2p/directory MaxLifetime":          "a time",
	"p2p/directory MaxPages":             "of one request",
	"p2p/directory MaxPerAddress":        "the share in the line of relays",
	"p2p/directory MaxPerNetwork":        "the share in the line of relays",
	"p2p/directory MaxSkew":              "a time",
	"p2p/book maxHost":                   "letters of one name",
	"p2p/directory maxHost":              "letters of one name",
	"p2p/directory/exchange maxMarks":    "relays that we ask",
	"p2p/directory/exchange maxPages":    "of one pull of ours",
	"p2p/directory/exchange maxUnfit":    "of one pull of ours",
	"p2p/directory/exchange PagesAtOnce": "of one answer",
	"p2p/directory/gossip maxMessage":    "bytes of one message",
	"p2p/discovery maxHeardAddrs":        "the share in the line of hearsay",
	"p2p/discovery/lan FindMax":          "of one question of ours",
	"p2p/discovery/lan answersMax":       "of one question",
	"p2p/discovery/lan packetMax":        "bytes of one packet",
	"p2p/discovery/lan seekMax":          "a time",
	"p2p/guard MaxGuards":                "a client's own",
	"p2p/guard graceMax":                 "a time",
	"p2p/guard lifeMax":                  "a time",
	"p2p/guard maxLived":                 "a time",
	"p2p/guard maxProved":                "a client's own",
	"p2p/guard maxStrange":               "a client's own",
	"p2p/guard maxSpent":                 "a client's own",
	"p2p/island againMax":                "a time",
	"p2p/island maxKept":                 "a client's own",
	"p2p/island pauseMax":                "a time",
	"p2p/judge avoidMax":                 "a client's own",
	"p2p/judge maxFailures":              "a client's own",
	"p2p/judge maxMixes":                 "of one request of ours",
	"p2p/judge maxParts":                 "a client's own",
	"p2p/mailbox MaxAcks":                "of one message",
	"p2p/mailbox MaxBlocks":              "of one message",
	"p2p/mailbox MaxEntries":             "the share of one log in the room for entries",
	"p2p/mailbox MaxFollowed":            "of one message",
	"p2p/mailbox MaxTags":                "of one message",
	"p2p/mailbox maxLogReaders":          "the share of one log in the line of readers",
	"p2p/mailbox maxStanding":            "of one reader",
	"p2p/mailbox maxBatch":               "of one commit",
	"p2p/mailbox maxID":                  "a number of a row",
	"p2p/mailbox maxPrice":               "bits of a stamp",
	"p2p/mix maxNetworks":                "of one relay",
	"p2p/mix maxPins":                    "a client's own",
	"p2p/outfox MaxAhead":                "a time",
	"p2p/outfox MaxDelay":                "a time",
	"p2p/outfox MaxPacketSize":           "bytes of one packet",
	"p2p/recall MaxDescriptors":          "of what we write ourselves",
	"p2p/recall MaxRelay":                "bytes of what we write ourselves",
	"p2p/recall maxAge":                  "a time",
	"p2p/relay checksAtOnce":             "checks of ours",
	"p2p/relay examinedAtOnce":           "the share in the line of dials to see who is there",
	"p2p/relay maxStrangeNetwork":        "the share in the line of lists of others",
	"p2p/relay lifeMax":                  "a time",
	"p2p/relay maxMet":                   "relays that we link with",
	"p2p/relay maxTestimonies":           "relays that we ask",
	"p2p/relay maxVoices":                "relays of the list; one a network",
	"p2p/relay syncMax":                  "a time",
	"p2p/transport/web MaxFrame":         "bytes of one frame",
	"p2p/transport/web maxAnswer":        "bytes of an answer that a client reads",
	"p2p/transport/web maxBody":          "bytes of one frame",
	"p2p/transport/web maxCertificate":   "bytes of a file of ours",
	"p2p/transport/web maxControl":       "bytes of one frame",
	"p2p/transport/web maxFirst":         "bytes of one message",
	"p2p/transport/web maxLeaves":        "addresses of our own",
	"p2p/transport/web maxPadding":       "bytes of one message",
	"p2p/transport/web maxTarget":        "bytes of one message",
	"p2p/transport/web/domain maxChain":  "certificates of an authority of the owner's",
	"p2p/transport/web/domain maxFile":   "bytes of a file of ours",
	"p2p/transport/web/domain maxName":   "letters of the owner's",
	"p2p/transport/web/domain maxWords":  "letters of one text",
	"p2p/watch maxAcks":                  "a client's own",
	"p2p/watch maxDelivered":             "a client's own",
	"p2p/watch maxKept":                  "a client's own",
	"p2p/watch maxPoll":                  "a time",
	"p2p/wire MaxBody":                   "bytes of one frame",
}

// TestEveryBoundHasARow: each constant of p2p that bounds something has its line in the
// table, with its number, or a reason in noRow.
func TestEveryBoundHasARow(t *testing.T) {
	rows := map[string]int{}
	for _, b := range Table {
		if b.Name != "" {
			rows[b.Name] = b.Most
		}
	}
	seen := map[string]bool{}
	eachConstant(t, "..", func(name string, value ast.Expr) {
		_, constant, _ := strings.Cut(name, " ")
		most, row := rows[name]
		if !row && !bound.MatchString(constant) {
			return
		}
		seen[name] = true
		if !row && noRow[name] == "" {
			t.Errorf("%s bounds something; limits.Table has no line of it", name)
		}
		if is, err := types.Eval(token.NewFileSet(), nil, token.NoPos, types.ExprString(value)); row && err == nil {
			n, exact := constant64(is)
			if !exact || n != int64(most) && name != "p2p/mailbox DefaultMaxRequests" { // of each of two kinds
				t.Errorf("%s is %s, in the table %d", name, is.Value, most)
			}
		}
	})
	for name := range rows {
		if !seen[name] {
			t.Errorf("the table has a line of %s, which is not there", name)
		}
	}
	for name := range noRow {
		if !seen[name] {
			t.Errorf("noRow names %s, which is not there", name)
		}
	}
}

func constant64(v types.TypeAndValue) (int64, bool) {
	return constant.Int64Val(constant.ToInt(v.Value))
}

// eachConstant calls f with each constant of the packages below a folder of p2p,
// but those that only tests use: "p2p/book MaxCandidates".
func eachConstant(t *testing.T, dir string, f func(name string, value ast.Expr)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch e.Name() {
		case "p2ptest", "virtualtime", "adversary", "limits", "testdata":
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		in := "p2p" + strings.TrimPrefix(filepath.ToSlash(filepath.Dir(path)), "..")
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, s := range g.Specs {
				v := s.(*ast.ValueSpec)
				for i, name := range v.Names {
					if i < len(v.Values) {
						f(in+" "+name.Name, v.Values[i])
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if f.Scope.Lookup(name) != nil {
			return true
		}
	}
	return false
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

var begin = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// TestVictim: the guest that goes.
func TestVictim(t *testing.T) {
	now := begin.Add(time.Hour)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	used := func(addr string, since, used time.Duration) Guest { return Guest{ip(addr), ago(since), ago(used)} }
	idle := func(addr string, since time.Duration) Guest { return Guest{Addr: ip(addr), Since: ago(since)} }
	const m = time.Minute
	for name, c := range map[string]struct {
		guests []Guest
		places int
		want   int
	}{
		"idle before used, though alone in its network": {[]Guest{used("5.1.1.1", 9*m, m), used("5.1.1.2", 8*m, m), idle("6.1.1.1", 5*m), used("5.1.1.3", m, 0)}, 0, 2},
		"a new one is not idle yet":                     {[]Guest{used("5.1.1.1", 9*m, m), used("5.1.1.2", 8*m, m), idle("6.1.1.1", 0)}, 0, 1},
		"youngest of the fullest network":               {[]Guest{used("5.1.1.1", 9*m, 9*m), used("5.1.1.2", 3*m, 2*m), used("7.1.1.1", m, m), used("5.1.1.3", 8*m, 8*m)}, 0, 1},
		"the newcomer, if its network is the fullest":   {[]Guest{used("5.1.1.1", 9*m, 9*m), used("5.1.1.2", 3*m, 2*m), used("7.1.1.1", m, m), idle("5.1.1.9", 0)}, 0, 3},
		"IPv6 by /56":                {[]Guest{used("2400:1:2:3300::1", 9*m, 9*m), used("2400:1:2:33ff::1", 3*m, 2*m), used("2400:1:2:3400::1", m, m)}, 0, 1},
		"who worked longest is kept": {[]Guest{used("5.1.1.1", 9*m, 9*m), used("5.1.1.2", 8*m, 8*m), used("6.1.1.1", 3*m, 3*m), idle("7.1.1.1", 0)}, 4, -1},
		"somebody always goes":       {[]Guest{used("5.1.1.1", 9*m, 9*m)}, 10, 0},
	} {
		got := Victim(c.guests, c.places, now, maphash.MakeSeed(), true)
		if c.want >= 0 && got != c.want {
			t.Errorf("%s: %d goes, not %d", name, got, c.want)
		}
		if c.want < 0 && got < c.places/2 {
			t.Errorf("%s: %d goes, who is kept", name, got)
		}
	}
	// Where private addresses are allowed, the network of a guest does not count.
	lan := []Guest{used("10.0.0.1", 9*m, m), used("10.0.0.2", 8*m, m), used("10.0.1.1", m, 0)}
	if got := Victim(lan, 0, now, maphash.MakeSeed(), false); got != 2 {
		t.Errorf("private: %d goes", got)
	}
}

// TestVictimSimulated: 2,000 places, 1,000 honest clients in networks of their own,
// half of them before and half during the attack of strangers that connect again at
// once and send packets, too.
func TestVictimSimulated(t *testing.T) {
	for _, c := range []struct {
		networks, each      int
		newcomers, honestIn float64
	}{
		{1, 2000, 1, 1}, {100, 64, 1, 1}, {1000, 16, 0.6, 0.7}, {5000, 16, 0.2, 0.5},
	} {
		in, honest := house(c.networks, c.each)
		t.Logf("%d networks, %d connections each: newcomers in %.0f %%, honest connected %.0f %%", c.networks, c.each, 100*in, 100*honest)
		if in < c.newcomers || honest < c.honestIn {
			t.Errorf("%d networks: newcomers in %.2f, honest connected %.2f", c.networks, in, honest)
		}
	}
}

// house returns which share of newcomers got in, and of the honest is connected.
func house(networks, each int) (in, connected float64) {
	const places, honest = 2000, 1000
	rnd := rand.New(rand.NewPCG(5, 6))
	now, key := begin, maphash.MakeSeed()
	var guests []Guest
	isHonest := map[netip.Addr]bool{}
	network := func(base, n, host int) netip.Addr {
		return netip.AddrFrom4([4]byte{byte(base + n>>16), byte(n >> 8), byte(n), byte(host)})
	}
	add := func(g Guest) bool {
		guests = append(guests, g)
		if len(guests) <= places {
			return true
		}
		i := Victim(guests, places, now, key, true)
		stayed := guests[i] != g
		guests[i] = guests[len(guests)-1]
		guests = guests[:places]
		return stayed
	}
	newHonest := func() Guest {
		a := network(100, rnd.IntN(honest), 1+len(isHonest)%250)
		isHonest[a] = true
		return Guest{Addr: a, Since: now, Used: now.Add(time.Millisecond)}
	}
	for range honest / 2 {
		now = now.Add(time.Second)
		add(newHonest())
	}
	// The strangers send valid packets, too: it costs them little.
	attack := func() {
		now = now.Add(20 * time.Millisecond)
		add(Guest{Addr: network(1, rnd.IntN(networks), rnd.IntN(256)), Since: now, Used: now.Add(time.Millisecond)})
	}
	for range min(networks*each, places) {
		attack()
	}
	got := 0
	for range honest / 2 {
		now = now.Add(20 * time.Millisecond)
		if add(newHonest()) {
			got++
		}
		for range 3 {
			attack()
		}
	}
	n := 0
	for _, g := range guests {
		if isHonest[g.Addr] {
			n++
		}
	}
	return float64(got) / (honest / 2), float64(n) / float64(len(isHonest))
}

// TestHalfOpenShares: a crowd of one address has room while there is any; when
// there is not, it makes room itself.
func TestHalfOpenShares(t *testing.T) {
	s := For(1 << 30)
	h := NewHalfOpen[int](s, true)
	now := begin
	add := func(c int, addr string) (int, bool) {
		now = now.Add(time.Millisecond)
		return h.Add(c, ip(addr), now)
	}
	for i := range s.HalfOpen / 2 {
		if _, gone := add(i, "5.6.7.8"); gone {
			t.Fatalf("number %d of one address makes another go, though there is room", i)
		}
	}
	if v, gone := add(1000, "5.6.7.8"); !gone || v != 0 {
		t.Errorf("one more of that address: %d goes, %v", v, gone)
	}
	if v, gone := add(1001, "5.6.7.9"); !gone || v != 1 {
		t.Errorf("one more of that network: %d goes, %v", v, gone)
	}
	// Full of strangers, each of another network: honest ones still get in, and
	// push out the strangers of the crowded network.
	for i := range s.HalfOpen - 200 {
		add(2000+i, fmt.Sprintf("20.%d.%d.1", i/250, i%250))
	}
	if h.Len() != s.HalfOpen {
		t.Errorf("%d are waiting", h.Len())
	}
	if v, gone := add(9000, "99.1.1.1"); !gone || v >= 2000 {
		t.Errorf("%d goes, %v: not of the fullest network", v, gone)
	}
	if !h.Remove(9000) || h.Remove(9000) || h.Remove(-1) {
		t.Error("remove")
	}
	// Private: the oldest goes, of any network.
	p := NewHalfOpen[int](s, false)
	for i := range s.HalfOpen {
		if _, gone := p.Add(i, ip("127.0.0.1"), now.Add(time.Duration(i))); gone {
			t.Fatal("goes though there is room")
		}
	}
	if v, gone := p.Add(-1, ip("10.0.0.1"), now.Add(time.Hour)); !gone || v != 0 {
		t.Errorf("%d goes, %v", v, gone)
	}
}

// TestRatesBounded: a million keys cost as much as a few, and those that are limited
// are not forgotten for those that are not.
func TestRatesBounded(t *testing.T) {
	r := NewRates[int](1, 5, 100)
	if !r.Of(7).AllowN(time.Now(), 5) {
		t.Fatal("no burst")
	}
	for i := range 100_000 {
		r.Of(1000 + i)
	}
	if r.Len() > 100 {
		t.Errorf("%d keys", r.Len())
	}
	if r.Of(7).AllowN(time.Now(), 5) {
		t.Error("who was limited begins anew")
	}
}

func TestMemory(t *testing.T) {
	if m := Memory(); m < 16<<20 || m > 1<<50 {
		t.Errorf("%d bytes", m)
	}
}
