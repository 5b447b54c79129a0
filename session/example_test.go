package session_test

import (
	"fmt"
	"time"

	"starling/session"
)

// mailbox is where cells lie: any store of bytes under tags will do.
type mailbox map[session.Tag]session.Cell

func (m mailbox) put(cells ...session.Cell) {
	for _, c := range cells {
		m[c.Tag] = c
	}
}

// fetch hands over the boxes under the tags that are asked for.
func (m mailbox) fetch(tags []session.Tag, take func(session.Cell)) {
	for _, t := range tags {
		if c, ok := m[t]; ok {
			delete(m, t)
			take(c)
		}
	}
}

// converse brings two people together by an invite.
func converse(m mailbox) (ada, bob *session.Session) {
	now := time.Now()
	invite, err := session.NewInvite(now.Add(24*time.Hour), [][]byte{[]byte("where the mailbox is")})
	if err != nil {
		panic(err)
	}
	m.put(invite.Bundle()...)

	// Ada gives the link to Bob; he answers.
	invitation, err := session.ParseLink(invite.Link())
	if err != nil {
		panic(err)
	}
	var bundle []session.Cell
	m.fetch(invitation.BundleTags(), func(c session.Cell) { bundle = append(bundle, c) })
	bob, hello, err := invitation.Join(now, bundle, session.ID{1}, []byte("Hello, it is Bob."))
	if err != nil {
		panic(err)
	}
	m.put(hello...)

	m.fetch(invite.Window(), func(c session.Cell) {
		if s, first, err := invite.Accept(now, c); err == nil && s != nil {
			ada = s
			fmt.Printf("Ada reads: %s\n", first.Data)
		}
	})
	return ada, bob
}

// Example: two people meet by a link and talk.
func Example() {
	m := make(mailbox)
	ada, bob := converse(m)

	cells, err := ada.Seal(session.ID{2}, []byte("Welcome!"), 0)
	if err != nil {
		panic(err)
	}
	m.put(cells...)
	m.fetch(bob.Window(), func(c session.Cell) {
		part, err := bob.Open(c)
		if err != nil {
			panic(err)
		}
		fmt.Printf("Bob reads: %s\n", part.Data)
	})
	fmt.Println("the same number on both sides:", ada.SafetyNumber() == bob.SafetyNumber())
	// Output:
	// Ada reads: Hello, it is Bob.
	// Bob reads: Welcome!
	// the same number on both sides: true
}

// ExampleSession_Signals: forty cells are lost for good. The flare that is up, and its
// answer, are the only ones that are put again; the next texts arrive.
func ExampleSession_Signals() {
	m := make(mailbox)
	ada, bob := converse(m)
	for range 40 {
		if _, err := ada.Seal(session.ID{3}, []byte("lost"), 0); err != nil {
			panic(err)
		}
	}
	cells, err := ada.Seal(session.ID{4}, []byte("Are you there?"), 0)
	if err != nil {
		panic(err)
	}
	m.put(cells...)

	for range 2 {
		m.put(ada.Signals()...)
		m.fetch(bob.Window(), func(c session.Cell) { read(bob, c) })
		m.put(bob.Signals()...)
		m.fetch(ada.Window(), func(c session.Cell) { read(ada, c) })
	}
	m.fetch(bob.Window(), func(c session.Cell) { read(bob, c) })
	bob.GiveUp(bob.Passed())
	lost := bob.TakeLost()
	fmt.Printf("lost: %d from number %d on\n", lost[0].Count, lost[0].First)
	// Output:
	// Ada reads: Hello, it is Bob.
	// read: Are you there?
	// lost: 40 from number 0 on
}

func read(s *session.Session, c session.Cell) {
	part, err := s.Open(c)
	if err != nil {
		panic(err)
	}
	if part.Count > 0 { // not a signal
		fmt.Printf("read: %s\n", part.Data)
	}
}

// ExampleReset: a profile was put back from a copy. Its owner offers a new session,
// and the other side joins it, without a link that people hand over.
func ExampleReset() {
	m := make(mailbox)
	ada, bob := converse(m)
	now := time.Now()

	ada.Retire()
	offer := ada.Reset()
	if err := offer.Offer(now, session.ReasonRestored, [][]byte{[]byte("where the answer goes")}); err != nil {
		panic(err)
	}
	m.put(offer.Bundle()...)

	// First the knock comes, then the bundle that it names.
	reset := bob.Reset()
	var offered *session.Offered
	for offered == nil {
		m.fetch(reset.Window(), func(c session.Cell) {
			step, err := reset.Take(now, c)
			if err != nil {
				panic(err)
			}
			offered = step.Offered
		})
	}
	_, hello, err := offered.Join(session.ID{5}, []byte("Are you all right?"))
	if err != nil {
		panic(err)
	}
	m.put(hello...)

	m.fetch(offer.Window(), func(c session.Cell) {
		if step, err := offer.Take(now, c); err == nil && step.Session != nil {
			fmt.Printf("in a new session: %s\n", step.Part.Data)
		}
	})
	// Output:
	// Ada reads: Hello, it is Bob.
	// in a new session: Are you all right?
}
