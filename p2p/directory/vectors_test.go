package directory

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/docs/vectors"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

type directoryVectors struct {
	Descriptors []descriptorVector `json:"descriptors"`
	Digest      vectors.Hex        `json:"digest"`
	Requests    []requestVector    `json:"requests"`
	Renewals    []renewalVector    `json:"renewals"`
	// RefusedRenewals make nothing, or what is no descriptor, of the first descriptor.
	RefusedRenewals []refusedRenewal    `json:"refused_renewals"`
	Page            pageVector          `json:"page"`
	Refused         []refusedDescriptor `json:"refused"`
	// RefusedRequests are not answered.
	RefusedRequests []refusedRequest `json:"refused_requests"`
	Rendezvous      rendezvousVector `json:"rendezvous"`
}

// renewalVector is a descriptor that a relay signed after one of Descriptors.
type renewalVector struct {
	Of         int         `json:"of"`
	Descriptor vectors.Hex `json:"descriptor"`
	Renewal    vectors.Hex `json:"renewal"`
}

type refusedRenewal struct {
	Why     string      `json:"why"`
	Renewal vectors.Hex `json:"renewal"`
}

type refusedRequest struct {
	Why     string      `json:"why"`
	Request vectors.Hex `json:"request"`
}

// rendezvousVector is the ranking of relays under a secret.
type rendezvousVector struct {
	Secret  vectors.Hex   `json:"secret"`
	Relays  []placeVector `json:"relays"`
	Ranking []vectors.Hex `json:"ranking"` // node ids
}

type placeVector struct {
	NodeID    vectors.Hex     `json:"node_id"`
	Score     vectors.Hex     `json:"score"`
	Addresses []addressVector `json:"addresses"`
	Family    []vectors.Hex   `json:"family"` // prefixes
}

func (v *rendezvousVector) snapshot() *Snapshot {
	s := new(Snapshot)
	for _, r := range v.Relays {
		d := &Descriptor{ID: wire.NodeID(r.NodeID)}
		for _, a := range r.Addresses {
			d.Addresses = append(d.Addresses, a.address())
		}
		for _, p := range r.Family {
			d.Family = append(d.Family, Prefix(p))
		}
		s.Relays = append(s.Relays, d)
	}
	return s
}

func (v *rendezvousVector) rank() (ranking []vectors.Hex) {
	for _, id := range v.snapshot().Rendezvous([32]byte(v.Secret), len(v.Relays)) {
		ranking = append(ranking, id[:])
	}
	return ranking
}

func makeRendezvous() (v rendezvousVector) {
	v.Secret = drawn(32)
	for _, ips := range [][]string{{"192.0.2.7"}, {"192.0.99.1"}, {"198.51.100.1", "2001:db8::1"}, {"2001:db8:7::1"},
		{"2001:db9::1", "203.0.113.9"}, {"203.0.113.10"}, {"198.51.7.7"}, {"100.64.0.1"},
		{"11.0.0.1"}, {"12.0.0.1"}, {"13.0.0.1"}} {
		r := placeVector{NodeID: drawn(32), Family: []vectors.Hex{}}
		for _, ip := range ips {
			r.Addresses = append(r.Addresses, tcp(ip))
		}
		mac := hmac.New(sha256.New, v.Secret)
		mac.Write([]byte(RendezvousLabel))
		mac.Write(r.NodeID)
		r.Score = mac.Sum(nil)
		v.Relays = append(v.Relays, r)
	}
	// Two name each other, a third names both, and nobody it.
	for _, named := range [][2]int{{8, 9}, {9, 8}, {10, 8}, {10, 9}} {
		r := &v.Relays[named[0]]
		r.Family = append(r.Family, v.Relays[named[1]].NodeID[:prefixSize])
	}
	v.Ranking = v.rank()
	return v
}

