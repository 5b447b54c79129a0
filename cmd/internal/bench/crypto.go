package main

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"starling/p2p/outfox"
	"starling/session"
)

// content is the size of the benchmarks' messages in bytes.
const content = 1 << 10

// crypto measures one message's encryption and one packet's layers.
func crypto(context.Context, string) error {
	if err := sessions(); err != nil {
		return err
	}
	return packets()
}

// slice is how long one function runs at a time, and turns how often.
const (
	slice = 20 * time.Millisecond
	turns = 25
)

// nanoseconds measures functions in turns, so that what else the machine does
// meets all of them, and returns the time of one call in each one's best turn.
func nanoseconds(functions ...func() error) ([]float64, error) {
	best := make([]float64, len(functions))
	for range turns {
		for i, f := range functions {
			calls, begin := 0, time.Now()
			for time.Since(begin) < slice {
				for range 10 {
					if err := f(); err != nil {
						return nil, err
					}
				}
				calls += 10
			}
			if ns := float64(time.Since(begin)) / float64(calls); best[i] == 0 || ns < best[i] {
				best[i] = ns
			}
		}
	}
	return best, nil
}

func sessions() error {
	alice, bob, err := pair()
	if err != nil {
		return err
	}
	carol, dave, err := pair()
	if err != nil {
		return err
	}

	text := make([]byte, content)
	rand.Read(text)
	pass := func(from, to *session.Session) error {
		var id session.ID
		rand.Read(id[:])
		if err := acknowledge(from, to); err != nil {
			return err
		}
		cells, err := from.Seal(id, text, 0)
		if err != nil {
			return err
		}
		for _, c := range cells {
			if _, err := to.Open(c); err != nil {
				return err
			}
		}
		return nil
	}

	took, err := nanoseconds(
		func() error { return pass(alice, bob) },
		func() error { return errors.Join(pass(carol, dave), pass(dave, carol)) },
	)
	if err != nil {
		return err
	}

	watch("session seal+open, 1 KiB, one direction", took[0]/1000, "us", "")
	watch("session seal+open, 1 KiB, ping-pong", took[1]/2000, "us", "per message; every one is a ratchet step")
	return nil
}

// acknowledge has the recipient answer now and then: without an answer nobody may go
// on for ever.
func acknowledge(sender, recipient *session.Session) error {
	if sender.Room() >= session.MaxUnheard/2 {
		return nil
	}
	for _, flare := range sender.Signals() {
		if _, err := recipient.Open(flare); err != nil {
			return err
		}
	}
	for _, answer := range recipient.Signals() {
		if _, err := sender.Open(answer); err != nil {
			return err
		}
	}
	return nil
}

// pair makes two people who have each heard from the other.
func pair() (inviter, invitee *session.Session, err error) {
	now := time.Now()
	invite, err := session.NewInvite(now.Add(time.Hour), nil)
	if err != nil {
		return nil, nil, err
	}
	invitation, err := session.ParseLink(invite.Link())
	if err != nil {
		return nil, nil, err
	}

	invitee, hello, err := invitation.Join(now, invite.Bundle(), session.ID{1}, []byte("hello"))
	if err != nil {
		return nil, nil, err
	}
	for _, c := range hello {
		s, _, err := invite.Accept(now, c)
		if err != nil {
			return nil, nil, err
		}
		if s != nil {
			inviter = s
		}
	}
	if inviter == nil {
		return nil, nil, errors.New("the hello did not make a session")
	}

	answer, err := inviter.Seal(session.ID{2}, []byte("hello"), 0)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range answer {
		if _, err := invitee.Open(c); err != nil {
			return nil, nil, err
		}
	}
	return inviter, invitee, nil
}

func packets() error {
	var route [outfox.Layers]outfox.Hop
	var keys [outfox.Layers]*outfox.PrivateKey
	for i := range route {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			return err
		}
		keys[i] = k
		route[i] = outfox.Hop{Key: k.Public(), Delay: 30 * time.Millisecond}
		rand.Read(route[i].ID[:])
	}
	message := new(outfox.Message)
	rand.Read(message[:])

	one, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	other, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	slot := outfox.SlotAt(time.Now())
	packet, err := outfox.Wrap(slot, route, message)
	if err != nil {
		return err
	}
	seen := make(map[outfox.ReplayTag]struct{})
	took, err := nanoseconds(
		func() error {
			_, err := one.ECDH(other.PublicKey())
			return err
		},
		func() error {
			_, err := outfox.Wrap(slot, route, message)
			return err
		},
		func() error {
			p, err := keys[0].Peel(packet)
			seen[p.Replay] = struct{}{}
			return err
		},
	)
	if err != nil {
		return err
	}
	x25519, wrap, peel := took[0], took[1], took[2]
	watch("X25519", x25519/1000, "us", "the yardstick of this run")
	watch("packet wrap, 4 layers", wrap/1000, "us", fmt.Sprintf("%.1f X25519", wrap/x25519))
	atMost("packet peel / X25519", peel/x25519, 2, "ratio", fmt.Sprintf("%.1f us: open, replay check, payload", peel/1000))
	return nil
}
