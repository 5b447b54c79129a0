package scale

import (
	"bytes"
	"crypto/rand"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/client"
	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/limits"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/relay"
	"starling/p2p/watch"
	"starling/p2p/wire"
)

var update = flag.Bool("update", false, "write the table of docs/SCALE.md anew")

const document = "../../../docs/SCALE.md"

// The habits of people, in no constant of ours.
const (
	users       = 1_000_000
	contacts    = 20
	mailboxes   = 2
	texts       = 50  // a day, each answered by a receipt
	peak        = 5.0 // times the mean
	guards      = 2
	pingsOnWire = 2 * 3358 * 108 // bytes a day, two links: measured by p2p/host TestIdleMuxer
	onWire      = wire.FrameSize + 186
	idleBar     = 5e6 // bytes a day
)

// entries returns how many bytes a relay with one address takes in a page, whole, as a
// renewal of the day before, and as its name, and how many bytes of a page are for entries.
func entries(t *testing.T) (whole, renewal, name, page float64) {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	d := directory.Descriptor{ID: id, Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort("9.9.9.9:443")}}}
	for i := range d.Keys {
		d.Keys[i] = mixKey(t)
	}

	// The first is after the beginning of a window, so that the next is in it, too.
	now = now.Add(-now.Sub(time.Unix(int64(directory.Window(now))*int64(directory.WindowLength/time.Second), 0))).Add(time.Hour)
	dir := directory.New(directory.Config{Now: func() time.Time { return now }})
	say := func() {
		d.Sequence, d.Issued, d.Expires, d.Epoch = uint64(now.UnixMilli()), now, now.Add(directory.MaxLifetime), directory.FirstEpoch(now)
		if err := d.Promise(key); err != nil {
			t.Fatal(err)
		}
		raw, err := d.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		if err := dir.Add(raw); err != nil {
			t.Fatal(err)
		}
	}
	say()

	// The body of a page with one entry, in answer to who had this whole, and its stamp.
	r := directory.Request{Nonce: 1, Pages: 1}
	answer := func() (bytes float64) {
		dir.Answer(r, func(p *directory.Page) bool {
			if r.Whole == 0 {
				r.Instance, r.After, r.Whole = p.Instance, p.Stamp, p.Stamp
			}
			bytes = float64(len(p.Append(nil)))
			return true
		})
		return bytes
	}
	header := float64(len((&directory.Page{Time: now}).Append(nil)))
	whole = answer() - header
	now = now.Add(24 * time.Hour)
	copy(d.Keys[:], d.Keys[1:])
	d.Keys[len(d.Keys)-1] = mixKey(t)
	say()
	renewal = answer() - header
	r.Names = true
	return whole, renewal, answer() - header, wire.MaxBody - header
}

func mixKey(t *testing.T) outfox.PublicKey {
	t.Helper()
	private, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return private.Public()
}

// A row is one line of the table for networks of several sizes.
type row struct {
	what string
	of   func(relays float64) string
}

