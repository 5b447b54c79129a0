package session

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"starling/docs/vectors"
	"starling/session/envelope"
	"starling/session/invite"
	"starling/session/prekey"
	"starling/session/ratchet"
)

// resetVectors is one side of a session, to which the other comes with offers of
// a new one, and the session that one of the offers leads to.
type resetVectors struct {
	Exporter vectors.Hex `json:"exporter"` // of the session that is there
	// Initiator is our role in it.
	Initiator bool   `json:"initiator"`
	Now       uint64 `json:"now"`
	// Proofs are the possible proofs of the peer's state, of the present session.
	Proofs  [2]vectors.Hex `json:"proofs"`
	Own     doorVector     `json:"own"`    // under what we would offer
	Peer    doorVector     `json:"peer"`   // under what the peer may
	Former  doorVector     `json:"former"` // under what the session was offered
	Last    uint64         `json:"last"`   // time of the offer that was answered
	Waiting uint64         `json:"waiting"`
	Steps   []resetStep    `json:"steps"`
	// The offer of the last step, as its maker has it, and the answer.
	Reason       uint8         `json:"reason"`
	Proven       bool          `json:"proven"`
	Time         uint64        `json:"time"`
	Link         string        `json:"link"`
	Prekeys      vectors.Hex   `json:"prekeys"` // private
	Knock        vectors.Hex   `json:"knock"`   // plaintext
	Hello        []cellVector  `json:"hello"`
	ID           vectors.Hex   `json:"id"` // of the first content
	First        vectors.Hex   `json:"first"`
	SafetyNumber string        `json:"safety_number"`
	Refused      []vectors.Hex `json:"refused"` // plaintexts of knocks
}

type doorVector struct {
	Secret vectors.Hex   `json:"secret"`
	Tags   []vectors.Hex `json:"tags"`
}

// resetStep is a cell that comes, and its fate: "new", "ignored", "refused", "early" or
// "offered".
type resetStep struct {
	cellVector
	About string `json:"about"`
	Then  string `json:"then"`
}

func doorOf(secret [32]byte) doorVector {
	v := doorVector{Secret: secret[:]}
	for _, tag := range invite.DeriveKnock(&secret).Tags {
		v.Tags = append(v.Tags, tag[:])
	}
	return v
}

// taker returns the side to which the offers come. An offer of its own waits.
func (v *resetVectors) taker(t *testing.T) *Reset {
	r := newReset((*[32]byte)(v.Exporter), v.Initiator, []door{{secret: [32]byte(v.Former.Secret), last: instant(v.Last)}})
	r.doors[0].proofs = [2]ratchet.Proof{ratchet.Proof(v.Proofs[0]), ratchet.Proof(v.Proofs[1])}
	if err := r.Offer(time.UnixMilli(int64(v.Waiting)), ReasonForked, [][]byte{{1}}); err != nil {
		t.Fatal(err)
	}
	return r
}

func (v *resetVectors) step(t *testing.T, r *Reset, about string, c Cell) *Offered {
	t.Helper()
	step, err := r.Take(time.UnixMilli(int64(v.Now)), c)
	then := "ignored"
	switch {
	case err == ErrEarly:
		then = "early"
	case err != nil:
		then = "refused"
	case step.Offered != nil:
		then = "offered"
	case step.New:
		then = "new"
	}
	v.Steps = append(v.Steps, resetStep{vectorOf(c), about, then})
	return step.Offered
}