type descriptorVector struct {
	Seed       vectors.Hex     `json:"seed"`
	NodeID     vectors.Hex     `json:"node_id"`
	Sequence   uint64          `json:"sequence"`
	Issued     int64           `json:"issued"`
	Expires    int64           `json:"expires"`
	Capacity   uint16          `json:"capacity"`
	Epoch      uint32          `json:"epoch"`
	Features   uint16          `json:"features"`
	Keys       vectors.Hex     `json:"keys"`
	Salt       vectors.Hex     `json:"salt"`
	NextSalt   vectors.Hex     `json:"next_salt"`
	Commitment vectors.Hex     `json:"commitment"`
	Family     []vectors.Hex   `json:"family"`
	Addresses  []addressVector `json:"addresses"`
	Descriptor vectors.Hex     `json:"descriptor"`
	Hint       vectors.Hex     `json:"hint"` // with all of them
	PeerID     vectors.Hex     `json:"peer_id"`
}

type addressVector struct {
	Kind  byte        `json:"kind"`
	IP    *netip.Addr `json:"ip,omitempty"`
	Port  uint16      `json:"port"`
	Host  string      `json:"host,omitempty"`
	Onion vectors.Hex `json:"onion,omitempty"`
}

func (v addressVector) address() (a Address) {
	a.Host = v.Host
	var ip netip.Addr
	if v.IP != nil {
		ip = *v.IP
	}
	a.AddrPort = netip.AddrPortFrom(ip, v.Port)
	switch v.Kind {
	case kindTCP4, kindTCP6:
		a.Transport = TCP
	case kindOnion:
		a.Transport = Onion
		copy(a.Onion[:], v.Onion)
	}
	return a
}

func tcp(s string) addressVector {
	ip := netip.MustParseAddr(s)
	v := addressVector{Kind: kindTCP4, IP: &ip, Port: 4001}
	if ip.Is6() {
		v.Kind = kindTCP6
	}
	return v
}

type entryVector struct {
	Known      uint16      `json:"known,omitempty"`
	Descriptor vectors.Hex `json:"descriptor,omitempty"`
	Renewal    vectors.Hex `json:"renewal,omitempty"` // in place of these, as is
	Name       vectors.Hex `json:"name,omitempty"`
}

type requestVector struct {
	Nonce    vectors.Hex `json:"nonce"`
	Instance vectors.Hex `json:"instance"`
	After    uint64      `json:"after"`
	Digest   vectors.Hex `json:"digest"`
	Pages    byte        `json:"pages"`
	Stamp    uint64      `json:"stamp"`
	Whole    uint64      `json:"whole"`
	Names    byte        `json:"names"`
	Issued   int64       `json:"issued,omitempty"` // with the sketch
	Sketch   vectors.Hex `json:"sketch,omitempty"`
	Request  vectors.Hex `json:"request"`
}

type pageVector struct {
	Nonce    vectors.Hex   `json:"nonce"`
	Instance vectors.Hex   `json:"instance"`
	Stamp    uint64        `json:"stamp"`
	Time     int64         `json:"time"`
	State    PageState     `json:"state"`
	Entries  []entryVector `json:"entries"`
	Page     vectors.Hex   `json:"page"`
}

type refusedDescriptor struct {
	Why        string      `json:"why"`
	Descriptor vectors.Hex `json:"descriptor"`
}

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// relay is the descriptor before it is signed, and the key that signs it.
func (v *descriptorVector) relay(t *testing.T) *relay {
	t.Helper()
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(v.Seed))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{key: key, d: Descriptor{
		Sequence: v.Sequence, Issued: time.Unix(v.Issued, 0), Expires: time.Unix(v.Expires, 0),
		Capacity: v.Capacity, Features: v.Features, Epoch: v.Epoch,
	}}
	copy(r.d.Salt[:], v.Salt)
	copy(r.d.Commitment[:], v.Commitment)
	for _, p := range v.Family {
		r.d.Family = append(r.d.Family, Prefix(p))
	}
	if r.d.ID, err = wire.NodeIDFromKey(key.GetPublic()); err != nil {
		t.Fatal(err)
	}
	for i := range r.d.Keys {
		if r.d.Keys[i], err = outfox.ParsePublicKey(v.Keys[i*outfox.PublicKeySize:][:outfox.PublicKeySize]); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range v.Addresses {
		r.d.Addresses = append(r.d.Addresses, a.address())
	}
	return r
}

