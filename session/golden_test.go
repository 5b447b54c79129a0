package session

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

var record = flag.Bool("record", false, "write testdata/stored of this version of the states; never over one that is in use")

// golden is the state of two people on disk, as some version of this package wrote
// it, and the cells on their way between them.
type golden struct {
	Alice, Bob []byte // sessions: cells were lost and are late, epochs were agreed on
	ToAlice    []Cell // late or new, in an order in which all open
	ToBob      []Cell
	Follows    []byte // a session that an offer began

	Invite  []byte // some cells of a hello have come
	Hello   []Cell // the rest
	Used    []byte // an invite that was used
	Offered []byte // a reset with an offer of its own
	Asked   []byte // the peer's, to which a knock and a part of the bundle have come
	Offer   []Cell // the rest
}

// makeGolden brings two people to the states that a profile can hold.
func makeGolden(t *testing.T) (g golden) {
	alice, bob := talking(t)
	late := map[*Session][]Cell{}
	for i := range 120 {
		from, to := alice, bob
		if i%3 == 0 {
			from, to = bob, alice
		}
		c := seal(t, from, "golden")
		switch i % 11 {
		case 4: // lost
		case 7:
			late[to] = append(late[to], c)
		default:
			open(t, to, c, "golden")
		}
	}
	for range flareAt {
		seal(t, alice, "lost")
	}
	if part, err := bob.Open(alice.Signals()[0]); err != nil || part.Count != 0 || len(bob.Signals()) != 1 {
		t.Fatal("no answer to a flare", err)
	}
	g.ToAlice = append(late[alice], seal(t, bob, "golden"))
	g.ToBob = append(late[bob], seal(t, alice, "golden"))
	g.Alice, g.Bob = state(t, alice), state(t, bob)

	v := newInvite(t)
	_, hello := join(t, v, "golden")
	for _, c := range hello[:2] {
		if _, _, err := v.Accept(now, c); err != nil {
			t.Fatal(err)
		}
	}
	g.Invite, g.Hello = inviteState(t, v), hello[2:]
	if _, _, err := v.Accept(now, hello[2]); err != nil {
		t.Fatal(err)
	}
	g.Used = inviteState(t, v)

	offered := offering(t, bob, 0, ReasonRestored)
	offered.Elsewhere()
	asked := alice.Reset()
	for _, c := range offered.Bundle()[:2] {
		if _, err := asked.Take(later, c); err != nil {
			t.Fatal(err)
		}
	}
	g.Offered, g.Asked, g.Offer = resetState(t, offered), resetState(t, asked), offered.Bundle()[2:]
	_, follows := renew(t, offered, alice.Reset())
	g.Follows = state(t, follows)
	return g
}

// goOn checks that stored states still open, and go on.
func (g *golden) goOn(t *testing.T) {
	alice, bob := restore(t, g.Alice), restore(t, g.Bob)
	for _, c := range g.ToAlice {
		open(t, alice, c, "golden")
	}
	for _, c := range g.ToBob {
		open(t, bob, c, "golden")
	}
	for range 100 { // through further epochs
		open(t, bob, seal(t, alice, "on"), "on")
		open(t, alice, seal(t, bob, "on"), "on")
	}
	if alice.SafetyNumber() != bob.SafetyNumber() || len(restore(t, g.Follows).Reset().Window()) != 6 {
		t.Error("other sessions")
	}

	v, err := UnmarshalInvite(g.Invite)
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err := v.Accept(now, g.Hello[0]); err != nil || s == nil {
		t.Error(err)
	}
	if v, err := UnmarshalInvite(g.Used); err != nil || !v.Used() {
		t.Error(err)
	}

	offered, err := UnmarshalReset(g.Offered)
	if err != nil {
		t.Fatal(err)
	}
	asked, err := UnmarshalReset(g.Asked)
	if err != nil {
		t.Fatal(err)
	}
	_, o := takeOffer(t, asked, g.Offer)
	joined, hello, err := o.Join(newID(), []byte("again"))
	if err != nil {
		t.Fatal(err)
	}
	answered, _ := takeAnswer(t, offered, hello)
	open(t, joined, seal(t, answered, "on"), "on")
}

// TestStored opens states that were stored before: a change of the stored form is seen
// here, and records them anew as another version.
func TestStored(t *testing.T) {
	if *record {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if err := json.NewEncoder(w).Encode(makeGolden(t)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("testdata/stored/%d.json.gz", sessionVersion)
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/stored/*.json.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("nothing stored", err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			r, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(b, &g); err != nil {
				t.Fatal(err)
			}
			g.goOn(t)
		})
	}
}

// TestGoldenStates has the states of this version go on, as they would be stored.
func TestGoldenStates(t *testing.T) {
	g := makeGolden(t)
	g.goOn(t)
}
