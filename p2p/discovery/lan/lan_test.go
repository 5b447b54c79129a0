package lan

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"golang.org/x/net/dns/dnsmessage"

	"starling/p2p/wire"
)

func newID(t testing.TB) wire.NodeID {
	t.Helper()
	_, public, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var here = netip.MustParseAddr("192.168.7.9")

func TestQuestionAndAnswer(t *testing.T) {
	q, err := ask(7)
	if err != nil {
		t.Fatal(err)
	}
	if nonce, ok := asked(q); !ok || nonce != 7 {
		t.Fatalf("the question was read as %d, %v", nonce, ok)
	}
	id := newID(t)
	a, err := answer(7, id, 4001)
	if err != nil {
		t.Fatal(err)
	}
	if len(q) > 64 || len(a) > 512 {
		t.Errorf("question of %d bytes, answer of %d", len(q), len(a))
	}
	want := Relay{id, netip.AddrPortFrom(here, 4001)}
	if got := answered(a, 7, here); len(got) != 1 || got[0] != want {
		t.Fatalf("the answer was read as %v", got)
	}

	// Packets that are no answer to us, or lead elsewhere.
	for name, got := range map[string][]Relay{
		"to another question":   answered(a, 8, here),
		"from a public address": answered(a, 7, netip.MustParseAddr("9.9.9.9")),
		"from nowhere":          answered(a, 7, netip.Addr{}),
		"a question":            answered(q, 7, here),
	} {
		if len(got) != 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
	for n := range a {
		if len(answered(a[:n], 7, here)) != 0 {
			t.Errorf("cut at %d: taken", n)
		}
	}
	if _, ok := asked(a); ok {
		t.Error("an answer was taken for a question")
	}
	if zero, err := answer(7, id, 0); err != nil || len(answered(zero, 7, here)) != 0 {
		t.Error("port 0 was taken")
	}
}

func TestForeignMessages(t *testing.T) {
	name := func(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }
	for what, q := range map[string]dnsmessage.Question{
		"another service": {Name: name("_http._tcp.local."), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET},
		"another type":    {Name: name(service), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
		"another class":   {Name: name(service), Type: dnsmessage.TypePTR, Class: dnsmessage.ClassCHAOS},
	} {
		m := dnsmessage.Message{Questions: []dnsmessage.Question{q}}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := asked(b); ok {
			t.Errorf("%s was taken for ours", what)
		}
	}
	// A packet that names many relays is read so far.
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 1, Response: true}}
	for range 10 {
		n := name(newID(t).String() + "." + service)
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: n, Class: dnsmessage.ClassINET}, Body: &dnsmessage.SRVResource{Port: 1, Target: n}})
	}
	// And one that is no peer id is passed over.
	m.Answers = slices.Insert(m.Answers, 0, dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: name("nobody." + service), Class: dnsmessage.ClassINET}, Body: &dnsmessage.SRVResource{Port: 1, Target: name(service)}})
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	if got := answered(b, 1, here); len(got) != answersMax {
		t.Errorf("%d relays", len(got))
	}
}

// TestAcrossTheNetwork: the question and the answer cross a real network: this
// machine's own, to which multicast is handed back.
func TestAcrossTheNetwork(t *testing.T) {
	interfaces, err := speaking()
	if errors.Is(err, ErrNoNetwork) {
		t.Skip("no interface speaks multicast here")
	}
	if err != nil {
		t.Fatal(err)
	}
	// A group and port of our own: nobody else's relay is asked.
	at := netip.MustParseAddrPort("239.255.77.77:15353")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ids := []wire.NodeID{newID(t), newID(t)}
	ended := make(chan error, len(ids))
	for i, id := range ids {
		go func() { ended <- announce(ctx, interfaces, at, id, uint16(4001+i)) }()
	}
	var found []Relay
	for deadline := time.Now().Add(10 * time.Second); len(found) < len(ids); {
		if time.Now().After(deadline) {
			t.Skipf("multicast is not handed back here: %d of %d answered", len(found), len(ids))
		}
		asking, stop := context.WithTimeout(ctx, 200*time.Millisecond)
		found, err = find(asking, interfaces, at)
		stop()
		if errors.Is(err, ErrNoNetwork) {
			t.Skip("multicast cannot be sent here")
		}
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-ended:
			t.Skipf("multicast cannot be heard here: %v", err)
		default:
		}
	}
	for i, id := range ids {
		ok := slices.ContainsFunc(found, func(r Relay) bool { return r.ID == id && r.Addr.Port() == uint16(4001+i) })
		if !ok {
			t.Errorf("relay %d was not found among %v", i, found)
		}
	}
	cancel()
	for range ids {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("announcing ended with %v", err)
		}
	}
}