func makeDirectory(t *testing.T) (v directoryVectors) {
	now := time.Unix(1_800_000_000, 0)
	d := at(&now, true)
	for i, ips := range [][]string{{"192.0.2.7"}, {"198.51.100.1", "2001:db8::1"}, {"198.51.101.1", "2001:db8::1"}} {
		r := newRelay(t, i)
		one := descriptorVector{
			Seed: drawn(ed25519.SeedSize), Sequence: uint64(now.UnixMilli()), Issued: now.Unix(),
			Expires: now.Add(3 * time.Hour).Unix(), Capacity: uint16(500 * i), Features: uint16(i), Epoch: FirstEpoch(now),
			Salt: drawn(SaltSize), NextSalt: drawn(SaltSize), Family: []vectors.Hex{},
		}
		promised := Salt(one.NextSalt).Commit()
		one.Commitment = promised[:]
		for _, k := range r.d.Keys {
			one.Keys = append(one.Keys, k.Bytes()...)
		}
		for _, ip := range ips {
			one.Addresses = append(one.Addresses, tcp(ip))
		}
		if i > 0 {
			one.Family = []vectors.Hex{drawn(prefixSize), v.Descriptors[0].NodeID[:prefixSize]}
			four, six := netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::2")
			second := addressVector{Kind: kindWeb4, IP: &four, Port: 443, Host: "relay.example"}
			if i > 1 {
				second = addressVector{Kind: kindWeb6, IP: &six, Port: 443}
			}
			one.Addresses = append(one.Addresses, second, addressVector{Kind: kindOnion, Port: 9001, Onion: drawn(onionSize)})
		}
		r = one.relay(t)
		one.NodeID, one.Descriptor = bytes.Clone(r.d.ID[:]), r.sign(t)
		one.Hint = r.d.Hint().Append(nil)
		one.PeerID = []byte(r.d.ID.Peer())
		if err := d.Add(one.Descriptor); err != nil {
			t.Fatal(err)
		}
		v.Descriptors = append(v.Descriptors, one)
	}
	snap := d.Snapshot()
	v.Digest = snap.Digest[:]
	r := requestVector{Nonce: drawn(8), Instance: drawn(8), After: 77, Digest: v.Digest, Pages: 16, Stamp: 1<<63 + 5, Whole: 70}
	r.Request = r.request().Append(nil)
	v.Requests = append(v.Requests, r)
	r.Issued, r.Sketch, r.Names = now.Unix()-3600, sketchOf(snap), 1
	r.Request = r.request().Append(nil)
	v.Requests = append(v.Requests, r)
	refuseRequest := func(why string, edit func(r *Request)) {
		r := r.request()
		edit(&r)
		v.RefusedRequests = append(v.RefusedRequests, refusedRequest{why, r.Append(nil)})
	}
	refuseRequest("nonce 0", func(r *Request) { r.Nonce = 0 })
	refuseRequest("no page", func(r *Request) { r.Pages = 0 })
	refuseRequest("33 pages", func(r *Request) { r.Pages = 33 })
	neither := v.Requests[0].request().Append(nil)
	neither[73] = 2
	v.RefusedRequests = append(v.RefusedRequests, refusedRequest{"names 2", neither})
	v.Rendezvous = makeRendezvous()
	v.Page = pageVector{Nonce: r.Nonce, Instance: drawn(8), Stamp: 79, Time: now.Unix() + 5, State: PageLast}
	for i := range v.Descriptors {
		v.Page.Entries = append(v.Page.Entries, entryVector{Known: []uint16{77, VouchedOnly, 0}[i], Descriptor: v.Descriptors[i].Descriptor})
	}
	v.makeRenewals(t)
	for _, r := range v.Renewals {
		v.Page.Entries = append(v.Page.Entries, entryVector{Renewal: r.Renewal}, entryVector{Name: r.Renewal[:nameSize]})
	}
	v.Page.Page = v.Page.page().Append(nil)

	// All but the first are signed by the relay itself.
	refuse := func(why string, edit func(b []byte) []byte) {
		b := edit(bytes.Clone(v.Descriptors[0].Descriptor[:len(v.Descriptors[0].Descriptor)-signatureSize]))
		sig, err := v.Descriptors[0].relay(t).key.Sign(append([]byte(descriptorLabel), b...))
		if err != nil {
			t.Fatal(err)
		}
		v.Refused = append(v.Refused, refusedDescriptor{why, append(b, sig...)})
	}
	forged := bytes.Clone(v.Descriptors[0].Descriptor)
	forged[40]++
	v.Refused = []refusedDescriptor{{"forged", forged}}
	refuse("version 1", func(b []byte) []byte { b[0] = 1; return b })
	refuse("valid for more than 48 hours", func(b []byte) []byte {
		binary.BigEndian.PutUint64(b[49:], uint64(now.Unix()+48*3600+1))
		return b
	})
	refuse("expires when it is issued", func(b []byte) []byte { copy(b[49:57], b[41:49]); return b })
	refuse("epoch of another day", func(b []byte) []byte { b[64]++; return b })
	refuse("family of nine", func(b []byte) []byte { b[209] = 9; return append(b, make([]byte, 72)...) })
	refuse("no address", func(b []byte) []byte { b[210] = 0; return b[:211] })
	refuse("address that is too short", func(b []byte) []byte { b[211] = 6; return b[:len(b)-1] })
	refuse("address that is too long", func(b []byte) []byte { b[211] = 8; return append(b, 0) })
	refuse("port 0", func(b []byte) []byte { b[217], b[218] = 0, 0; return b })
	refuse("multicast", func(b []byte) []byte { b[213] = 224; return b })
	refuse("a byte more", func(b []byte) []byte { return append(b, 0) })
	return v
}