func makeReset(t *testing.T) (v resetVectors) {
	var former [32]byte
	copy(former[:], drawn(32))
	v.Exporter, v.Initiator, v.Former, v.Last, v.Waiting = drawn(32), true, doorOf(former), 500, 2000
	v.Now, v.Proofs = 3000, [2]vectors.Hex{drawn(32), drawn(32)}
	r := v.taker(t)
	v.Own, v.Peer = doorOf(r.own), doorOf(r.doors[0].secret)
	made := func(secret []byte, ms int64, slot int) *Reset {
		o := &Reset{own: [32]byte(secret), proof: ratchet.Proof(v.Proofs[slot])}
		if err := o.Offer(time.UnixMilli(ms), ReasonRestored, [][]byte{drawn(39), drawn(51)}); err != nil {
			t.Fatal(err)
		}
		for range slot {
			o.Elsewhere()
		}
		return o
	}
	take := func(about string, c Cell) *Offered { return v.step(t, r, about, c) }

	take("from the future", made(v.Peer.Secret, 3000+600_001, 0).Bundle()[0])
	take("earlier than our own offer", made(v.Peer.Secret, 1999, 0).Bundle()[0])
	take("at the time of our own offer, which is the initiator's", made(v.Peer.Secret, 2000, 0).Bundle()[0])
	take("at the time of the offer that the session came of", made(v.Former.Secret, 500, 0).Bundle()[0])
	old := made(v.Former.Secret, 501, 0).Bundle()
	take("later than that", old[0])
	take("its bundle", old[1])
	take("again", old[1])
	current := made(v.Peer.Secret, 2001, 1)
	cells := current.Bundle()
	moved := cells[0]
	copy(moved.Tag[:], v.Peer.Tags[2])
	take("under another tag", moved)
	take("later than our own offer", cells[0])
	take("its second copy", cells[0])
	take("bundle of the offer that was overtaken", old[2])
	take("another part of the bundle", Cell{Tag: cells[2].Tag, Box: cells[1].Box})
	take("bundle", cells[3])
	take("bundle", cells[1])
	offered := take("bundle", cells[2])
	take("after it was taken", cells[0])

	o := current.offer
	plain := o.plain(&current.proof)
	v.Proven = offered.Proven
	v.Reason, v.Time, v.Link, v.Prekeys, v.Knock = uint8(o.reason), uint64(o.time), o.invite.Link(), o.invite.prekeys.Bytes(), plain[:]
	v.ID, v.First = drawn(16), drawn(100)
	s, hello, err := offered.Join(ID(v.ID), v.First)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range hello {
		v.Hello = append(v.Hello, vectorOf(c))
	}
	v.SafetyNumber = s.SafetyNumber()
	for _, edit := range []func(b []byte){
		func(b []byte) { b[0] = 0 },
		func(b []byte) { b[0] = 3 },
		func(b []byte) { clear(b[1:9]) },
		func(b []byte) { binary.BigEndian.PutUint64(b[1:], uint64(maxInstant)+1) },
		func(b []byte) { b[42]-- },
		func(b []byte) { b[43+40] ^= 1 },
		func(b []byte) { b[len(b)-1] = 1 },
	} {
		b := bytes.Clone(v.Knock)
		edit(b)
		v.Refused = append(v.Refused, b)
	}
	return v
}

func checkReset(t *testing.T, v resetVectors) {
	r := v.taker(t)
	for _, d := range []struct{ have, want doorVector }{{doorOf(r.own), v.Own}, {doorOf(r.doors[0].secret), v.Peer}, {doorOf(r.doors[1].secret), v.Former}} {
		if !bytes.Equal(d.have.Secret, d.want.Secret) || len(d.want.Tags) != 3 || !bytes.Equal(d.have.Tags[2], d.want.Tags[2]) {
			t.Errorf("other secrets or tags")
		}
	}
	var offered *Offered
	have := resetVectors{Now: v.Now}
	for i, want := range v.Steps {
		if o := have.step(t, r, "", want.cell()); o != nil {
			offered = o
		}
		if have.Steps[i].Then != want.Then {
			t.Errorf("%s: %s, want %s", want.About, have.Steps[i].Then, want.Then)
		}
	}
	if offered == nil || uint8(offered.Reason) != v.Reason || offered.Proven != v.Proven || !v.Proven {
		t.Fatal("another offer, or none")
	}
	if _, _, err := offered.Join(ID(v.ID), v.First); err != nil {
		t.Error(err)
	}
	p, sent, err := parseKnock(v.Knock, instant(v.Now))
	if err != nil || uint64(sent) != v.Time || p.invitation.link.Encode() != v.Link {
		t.Errorf("knock: %v", err)
	}
	for i, b := range v.Refused {
		if _, _, err := parseKnock(b, maxInstant); err == nil {
			t.Errorf("knock %d: taken", i)
		}
	}
	// The maker of the offer takes the answer.
	link, err := invite.Parse(v.Link)
	if err != nil {
		t.Fatal(err)
	}
	bob := &Invite{link: link, keys: invite.DeriveKeys(&link.Secret), bundle: make([][envelope.CellSize]byte, invite.Cells)}
	if bob.prekeys, err = prekey.ParsePrivate(v.Prekeys); err != nil {
		t.Fatal(err)
	}
	maker := &Reset{doors: make([]door, 1), offer: &offer{reason: Reason(v.Reason), time: instant(v.Time), invite: bob}}
	var hello []Cell
	for i := range v.Hello {
		hello = append(hello, v.Hello[i].cell())
	}
	for i, c := range hello {
		step, err := maker.Take(later, c)
		if err != nil || (step.Session != nil) != (i == 2) {
			t.Fatal(step, err)
		}
		if step.Session != nil && (step.Part.ID != ID(v.ID) || !bytes.Equal(step.Part.Data, v.First) || step.Session.SafetyNumber() != v.SafetyNumber) {
			t.Error("another first content or safety number")
		}
	}
}

func TestResetVectors(t *testing.T) {
	vectors.Made(t, "reset", makeReset, checkReset)
	vectors.Produced(t, "reset", checkReset)
}