func FuzzPackets(f *testing.F) {
	id := newID(f)
	q, _ := ask(7)
	a, _ := answer(7, id, 4001)
	f.Add(q)
	f.Add(a)
	f.Add(bytes.Repeat([]byte{0xc0}, 64))
	f.Fuzz(func(t *testing.T, b []byte) {
		asked(b)
		for _, r := range answered(b, 7, here) {
			if r.Addr.Addr() != here || r.Addr.Port() == 0 {
				t.Errorf("led to %v", r)
			}
		}
	})
}

// TestNoWayOut: an answer leads to where it came from and nowhere else, whatever it says
// of addresses and names; and nowhere at all if that is out of the network, or if nobody
// asked.
func TestNoWayOut(t *testing.T) {
	id := newID(t)
	own := dnsmessage.MustNewName(id.String() + "." + service)
	other := dnsmessage.MustNewName("elsewhere.example.")
	pack := func(edit func(*dnsmessage.Message)) []byte {
		m := dnsmessage.Message{
			Header: dnsmessage.Header{ID: 7, Response: true},
			Answers: []dnsmessage.Resource{
				{Header: dnsmessage.ResourceHeader{Name: own, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{9, 9, 9, 9}}},
				{Header: dnsmessage.ResourceHeader{Name: own, Class: dnsmessage.ClassINET}, Body: &dnsmessage.SRVResource{Port: 4001, Target: other}},
			},
			Additionals: []dnsmessage.Resource{
				{Header: dnsmessage.ResourceHeader{Name: other, Class: dnsmessage.ClassINET}, Body: &dnsmessage.AResource{A: [4]byte{9, 9, 9, 9}}},
			},
		}
		if edit != nil {
			edit(&m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, s := range []string{"192.168.1.7", "10.1.2.3", "169.254.3.4", "100.64.0.9"} {
		from := netip.MustParseAddr(s)
		if got := answered(pack(nil), 7, from); len(got) != 1 || got[0] != (Relay{id, netip.AddrPortFrom(from, 4001)}) {
			t.Errorf("an answer from %s leads to %v", s, got)
		}
	}
	for _, s := range []string{"9.9.9.9", "224.0.0.251", "0.0.0.0", "2a00:1::1", "ff02::fb"} {
		if got := answered(pack(nil), 7, netip.MustParseAddr(s)); len(got) != 0 {
			t.Errorf("an answer from %s leads to %v", s, got)
		}
	}
	for what, b := range map[string][]byte{
		"to another question": pack(func(m *dnsmessage.Message) { m.ID = 8 }),
		"that is a question":  pack(func(m *dnsmessage.Message) { m.Response = false }),
		"at no port":          pack(func(m *dnsmessage.Message) { m.Answers[1].Body = &dnsmessage.SRVResource{Target: other} }),
		"under another name":  pack(func(m *dnsmessage.Message) { m.Answers[1].Header.Name = other }),
	} {
		if got := answered(b, 7, netip.MustParseAddr("192.168.1.7")); len(got) != 0 {
			t.Errorf("an answer %s leads to %v", what, got)
		}
	}
}

// TestManyOfOneAddress: a machine that answers as any number of relays does not crowd out
// another.
func TestManyOfOneAddress(t *testing.T) {
	var found []Relay
	liar, honest := netip.MustParseAddrPort("192.168.1.7:1"), Relay{newID(t), netip.MustParseAddrPort("192.168.1.8:4001")}
	for range 100 {
		found = admit(found, Relay{newID(t), liar})
	}
	if found = admit(admit(found, honest), honest); len(found) != answersMax+1 || found[answersMax] != honest {
		t.Errorf("%d are found", len(found))
	}
	for i := range 100 {
		found = admit(found, Relay{newID(t), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1)})
	}
	if len(found) != FindMax {
		t.Errorf("%d are found of many", len(found))
	}
}