// rows returns the lines, and how many bytes a day an idle client moves in all.
func rows(t *testing.T) (all []row, idle func(relays float64) float64) {
	whole, renewal, name, page := entries(t)
	perPage := math.Floor(page / whole)
	day := float64(24 * time.Hour)
	watches := float64(contacts * mailboxes)
	interval := max(float64(client.PollEvery), watches*float64(client.PollShare))
	polls := day / interval * watches

	// Packets that enter relays in a day for one user: a put goes over four and its
	// answer over three, a push over three; the receipt does the same.
	message := float64(2 * mailboxes * (outfox.Layers + outfox.Layers - 1 + outfox.Layers - 1))
	// A trial is a box put and pushed, and one more fetch.
	trials := min(watches*day/float64(watch.TrialEvery), day/float64(watch.TrialShare))
	packets := texts*message + (polls+trials)*float64(outfox.Layers+outfox.Layers-1) + trials*float64(outfox.Layers+2*(outfox.Layers-1))

	// One guard brings each descriptor, the others name it, if it lives as long as names
	// need. Where the answer is long, it has to be asked for in parts.
	list := func(n float64) float64 {
		renewed := n * day / float64(relay.Renewal(int(n)))
		again := name
		if relay.Lifetime(int(n)) < directory.MaxLifetime {
			again = renewal
		}
		pages := math.Ceil(renewed/math.Floor(page/renewal)) + (guards-1)*math.Ceil(renewed/math.Floor(page/again))
		looks := day / float64(client.ListEvery)
		return (looks*2 + pages + math.Floor(pages/exchange.PagesAtOnce)) * onWire
	}
	tried := trials * watch.TrialPackets * onWire
	idle = func(n float64) float64 { return polls*2*onWire + tried + pingsOnWire + list(n) }
	rate := func(n float64) float64 { return users * packets / n / 86400 }
	at1 := limits.For(1 << 30)
	full := func(got, most float64) string {
		if got > most {
			return fmt.Sprintf("**%s**", count(got))
		}
		return count(got)
	}
	all = []row{
		{"first list", func(n float64) string { return size(math.Ceil(n/perPage) * onWire) }},
		{"list a day, of an idle client", func(n float64) string { return size(list(n)) }},
		{"trials of its mailboxes a day, the same", func(float64) string { return size(tried) }},
		{"idle client a day, all", func(n float64) string { return size(idle(n)) }},
		{fmt.Sprintf("client links of a relay (at most %s with 1 GiB)", count(float64(at1.Clients))), func(n float64) string { return full(users*guards/n, float64(at1.Clients)) }},
		{fmt.Sprintf("relay links, if all know all (at most %s)", count(float64(at1.Relays))), func(n float64) string { return full(n-1, float64(at1.Relays)) }},
		{"relay links on restricted routes", func(n float64) string { return count(math.Max(48, math.Ceil(3.5*math.Sqrt(n)))) }},
		{fmt.Sprintf("seats at a mailbox (at most %s)", count(mailbox.DefaultMaxSeats)), func(n float64) string {
			return full(users*watches/n, mailbox.DefaultMaxSeats)
		}},
		{"packets a second at a relay, mean; at the peak", func(n float64) string {
			return fmt.Sprintf("%s; %s", count(rate(n)), full(rate(n)*peak, mix.DefaultRate))
		}},
	}
	return all, idle
}

func count(f float64) string {
	s := fmt.Sprintf("%.0f", f)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func size(f float64) string { return fmt.Sprintf("%.2f MB", f/1e6) }

// TestTable recomputes the table.
func TestTable(t *testing.T) {
	sizes := []float64{1000, 10_000, 100_000}
	var b strings.Builder
	b.WriteString("| relays |")
	for _, n := range sizes {
		fmt.Fprintf(&b, " %s |", count(n))
	}
	b.WriteString("\n|---|---|---|---|\n")
	all, _ := rows(t)
	for _, r := range all {
		fmt.Fprintf(&b, "| %s |", r.what)
		for _, n := range sizes {
			fmt.Fprintf(&b, " %s |", r.of(n))
		}
		b.WriteString("\n")
	}

	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- table -->\n", "<!-- end -->\n"
	i, j := bytes.Index(page, []byte(begin)), bytes.Index(page, []byte(end))
	if i < 0 || j < i {
		t.Fatalf("%s has no place for the table", document)
	}
	want := string(page[:i]) + begin + b.String() + string(page[j:])
	if *update {
		if err := os.WriteFile(document, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s is not what the constants say:\n%s", document, b.String())
	}
}

// TestWalls finds the sizes that the text names.
func TestWalls(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	at1 := limits.For(1 << 30)
	_, idle := rows(t)
	most := 100.0 // relays at which an idle client moves idleBar a day
	for idle(most+100) <= idleBar {
		most += 100
	}
	whole, renewal, name, _ := entries(t)
	for _, claim := range []string{
		fmt.Sprintf("from some %s relays on", count(most)),
		fmt.Sprintf("%.0f bytes in place of %.0f", renewal, whole),
		fmt.Sprintf("%.0f bytes", name),
		fmt.Sprintf("below %s relays", count(users*guards/float64(at1.Clients))),
		fmt.Sprintf("below %s relays", count(users*contacts*mailboxes/float64(mailbox.DefaultMaxSeats))),
		fmt.Sprintf("%s seats of\n   their own", count(mailbox.DefaultMaxReaders)),
		fmt.Sprintf("below %s relays", count(math.Ceil(users*mailboxes/float64(mailbox.DefaultMaxReaders)))),
		fmt.Sprintf("above %s relays", count(float64(at1.Relays))),
	} {
		if !bytes.Contains(page, []byte(claim)) {
			t.Errorf("%s does not say %q", document, claim)
		}
	}
}