// makeRenewals has relays say the same again: after minutes, days, a restart, and in the
// next window.
func (v *directoryVectors) makeRenewals(t *testing.T) {
	for i, later := range []time.Duration{10 * time.Minute, 24 * time.Hour, 48 * time.Hour, 5 * 24 * time.Hour, WindowLength} {
		of := i % len(v.Descriptors)
		before := &v.Descriptors[of]
		r := before.relay(t)
		r.d.Issued = r.d.Issued.Add(later)
		r.d.Expires = r.d.Expires.Add(later)
		r.d.Sequence = uint64(r.d.Issued.UnixMilli()) + uint64(111*i)
		r.d.Epoch = FirstEpoch(r.d.Issued)
		if gone := int(r.d.Epoch - before.Epoch); gone < keyCount {
			copy(r.d.Keys[:], r.d.Keys[gone:])
			for j := keyCount - gone; j < keyCount; j++ {
				r.d.Keys[j] = newRelay(t, 7).d.Keys[0]
			}
		} else {
			r.newKeys(t)
		}
		if Window(r.d.Issued) != Window(time.Unix(before.Issued, 0)) {
			copy(r.d.Salt[:], before.NextSalt)
			copy(r.d.Commitment[:], drawn(CommitmentSize))
		}
		raw := r.sign(t)
		v.Renewals = append(v.Renewals, renewalVector{of, raw, cutRenewal(raw, renewalOf(before.Descriptor, raw))})
	}

	good := v.Renewals[0].Renewal
	refuse := func(why string, edit func(b []byte) []byte) {
		v.RefusedRenewals = append(v.RefusedRenewals, refusedRenewal{why, edit(bytes.Clone(good))})
	}
	refuse("forged", func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	refuse("another time", func(b []byte) []byte { b[7]++; return b })
	refuse("the time before", func(b []byte) []byte { return append(append(b[:4], v.Descriptors[0].Descriptor[37:41]...), b[8:]...) })
	refuse("another relay", func(b []byte) []byte { return append(bytes.Clone(v.Renewals[1].Renewal[:4]), b[4:]...) })
	refuse("a key that is lacking", func(b []byte) []byte {
		return append(binary.BigEndian.AppendUint32(b[:4], uint32(v.Descriptors[0].Sequence+3*86_400_000)), b[8:]...)
	})
	refuse("a byte more", func(b []byte) []byte { return append(b, 0) })
}

func sketchOf(s *Snapshot) (b vectors.Hex) {
	for i := range s.Sketch {
		b = append(b, s.Sketch[i][:]...)
	}
	return b
}

func (v *requestVector) request() Request {
	r := Request{Nonce: binary.BigEndian.Uint64(v.Nonce), Instance: [8]byte(v.Instance), After: v.After, Digest: [32]byte(v.Digest), Pages: v.Pages, Stamp: v.Stamp, Whole: v.Whole, Names: v.Names == 1}
	if len(v.Sketch) > 0 {
		r.Narrow = &Narrow{Issued: time.Unix(v.Issued, 0)}
		for i := range r.Narrow.Sketch {
			copy(r.Narrow.Sketch[i][:], v.Sketch[8*i:])
		}
	}
	return r
}

func (v *pageVector) page() *Page {
	p := &Page{Nonce: binary.BigEndian.Uint64(v.Nonce), Instance: [8]byte(v.Instance), Stamp: v.Stamp, Time: time.Unix(v.Time, 0), State: v.State}
	for _, e := range v.Entries {
		if e.Name != nil {
			p.Entries = append(p.Entries, Entry{VouchedOnly, e.Name})
			continue
		}
		if e.Renewal != nil {
			p.Entries = append(p.Entries, Entry{VouchedOnly, e.Renewal})
			continue
		}
		p.Entries = append(p.Entries, Entry{e.Known, e.Descriptor})
	}
	return p
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "directory", makeDirectory, checkDirectory)
	vectors.Produced(t, "directory", checkDirectory)
}

func checkDirectory(t *testing.T, v directoryVectors) {
	now := time.Unix(v.Descriptors[0].Issued, 0)
	d := at(&now, true)
	for i, want := range v.Descriptors {
		r := want.relay(t)
		got, err := Parse(want.Descriptor)
		if err != nil || !reflect.DeepEqual(*got, r.d) {
			t.Fatalf("descriptor %d: %v: %+v", i, err, got)
		}
		if !bytes.Equal(got.ID[:], want.NodeID) || !bytes.Equal([]byte(got.ID.Peer()), want.PeerID) {
			t.Errorf("descriptor %d: another node", i)
		}
		if !bytes.Equal(r.sign(t), want.Descriptor) {
			t.Errorf("descriptor %d is made differently", i)
		}
		hint, err := ParseHint(want.Hint)
		if err != nil || hint.ID != got.ID || !reflect.DeepEqual(hint.Addresses, got.Addresses) || !bytes.Equal(hint.Append(nil), want.Hint) {
			t.Errorf("hint %d: %v", i, err)
		}
		if promised := Salt(want.NextSalt).Commit(); !bytes.Equal(promised[:], want.Commitment) {
			t.Errorf("descriptor %d promises another salt", i)
		}
		if err := d.Add(want.Descriptor); err != nil {
			t.Fatal(err)
		}
	}
	snap := d.Snapshot()
	if !bytes.Equal(snap.Digest[:], v.Digest) {
		t.Errorf("digest %x", snap.Digest)
	}
	for i, want := range v.Requests {
		if len(want.Sketch) > 0 && !bytes.Equal(sketchOf(snap), want.Sketch) {
			t.Error("another sketch")
		}
		if r, err := ParseRequest(want.Request); err != nil || !reflect.DeepEqual(r, want.request()) || !bytes.Equal(r.Append(nil), want.Request) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if p, err := ParsePage(v.Page.Page); err != nil || !reflect.DeepEqual(p, v.Page.page()) || !bytes.Equal(p.Append(nil), v.Page.Page) {
		t.Errorf("page: %v", err)
	}
	for i, r := range v.Renewals {
		made, err := d.Complete(r.Renewal)
		if err == nil {
			_, err = Parse(made)
		}
		if err != nil || !bytes.Equal(made, r.Descriptor) {
			t.Errorf("renewal %d makes another descriptor: %v", i, err)
		}
		before := v.Descriptors[r.Of].Descriptor
		if got := cutRenewal(r.Descriptor, renewalOf(before, r.Descriptor)); !bytes.Equal(got, r.Renewal) {
			t.Errorf("renewal %d is made differently: %x", i, got)
		}
	}
	for _, r := range v.RefusedRenewals {
		raw, err := d.Complete(r.Renewal)
		if err == nil {
			err = d.Add(raw)
		}
		if err == nil {
			t.Errorf("%s: taken", r.Why)
		}
	}
	for _, r := range v.RefusedRequests {
		if _, err := ParseRequest(r.Request); err == nil {
			t.Errorf("%s: taken", r.Why)
		}
	}
	if got := v.Rendezvous.rank(); !reflect.DeepEqual(got, v.Rendezvous.Ranking) {
		t.Errorf("another ranking: %x", got)
	}
	for _, r := range v.Refused {
		if _, err := Parse(r.Descriptor); err == nil {
			t.Errorf("%s: taken", r.Why)
		}
	}
}
